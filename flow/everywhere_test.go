package flow

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// A sign-out on one device ends the sessions on the others, and nobody else's. Who signs in again is in.
func TestSignOutEverywhere(t *testing.T) {
	t.Parallel()
	for _, everywhere := range []bool{true, false} {
		w := newWorld(t, settings{everywhere: everywhere})
		laptop, phone, other := w.browser(t), w.browser(t), w.browser(t)
		laptop.visit(app+"/page", paula)
		phone.visit(app+"/page", paula)
		other.visit(app+"/page", zoe)

		asked := laptop.get(app+"/_auth/logout", "Sec-Fetch-Site: cross-site")
		if says := strings.Contains(asked.body, "on other devices too"); says != everywhere {
			t.Errorf("everywhere %t: the page says so: %t", everywhere, says)
		}
		laptop.press(asked, "Sign out")

		_, err := w.Sessions.Verify(t.Context(), phone.header(app+"/"), false)
		if ended := errors.Is(err, session.ErrEnded); ended != everywhere {
			t.Errorf("everywhere %t: on the phone: got %v", everywhere, err)
		}
		if _, err := w.Sessions.Verify(t.Context(), other.header(app+"/"), false); err != nil {
			t.Errorf("everywhere %t: somebody else: got %v", everywhere, err)
		}
		laptop.visit(app+"/page", paula)
		laptop.wantSignedIn(paula)
	}
}

// AuthKit doesn't answer: this session ends all the same, and the log says that the others don't.
func TestSignOutEverywhereWhileAuthKitIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{everywhere: true})
	b := w.browser(t)
	b.visit(app+"/page", paula)
	header := b.header(app + "/")
	w.breakAuthKit(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })

	a := b.get(app + "/_auth/logout")

	if !w.isAuthKit(a.location()) {
		t.Errorf("got status %d to %q", a.status, a.location())
	}
	if _, err := w.Sessions.Verify(t.Context(), header, false); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the session: got %v, want ErrEnded", err)
	}
	if !strings.Contains(w.log.String(), "so they go on") {
		t.Errorf("got log %s", w.log)
	}
}

// Those that are listed before AuthKit fails, or before there are too many, end; the log says that the others don't.
func TestSignOutEverywhereThatIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{everywhere: true})
	laptop, phone, tablet := w.browser(t), w.browser(t), w.browser(t)
	for _, b := range []*browser{laptop, phone, tablet} {
		b.visit(app+"/page", paula)
	}
	listed, err := w.Sessions.Verify(t.Context(), phone.header(app+"/"), false)
	if err != nil {
		t.Fatal(err)
	}
	w.UserSessions = func(context.Context, string) ([]string, error) {
		return []string{listed.Identity.SessionID}, &session.Outage{Err: errors.New("more are listed than are looked at")}
	}

	laptop.get(app + "/_auth/logout")

	if _, err := w.Sessions.Verify(t.Context(), phone.header(app+"/"), false); !errors.Is(err, session.ErrEnded) {
		t.Errorf("the one that is listed: got %v, want ErrEnded", err)
	}
	if _, err := w.Sessions.Verify(t.Context(), tablet.header(app+"/"), false); err != nil {
		t.Errorf("the one that isn't: got %v, want it to go on", err)
	}
	if log := w.log.String(); !strings.Contains(log, `"level":"error"`) || !strings.Contains(log, "more are listed than are looked at") || !strings.Contains(log, `"sessions":1`) || strings.Contains(log, "all sessions of the user are ended") {
		t.Errorf("got log %s, want an error that says so", log)
	}
}
