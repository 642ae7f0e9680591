package e2e

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

const newPassword = "staple-battery-horse-correct-9876543210"

// passwords are settings; the previous password may be empty.
func passwords(current, previous string) []string {
	return []string{"WORKOS_COOKIE_PASSWORD=" + current, "WORKOS_COOKIE_PASSWORD_PREVIOUS=" + previous}
}

// One process changes its password: nobody signs in again whose session was
// refreshed in between.
func TestPasswordRotation(t *testing.T) {
	t.Parallel()
	s := &stack{app: &app{}}
	s.at.service = freeAddress(t)
	s.at.gateway = s.at.service
	s.origin = localhost(portOf(t, s.at.service))
	s.startAuthKit(t)
	s.startService(t, noGateway(), nil)
	restart := func(environment []string) {
		s.service.stop(t)
		s.startService(t, noGateway(), environment)
	}
	enter := func(ago time.Duration) *browser {
		s.clock.Store(int64(-ago))
		defer s.clock.Store(0)
		b := newBrowser(t)
		b.signIn(s.origin+"/_auth/login", zoe)
		return b
	}
	returns, away := enter(time.Hour), enter(time.Hour)
	early := enter(0) // returns before its token has expired: there is nothing to refresh
	entering := newBrowser(t)
	page := entering.open(s.origin + "/_auth/login")

	restart(passwords(newPassword, cookiePassword))
	for _, b := range []*browser{returns, early} {
		wantAllowed(t, s.verify(t, b, fetchHeaders()))
	}
	entering.submit(page.URL, page.URL.String(), url.Values{"email": {zoe}})
	wantAllowed(t, s.verify(t, entering, documentHeaders()))

	restart(passwords(newPassword, ""))
	for _, b := range []*browser{returns, entering} {
		wantAllowed(t, s.verify(t, b, documentHeaders()))
	}
	for name, b := range map[string]*browser{"away": away, "early": early} {
		wantRefused(t, s.verify(t, b, fetchHeaders()), "bad_session")
		a := s.verify(t, b, documentHeaders())
		if to := a.Header.Get("Location"); a.Status != http.StatusSeeOther || !strings.HasPrefix(to, s.origin+"/_auth/login?") {
			t.Errorf("%s: got status %d to %q, want a sign-in", name, a.Status, to)
		}
		b.signIn(s.origin+"/_auth/login", zoe)
		wantAllowed(t, s.verify(t, b, documentHeaders()))
	}
}

// Three replicas change their password, one after the other and in the documented
// steps. Before, after and between, any of them may be asked by anybody.
func TestPasswordRoll(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	f.nextTokens(t, allDay)
	b := newBrowser(t)
	f.signIn(t, b, 0)
	for _, step := range [][]string{
		passwords(cookiePassword, newPassword),
		passwords(newPassword, cookiePassword),
		passwords(newPassword, ""),
	} {
		for i := range f.addresses {
			f.restart(t, i, step)
			f.signIn(t, newBrowser(t), i)
			for refreshing := range f.addresses {
				f.age(t, b)
				wantAllowed(t, f.verifyAt(b, refreshing))
				for asked := range f.addresses {
					wantAllowed(t, f.verifyAt(b, asked))
				}
			}
			f.age(t, b)
			f.wantAllAllow(t, b)
		}
	}
	if _, err := (seal.Iron{Passwords: []string{newPassword}}).Unseal(b.cookie(f.origin, "wos-session")); err != nil {
		t.Errorf("session cookie: got %v, want one of the new password", err)
	}
}

// fleet is replicas behind one address, which takes them in turn.
type fleet struct {
	*replicas
	turn atomic.Int64
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{replicas: startReplicas(t, startRedis(t).url(), 0)}
	if err := f.authKit.Change(func(now *emulator.Settings) { now.GraceWindow, now.ClockSkew = graceWindow, behind }); err != nil {
		t.Fatal(err)
	}
	f.openDoor(t, strings.TrimPrefix(f.origin, "http://"))
	return f
}

func (f *fleet) openDoor(t *testing.T, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	door := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		i := (f.turn.Add(1) - 1) % int64(len(f.addresses))
		r.Out.URL.Scheme, r.Out.URL.Host = "http", f.addresses[i]
	}}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: door}}
	server.Start()
	t.Cleanup(server.Close)
}

// restart starts a replica again, with other settings.
func (f *fleet) restart(t *testing.T, i int, environment []string) {
	t.Helper()
	f.processes[i].stop(t)
	f.environment = append(f.environment, environment...)
	f.start(t, i)
}

// signIn begins at one replica and ends at the next.
func (f *fleet) signIn(t *testing.T, b *browser, begin int) {
	t.Helper()
	f.turn.Store(int64(begin))
	b.signIn(f.origin+"/_auth/login", zoe)
	if f.turn.Load() < int64(begin)+2 {
		t.Fatal("sign-in: got one replica for all of it, want two")
	}
	for i := range f.addresses {
		wantAllowed(t, f.verifyAt(b, i))
	}
}

// verifyURL is a replica's, with the browser's cookies: they don't know of ports.
func (f *fleet) verifyURL(t *testing.T, i int) string {
	t.Helper()
	return localhost(portOf(t, f.addresses[i])) + "/verify"
}

// verifyAt asks one replica.
func (f *fleet) verifyAt(b *browser, i int) answer {
	b.t.Helper()
	return b.send(http.MethodGet, f.verifyURL(b.t, i), forwarded(f.origin, fetchHeaders()), "")
}

// wantAllAllow asks all replicas at once.
func (f *fleet) wantAllAllow(t *testing.T, b *browser) {
	t.Helper()
	answers := make([]answer, len(f.addresses))
	var group sync.WaitGroup
	for i := range answers {
		request := httpGet(t, f.verifyURL(t, i))
		request.Header = forwarded(f.origin, fetchHeaders())
		request.Header.Set("Cookie", "wos-session="+b.cookie(f.origin, "wos-session"))
		group.Go(func() {
			response, err := b.client.Transport.RoundTrip(request)
			if err != nil {
				t.Error(err)
				return
			}
			_ = response.Body.Close()
			b.client.Jar.SetCookies(request.URL, response.Cookies())
			answers[i] = answer{URL: request.URL, Status: response.StatusCode, Header: response.Header}
		})
	}
	group.Wait()
	for _, a := range answers {
		wantAllowed(t, a)
	}
}

// age has time pass for a browser: it has the same session with an access token that
// has expired, under the password that it was sealed with.
func (s *stack) age(t *testing.T, b *browser) {
	t.Helper()
	s.nextTokens(t, longAgo)
	defer s.nextTokens(t, allDay)
	for _, password := range []string{cookiePassword, newPassword} {
		iron := seal.Iron{Passwords: []string{password}}
		plaintext, err := iron.Unseal(b.cookie(s.origin, "wos-session"))
		if err != nil {
			continue
		}
		sealed, err := iron.Seal(s.refreshed(t, plaintext))
		if err != nil {
			t.Fatal(err)
		}
		b.setSession(s.origin, sealed)
		return
	}
	t.Fatal("the session cookie opens under none of the passwords")
}

// refreshed refreshes a session at AuthKit.
func (s *stack) refreshed(t *testing.T, plaintext []byte) []byte {
	t.Helper()
	old, err := session.Parse(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	next, err := old.Refreshed(s.authenticate(t, map[string]string{"grant_type": "refresh_token", "refresh_token": old.RefreshToken}))
	if err != nil {
		t.Fatal(err)
	}
	if plaintext, err = next.JSONFor(seal.FormatIron); err != nil {
		t.Fatal(err)
	}
	return plaintext
}
