package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Tokens at an OAuth resource end when AuthKit says that an agent's registration, a consent, or a user is no more: those
// that were seen before, and those that come later, on a replica that was told and on one that has to hear of it.
func TestRevokedAgentsAndConsents(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, nil)
	r.waitForBus(t)
	r.clock.advance(time.Second)
	tokensOf := bearers(t, r.world, r.all...)
	session1 := r.accessToken(t, zoe, "")
	at := &bearer.Audience{URL: mcp, Is: func(a string) bool { return a == mcp }, Agents: true}
	token := func(subject, consent, actor string) string {
		change := map[string]any{
			"iss": authKitDomain, "aud": mcp, "client_id": "client_01", "sub": subject, "sid": nil, "org_id": acmeID,
			"role": nil, "roles": nil, "permissions": nil, "entitlements": nil, "feature_flags": nil, "auth_time": nil,
		}
		if consent != "" {
			change["sid"] = consent
		}
		if actor != "" {
			change["act"] = map[string]any{"sub": actor}
		}
		return reclaim(t, session1, otherKey(), "another", change)
	}
	tokens := map[string]string{
		"agent a":               token("agent_reg_01A", "", ""),
		"agent a for sam":       token("agent_reg_01A", "", "user_01SAM"),
		"agent b":               token("agent_reg_01B", "", ""),
		"sam, consent 1":        token("user_01SAM", "app_consent_01", ""),
		"sam, consent 2":        token("user_01SAM", "app_consent_02", ""),
		"sam, 3, given to a":    token("user_01SAM", "app_consent_03", "agent_reg_01A"),
		"eve, 1 of her own app": token("user_01EVE", "app_consent_04", ""),
	}
	check := func(v *bearer.Verifier, name string, want error) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			_, err := v.Verify(t.Context(), tokens[name], at)
			if errors.Is(err, want) {
				return
			}
			if time.Since(began) > time.Second {
				t.Fatalf("%s: got %v, want %v", name, err, want)
			}
		}
	}
	for name := range tokens {
		if name != "sam, consent 2" { // is presented after the events for the first time
			check(tokensOf[0], name, nil)
			check(tokensOf[1], name, nil)
		}
	}
	ended := map[string]bool{}
	for _, step := range []struct {
		of    session.Revocation
		ended []string
	}{
		{session.Revocation{ConsentID: "app_consent_01"}, []string{"sam, consent 1"}},
		{session.Revocation{ConsentID: "app_consent_02"}, []string{"sam, consent 2"}},
		{session.Revocation{Subject: "agent_reg_01B", Refresh: true}, []string{"agent b"}}, // switched: a bearer token can't be refreshed here
		{session.Revocation{Subject: "user_01SAM", OrganizationID: acmeID}, []string{"agent a for sam", "sam, 3, given to a"}},
		{session.Revocation{Subject: "agent_reg_01A"}, []string{"agent a"}},
	} {
		step.of.At = r.clock.Now().Add(time.Second)
		if err := r.all[1].Revoke(t.Context(), step.of); err != nil {
			t.Fatal(err)
		}
		for _, name := range step.ended {
			ended[name] = true
		}
		for name := range tokens {
			for _, v := range tokensOf {
				if ended[name] {
					check(v, name, session.ErrEnded)
				} else if name != "sam, consent 2" {
					check(v, name, nil)
				}
			}
		}
	}
	// A token issued well after the event is another registration's.
	r.clock.advance(3 * time.Minute)
	later := reclaim(t, tokens["agent a"], otherKey(), "another", map[string]any{"iat": r.clock.Now().Unix(), "exp": r.clock.Now().Add(time.Minute).Unix()})
	if _, err := tokensOf[0].Verify(t.Context(), later, at); err != nil {
		t.Errorf("a token of later: got %v, want it good", err)
	}
}

// An agent's end is news about the API keys that were issued for it, and about no others.
func TestRevokedAgentsKeys(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	validated := w.clock.Now()
	w.clock.advance(time.Second)
	if err := w.Revoke(t.Context(), session.Revocation{Subject: "agent_reg_01A", At: w.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	for actor, want := range map[string]bool{"agent_reg_01A": true, "agent_reg_01B": false, "": false} {
		id := &identity.Identity{Subject: "user_01SAM", OrganizationID: acmeID, Extra: &identity.Extra{Actor: actor}}
		if got := w.Revoked(id, "api_key_01", validated); got != want {
			t.Errorf("a key of %q: got news %t, want %t", actor, got, want)
		}
	}
}

// A session is not ended by the event of a consent, whatever that says.
func TestConsentEndsNoSession(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sealed := w.signIn(t, zoe, "")
	id := w.valid(t, sealed).Identity
	if err := w.Revoke(t.Context(), session.Revocation{ConsentID: id.SessionID, At: w.clock.Now().Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	w.valid(t, sealed)
}
