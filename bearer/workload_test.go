package bearer_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// startIssuer is an issuer whose keys are anotherSet, and the count of requests for them.
func startIssuer(t testing.TB) (of bearer.Issuer, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			asked.Add(1)
			answer(http.StatusOK, anotherSet(t))(w, r)
			return
		}
		answer(http.StatusOK, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys"))(w, r)
	}))
	t.Cleanup(server.Close)
	return bearer.Issuer{Name: "github", URL: server.URL, Audience: resource}, asked
}

// workload is a token of an issuer that signs with otherKey, good for a year.
func workload(t testing.TB, w *world, of bearer.Issuer, kid string) string {
	t.Helper()
	payload := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"repo:acme/app","exp":%d}`, of.URL, of.Audience, w.clock.Now().Add(365*24*time.Hour).Unix())
	return sign(t, otherKey(), kid, []byte(payload))
}

// A token is remembered for ten minutes at most, and for one issuer, name and audience.
func TestWorkloadRemembered(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	of, _ := startIssuer(t)
	raw := workload(t, w, of, "another")
	first, err := w.VerifyWorkload(t.Context(), raw, of)
	if err != nil || first.Subject != "github:repo:acme/app" || first.Extra.ClientID() != "github" {
		t.Fatalf("got %+v, %v, want the workload", first, err)
	}
	w.clock.advance(10*time.Minute - time.Second)
	if again, err := w.VerifyWorkload(t.Context(), raw, of); err != nil || again != first {
		t.Errorf("got %v, %v, want the remembered one", again, err)
	}
	renamed, other := of, of
	renamed.Name, other.Audience = "actions", "https://other.example.com"
	if id, err := w.VerifyWorkload(t.Context(), raw, renamed); err != nil || id.Subject != "actions:repo:acme/app" {
		t.Errorf("under another name: got %v, %v", id, err)
	}
	if id, err := w.VerifyWorkload(t.Context(), raw, other); !errors.Is(err, bearer.ErrBad) {
		t.Errorf("for another audience: got %v, %v, want ErrBad", id, err)
	}
	if id, err := w.Verify(t.Context(), raw, nil); !errors.Is(err, bearer.ErrBad) {
		t.Errorf("as a session's: got %v, %v, want ErrBad", id, err)
	}
	w.clock.advance(time.Second)
	if again, err := w.VerifyWorkload(t.Context(), raw, of); err != nil || again == first {
		t.Errorf("got %v, %v, want it verified anew", again, err)
	}
}

// AuthKit's token is none of an issuer's, remembered or not.
func TestSessionIsNoWorkload(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	of, asked := startIssuer(t)
	raw := w.token(t, zoe, "")
	w.wantBearer(t, raw)
	for range 2 {
		if id, err := w.VerifyWorkload(t.Context(), raw, of); !errors.Is(err, bearer.ErrForeign) {
			t.Errorf("got %v, %v, want ErrForeign", id, err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("got %d requests for keys, want none", asked.Load())
	}
}

// Whoever makes up key ids has the keys fetched once in 30 seconds; nobody else's keys.
func TestWorkloadUnknownKeys(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	of, asked := startIssuer(t)
	for i := range 20 {
		if _, err := w.VerifyWorkload(t.Context(), workload(t, w, of, fmt.Sprint("unknown ", i)), of); !errors.Is(err, bearer.ErrBad) || errors.Is(err, session.ErrUnavailable) {
			t.Errorf("got %v, want ErrBad alone", err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("got %d requests for keys, want 1", asked.Load())
	}
}

// An issuer that is away has its tokens answered with "cannot tell", never with "bad".
func TestWorkloadIssuerAway(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	of := bearer.Issuer{Name: "github", URL: "http://127.0.0.1:1", Audience: resource}
	if _, err := w.VerifyWorkload(t.Context(), workload(t, w, of, "another"), of); !errors.Is(err, session.ErrUnavailable) || errors.Is(err, bearer.ErrBad) {
		t.Errorf("got %v, want ErrUnavailable alone", err)
	}
}

// Reloads with ever other issuers keep a bounded number of them.
func TestWorkloadIssuersAreBounded(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for i := range 1000 {
		of := bearer.Issuer{Name: "a", URL: fmt.Sprintf("https://%d.example.com", i), Audience: resource}
		if _, err := w.VerifyWorkload(t.Context(), "no token", of); !errors.Is(err, bearer.ErrBad) {
			t.Fatalf("got %v, want ErrBad", err)
		}
	}
	if got := bearer.Kept(w.Verifier); got > 200 {
		t.Errorf("got %d issuers, want 200 at most", got)
	}
}
