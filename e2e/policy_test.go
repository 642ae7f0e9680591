package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// A page that wants a fresh sign-in sends the browser through AuthKit, and then lets it in.
func TestStepUp(t *testing.T) {
	t.Parallel()
	const stepUpPolicy = `
rules:
  - name: billing
    hosts: [localhost]
    paths: [/billing/**]
    require: {max_auth_age: 5m}
  - name: everything else
    hosts: [localhost]
`
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newStack(t, g, "POLICY_FILE="+writePolicy(t, stepUpPolicy))
		b := newBrowser(t)
		page := s.origin + "/billing/cards?x=1"
		setClock := func(skew time.Duration) {
			err := s.authKit.Change(func(now *emulator.Settings) { now.ClockSkew, now.AccessTokenLifetime = skew, allDay })
			if err != nil {
				t.Fatal(err)
			}
		}
		setClock(-time.Hour)
		b.signIn(s.origin+"/", zoe)
		setClock(0)
		if a := b.open(s.origin + "/reports"); a.Status != http.StatusOK {
			t.Fatalf("elsewhere: got status %d, want 200", a.Status)
		}

		wantReason(t, b.fetch(http.MethodGet, page, ""), http.StatusUnauthorized, "auth_too_old")
		asked := b.send(http.MethodGet, page, documentHeaders(), "")
		want := s.origin + "/_auth/login?rd=" + url.QueryEscape(page) + "&max_age=300"
		if got := asked.Header.Get("Location"); asked.Status != http.StatusSeeOther || got != want {
			t.Fatalf("got status %d to %q, want 303 to %q", asked.Status, got, want)
		}
		a := b.signIn(page, zoe)

		if got := a.URL.String(); got != page || a.Status != http.StatusOK {
			t.Errorf("after the sign-in: got %s with status %d, want %s with 200", got, a.Status, page)
		}
		atAuthKit := false
		for _, hop := range a.Before {
			atAuthKit = atAuthKit || hop.URL.Path == "/user_management/authorize"
		}
		if !atAuthKit {
			t.Errorf("got %s, want AuthKit's page between", trail(a.Before))
		}
	})
}

// The service takes a policy while the gateway asks it: renamed into place, and on SIGHUP. One that is bad
// changes nothing, and shows.
func TestPolicyReload(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		policy := func(allow string) string {
			return "rules:\n  - name: all\n    hosts: [localhost]\n    allow: " + allow + "\n"
		}
		file := writePolicy(t, policy("nobody"))
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
		}
		s := newStack(t, g, "POLICY_FILE="+file)
		b := newBrowser(t)
		status := func() int { return b.fetch(http.MethodGet, s.origin+"/reports", "").Status }
		await := func(want int) {
			t.Helper()
			waitUntil(t, fmt.Sprintf("the policy answers %d", want), func() bool { return status() == want })
		}
		ready := func() string { return httpText(t, "http://"+s.at.service+"/readyz") }
		if got := status(); got != http.StatusForbidden {
			t.Fatalf("at first: got status %d, want 403", got)
		}

		write(policy("public"))
		await(http.StatusOK)

		write(policy("everybody"))
		s.hangUp(t)
		waitUntil(t, "/readyz names the policy", func() bool { return strings.Contains(ready(), "degraded: the policy file can't be used") })
		if got := status(); got != http.StatusOK {
			t.Errorf("with a bad file: got status %d, want 200 as before", got)
		}
		if got := s.service.output.String(); !strings.Contains(got, "line 4") {
			t.Errorf("the log: got no line 4: %s", got)
		}

		write(policy("nobody"))
		s.hangUp(t)
		await(http.StatusForbidden)
		if got := ready(); strings.Contains(got, "degraded") {
			t.Errorf("/readyz: got %s", got)
		}
	})
}

// hangUp tells the service to read its policy.
func (s *stack) hangUp(t *testing.T) {
	t.Helper()
	if err := s.service.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func httpText(t *testing.T, target string) string {
	t.Helper()
	response, err := http.DefaultClient.Do(httpGet(t, target))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
