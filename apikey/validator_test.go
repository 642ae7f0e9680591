package apikey

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  authkit.APIKey
		want identity.Identity
	}{
		{"an organization's key stands for itself", acme,
			identity.Identity{Subject: "api_key_1", Name: "Production", OrganizationID: "org_1", Permissions: []string{"posts:read"}}},
		{"a user's key stands for the user", authkit.APIKey{ID: "api_key_2", Name: "CI", OrganizationID: "org_1", UserID: "user_1"},
			identity.Identity{Subject: "user_1", Name: "CI", OrganizationID: "org_1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(w *world, _ *Config) { w.keys[key] = tt.key })
			for range 2 { // asked for, and remembered
				if got := w.valid(t, key, client); !reflect.DeepEqual(*got, tt.want) {
					t.Errorf("got %+v, want %+v", *got, tt.want)
				}
			}
			w.wantCalls(t, 1)
		})
	}
}

// A text that can't be a key isn't asked about, and isn't counted against the client.
func TestFormOfKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, key string
		asked     bool
	}{
		{"a character", "sk_0", true},
		{"250 characters", "sk_" + strings.Repeat("a", 250), true},
		{"every kind of character", "sk_live_azAZ09-_.."[:16], true},
		{"none", "sk_", false},
		{"251 characters", "sk_" + strings.Repeat("a", 251), false},
		{"empty", "", false},
		{"another prefix", "pk_0123456789", false},
		{"upper case", "SK_0123456789", false},
		{"no prefix", "0123456789abc", false},
		{"a token", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln", false},
		{"space before", " sk_0123456789", false},
		{"newline after", "sk_0123456789\n", false},
		{"a quote", `sk_0123456789"`, false},
		{"NUL", "sk_0123456789\x00", false},
		{"a letter that isn't ASCII", "sk_0123456789é", false},
		{"a dot", "sk_01234.56789", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			for range 11 {
				w.refused(t, tt.key, client, ErrInvalid)
			}
			w.wantCalls(t, map[bool]int{true: 1}[tt.asked])
		})
	}
}

func TestAnswersAreRemembered(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, key, client)
	w.refused(t, unknown(1), client, ErrInvalid)
	w.set(func() { w.keys = map[string]authkit.APIKey{unknown(1): acme} })
	w.advance(time.Minute - time.Nanosecond)
	w.valid(t, key, client)
	w.refused(t, unknown(1), client, ErrInvalid)
	w.wantCalls(t, 2)

	w.advance(time.Nanosecond)
	w.refused(t, key, client, ErrInvalid)
	w.valid(t, unknown(1), client)
	w.wantCalls(t, 4)
}

// A key's memory belongs to that key, under the hash key.
func TestHash(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.valid(t, key, client)
	w.refused(t, key+"0", client, ErrInvalid)
	other := start(t, func(_ *world, c *Config) { c.HashKey = []byte("another") })
	if w.hash(key) == other.hash(key) || w.hash(key) == w.hash(key+"0") {
		t.Error("got the same hash twice")
	}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	for _, revoked := range []bool{false, true} {
		var news time.Time
		w := start(t, func(_ *world, c *Config) {
			c.Revoked = func(id *identity.Identity, apiKeyID string, since time.Time) bool {
				if id.OrganizationID != "org_1" || apiKeyID != "api_key_1" {
					t.Errorf("got %+v, %s, want org_1, api_key_1", *id, apiKeyID)
				}
				return !since.After(news)
			}
		})
		w.valid(t, key, client)
		news = w.clock()
		w.advance(time.Second)
		if revoked {
			w.set(func() { delete(w.keys, key) })
			w.refused(t, key, client, ErrInvalid)
			w.wantCalls(t, 2)
			continue
		}
		for range 3 { // an update
			w.valid(t, key, client)
		}
		w.wantCalls(t, 2)
	}
}

// A key that was issued for an agent says so, also when it is remembered: a rule has to let agents in, and news may be about the agent.
func TestAgentsKey(t *testing.T) {
	t.Parallel()
	asked := 0
	w := start(t, func(w *world, c *Config) {
		w.keys[key] = authkit.APIKey{ID: "api_key_1", OrganizationID: "org_1", UserID: "user_1", AgentID: "agent_reg_1"}
		c.Revoked = func(id *identity.Identity, _ string, _ time.Time) bool {
			asked++
			return id.Extra.DelegatedTo() != "agent_reg_1"
		}
	})
	for range 3 {
		if id := w.valid(t, key, client); id.Subject != "user_1" || id.Extra.DelegatedTo() != "agent_reg_1" {
			t.Errorf("got %+v for %q, want user_1 for agent_reg_1", id, id.Extra.DelegatedTo())
		}
	}
	w.wantCalls(t, 1)
	if asked != 2 {
		t.Errorf("got %d looks for news, want 2", asked)
	}
}

