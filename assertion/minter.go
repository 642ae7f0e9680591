package assertion

import (
	"crypto/sha256"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/maypok86/otter/v2"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

const (
	life      = 5 * time.Minute
	renewedAt = life / 2 // so that what an application gets is good for as long

	maxKeptBytes = 64 << 20
	keptBytes    = 1600 // about what one takes beside its text, with the identity that it keeps alive
)

// Config is what a Minter works with.
type Config struct {
	Keys *Keys
	Log  zerolog.Logger   // may be zero
	Now  func() time.Time // nil: time.Now
}

// Minter makes assertions and keeps them. Make it with New. It is safe for concurrent use.
type Minter struct {
	Config
	kept memory
}

// memory is a cache of assertions. It is an interface because every package that imports a type with one of the library's generic
// caches in it compiles all of that anew.
type memory interface {
	GetIfPresent(k key) (*kept, bool)
	Compute(k key, remap func(before *kept, found bool) (*kept, otter.ComputeOp)) (*kept, bool)
}

// key is whose assertion it is, for which host.
type key struct {
	subject, session, client string
	host                     site.Host
}

// kept is an assertion that was made. It is not changed once made.
type kept struct {
	identity *identity.Identity // of which it was made, or another one that says the same
	says     [sha256.Size]byte  // the hash of its claims, without its times
	issued   time.Time
	text     string
}

// New makes a Minter that keeps nothing yet.
func New(c Config) *Minter {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Minter{c, otter.Must(&otter.Options[key, *kept]{
		MaximumWeight: maxKeptBytes,
		Weigher:       func(_ key, k *kept) uint32 { return uint32(keptBytes + len(k.text)) },
	})}
}

// Assertion is what a host's application gets of somebody who is let in there. The identity may be shared between requests; that
// it is still the same one is what makes a kept assertion good, so it must not have changed. It is empty where there is nobody or no
// host, and where it can't be made, which is logged.
func (m *Minter) Assertion(id *identity.Identity, place *site.Site, host site.Host) string {
	if id == nil || id.Subject == "" || host.Name == "" {
		return ""
	}
	whose, now := key{id.Subject, id.SessionID, id.Extra.ClientID(), host}, m.Now()
	if k, ok := m.kept.GetIfPresent(whose); ok && k.identity == id && k.fresh(now) {
		return k.text
	}
	text := ""
	m.kept.Compute(whose, func(before *kept, found bool) (*kept, otter.ComputeOp) {
		if found && before.identity == id && before.fresh(now) { // another request was quicker
			text = before.text
			return before, otter.CancelOp
		}
		next, err := m.renew(before, id, claimsOf(id, Issuer(place), host.String()), now)
		if err != nil {
			m.Log.Error().Err(err).Msg("no assertion could be signed: the app gets an empty one")
			return nil, otter.InvalidateOp
		}
		text = next.text
		return next, otter.WriteOp
	})
	return text
}

// renew makes an assertion, or takes the one from before where the same is said of another copy of the identity.
func (m *Minter) renew(before *kept, id *identity.Identity, c claims, now time.Time) (*kept, error) {
	content, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	says := sha256.Sum256(content)
	if before != nil && before.says == says && before.fresh(now) {
		same := *before
		same.identity = id
		return &same, nil
	}
	text, err := m.Keys.sign(c, now)
	return &kept{identity: id, says: says, issued: now, text: text}, err
}

// fresh reports whether an assertion may be handed out. One of the future may not: the clock has been set back.
func (k *kept) fresh(now time.Time) bool {
	age := now.Sub(k.issued)
	return age >= 0 && age < renewedAt
}

// Issuer is the issuer of a site's assertions: where its sign-in flow is, without a slash at the end.
func Issuer(place *site.Site) string { return strings.TrimSuffix(place.Endpoint(""), "/") }
