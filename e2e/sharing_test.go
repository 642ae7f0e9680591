package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// sharing is a stack with an app that has WorkOS's SDK for Node.js and refreshes
// the session cookie itself.
type sharing struct {
	*stack
	sdk     string // the app's own origin, without a gateway: what the app does on its own
	browser *browser
}

// startSharing starts everything. AuthKit's clock is some hours behind, so that it
// can make tokens that have expired long ago, and later ones that have not.
func startSharing(t *testing.T, g gateway, grace time.Duration) *sharing {
	t.Helper()
	s := &sharing{stack: &stack{app: &app{address: freeAddress(t)}}, browser: newBrowser(t)}
	s.at = addresses{gateway: freeAddress(t), service: freeAddress(t), app: s.app.address}
	if g.start == nil {
		s.at.gateway = s.at.service
	}
	s.origin = g.origin(portOf(t, s.at.gateway))
	s.sdk = localhost(portOf(t, s.at.app)) // cookies don't know of ports: the browser has those of the origin here
	s.startAuthKit(t)
	if err := s.authKit.Change(func(now *emulator.Settings) { now.GraceWindow, now.ClockSkew = grace, behind }); err != nil {
		t.Fatal(err)
	}
	s.startSDK(t)
	s.startService(t, g, nil)
	if g.start != nil {
		g.start(t, s.at)
	}
	return s
}

func (s *sharing) startSDK(t *testing.T) {
	t.Helper()
	node := program(t, "node")
	if _, err := os.Stat("node/node_modules/@workos-inc/node"); err != nil {
		missing(t, "@workos-inc/node is not installed")
	}
	api, err := url.Parse(s.api)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "app.mjs")
	cmd.Dir = "node"
	cmd.Env = []string{
		"API_KEY=" + apiKey, "CLIENT_ID=" + clientID, "COOKIE_PASSWORD=" + cookiePassword,
		"API_PORT=" + api.Port(), "PORT=" + portOf(t, s.at.app),
	}
	start(t, s.at.app, cmd)
}

// nextTokens says how long AuthKit's next tokens last. Each time a minute has
// passed: of two tokens the later one shows.
func (s *stack) nextTokens(t *testing.T, lifetime time.Duration) {
	t.Helper()
	err := s.authKit.Change(func(now *emulator.Settings) {
		now.AccessTokenLifetime = lifetime
		now.ClockSkew += time.Minute
	})
	if err != nil {
		t.Fatal(err)
	}
}

const (
	behind  = -10 * time.Hour // AuthKit's clock at first
	longAgo = time.Second     // a token of this lifetime has expired then
	allDay  = 24 * time.Hour  // and one of this has not
)

// expire gives the browser the same session with an access token that has expired.
// The app's refresh brings it: what this service has refreshed counts as valid for
// half a minute, whatever the token says.
func (s *sharing) expire(t *testing.T) (sealed string) {
	t.Helper()
	s.nextTokens(t, longAgo)
	s.wantRefreshed(t)
	s.nextTokens(t, allDay)
	return s.cookie()
}

func (s *sharing) cookie() string { return s.browser.cookie(s.origin, "wos-session") }

// sdkAnswer is the app's.
type sdkAnswer struct {
	Authenticated bool   `json:"authenticated"`
	SessionID     string `json:"sessionId"`
	Reason        string `json:"reason"`
	Refreshed     bool   `json:"refreshed"` // by this very request
}

// sdkSaid reads an answer of the app's; the zero value is of somebody else.
func sdkSaid(a answer) (said sdkAnswer) {
	_ = json.Unmarshal([]byte(a.Body), &said) // somebody else's
	return said
}

// refresh has the app refresh the browser's session, and authenticate has it look.
func (s *sharing) refresh(t *testing.T) sdkAnswer {
	t.Helper()
	return sdkSaid(s.browser.fetch(http.MethodPost, s.sdk+"/refresh", ""))
}

func (s *sharing) authenticate(t *testing.T) sdkAnswer {
	t.Helper()
	return sdkSaid(s.browser.fetch(http.MethodGet, s.sdk+"/", ""))
}

// atOnce sends requests that all have the browser's cookie of now; with a head start
// the app's comes to AuthKit before the others are sent. The browser keeps what the
// answers set, the one that comes last at the end.
func (s *sharing) atOnce(t *testing.T, headStart bool, app *http.Request, others ...*http.Request) []answer {
	t.Helper()
	asked := s.authKit.Calls()[refreshes]
	requests := append([]*http.Request{app}, others...)
	cookie := "wos-session=" + s.cookie()
	answers := make([]answer, len(requests))
	begin := make(chan struct{})
	var group sync.WaitGroup
	for i, request := range requests {
		request.Header.Set("Cookie", cookie)
		group.Go(func() {
			if i > 0 || !headStart {
				<-begin
			}
			response, err := s.browser.client.Transport.RoundTrip(request)
			if err != nil {
				t.Errorf("%s: %v", request.URL, err)
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Errorf("%s: %v", request.URL, err)
			}
			s.browser.client.Jar.SetCookies(request.URL, response.Cookies())
			answers[i] = answer{URL: request.URL, Status: response.StatusCode, Header: response.Header, Body: string(body)}
		})
	}
	if headStart {
		waitUntil(t, "the app asks AuthKit", func() bool { return s.authKit.Calls()[refreshes] > asked })
	}
	close(begin)
	group.Wait()
	return answers
}

