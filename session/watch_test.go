package session_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	authKitDomain = "https://example.authkit.app"
	mcp           = "https://mcp.example.com/mcp"
)

// bearers verify bearer tokens by what each of some replicas knows: access tokens of sessions, and at a resource those of an
// authorization server that signs with otherKey.
func bearers(t testing.TB, w *world, managers ...*session.Manager) []*bearer.Verifier {
	t.Helper()
	server := httptest.NewServer(status(http.StatusOK, anotherSet(t)))
	t.Cleanup(server.Close)
	var all []*bearer.Verifier
	for _, m := range managers {
		v, err := bearer.New(bearer.Config{
			Sessions: m, Session: &token.Verifier{Keys: w.Tokens.Keys, ClientID: clientID, Now: w.clock.Now}, Now: w.clock.Now,
			Resources: &token.Verifier{
				Keys: &token.KeySet{URL: server.URL, Now: w.clock.Now}, Now: w.clock.Now, ClientID: clientID, Issuers: []string{authKitDomain},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// accessToken is that of a new session.
func (w *world) accessToken(t testing.TB, email, organizationID string) string {
	t.Helper()
	return w.open(t, w.signIn(t, email, organizationID)).AccessToken
}

// reclaim is a token with other claims, signed under that key id.
func reclaim(t testing.TB, raw string, key *rsa.PrivateKey, kid string, change map[string]any) string {
	t.Helper()
	c := claims(t, raw)
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, value any) bool { return value == nil })
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, key, kid, payload)
}

// A replica that wasn't there when a session was revoked, and one that didn't hear of
// it, find out.
func TestBearerRevokedOnEveryReplica(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	r.clock.advance(time.Second) // everybody has listened for a while
	raw, here := r.accessToken(t, zoe, ""), bearers(t, r.world, r.Manager)[0]
	id, err := here.Verify(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.clock.advance(time.Second)
	r.server.Set(replicatest.Faults{BusDown: true})
	if err := r.all[1].Revoke(t.Context(), session.Revocation{Subject: id.Subject, At: r.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it finds out in the store", func() bool {
		_, err := here.Verify(t.Context(), raw, nil)
		return errors.Is(err, session.ErrEnded)
	})
	late := r.add(t, r.all[0].Config)
	r.server.Set(replicatest.Faults{})
	r.run(t, late)
	if _, err := bearers(t, r.world, late)[0].Verify(t.Context(), raw, nil); !errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v from a new replica, want ErrEnded", err)
	}
}

func TestBearerGoesOnWithoutTheStore(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	r.server.Set(replicatest.Faults{Down: true})
	if _, err := bearers(t, r.world, r.Manager)[0].Verify(t.Context(), r.accessToken(t, zoe, ""), nil); err != nil {
		t.Errorf("got %v, want an identity", err)
	}
}
