package apikey

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// ErrInvalid: not a valid API key. WorkOS said so within the last 60 s, or it doesn't
// look like one.
var ErrInvalid = errors.New("apikey: not a valid API key")

// LimitedError is the error of a client that has sent too many unknown keys.
type LimitedError struct {
	RetryAfter time.Duration // until it can try one more
}

func (e *LimitedError) Error() string {
	return fmt.Sprintf("apikey: too many unknown API keys from this client: one more in %s", e.RetryAfter)
}

// AuthKit asks WorkOS about a key: *authkit.Client. Its error is a *session.Outage.
type AuthKit interface {
	ValidateAPIKey(ctx context.Context, value string) (authkit.APIKey, bool, error)
}

// Config is what a Validator works with.
type Config struct {
	AuthKit AuthKit
	// HashKey is for the hashes that the memory knows keys by: seal.MACKey("api key
	// memory", password).
	HashKey []byte
	// Revoked reports whether news about a key, or whom it stands for, has come since it was
	// validated: session.Manager's. nil: there are no news.
	Revoked func(id *identity.Identity, apiKeyID string, since time.Time) bool
	Metrics prometheus.Registerer // may be nil
	Log     zerolog.Logger        // may be zero
	Now     func() time.Time      // nil: time.Now
}

// Validator validates API keys. Make it with New. It is safe for concurrent use.
type Validator struct {
	Config
	memory      *memory
	results     *prometheus.CounterVec
	limits      *limits
	validations singleflight.Group // one a key; the budgets and the time limit bound them
}

// New makes a Validator that knows no key yet.
func New(c Config) *Validator {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Validator{
		Config: c, memory: newMemory(), results: newResults(c.Metrics),
		limits: newLimits(c.Log, c.Now),
	}
}

// Verify returns whom an API key stands for: its user, or else the key itself, with
// its organization and permissions; of one that was issued for an agent, this is the actor. The identity is shared and must not be changed.
// client is where the request came from, as far as that can be trusted; all that are
// invalid count as one. The error is ErrInvalid, a *LimitedError, or a
// *session.Outage when WorkOS is unavailable.
func (v *Validator) Verify(ctx context.Context, key string, client netip.Addr) (*identity.Identity, error) {
	id, remembered, err := v.verify(ctx, key, client)
	v.results.WithLabelValues(resultOf(remembered, err)).Inc()
	return id, err
}

func (v *Validator) verify(ctx context.Context, key string, client netip.Addr) (id *identity.Identity, remembered bool, err error) {
	if !looksLikeKey(key) {
		return nil, false, ErrInvalid
	}
	h := v.hash(key)
	if good := v.recall(h); good != nil {
		return &good.identity, true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	good, joined, err := v.validateOnce(ctx, h, key, client)
	var limited *LimitedError                                                   // another client's
	if joined && (good != nil && v.revoked(good) || errors.As(err, &limited)) { // the news may be later than the call
		good, _, err = v.validateOnce(ctx, h, key, client)
	}
	if err != nil {
		return nil, false, err
	}
	return &good.identity, false, nil
}

// recall returns a remembered key about which nothing has been heard since.
func (v *Validator) recall(h hash) *valid {
	good := v.memory.valid(h, v.Now())
	if good == nil {
		return nil
	}
	if v.revoked(good) {
		v.memory.forget(h)
		return nil
	}
	return good
}

func (v *Validator) revoked(good *valid) bool {
	return v.Revoked != nil && v.Revoked(&good.identity, good.id, good.since)
}

// looksLikeKey reports whether key has the form of WorkOS's keys: sk_ and 1 to 250
// letters, digits, - and _.
func looksLikeKey(key string) bool {
	rest, ok := strings.CutPrefix(key, "sk_")
	if !ok || rest == "" || len(rest) > 250 {
		return false
	}
	for _, c := range []byte(rest) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// hash stands for a key.
type hash [sha256.Size]byte

func (v *Validator) hash(key string) (h hash) {
	mac := hmac.New(sha256.New, v.HashKey)
	mac.Write([]byte(key))
	mac.Sum(h[:0])
	return h
}