// A key about which news keep coming is validated each time, and still is a known one.
func TestRevokedKeyStaysKnown(t *testing.T) {
	t.Parallel()
	w := start(t, func(_ *world, c *Config) {
		c.Revoked = func(*identity.Identity, string, time.Time) bool { return true }
	})
	for range 50 {
		w.valid(t, key, client)
	}
	w.wantCalls(t, 50)
}

// With WorkOS down, a remembered key that news concern isn't used.
func TestRevokedDuringAnOutage(t *testing.T) {
	t.Parallel()
	revoked := false
	w := start(t, func(_ *world, c *Config) {
		c.Revoked = func(*identity.Identity, string, time.Time) bool { return revoked }
	})
	w.valid(t, key, client)
	revoked = true
	w.set(func() { w.down = &session.Outage{Status: 500} })
	w.refused(t, key, client, session.ErrUnavailable)
	revoked = false // forgotten is forgotten
	w.refused(t, key, client, session.ErrUnavailable)
}

// Neither errors nor the log show a key, or its beginning.
func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var errs []error
	see := func(key string) {
		_, err := w.Verify(t.Context(), key, client)
		errs = append(errs, err)
	}
	see("sk_customer.no-key")
	w.set(func() { w.down = &session.Outage{Status: 401, Refused: true} })
	see("sk_customer_down_0000")
	see("sk_customer_rest_0000")
	w.set(func() { w.down = nil })
	w.advance(time.Second)
	for i := range 12 {
		see("sk_customer_bad_00000" + string(rune('a'+i)))
	}
	for i := range 50 {
		_, err := w.Verify(t.Context(), "sk_customer_flood_"+unknown(i)[11:], address(i))
		errs = append(errs, err)
	}
	kinds := map[string]bool{}
	for _, err := range errs {
		kinds[resultOf(false, err)] = true
		if text := err.Error(); strings.Contains(text, "customer") || strings.Contains(text, "sk_") {
			t.Errorf("got %s, want no key", text)
		}
	}
	if want := map[string]bool{"invalid": true, "limited": true, "unavailable": true}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
	if log := w.log.String(); !strings.Contains(log, "API key refused") || strings.Contains(log, "customer") || strings.Contains(log, "sk_") {
		t.Errorf("got %s, want refusals and no key", log)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	w := start(t, func(_ *world, c *Config) { c.Metrics = registry })
	w.valid(t, key, client)
	for range 3 {
		w.valid(t, key, client)
	}
	for i := range 10 {
		w.refused(t, unknown(i), client, ErrInvalid)
	}
	w.refused(t, unknown(0), client, ErrInvalid)
	w.refused(t, "no key", client, ErrInvalid)
	w.limited(t, unknown(10), client, 6*time.Second)
	w.set(func() { w.down = &session.Outage{Status: 500} })
	w.refused(t, unknown(11), address(1), session.ErrUnavailable)
	w.refused(t, unknown(12), address(1), session.ErrUnavailable)
	const want = `# HELP authkit_forward_auth_api_keys_total Requests with an API key, by result.
# TYPE authkit_forward_auth_api_keys_total counter
authkit_forward_auth_api_keys_total{result="hit"} 3
authkit_forward_auth_api_keys_total{result="invalid"} 12
authkit_forward_auth_api_keys_total{result="limited"} 1
authkit_forward_auth_api_keys_total{result="unavailable"} 2
authkit_forward_auth_api_keys_total{result="valid"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// The zero Config but for what is required works too.
func TestDefaults(t *testing.T) {
	t.Parallel()
	w := start(t, func(_ *world, c *Config) { c.Log, c.Now = zerolog.Logger{}, nil })
	w.valid(t, key, client)
	w.valid(t, key, client)
	w.wantCalls(t, 1)
}

// An answer that is neither yes nor no is passed on as it is.
func TestOutageIsPassedOn(t *testing.T) {
	t.Parallel()
	want := &session.Outage{Status: 429, Code: "too_many_requests", RetryAfter: 7 * time.Second}
	w := start(t, func(w *world, _ *Config) { w.down = want })
	if _, err := w.Verify(t.Context(), key, client); err != error(want) || errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want %v", err, want)
	}
	if w.log.Len() > 0 {
		t.Errorf("got %s, want no line: it isn't refused", &w.log)
	}
}
