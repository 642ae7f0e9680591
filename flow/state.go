package flow

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

const (
	stateLife   = 10 * time.Minute // as long as AuthKit's codes
	stateCookie = "authkit-state-" // + time in milliseconds (hex) + "-" + random
	maxStates   = 5                // state cookies in one browser, the oldest go
	maxRead     = 8                // state cookies of a request that are read
	maxState    = 16 << 10         // bytes of a sealed state
)

// state is what a sign-in has to know when it comes back. It travels sealed
// through AuthKit, and a cookie binds it to the browser.
type state struct {
	Nonce     string    `json:"n"` // makes every state another one
	Verifier  string    `json:"v"` // PKCE code verifier (RFC 7636)
	ReturnURL string    `json:"r"` // where to go then; empty: the default. Sealed, it is site.StateReturnURL
	Attempt   int       `json:"a"` // how often this page was tried just now, from 1
	Restarted bool      `json:"s"` // a callback has begun the sign-in anew already
	Issued    time.Time `json:"t"`

	OrganizationID string         `json:"o,omitempty"` // what the sign-in is for, if anything
	MaxAge         *time.Duration `json:"m,omitempty"` // how old a sign-in would do; nil: any
}

func newState(returnURL string, t attempt, now time.Time) state {
	return state{
		Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), ReturnURL: returnURL,
		Attempt: t.Number, Restarted: t.Restarted, Issued: now,
	}
}

// challenge is the S256 code challenge.
func (s state) challenge() string {
	sum := sha256.Sum256([]byte(s.Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sealState seals a state and binds it to the browser.
func (f *Flow) sealState(w http.ResponseWriter, r *http.Request, s state) (string, error) {
	returnURL := s.ReturnURL
	s.ReturnURL = site.StateReturnURL(returnURL)
	var plaintext bytes.Buffer
	e := json.NewEncoder(&plaintext)
	e.SetEscapeHTML(false) // a URL's & would become six bytes
	if err := e.Encode(s); err != nil {
		return "", err
	}
	sealed := f.states.Seal(plaintext.Bytes())
	f.dropSurplus(w, r)
	f.bind(w, sealed)
	f.carryReturnURL(w, r, sealed, returnURL)
	return sealed, nil
}

// bind sets the cookie that binds a sealed state to the browser. Each sign-in has
// a cookie of its own, so that tabs don't take each other's.
func (f *Flow) bind(w http.ResponseWriter, sealed string) {
	name := stateCookie + strconv.FormatInt(f.Now().UnixMilli(), 16) + "-" + rand.Text()[:8]
	http.SetCookie(w, f.hostCookie(name, fingerprint(sealed), stateLife))
}

// stateCookies lists a request's state cookies, the newest maxRead by name, the
// oldest first.
func (f *Flow) stateCookies(r *http.Request) []*http.Cookie {
	prefix := f.hostCookieName(stateCookie)
	cookies := slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, prefix) })
	slices.SortFunc(cookies, func(a, b *http.Cookie) int { return strings.Compare(a.Name, b.Name) }) // by time: it has eleven digits until the year 2527
	return cookies[max(0, len(cookies)-maxRead):]
}

// dropSurplus expires the oldest state cookies of a request, so that with a new one
// there are maxStates.
func (f *Flow) dropSurplus(w http.ResponseWriter, r *http.Request) {
	cookies := f.stateCookies(r)
	for _, c := range cookies[:max(0, len(cookies)-(maxStates-1))] {
		f.expireState(w, c.Name)
	}
}

// expireState takes a state's cookie away, by name.
func (f *Flow) expireState(w http.ResponseWriter, name string) {
	http.SetCookie(w, f.hostCookie(strings.TrimPrefix(name, "__Host-"), "", 0))
}

func fingerprint(sealed string) string {
	sum := sha256.Sum256([]byte(sealed))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// stateCookieOf returns the name of the cookie that binds a sealed state to this
// browser, empty if there is none. Nothing of the state is read for that.
func (f *Flow) stateCookieOf(r *http.Request, sealed string) string {
	want, name := []byte(fingerprint(sealed)), ""
	for _, c := range f.stateCookies(r) {
		if subtle.ConstantTimeCompare([]byte(c.Value), want) == 1 {
			name = c.Name
		}
	}
	return name
}

// openState opens a sealed state, and reports whether it is young enough.
func (f *Flow) openState(sealed string) (s state, opened, fresh bool) {
	if sealed == "" || len(sealed) > maxState {
		return state{}, false, false
	}
	plaintext, err := f.states.Open(sealed)
	if err != nil || json.Unmarshal(plaintext, &s) != nil {
		return state{}, false, false
	}
	age := f.Now().Sub(s.Issued)
	return s, true, age >= -time.Minute && age < stateLife
}

// signIn is a sign-in that comes back: its state, and how much of it is good.
type signIn struct {
	state
	sealed string // as it came
	cookie string // name of the cookie that binds it to this browser; empty: there is none
	opened bool   // it was sealed here
	fresh  bool   // no older than stateLife
}

// readSignIn reads a sealed state. Nothing but trusted may be asked of it before a
// code is exchanged.
func (f *Flow) readSignIn(r *http.Request, sealed string) signIn {
	s := signIn{sealed: sealed, cookie: f.stateCookieOf(r, sealed)}
	if s.state, s.opened, s.fresh = f.openState(sealed); s.opened {
		s.ReturnURL = cmp.Or(f.carriedReturnURL(r, sealed), s.ReturnURL)
	}
	return s
}

// trusted reports whether this browser began the sign-in, here and lately.
func (s signIn) trusted() bool { return s.cookie != "" && s.opened && s.fresh }

// release takes away the cookies of a sign-in, which are good for one use whatever comes
// of it.
func (f *Flow) release(w http.ResponseWriter, r *http.Request, s signIn) {
	if s.cookie != "" {
		f.expireState(w, s.cookie)
		f.releaseReturnURL(w, r, s.sealed)
		f.releaseSelection(w, r)
	}
}
