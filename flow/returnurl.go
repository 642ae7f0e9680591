package flow

import (
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// A return URL that doesn't fit into a state travels beside it: compressed, sealed and
// cut into cookies on the flow's path, which the state's fingerprint names:
//
//	authkit-return-<16 of the fingerprint>.0 = <first part>
//	authkit-return-<16 of the fingerprint>.1 = <second part>
//	authkit-return-<16 of the fingerprint>.2 = <last part>
//
// The seal covers the whole fingerprint. The state itself keeps origin and path, which
// is where the sign-in leads if the cookies don't come back.
const (
	returnCookie     = "authkit-return-"
	maxReturnCookies = 3
	returnCookieSize = 3800
	// maxReturnBytes bounds the values of all such cookies in a browser, so that tabs side
	// by side stay within the gateways' limits for a header. The oldest go.
	maxReturnBytes = maxReturnCookies * returnCookieSize
)

// carryReturnURL gives the browser the return URL of a sealed state, if the state
// doesn't carry it. Where it doesn't fit, the browser gets none.
func (f *Flow) carryReturnURL(w http.ResponseWriter, r *http.Request, sealedState, returnURL string) {
	if returnURL == site.StateReturnURL(returnURL) {
		return
	}
	state := fingerprint(sealedState)
	var plaintext bytes.Buffer
	plaintext.WriteString(state)
	compressor, _ := flate.NewWriter(&plaintext, flate.BestCompression) // fails for another level only
	_, _ = compressor.Write([]byte(returnURL))                          // a Buffer takes all
	_ = compressor.Close()
	sealed := f.returnURLs.Seal(plaintext.Bytes())
	if len(sealed) > maxReturnCookies*returnCookieSize {
		return
	}
	f.dropReturnURLs(w, r, maxReturnBytes-len(sealed))
	for i := 0; len(sealed) > 0; i++ {
		part := sealed[:min(len(sealed), returnCookieSize)]
		http.SetCookie(w, f.cookie(returnCookieName(state, i), part, stateLife))
		sealed = sealed[len(part):]
	}
}

func returnCookieName(fingerprint string, i int) string {
	return returnCookie + fingerprint[:16] + "." + strconv.Itoa(i)
}

// carriedReturnURL returns the return URL that came beside a state; empty where there is
// none, or not all of it.
func (f *Flow) carriedReturnURL(r *http.Request, sealedState string) string {
	state := fingerprint(sealedState)
	var sealed strings.Builder
	for i := range maxReturnCookies {
		c, err := r.Cookie(returnCookieName(state, i))
		if err != nil {
			break
		}
		sealed.WriteString(c.Value)
	}
	if sealed.Len() == 0 || sealed.Len() > maxReturnBytes {
		return ""
	}
	plaintext, err := f.returnURLs.Open(sealed.String())
	if err != nil {
		return ""
	}
	compressed, ok := bytes.CutPrefix(plaintext, []byte(state))
	if !ok {
		return ""
	}
	returnURL, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(compressed)), site.MaxReturnURL+1))
	if err != nil || len(returnURL) > site.MaxReturnURL {
		return ""
	}
	return string(returnURL)
}

// releaseReturnURL takes away the cookies of a state's return URL.
func (f *Flow) releaseReturnURL(w http.ResponseWriter, r *http.Request, sealedState string) {
	prefix := returnCookie + fingerprint(sealedState)[:16] + "."
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, prefix) {
			http.SetCookie(w, f.cookie(c.Name, "", 0))
		}
	}
}

// dropReturnURLs takes away the oldest of other states, so that at most so many bytes
// stay. A browser sends the oldest cookies of a path first.
func (f *Flow) dropReturnURLs(w http.ResponseWriter, r *http.Request, room int) {
	var cookies []*http.Cookie
	total := 0
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, returnCookie) {
			cookies, total = append(cookies, c), total+len(c.Value)
		}
	}
	for _, c := range cookies {
		if total <= room {
			return
		}
		http.SetCookie(w, f.cookie(c.Name, "", 0))
		total -= len(c.Value)
	}
}
