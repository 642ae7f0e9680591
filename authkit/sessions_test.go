package authkit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

func TestActiveSessions(t *testing.T) {
	t.Parallel()
	var asked []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization"))
		if r.URL.Query().Get("after") == "" {
			io.WriteString(w, `{"data":[{"id":"session_1","user_id":"user/1","status":"active"},{"id":"session_2","user_id":"user/1","status":"expired"},
				{"id":"session_3","user_id":"user_2","status":"active"},{"user_id":"user/1","status":"active"}],"list_metadata":{"after":"session_3"}}`)
			return
		}
		io.WriteString(w, `{"data":[{"id":"session_4","user_id":"user/1","status":"active"}],"list_metadata":{"after":null}}`)
	})

	got, err := c.ActiveSessions(t.Context(), "user/1")

	if want := []string{"session_1", "session_4"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	want := []string{
		"GET /user_management/users/user%2F1/sessions?limit=100 Bearer sk_test_secret",
		"GET /user_management/users/user%2F1/sessions?after=session_3&limit=100 Bearer sk_test_secret",
	}
	if !slices.Equal(asked, want) {
		t.Errorf("got %q\nwant %q", asked, want)
	}
}

func TestActiveSessionsAreBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, `{"data":[{"id":"session_%d","user_id":"user_1","status":"active"}],"list_metadata":{"after":"session_%d"}}`, asked, asked)
	})
	var outage *session.Outage
	if all, err := c.ActiveSessions(t.Context(), "user_1"); !errors.As(err, &outage) || len(all) != 50 || asked != 50 {
		t.Errorf("got %d of %d pages, %v, want 50 and an *Outage: who is to end them all must know that there are more", len(all), asked, err)
	}
}

// The sessions listed before AuthKit failed come with the error.
func TestActiveSessionsUntilAnOutage(t *testing.T) {
	t.Parallel()
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") != "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		io.WriteString(w, `{"data":[{"id":"session_1","user_id":"user_1","status":"active"}],"list_metadata":{"after":"session_1"}}`)
	})
	var outage *session.Outage
	if got, err := c.ActiveSessions(t.Context(), "user_1"); !errors.As(err, &outage) || !slices.Equal(got, []string{"session_1"}) {
		t.Errorf("got %q, %v, want the first one and an *Outage", got, err)
	}
}

func TestActiveSessionsCantTell(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "{}", `{"data":null}`, `{"data":7}`, "<html>"} {
		c := newClient(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) })
		var outage *session.Outage
		if all, err := c.ActiveSessions(t.Context(), "user_1"); !errors.As(err, &outage) || all != nil {
			t.Errorf("%q: got %q, %v, want an *Outage", answer, all, err)
		}
	}
}