func (s *sharing) request(t *testing.T, target string, h http.Header) *http.Request {
	t.Helper()
	request := httpGet(t, target)
	request.Header = h
	return request
}

// Fifty times a session expires, and a page's requests, the app's middleware and the
// app on its own refresh it all at once.
func TestSharingFiftyExpiries(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := startSharing(t, g, graceWindow)
		s.nextTokens(t, allDay)
		session := sdkSaid(s.browser.signIn(s.origin+deepLink, zoe)).SessionID
		bySDK := 0
		for i := range 50 {
			old := s.expire(t)
			answers := s.atOnce(t, i%2 == 0,
				s.request(t, s.sdk+"/refresh", fetchHeaders()),
				s.request(t, s.origin+deepLink, documentHeaders()),
				s.request(t, s.origin+"/api", fetchHeaders()),
				s.request(t, s.origin+"/api", fetchHeaders()),
				s.request(t, s.origin+"/logo.png", imageHeaders()),
			)
			bySDK++ // in expire
			for _, a := range answers {
				if sdkSaid(a).Refreshed {
					bySDK++
				}
				if again := a.Status == http.StatusSeeOther && a.Header.Get("Location") == s.origin+deepLink; !again {
					wantSignedIn(t, a, session)
				}
			}
			if s.cookie() == old {
				t.Error("the browser has the expired cookie, want a new one")
			}

			a := s.browser.open(s.origin + deepLink)
			wantSignedIn(t, a, session)
			if len(a.Before) > 0 || sdkSaid(a).Refreshed {
				t.Errorf("the next page: got %q before it and a refresh %t, want neither", trail(a.Before), sdkSaid(a).Refreshed)
			}
		}
		if got := s.authKit.Calls()[refreshes] - bySDK; got != 50 {
			t.Errorf("refreshes by this service: got %d, want one for each expiry: 50", got)
		}
	})
}

// Replicas tell each other of every session that the app has made.
func TestSharingFiftyExpiriesOverReplicas(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	f.nextTokens(t, allDay)
	b := newBrowser(t)
	f.signIn(t, b, 0)
	for i := range 50 {
		f.age(t, b)
		wantAllowed(t, f.verifyAt(b, i%3))
		f.wantAllAllow(t, b)
	}
	if got := f.authKit.Calls()[refreshes]; got != 100 {
		t.Errorf("refreshes at AuthKit: got %d, want the app's 50 and this service's 50", got)
	}
}

func wantSignedIn(t *testing.T, a answer, session string) {
	t.Helper()
	if got := sdkSaid(a); a.Status != http.StatusOK || !got.Authenticated || got.SessionID != session {
		t.Errorf("%s: got status %d, %+v (%s), want 200 and session %s", a.URL, a.Status, got, a.Header.Get("Location"), session)
	}
}

// Without a grace window, who comes first has the refresh token. Whoever it is, the
// browser ends up with a cookie that both take.
func TestSharingFiftyExpiriesWithoutGraceWindow(t *testing.T) {
	t.Parallel()
	s := startSharing(t, noGateway(), 0)
	s.nextTokens(t, allDay)
	s.browser.signIn(s.origin+"/_auth/login", zoe)
	session := s.authenticate(t).SessionID
	first := 0
	for i := range 50 {
		s.expire(t)
		answers := s.atOnce(t, i%2 == 0,
			s.request(t, s.sdk+"/refresh", fetchHeaders()),
			s.question(t, fetchHeaders()), s.question(t, fetchHeaders()), s.question(t, fetchHeaders()),
		)
		app, service := sdkSaid(answers[0]), answers[1:]
		if app.Refreshed {
			first++
		}
		for _, a := range service {
			if app.Refreshed {
				wantRefused(t, a, "session_ended")
			} else {
				wantAllowed(t, a)
			}
		}
		if !app.Refreshed && app.Reason != "invalid_grant" {
			t.Errorf("the app's refresh: got %+v, want one or invalid_grant", app)
		}

		wantAllowed(t, s.verify(t, s.browser, documentHeaders()))
		if got := s.authenticate(t); !got.Authenticated || got.Refreshed || got.SessionID != session {
			t.Errorf("the app, with the browser's cookie: got %+v, want session %s as it is", got, session)
		}
	}
	t.Logf("the app was first in %d of 50 expiries", first)
}

