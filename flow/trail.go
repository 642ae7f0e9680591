package flow

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

const (
	trailCookie = "authkit-trail"
	trailLife   = time.Minute
	maxAttempts = 2 // sign-ins for one page, each within a minute of the last, before a page explains
	maxTrails   = 10
)

// trail is what the last sign-in for a page left behind, so that a loop is
// noticed. The callback sets a cookie with those of the last minute, as tabs may
// loop side by side; a restart also passes its own in the URL, as a browser that
// keeps no cookies loops too.
type trail struct {
	Page      string    `json:"p"` // fingerprint of the destination
	Attempt   int       `json:"a"`
	Restarted bool      `json:"s"`
	At        time.Time `json:"t"`
}

// trailOf is the trail of a sign-in that comes back now.
func (f *Flow) trailOf(s state) trail {
	return trail{Page: fingerprint(f.destination(s.ReturnURL)), Attempt: s.Attempt, At: f.Now()}
}

func (f *Flow) sealTrails(trails ...trail) string {
	plaintext, err := json.Marshal(trails)
	if err != nil {
		return ""
	}
	return f.trails.Seal(plaintext)
}

// nextTrail continues the trail of a destination, or begins a new one.
func (f *Flow) nextTrail(r *http.Request, destination string) trail {
	next := trail{Page: fingerprint(destination), Attempt: 1}
	for _, t := range f.readTrails(r) {
		if t.Page == next.Page {
			next.Restarted = next.Restarted || t.Restarted
			next.Attempt = max(next.Attempt, t.Attempt+1)
		}
	}
	return next
}

// readTrails opens the trails of the last minute.
func (f *Flow) readTrails(r *http.Request) []trail {
	sealed := []string{r.URL.Query().Get("trail")}
	if c, err := r.Cookie(trailCookie); err == nil {
		sealed = append(sealed, c.Value)
	}
	var trails []trail
	for _, value := range sealed {
		var opened []trail
		plaintext, err := f.trails.Open(value)
		if err != nil || json.Unmarshal(plaintext, &opened) != nil {
			continue
		}
		for _, t := range opened {
			if age := f.Now().Sub(t.At); age > -trailLife && age < trailLife { // clocks of replicas differ
				trails = append(trails, t)
			}
		}
	}
	return trails
}

// setTrail adds a trail to those of other pages that the request carried.
func (f *Flow) setTrail(w http.ResponseWriter, r *http.Request, t trail) {
	trails := slices.DeleteFunc(f.readTrails(r), func(other trail) bool { return other.Page == t.Page })
	trails = append(trails, t)
	sealed := f.sealTrails(trails[max(0, len(trails)-maxTrails):]...)
	http.SetCookie(w, f.cookie(trailCookie, sealed, trailLife))
}

// clearTrail starts the count afresh.
func (f *Flow) clearTrail(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(trailCookie); err == nil {
		http.SetCookie(w, f.cookie(trailCookie, "", 0))
	}
}
