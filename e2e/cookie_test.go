package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
)

const large = "large@example.com"

// largeUser has so much metadata and so many permissions that the sealed session
// is over 12 KB, and the identity headers are over 4 KB.
func largeUser() (emulator.User, emulator.Organization) {
	metadata := map[string]string{}
	for _, key := range []string{"a", "b", "c", "d"} {
		metadata[key] = strings.Repeat(key, 1000)
	}
	organization := emulator.Organization{ID: "org_01K0E2ELARGE", Name: "Large"}
	membership := emulator.Membership{OrganizationID: organization.ID, Roles: []string{"member"}}
	for i := range 400 {
		membership.Permissions = append(membership.Permissions, fmt.Sprintf("reports:read-%d", i))
	}
	return emulator.User{
		ID: "user_01K0E2ELARGE", Email: large, Metadata: metadata, Memberships: []emulator.Membership{membership},
	}, organization
}

// authenticate asks AuthKit for a session, as an app's SDK does.
func (s *stack) authenticate(t *testing.T, fields map[string]string) []byte {
	t.Helper()
	fields["client_id"], fields["client_secret"] = clientID, apiKey
	request, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(s.api+"/user_management/authenticate", "application/json", bytes.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("authenticate: got status %d: %s, %v", response.StatusCode, body, err)
	}
	return body
}

// expiredSession returns a sealed session of a user whose access token has
// expired and whose refresh token works: as an app with an SDK has made it, an
// hour ago.
func (s *stack) expiredSession(t *testing.T, email string) string {
	t.Helper()
	s.clock.Store(int64(-time.Hour))
	defer s.clock.Store(0)
	return s.sealedSession(t, email)
}

// code signs a user in at AuthKit, without a browser and without PKCE.
func (s *stack) code(t *testing.T, email string) string {
	t.Helper()
	query := url.Values{
		"client_id": {clientID}, "redirect_uri": {s.origin + "/_auth/callback"}, "response_type": {"code"},
		"provider": {"authkit"}, "login_hint": {email},
	}
	response, err := http.DefaultTransport.RoundTrip(httpGet(t, s.api+"/user_management/authorize?"+query.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	to, err := response.Location()
	if err != nil {
		t.Fatalf("authorize: got status %d: %v", response.StatusCode, err)
	}
	return to.Query().Get("code")
}

func httpGet(t *testing.T, target string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// setSession puts a sealed session into the browser, in as many cookies as it needs.
func (b *browser) setSession(origin, sealed string) {
	b.t.Helper()
	lines, err := cookie.Config{Name: "wos-session", MaxAge: 3600}.SetLines(sealed, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range (&http.Response{Header: http.Header{"Set-Cookie": lines}}).Cookies() {
		b.setCookie(origin, c.Name, c.Value)
	}
}

func (b *browser) sessionCookies(origin string) []*http.Cookie {
	b.t.Helper()
	return slices.DeleteFunc(b.cookies(origin), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, "wos-session") })
}

// tryFetch is for goroutines, which must not end the test: 0 means no answer.
func (b *browser) tryFetch(target string) int {
	request, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return 0
	}
	request.Header = fetchHeaders()
	response, err := b.client.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func setsSession(a answer) bool {
	return slices.ContainsFunc(a.Header.Values("Set-Cookie"), func(line string) bool { return strings.HasPrefix(line, "wos-session") })
}

func wantNotCached(t *testing.T, a answer) {
	t.Helper()
	if got := a.Header.Values("Cache-Control"); !slices.Contains(got, "private, no-store") {
		t.Errorf("Cache-Control of an answer with a session cookie: got %q, want private, no-store", got)
	}
}