// AuthKit without a grace window, as docs/replicas.md has it.
func TestSharingWithoutGraceWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s *sharing, old string)
	}{
		{"this service is first", func(t *testing.T, s *sharing, old string) {
			wantAllowed(t, s.verify(t, s.browser, fetchHeaders()))
			renewed := s.cookie()

			s.browser.setSession(s.origin, old)
			if got := s.refresh(t); got.Authenticated || got.Reason != "invalid_grant" {
				t.Errorf("refresh by the app with the old cookie: got %+v, want invalid_grant", got)
			}
			s.browser.setSession(s.origin, renewed)
			if got := s.authenticate(t); !got.Authenticated || got.Refreshed {
				t.Errorf("the app, with the new cookie: got %+v, want a session as it is", got)
			}
		}},
		{"the app is first, and its cookie has arrived", func(t *testing.T, s *sharing, old string) {
			s.wantRefreshed(t)
			wantAllowed(t, s.verify(t, s.browser, fetchHeaders()))
			renewed := s.cookie()

			s.browser.setSession(s.origin, old) // of a request that was under way
			wantRefused(t, s.verify(t, s.browser, fetchHeaders()), "session_ended")
			if s.cookie() != old {
				t.Error("a script's request has changed the browser's cookie")
			}
			s.browser.setSession(s.origin, renewed)
			wantAllowed(t, s.verify(t, s.browser, documentHeaders()))
		}},
		{"the app is first, and the old cookie comes before its own", func(t *testing.T, s *sharing, old string) {
			s.wantRefreshed(t)
			renewed := s.cookie()

			s.browser.setSession(s.origin, old)
			wantRefused(t, s.verify(t, s.browser, fetchHeaders()), "session_ended")
			if s.cookie() != old {
				t.Error("a script's request has changed the browser's cookie")
			}
			s.browser.setSession(s.origin, renewed)
			wantAllowed(t, s.verify(t, s.browser, documentHeaders()))
			s.browser.setSession(s.origin, old)
			wantRefused(t, s.verify(t, s.browser, fetchHeaders()), "session_ended")
		}},
		{"the app is first, and a page with the old cookie comes before its own", func(t *testing.T, s *sharing, old string) {
			page := s.question(t, documentHeaders())
			page.Header.Set("Cookie", "wos-session="+s.cookie()) // under way
			s.wantRefreshed(t)

			response, err := s.browser.client.Transport.RoundTrip(page)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			s.browser.client.Jar.SetCookies(page.URL, response.Cookies())

			if to := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, s.origin+"/_auth/login") {
				t.Errorf("got status %d to %q, want a sign-in", response.StatusCode, to)
			}
			if got := s.cookie(); got == "" || got == old {
				t.Error("the app's cookie is gone: an answer to the page before it has cleared it")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startSharing(t, noGateway(), 0)
			s.nextTokens(t, allDay)
			s.browser.signIn(s.origin+"/_auth/login", zoe)
			wantAllowed(t, s.verify(t, s.browser, documentHeaders())) // the session is known
			tt.test(t, s, s.expire(t))
		})
	}
}

// Behind a gateway this service is first: an app that is handed an expired cookie
// can't refresh it. The next page has the new cookie.
func TestSharingBehindGatewayWithoutGraceWindow(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := startSharing(t, g, 0)
		s.nextTokens(t, allDay)
		session := sdkSaid(s.browser.signIn(s.origin+deepLink, zoe)).SessionID
		s.expire(t)

		a := s.browser.fetch(http.MethodGet, s.origin+"/api", "")
		if got := sdkSaid(a); got.Authenticated || got.Reason != "invalid_grant" {
			t.Errorf("a script's request at the app: got status %d, %+v, want invalid_grant", a.Status, got)
		}

		a = s.browser.open(s.origin + deepLink)
		wantSignedIn(t, a, session)
		if sdkSaid(a).Refreshed {
			t.Error("the next page: the app has refreshed the session")
		}
	})
}

func (s *sharing) wantRefreshed(t *testing.T) {
	t.Helper()
	if got := s.refresh(t); !got.Refreshed {
		t.Fatalf("refresh by the app: got %+v, want one", got)
	}
}

// question is what Traefik asks the service about a page.
func (s *sharing) question(t *testing.T, h http.Header) *http.Request {
	t.Helper()
	return s.request(t, s.origin+"/verify", forwarded(s.origin, h))
}

// forwarded adds what Traefik says of the original request.
func forwarded(origin string, h http.Header) http.Header {
	h.Set("X-Forwarded-Method", http.MethodGet)
	h.Set("X-Forwarded-Proto", "http")
	h.Set("X-Forwarded-Host", strings.TrimPrefix(origin, "http://"))
	h.Set("X-Forwarded-Uri", deepLink)
	return h
}

func wantAllowed(t *testing.T, a answer) {
	t.Helper()
	if a.Status != http.StatusOK || a.Header.Get("X-Auth-Request-User") != zoeID {
		t.Errorf("verify: got status %d for %q (%s), want 200 for %q", a.Status, a.Header.Get("X-Auth-Request-User"), a.Body, zoeID)
	}
}

func wantRefused(t *testing.T, a answer, reason string) {
	t.Helper()
	if got := a.Header.Get("X-Auth-Reason"); a.Status != http.StatusUnauthorized || got != reason {
		t.Errorf("verify: got status %d because of %q, want 401 because of %q", a.Status, got, reason)
	}
}
