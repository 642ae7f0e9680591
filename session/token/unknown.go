package token

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	cooldown      = 30 * time.Second // between two fetches for unknown keys
	maxMissing    = 64               // unknown key ids remembered
	maxKeyIDBytes = 256
)

// unknownKeys limits the fetches for unknown keys. AuthKit rotates keys, so an
// unknown id is worth a fetch; anybody can make one up, so it is worth only one
// in a while.
type unknownKeys struct {
	fetching singleflight.Group
	mu       sync.Mutex
	until    time.Time           // end of the cooldown
	missing  map[string]struct{} // ids that were looked for in the set fetched at its start
}

// key returns the key with that id. Where it is unknown, or no set was fetched
// yet, the set is fetched, unless the cooldown forbids it.
func (v *Verifier) key(ctx context.Context, id string) (crypto.PublicKey, error) {
	if id == "" || len(id) > maxKeyIDBytes {
		return nil, fmt.Errorf("%w: no key id, or too long a one", ErrInvalid)
	}
	if key := v.Keys.key(id); key != nil {
		return key, nil
	}
	err := v.refetch(ctx, id)
	if key := v.Keys.key(id); key != nil { // whoever fetched it
		return key, nil
	}
	switch {
	case err == nil:
		v.unknown.remember(id)
		return nil, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	case errors.Is(err, ErrCooldown) && v.unknown.remembers(id):
		return nil, fmt.Errorf("%w: %q", ErrUnknownKey, id)
	}
	return nil, err
}

// refetch fetches the key set because of that id, once for all who ask meanwhile, and
// starts the cooldown. A failed fetch starts none: the KeySet has a circuit breaker.
func (v *Verifier) refetch(ctx context.Context, id string) error {
	return once(ctx, &v.unknown.fetching, func(ctx context.Context) error {
		if v.unknown.coolingDown(v.now()) {
			return ErrCooldown
		}
		if err := v.Keys.Fetch(ctx); err != nil {
			return err
		}
		v.unknown.start(v.now().Add(cooldown), id)
		return nil
	})
}

func (u *unknownKeys) coolingDown(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until)
}

func (u *unknownKeys) start(until time.Time, id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until, u.missing = until, map[string]struct{}{id: {}}
}

func (u *unknownKeys) remember(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.missing) < maxMissing {
		u.missing[id] = struct{}{}
	}
}

func (u *unknownKeys) remembers(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.missing[id]
	return ok
}
