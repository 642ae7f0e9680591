package flow

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

const (
	attemptsCookie = "authkit-attempts"
	attemptsLife   = time.Minute
	maxAttempts    = 2 // sign-ins for one page, each within a minute of the last, before a page explains
	maxPages       = 10
)

// attempt is the last sign-in for a page, kept so that a loop is noticed. The
// callback sets a cookie with those of the last minute, as tabs may loop side by
// side.
//
// A restart also passes its own in the URL, for a browser that keeps no cookies. As
// anybody can send somebody else a URL, that one says only that the sign-in was begun
// anew already, which matters where the state's cookie is missing once more.
type attempt struct {
	Page      string    `json:"p"` // fingerprint of the destination
	Number    int       `json:"a"` // how many in a row, from 1
	Restarted bool      `json:"s"`
	At        time.Time `json:"t"`
}

// attemptOf is the attempt of a sign-in that comes back now.
func (f *Flow) attemptOf(s state) attempt {
	return attempt{Page: pageOf(f.destination(s.ReturnURL)), Number: s.Attempt, At: f.Now()}
}

// pageOf names a destination in a record of attempts.
func pageOf(destination string) string { return fingerprint(site.StateReturnURL(destination)) }

func (f *Flow) sealAttempts(attempts ...attempt) string {
	plaintext, err := json.Marshal(attempts)
	if err != nil {
		return ""
	}
	return f.attempts.Seal(plaintext)
}

// nextAttempt counts on for a destination, from 1.
func (f *Flow) nextAttempt(r *http.Request, destination string) attempt {
	next := attempt{Page: pageOf(destination), Number: 1}
	for _, last := range f.cookieAttempts(r) {
		if last.Page == next.Page {
			next.Restarted = next.Restarted || last.Restarted
			next.Number = max(next.Number, last.Number+1)
		}
	}
	for _, last := range f.openAttempts(r.URL.Query().Get("attempts")) {
		next.Restarted = next.Restarted || last.Page == next.Page && last.Restarted
	}
	return next
}

// cookieAttempts are those of the last minute in this browser.
func (f *Flow) cookieAttempts(r *http.Request) []attempt {
	c, err := r.Cookie(attemptsCookie)
	if err != nil {
		return nil
	}
	return f.openAttempts(c.Value)
}

// openAttempts opens the attempts of the last minute.
func (f *Flow) openAttempts(sealed string) []attempt {
	var attempts []attempt
	plaintext, err := f.attempts.Open(sealed)
	if err != nil || json.Unmarshal(plaintext, &attempts) != nil {
		return nil
	}
	return slices.DeleteFunc(attempts, func(a attempt) bool {
		age := f.Now().Sub(a.At)
		return age <= -attemptsLife || age >= attemptsLife // clocks of replicas differ
	})
}

// recordAttempt adds an attempt to those of other pages that the request carried.
func (f *Flow) recordAttempt(w http.ResponseWriter, r *http.Request, t attempt) {
	attempts := slices.DeleteFunc(f.cookieAttempts(r), func(other attempt) bool { return other.Page == t.Page })
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
