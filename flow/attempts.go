package flow

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

const (
	attemptsCookie = "authkit-attempts"
	attemptsLife   = time.Minute
	maxAttempts    = 2 // sign-ins for one page, each within a minute of the last, before a page explains
	maxPages       = 10
)

// attempt is the last sign-in for a page, kept so that a loop is noticed. The
// callback sets a cookie with those of the last minute, as tabs may loop side by
// side; a restart also passes its own in the URL, as a browser that keeps no
// cookies loops too.
type attempt struct {
	Page      string    `json:"p"` // fingerprint of the destination
	Number    int       `json:"a"` // how many in a row, from 1
	Restarted bool      `json:"s"`
	At        time.Time `json:"t"`
}

// attemptOf is the attempt of a sign-in that comes back now.
func (f *Flow) attemptOf(s state) attempt {
	return attempt{Page: fingerprint(f.destination(s.ReturnURL)), Number: s.Attempt, At: f.Now()}
}

func (f *Flow) sealAttempts(attempts ...attempt) string {
	plaintext, err := json.Marshal(attempts)
	if err != nil {
		return ""
	}
	return f.attempts.Seal(plaintext)
}

// nextAttempt counts on for a destination, from 1.
func (f *Flow) nextAttempt(r *http.Request, destination string) attempt {
	next := attempt{Page: fingerprint(destination), Number: 1}
	for _, t := range f.readAttempts(r) {
		if t.Page == next.Page {
			next.Restarted = next.Restarted || t.Restarted
			next.Number = max(next.Number, t.Number+1)
		}
	}
	return next
}

// readAttempts opens the attempts of the last minute.
func (f *Flow) readAttempts(r *http.Request) []attempt {
	sealed := []string{r.URL.Query().Get("attempts")}
	if c, err := r.Cookie(attemptsCookie); err == nil {
		sealed = append(sealed, c.Value)
	}
	var attempts []attempt
	for _, value := range sealed {
		var opened []attempt
		plaintext, err := f.attempts.Open(value)
		if err != nil || json.Unmarshal(plaintext, &opened) != nil {
			continue
		}
		for _, t := range opened {
			if age := f.Now().Sub(t.At); age > -attemptsLife && age < attemptsLife { // clocks of replicas differ
				attempts = append(attempts, t)
			}
		}
	}
	return attempts
}

// recordAttempt adds an attempt to those of other pages that the request carried.
func (f *Flow) recordAttempt(w http.ResponseWriter, r *http.Request, t attempt) {
	attempts := slices.DeleteFunc(f.readAttempts(r), func(other attempt) bool { return other.Page == t.Page })
	attempts = append(attempts, t)
	sealed := f.sealAttempts(attempts[max(0, len(attempts)-maxPages):]...)
	http.SetCookie(w, f.cookie(attemptsCookie, sealed, attemptsLife))
}

// clearAttempts starts the count afresh.
func (f *Flow) clearAttempts(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(attemptsCookie); err == nil {
		http.SetCookie(w, f.cookie(attemptsCookie, "", 0))
	}
}
