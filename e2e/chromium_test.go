package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// chromium plays a scenario of node/chromium.mjs in a real browser.
func (s *stack) chromium(t *testing.T, scenario string, input map[string]any, output any) {
	t.Helper()
	node := program(t, "node")
	if _, err := os.Stat("node/node_modules/playwright-core"); err != nil {
		missing(t, "playwright-core is not installed")
	}
	all := map[string]any{"chromium": program(t, "chromium", "chromium-browser", "google-chrome"), "origin": s.origin, "email": zoe}
	maps.Copy(all, input)
	stdin, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "chromium.mjs", scenario)
	cmd.Dir = "node"
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("node chromium.mjs %s: %v\n%s", scenario, err, stderr.String())
	}
	if err := json.Unmarshal(stdout, output); err != nil {
		t.Fatalf("node chromium.mjs %s: %v: %s", scenario, err, stdout)
	}
}

// newPages is a stack whose app has pages for a real browser.
func newPages(t *testing.T, g gateway) *stack {
	t.Helper()
	s := newSite(t, g)
	s.at.app = startPages(t)
	s.startAuthKit(t)
	s.open(t, g)
	return s
}

// Whichever way a service worker passes a page's request on, the person comes to the
// sign-in and back to the page.
func TestChromiumServiceWorkers(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newPages(t, g)
		for kind := range workers {
			t.Run(kind, func(t *testing.T) {
				var got struct{ URL, Text string }
				s.chromium(t, "worker", map[string]any{"kind": kind}, &got)
				if got.URL != s.origin+"/page" || got.Text != "the page" {
					t.Errorf("after the sign-in: got %q at %s, want the page at %s/page", got.Text, got.URL, s.origin)
				}
			})
		}
	})
}

// In a frame there is a page with the way out of it, as AuthKit can't be framed.
func TestChromiumFrame(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newPages(t, g)
		for name, want := range map[string]struct {
			newTab bool
			path   string
		}{
			"loaded by the page around it": {false, "/framing"},
			"loaded by itself":             {true, ""},
		} {
			t.Run(name, func(t *testing.T) {
				var got struct{ URL, Text string }
				s.chromium(t, "frame", map[string]any{"newTab": want.newTab}, &got)
				if !strings.Contains(strings.ToLower(got.Text), "sign in") || want.path != "" && got.URL != s.origin+want.path {
					t.Errorf("got %q in the frame, after the sign-in %s, want a link to sign in, and back at %s%s", got.Text, got.URL, s.origin, want.path)
				}
			})
		}
	})
}

// A form whose session has ended, on a page with Helmet's headers: the page says that
// nothing was sent, and what was typed can be sent after a sign-in in a new tab.
func TestChromiumForm(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newPages(t, g)
		var got struct{ Text, URL, Typed, Saved string }
		s.chromium(t, "form", nil, &got)
		if !strings.Contains(got.Text, "not sent") || got.URL != s.origin+"/save" {
			t.Errorf("got %q at %s, want a page in place of /save that says that nothing was sent", got.Text, got.URL)
		}
		if got.Typed != "an hour of work" || got.Saved != "saved: an hour of work" {
			t.Errorf("after the sign-in: got %q typed and %q, want the text, and saved", got.Typed, got.Saved)
		}
	})
}

// Sign-out by an app's button, whichever of Helmet's headers its page has.
func TestChromiumSignOut(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newPages(t, g)
		for i, header := range []string{
			"Referrer-Policy: no-referrer",
			"Content-Security-Policy: default-src 'self';base-uri 'self';form-action 'self';frame-ancestors 'self';script-src 'self'",
			"Cross-Origin-Opener-Policy: same-origin",
			"Cross-Origin-Resource-Policy: same-origin",
			"Origin-Agent-Cluster: ?1",
			"X-Frame-Options: SAMEORIGIN",
		} {
			t.Run(header, func(t *testing.T) {
				var got struct{ AtAuthKit bool }
				s.chromium(t, "signOut", map[string]any{"header": header}, &got)
				if !got.AtAuthKit {
					t.Error("the next page after the sign-out: got one of the app, want AuthKit's sign-in")
				}
				if got := s.authKit.Calls()["sessions.logout"]; got != i+1 {
					t.Errorf("sign-outs at AuthKit: got %d, want %d", got, i+1)
				}
			})
		}
	})
}
