package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

const goodPayload = `{"sub":"user_1","exp":1800100000}`

// verifierOf returns a verifier whose key set has been fetched.
func verifierOf(t *testing.T, server *keyServer, clock *clockAt) *Verifier {
	t.Helper()
	v := &Verifier{Keys: &KeySet{URL: server.url, Now: clock.Now}, ClientID: "client_1", Now: clock.Now}
	if err := v.Keys.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v
}

// verify checks what a token with that key id gets, and how many fetches there were by then.
func verify(t *testing.T, v *Verifier, server *keyServer, id string, want error, requests int64) {
	t.Helper()
	key := key1()
	if id == "key_2" {
		key = key2()
	}
	if _, err := parseAndVerify(t.Context(), v, sign(t, key, id, goodPayload)); !errors.Is(err, want) {
		t.Errorf("key id %s: got %v, want %v", id, err, want)
	}
	if got := server.requests.Load(); got != requests {
		t.Errorf("key id %s: got %d fetches, want %d", id, got, requests)
	}
}

func TestUnknownKeyOneFetch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		id   func(int) string
		want func(error) bool
	}{
		{"one unknown key", func(int) string { return "unknown" },
			func(err error) bool { return errors.Is(err, ErrUnknownKey) }},
		{"fifty unknown keys", func(i int) string { return fmt.Sprint("unknown_", i) },
			func(err error) bool { return errors.Is(err, ErrUnknownKey) || errors.Is(err, ErrUnavailable) }},
	}
	for _, test := range tests {
		for _, warm := range []int64{0, 1} {
			t.Run(fmt.Sprintf("%s, %d fetches before", test.name, warm), func(t *testing.T) {
				t.Parallel()
				server := newKeyServer(t, keySet(publicKey("key_1", key1())))
				clock := newClock(start)
				v := &Verifier{Keys: &KeySet{URL: server.url, Now: clock.Now}, ClientID: "client_1", Now: clock.Now}
				if warm > 0 {
					v = verifierOf(t, server, clock)
				}
				var askers sync.WaitGroup
				for i := range 50 {
					raw := sign(t, key1(), test.id(i), goodPayload)
					askers.Go(func() {
						if _, err := parseAndVerify(t.Context(), v, raw); !test.want(err) {
							t.Errorf("got %v", err)
						}
					})
				}
				askers.Wait()
				if got := server.requests.Load(); got != warm+1 {
					t.Errorf("got %d fetches, want %d", got, warm+1)
				}
			})
		}
	}
}

func TestUnknownKeyCooldown(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	clock := newClock(start)
	v := verifierOf(t, server, clock)

	verify(t, v, server, "gone", ErrUnknownKey, 2)
	verify(t, v, server, "gone", ErrUnknownKey, 2)   // it was looked for
	verify(t, v, server, "other", ErrUnavailable, 2) // it wasn't
	verify(t, v, server, "other", ErrCooldown, 2)    // and why not
	verify(t, v, server, "key_1", nil, 2)

	bearer := &Verifier{Keys: v.Keys, ClientID: "client_1", Now: clock.Now}
	verify(t, bearer, server, "other", ErrUnknownKey, 3) // a cooldown of its own
	verify(t, v, server, "other", ErrUnavailable, 3)

	clock.advance(29 * time.Second)
	verify(t, v, server, "other", ErrUnavailable, 3)
	clock.advance(1 * time.Second)
	verify(t, v, server, "other", ErrUnknownKey, 4)
	verify(t, v, server, "gone", ErrUnavailable, 4) // maybe AuthKit has it back
}

func TestUnknownKeyRotation(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	v := verifierOf(t, server, newClock(start))
	verify(t, v, server, "key_1", nil, 1)
	server.serve(keySet(publicKey("key_1", key1()), publicKey("key_2", key2())))
	verify(t, v, server, "key_2", nil, 2)
	verify(t, v, server, "key_2", nil, 2)
	verify(t, v, server, "key_1", nil, 2)
}

func TestUnknownKeyWhileAuthKitIsDown(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	clock := newClock(start)
	v := verifierOf(t, server, clock)
	server.serve(status(http.StatusBadGateway))

	verify(t, v, server, "key_2", ErrUnavailable, 2)
	verify(t, v, server, "key_2", ErrUnavailable, 2) // backing off
	if _, err := parseAndVerify(t.Context(), v, sign(t, key2(), "key_2", goodPayload)); errors.Is(err, ErrCooldown) {
		t.Errorf("got %v, want no ErrCooldown: nothing was fetched", err)
	}
	verify(t, v, server, "key_1", nil, 2)
	server.serve(keySet(publicKey("key_1", key1()), publicKey("key_2", key2())))
	clock.advance(1 * time.Second)
	verify(t, v, server, "key_2", nil, 3) // a failed fetch starts no cooldown
}

func TestUnknownKeyTokenOfAnotherClient(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("key_1", key1())))
	v := verifierOf(t, server, newClock(start))
	raw := sign(t, key2(), "unknown", `{"sub":"user_1","exp":1800100000,"client_id":"client_2"}`)
	if _, err := parseAndVerify(t.Context(), v, raw); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if got := server.requests.Load(); got != 1 {
		t.Errorf("got %d fetches, want none for a token that can't be good", got-1)
	}
}

func TestUnknownKeysRememberedAreBounded(t *testing.T) {
	t.Parallel()
	var r unknownKeys
	r.start(time.Unix(start, 0), "unknown")
	for i := range 1000 {
		r.remember(fmt.Sprint("unknown_", i))
	}
	if len(r.missing) != 64 {
		t.Errorf("got %d key ids, want 64", len(r.missing))
	}
}

func TestVerifyCancelled(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}), make(chan struct{})
	server := newKeyServer(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked) // a second request would panic
		<-answer
		keySet(publicKey("key_1", key1()))(w, r)
	})
	clock := newClock(start)
	v := &Verifier{Keys: &KeySet{URL: server.url, Now: clock.Now}, ClientID: "client_1", Now: clock.Now}

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	_, err := parseAndVerify(ctx, v, sign(t, key1(), "key_1", goodPayload))
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnavailable and context.Canceled", err)
	}
	close(answer)
	verify(t, v, server, "key_1", nil, 1) // the fetch went on
}
