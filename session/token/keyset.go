package token

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authkit-forward-auth/authkit-forward-auth/breaker"
)

const (
	maxAge       = 10 * time.Minute // of a key set, until it is fetched anew
	fetchTimeout = 5 * time.Second
	maxSetBytes  = 1 << 20
	retryEvery   = time.Second // while fetches fail
)

// KeySet is the public keys that an issuer, mostly AuthKit, signs access tokens with. They
// are fetched when first needed and kept. After 10 minutes the next use has them
// fetched in the background, so that a withdrawn key goes out of use; if that
// fails, the keys at hand stay in use. It may be used by many goroutines, and must
// not be copied.
type KeySet struct {
	URL string // required without Issuer
	// Issuer is another than AuthKit. Then its own metadata says where the keys are, see discover, and keys for ES256 count as
	// those for RS256 do.
	Issuer string
	Client *http.Client // nil means http.DefaultClient. A redirect is not followed.
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	fetching   singleflight.Group
	breaker    breaker.Breaker // used by the one fetch at a time
	refreshing atomic.Bool
	current    atomic.Pointer[fetched] // written by the one fetch at a time
}

// fetched is the outcome of the latest fetch. It never changes.
type fetched struct {
	keys map[string]crypto.PublicKey // by key id: the latest that could be had
	next time.Time                   // when to fetch again
	err  error                       // why the fetch failed, nil if it didn't
}

// StatusError says that a key set was answered with another status than 200, such as 404 for a client
// that isn't known there.
type StatusError struct{ Status int }

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("status %d", e.Status) }

// Ready reports whether there are keys.
func (k *KeySet) Ready() bool { return k.latest().keys != nil }

// Err is why the latest fetch failed, nil if it didn't.
func (k *KeySet) Err() error { return k.latest().err }

// Fetch fetches the key set, or waits for the fetch that is under way, for as long
// as ctx allows; the fetch itself goes on without ctx, for 5 seconds at most. After
// a failed one it answers with the same error for a second. Its error is
// ErrUnavailable; the keys at hand stay.
func (k *KeySet) Fetch(ctx context.Context) error {
	return once(ctx, &k.fetching, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		return k.fetch(ctx)
	})
}

// key returns the key with that id at hand, or nil.
func (k *KeySet) key(id string) crypto.PublicKey {
	latest := k.latest()
	found := latest.keys[id]
	if found != nil && !clock(k.Now).Before(latest.next) && k.refreshing.CompareAndSwap(false, true) {
		go func() {
			defer k.refreshing.Store(false)
			k.Fetch(context.Background()) // ends within fetchTimeout; an error is kept for who needs a key
		}()
	}
	return found // for want of it the caller fetches
}

func (k *KeySet) latest() *fetched {
	if latest := k.current.Load(); latest != nil {
		return latest
	}
	return &fetched{}
}

func (k *KeySet) fetch(ctx context.Context) error {
	latest := k.latest()
	k.breaker.Threshold, k.breaker.Interval, k.breaker.Now = 1, retryEvery, k.Now
	name := k.URL + k.Issuer
	if _, ok := k.breaker.Allow(name); !ok {
		return latest.err
	}
	keys, err := k.load(ctx)
	if err != nil {
		err = fmt.Errorf("%w: key set: %w", ErrUnavailable, err)
		k.breaker.Failure(name)
		k.current.Store(&fetched{keys: latest.keys, next: clock(k.Now).Add(retryEvery), err: err})
		return err
	}
	k.breaker.Success(name)
	k.current.Store(&fetched{keys: keys, next: clock(k.Now).Add(maxAge)})
	return nil
}

func (k *KeySet) load(ctx context.Context) (map[string]crypto.PublicKey, error) {
	from := k.URL
	if k.Issuer != "" {
		var err error
		if from, err = k.discover(ctx); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	body, err := k.get(ctx, from, maxSetBytes)
	if err != nil {
		return nil, err
	}
	return parseKeys(body, k.Issuer != "")
}

// get returns what is at a URL, and nowhere else: no redirect is followed.
func (k *KeySet) get(ctx context.Context, from string, most int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{}
	if k.Client != nil {
		client = *k.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, &StatusError{Status: response.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > most {
		return nil, fmt.Errorf("over %d KB", most>>10)
	}
	return body, nil
}

// once runs do for all who ask while it runs. It goes on when an asker's ctx ends;
// that asker gets ErrUnavailable.
func once(ctx context.Context, group *singleflight.Group, do func(context.Context) error) error {
	done := group.DoChan("", func() (any, error) { return nil, do(context.WithoutCancel(ctx)) })
	select {
	case result := <-done:
		return result.Err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}
