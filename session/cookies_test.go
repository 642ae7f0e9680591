package session_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
)

// Several session cookies in one request.
func TestVerifySeveralCookies(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	older := w.signIn(t, sam, acmeID)
	w.clock.advance(time.Minute)
	newer := w.signIn(t, sam, globexID)
	somebodyElse := w.signIn(t, zoe, "")
	wrongUser := w.resign(t, somebodyElse, signingKey(), map[string]any{"sub": "user_01OTHER"})
	junk := strings.Split(strings.Repeat("junk ", 100), " ")
	for i := range junk {
		junk[i] = fmt.Sprint("junk", i)
	}
	planted := make([]string, 32) // as long as sessions are, and everything else wrong
	for i := range planted {
		planted[i] = fmt.Sprintf("Fe26.2*%d%s", i+2, newer[8:])
	}
	tests := []struct {
		name    string
		cookies []string
		want    string // organization
		err     error
	}{
		{"newest last", []string{older, newer}, globexID, nil},
		{"newest first", []string{newer, older}, globexID, nil},
		{"one of them twice", []string{newer, older, newer}, globexID, nil},
		{"unreadable ones", []string{"garbage", older, newer[:100]}, acmeID, nil},
		{"unreadable ones alone", []string{"garbage", newer[:100]}, "", session.ErrBad},
		{"sealed without a usable token", []string{w.withAccessToken(t, w.open(t, newer), "opaque"), older}, acmeID, nil},
		{"different users", []string{newer, somebodyElse}, "", session.ErrConflict},
		{"different users, one of them twice", []string{older, newer, somebodyElse}, "", session.ErrConflict},
		{"one user's session and another's sealed to a third", []string{older, wrongUser}, "", session.ErrConflict},
		{"a hundred unreadable ones behind it", append([]string{older}, junk...), acmeID, nil},
		{"a hundred unreadable ones before it", append(junk, older), acmeID, nil},
		{"31 that look like a session before it", append(planted[:31:31], older), acmeID, nil},
		{"32 that look like a session before it", append(planted, older), "", session.ErrBad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time, they are remembered
				v, err := w.verify(t, tt.cookies...)
				if !errors.Is(err, tt.err) || errors.Is(err, session.ErrConflict) && !errors.Is(tt.err, session.ErrConflict) {
					t.Fatalf("got %v, want %v", err, tt.err)
				}
				if err == nil && v.Identity.OrganizationID != tt.want {
					t.Errorf("got organization %s, want %s", v.Identity.OrganizationID, tt.want)
				}
			}
		})
	}
}

// Of two sessions of one second, the order of the cookies doesn't decide: one that has
// ended doesn't count, and else the later by the ids of its tokens does.
func TestVerifyCookiesOfOneSecond(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ended string // organization of the session that is signed out
		want  string
	}{
		{"both go on", "", globexID},
		{"the later has ended", globexID, acmeID},
		{"the earlier has ended", acmeID, globexID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			sealed := map[string]string{}
			for organization, jti := range map[string]string{acmeID: "01KAY4T0G0AAAAAAAAAAAAAAAA", globexID: "01KAY4T0G1AAAAAAAAAAAAAAAA"} {
				s := w.open(t, w.signIn(t, sam, organization))
				sealed[organization] = w.withAccessToken(t, s, reclaim(t, s.AccessToken, signingKey(), keyID(t, signingKey()), map[string]any{"jti": jti}))
			}
			if tt.ended != "" {
				w.End(t.Context(), cookies(sealed[tt.ended]))
			}
			for range 2 { // the second time, they are remembered
				for _, values := range [][]string{{sealed[acmeID], sealed[globexID]}, {sealed[globexID], sealed[acmeID]}} {
					if v, err := w.verify(t, values...); err != nil || v.Identity.OrganizationID != tt.want {
						t.Errorf("got %+v, %v, want organization %s", v, err, tt.want)
					}
				}
				_, _ = w.verify(t, sealed[acmeID])
				_, _ = w.verify(t, sealed[globexID])
			}
		})
	}
}

