package flow

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzState: nothing but what was sealed here opens as a state.
func FuzzState(f *testing.F) {
	w := newWorld(f, settings{})
	genuine := parse(f, w.browser(f).get(login+"?rd=/page").location()).Query().Get("state")
	for _, seed := range []string{
		genuine, genuine[:len(genuine)-1], genuine + "A", "", "A", "AQ", w.attempts.Seal([]byte(`{"a":1}`)), w.selections.Seal([]byte(`{"p":"x"}`)),
		`{"n":"x","v":"x","r":"https://evil.example/","a":1,"t":"2026-01-02T15:04:05Z"}`, strings.Repeat("A", maxState), "\x00\xff\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		s, opened, fresh := w.openState(sealed)
		// Another process's seeds open too: all that is ever sealed here is for one page.
		if (opened || fresh || s != state{}) && s.ReturnURL != app+"/page" {
			t.Errorf("%q opens: %+v, %v, %v", sealed, s, opened, fresh)
		}
	})
}

// FuzzCallback: whatever a client sends to the callback, AuthKit is not asked,
// no session is made, and the browser leaves this site at most for its own login.
func FuzzCallback(f *testing.F) {
	w := newWorld(f, settings{})
	b := w.browser(f)
	genuine := parse(f, b.get(login+"?rd=/page").location()).Query().Get("state")
	for _, seed := range []struct{ query, cookie string }{
		{"", ""},
		{"code=c", ""},
		{"code=c&state=" + genuine, ""},
		{"code=c&state=" + genuine, "__Host-__Host-authkit-state-1-x=x; authkit-attempts=x; wos-session=x"},
		{"code=c&state=x", "__Host-authkit-state-1-x=" + fingerprint("x")},
		{"code=c&state=", "__Host-authkit-state-1-x=" + fingerprint("")},
		{"code=&state=x&state=y&code=c", "__Host-authkit-state-1-x=" + fingerprint("y")},
		{"error=access_denied&state=" + genuine, ""},
		{"error=<script>&error_description=<script>alert(1)</script>", ""},
		{"error=&code=c", "__Host-authkit-state-=; ="},
		{"attempts=x&rd=https://evil.example/&code=c", "authkit-attempts=" + w.sealAttempts(attempt{Restarted: true, At: w.clock.Now()})},
		{"code=%zz;state=%00&%", "wos-session.1=k1.9.x; wos-session=\"k1.2.AAAAAAAAAAAAAAAA.x\""},
	} {
		f.Add(seed.query, seed.cookie)
	}
	f.Fuzz(func(t *testing.T, query, cookie string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", callback, nil)
		r.URL.RawQuery = query
		r.Header.Set("Cookie", cookie)
		recorder := httptest.NewRecorder()
		w.service.ServeHTTP(recorder, r)
		a := &answer{url: callback, status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
		if err := w.checkAnswer(r, a); err != nil {
			t.Error(err)
		}
		if a.status != 303 && a.status != 400 || a.status == 303 && !strings.HasPrefix(a.location(), login+"?attempts=") && !strings.HasPrefix(a.location(), login+"?rd=") {
			t.Errorf("got status %d to %q", a.status, a.location())
		}
		if a.cookie("wos-session") != "" || w.exchanges() != 0 {
			t.Errorf("got cookies %q and %d exchanges", a.header["Set-Cookie"], w.exchanges())
		}
	})
}
