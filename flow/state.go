package flow

import (
	"bytes"
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
)

const (
	stateLife   = 10 * time.Minute // as long as AuthKit's codes
	stateCookie = "authkit-state-" // + time in milliseconds (hex) + "-" + random
	maxStates   = 5                // state cookies in one browser, the oldest go
	maxState    = 16 << 10         // bytes of a sealed state
)

// state is what a sign-in has to know when it comes back. It travels sealed
// through AuthKit, and a cookie binds it to the browser.
type state struct {
	Nonce     string    `json:"n"` // makes every state another one
	Verifier  string    `json:"v"` // PKCE code verifier (RFC 7636)
	ReturnURL string    `json:"r"` // where to go then; empty: the default
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
	var plaintext bytes.Buffer
	e := json.NewEncoder(&plaintext)
	e.SetEscapeHTML(false) // a URL's & would become six bytes
	if err := e.Encode(s); err != nil {
		return "", err
	}
	sealed := f.states.Seal(plaintext.Bytes())
	for _, old := range surplusStates(r) {
		http.SetCookie(w, f.cookie(old, "", 0))
	}
	f.bind(w, sealed)
	return sealed, nil
}

// bind sets the cookie that binds a sealed state to the browser. Each sign-in has
// a cookie of its own, so that tabs don't take each other's.
func (f *Flow) bind(w http.ResponseWriter, sealed string) {
	name := stateCookie + strconv.FormatInt(f.Now().UnixMilli(), 16) + "-" + rand.Text()[:8]
	http.SetCookie(w, f.cookie(name, fingerprint(sealed), stateLife))
}

// surplusStates lists the oldest state cookies of a request, so that with a new one
// there are maxStates.
func surplusStates(r *http.Request) []string {
	var names []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, stateCookie) {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names) // by time: it has eleven digits until the year 2527
	return names[:max(0, len(names)-(maxStates-1))]
}

func fingerprint(sealed string) string {
	sum := sha256.Sum256([]byte(sealed))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// stateCookieOf returns the name of the cookie that binds a sealed state to this
// browser, empty if there is none. Nothing of the state is read for that.
func stateCookieOf(r *http.Request, sealed string) string {
	want, name := []byte(fingerprint(sealed)), ""
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, stateCookie) && subtle.ConstantTimeCompare([]byte(c.Value), want) == 1 {
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