func TestOtherScopes(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	ours, another, somebodyElse := w.signIn(t, sam, acmeID), w.signIn(t, sam, globexID), w.signIn(t, zoe, "")
	foreign := "Fe26.2*2" + ours[8:] // another application's, with another password
	const expired = "=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
	tests := []struct {
		name    string
		cookies []string
		want    []string
	}{
		{"none", nil, nil},
		{"one", []string{ours}, []string{"wos-session" + expired}},
		{"two", []string{ours, another}, []string{"wos-session" + expired}},
		{"two users'", []string{ours, somebodyElse}, []string{"wos-session" + expired}},
		{"another application's alone", []string{foreign}, nil},
		{"one beside another application's", []string{foreign, ours}, nil},
		{"one beside a short one of another application's", []string{"left by an application", ours}, nil},
		{"two beside another application's", []string{foreign, ours, somebodyElse}, []string{"wos-session" + expired}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			if request := cookies(tt.cookies...); w.HasOtherScopes(request) {
				got = w.Cookie.ExpireLines(request, "example.com")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// inChunks makes a session larger and returns the cookies that it is sent in, each as name=value.
func (w *world) inChunks(t *testing.T, sealed string) []string {
	t.Helper()
	s := w.open(t, sealed)
	return w.pairs(t, w.seal(t, map[string]any{"accessToken": s.AccessToken, "refreshToken": s.RefreshToken,
		"user": map[string]any{"id": s.User.ID, "metadata": strings.Repeat("x", 8<<10)}}))
}

func (w *world) pairs(t *testing.T, sealed string) []string {
	t.Helper()
	lines, err := w.Cookie.SetLines(sealed, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		lines[i], _, _ = strings.Cut(line, ";")
	}
	return lines
}

// A session of 12 KB goes to the browser and comes back in chunks, and is one session.
func TestVerifyChunks(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	large := w.inChunks(t, w.signIn(t, zoe, ""))
	if len(large) != 4 {
		t.Fatalf("got %d cookies, want 4", len(large))
	}
	if _, err := w.Verify(t.Context(), http.Header{"Cookie": large}, false); err != nil {
		t.Errorf("got %v, want a session", err)
	}
	if _, err := w.Verify(t.Context(), http.Header{"Cookie": large[:3]}, false); !errors.Is(err, session.ErrBad) {
		t.Errorf("a chunk missing: got %v, want ErrBad", err)
	}

	w.clock.advance(time.Hour)
	v, err := w.Verify(t.Context(), http.Header{"Cookie": large}, false)
	if err != nil || v.Current == "" {
		t.Fatalf("got %v, want a refreshed session", err)
	}
	if _, err := w.Verify(t.Context(), http.Header{"Cookie": w.pairs(t, v.Current)}, false); err != nil {
		t.Errorf("refreshed: got %v, want a session", err)
	}
}

// Several sessions in cookies of the same names, as cookies for another domain or path are.
func TestVerifySeveralChunks(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	small := w.signIn(t, sam, acmeID)
	older := w.inChunks(t, small)
	w.clock.advance(time.Minute)
	newer := w.inChunks(t, w.signIn(t, sam, globexID))
	somebodyElse := w.inChunks(t, w.signIn(t, zoe, ""))
	truncated := slices.Clone(newer)
	truncated[2] = truncated[2][:100]
	tests := []struct {
		name    string
		cookies []string
		want    string // organization
		err     error
	}{
		{"the newest counts", slices.Concat(newer, older), globexID, nil},
		{"... also behind", slices.Concat(older, newer), globexID, nil},
		{"... also chunk by chunk", []string{newer[0], older[0], older[1], newer[1], newer[2], older[2], older[3], newer[3]}, globexID, nil},
		{"... also beside a raw one", append([]string{"wos-session=" + small}, newer...), globexID, nil},
		{"the newest is truncated", slices.Concat(truncated, older), acmeID, nil},
		{"the newest lacks a chunk", slices.Concat(newer[:3], older), acmeID, nil},
		{"the newest is truncated, and the older one raw", append(truncated, "wos-session="+small), acmeID, nil},
		{"none is whole", slices.Concat(truncated, older[1:]), "", session.ErrBad},
		{"different users", slices.Concat(newer, somebodyElse), "", session.ErrConflict},
		{"different users, one's truncated", slices.Concat(truncated, somebodyElse[:3], older), acmeID, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := w.Verify(t.Context(), http.Header{"Cookie": tt.cookies}, false)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if err == nil && v.Identity.OrganizationID != tt.want {
				t.Errorf("got organization %s, want %s", v.Identity.OrganizationID, tt.want)
			}
		})
	}
}

// The log says which fields made the cookie large, and nothing of its content.
func TestLargeSessionIsLogged(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	answer, err := w.authKit.SignIn(zoe, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.SignIn(answer); err != nil || w.log.String() != "" {
		t.Fatalf("got %v, log %s, want nothing logged", err, w.log)
	}
	secret := strings.Repeat("confidential", 400)
	large := strings.Replace(string(answer), `"metadata":{`, `"metadata":{"note":"`+secret+`",`, 1)
	if _, _, err := w.SignIn([]byte(large)); err != nil {
		t.Fatal(err)
	}
	got := w.log.String()
	for _, want := range []string{`"level":"warn"`, `"user":`, `"accessToken.permissions":`, "SDKs can't read"} {
		if !strings.Contains(got, want) {
			t.Errorf("got log %s, want %s in it", got, want)
		}
	}
	if strings.Contains(got, "confidential") {
		t.Errorf("got log %s, want no content of the session in it", got)
	}
}

// Rack, which Ruby's frameworks read cookies with, takes a + for a space.
func TestPlusIsEscapedForRuby(t *testing.T) {
	t.Parallel()
	c := cookie.Config{Name: "wos-session", EscapePlus: true}
	for _, size := range []int{600, 3060, 6800} { // as it is; too long only when escaped; in chunks
		raw := make([]byte, size)
		for i := range raw {
			raw[i] = byte(i * i * 31 / 7)
		}
		sealed := base64.StdEncoding.EncodeToString(raw)
		lines, err := c.SetLines(sealed, http.Header{})
		if err != nil {
			t.Fatal(err)
		}
		request := http.Header{}
		for _, line := range lines {
			pair, _, _ := strings.Cut(line, ";")
			if strings.Contains(pair, "+") || len(pair) > 4097 {
				t.Errorf("got %.80s of %d bytes, want no + and no more than 4097 bytes", pair, len(pair))
			}
			request.Add("Cookie", pair)
		}
		w := start(t, func(o *options) { o.session.Cookie = c })
		if _, err := w.Verify(t.Context(), request, false); err == nil || strings.Contains(err.Error(), "no whole") {
			t.Errorf("got %v, want the cookie put together", err)
		}
	}
	if lines, _ := (cookie.Config{Name: "wos-session"}).SetLines("a+b", http.Header{}); !strings.HasPrefix(lines[0], "wos-session=a+b;") {
		t.Errorf("got %s, want the + as it is for all others", lines[0])
	}
}
