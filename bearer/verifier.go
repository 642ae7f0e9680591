package bearer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2/stats"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/keyedhash"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Sessions is what the verification needs of package session.
type Sessions interface {
	// Watch looks up what a token is of: a session, or a consent. unchanged reports whether nothing new is known of that since
	// then; the error is session.ErrEnded.
	Watch(ctx context.Context, id *identity.Identity, token string, issued time.Time) (unchanged func() bool, err error)
}

// Config is what a Verifier works with.
type Config struct {
	Sessions Sessions // required
	// Session is for the access tokens of sessions. Nil: no bearer token is accepted
	// without an Audience. Connect are for those of AuthKit's OAuth and M2M applications, and tell
	// them by their Issuers. Each must be a Verifier of its own: what strangers send must
	// not start the cooldown of the one for cookies.
	Session *token.Verifier
	Connect []*token.Verifier
	// Resources is for the tokens of AuthKit's authorization server at OAuth resources; nil: there are no resources.
	Resources *token.Verifier
	// Issuers is for the metadata and the keys of workloads' issuers; nil: http.DefaultClient.
	Issuers *http.Client
	// KeepAccessToken puts the token into identities, but for workloads': apps would take it for one of AuthKit's.
	KeepAccessToken bool
	Metrics         prometheus.Registerer // may be nil
	Now             func() time.Time      // nil: time.Now
}

// Verifier answers whose bearer token a request has. It is safe for concurrent use.
type Verifier struct {
	Config
	remembered memory // by the hash of a token, in the scope of what it was verified for
	hasher     *keyedhash.Hasher
	workloads  workloads
}

// New makes a Verifier with an empty memory.
func New(c Config) (*Verifier, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	hasher, err := keyedhash.New()
	if err != nil {
		return nil, fmt.Errorf("bearer: %w", err)
	}
	lookups := stats.NewCounter()
	observe(c.Metrics, lookups)
	return &Verifier{Config: c, remembered: newMemory(lookups), hasher: hasher}, nil
}

// Verify returns whose access token a request brought as a bearer token. For an audience that is one of AuthKit's
// authorization server, made for it; for none (nil) a session's, or one of a Connect issuer. It is
// shared between requests and must not be changed; it has no email address and no
// name, as tokens have none. The error is
//
//	ErrBad          malformed, forged, expired, not valid yet, or made for somebody else
//	ErrClientAudience (an ErrBad) made for the environment's client id, since the resource isn't registered
//	ErrForeign      (an ErrBad) of no issuer that is configured: maybe the app's own
//	session.ErrEnded        revoked, or its roles have changed: whoever holds it must refresh it
//	session.ErrUnavailable  there is no key set to verify it with
func (v *Verifier) Verify(ctx context.Context, raw string, audience *Audience) (*identity.Identity, error) {
	if v.Session == nil {
		return nil, fmt.Errorf("%w: bearer tokens are not accepted", ErrForeign)
	}
	hash := v.hasher.Of(audience.key(), raw)
	known, ok := v.remembered.GetIfPresent(hash)
	young := ok && v.Now().Before(known.expires)
	if young && known.unchanged() {
		return &known.identity, nil
	}
	if !young {
		claims, err := v.verifyToken(ctx, raw, audience)
		if err != nil {
			return nil, err
		}
		known = v.verifiedOf(raw, claims)
	}
	unchanged, err := v.Sessions.Watch(ctx, &known.identity, raw, known.issued)
	if err != nil {
		return nil, err
	}
	next := *known
	next.unchanged = unchanged
	v.remembered.Set(hash, &next)
	return &next.identity, nil
}

// verifyToken has a bearer token verified by who is in charge of its issuer. What the
// token says for that isn't verified yet: it only chooses who verifies all of it.
func (v *Verifier) verifyToken(ctx context.Context, raw string, audience *Audience) (*token.Claims, error) {
	access, err := token.Parse(raw)
	if audience != nil {
		return v.verifyFor(ctx, access, err, audience)
	}
	if err != nil {
		claimed := token.Claimed(raw)
		if v.connect(claimed) == nil && !v.claimsSession(claimed) {
			return nil, foreign(claimed)
		}
		return nil, bearerError(err)
	}
	claims := access.Unverified()
	if connect := v.connect(claims); connect != nil {
		if claims, err = connect.Verify(ctx, access); err != nil {
			return nil, bearerError(err)
		}
		return delegated(claims), nil
	}
	if silent := claims.ClientID == "" && len(claims.Audience) == 0 && len(v.Session.Issuers) == 0; !silent && !v.claimsSession(claims) {
		return nil, foreign(claims)
	}
	return v.verifySessionToken(ctx, access)
}
