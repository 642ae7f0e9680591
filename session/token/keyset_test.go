package token

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestKeySetRefusesAnswer(t *testing.T) {
	t.Parallel()
	elsewhere := newKeyServer(t, keySet(publicKey("key_1", key1())))
	set := httptest.NewRecorder()
	keySet(publicKey("key_1", key1()))(set, nil)
	padded := func(size int) string { return set.Body.String() + strings.Repeat(" ", size-set.Body.Len()) }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"a key set", body(padded(set.Body.Len())), nil},
		{"1 MiB", body(padded(1 << 20)), nil},
		{"over 1 MiB", body(padded(1<<20 + 1)), ErrUnavailable},
		{"not found", status(http.StatusNotFound), ErrUnavailable},
		{"no content", status(http.StatusNoContent), ErrUnavailable},
		{"a key set with status 500", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			w.Write([]byte(padded(set.Body.Len())))
		}, ErrUnavailable},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.url, http.StatusFound)
		}, ErrUnavailable},
		{"HTML", body("<html>Service unavailable</html>"), ErrUnavailable},
		{"empty", body(""), ErrUnavailable},
		{"cut", body(padded(set.Body.Len())[:100]), ErrUnavailable},
		{"another object", body(`{"error":"not_found"}`), ErrUnavailable},
		{"keys that are none", body(`{"keys":"none"}`), ErrUnavailable},
		{"no keys", body(`{"keys":[]}`), ErrUnavailable},
		{"no key with an id", keySet(publicKey("", key1())), ErrUnavailable},
		{"closed connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ErrUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newKeyServer(t, test.handler)
			keys := &KeySet{URL: server.url}
			if err := keys.Fetch(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if keys.Ready() != (test.want == nil) {
				t.Errorf("got ready %t, want %t", keys.Ready(), test.want == nil)
			}
		})
	}
	t.Cleanup(func() {
		if got := elsewhere.requests.Load(); got != 0 {
			t.Errorf("got %d requests at the redirect's target, want 0", got)
		}
	})
}

func TestKeySetWhichKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  map[string]any
		want error
	}{
		{"as AuthKit's", publicKey("key_2", key2()), nil},
		{"no use, no alg", publicKey("key_2", key2(), map[string]any{"use": nil, "alg": nil}), nil},
		{"certificate that can't be read", publicKey("key_2", key2(), map[string]any{"x5c": []string{"bm8="}, "x5t#S256": "bm8"}), nil},
		{"for encryption", publicKey("key_2", key2(), map[string]any{"use": "enc"}), ErrUnknownKey},
		{"for RS512", publicKey("key_2", key2(), map[string]any{"alg": "RS512"}), ErrUnknownKey},
		{"for RSA encryption", publicKey("key_2", key2(), map[string]any{"alg": "RSA-OAEP"}), ErrUnknownKey},
		{"of a type nobody knows", publicKey("key_2", key2(), map[string]any{"kty": "XYZ"}), ErrUnknownKey},
		{"symmetric", map[string]any{"kty": "oct", "kid": "key_2", "k": "c2VjcmV0"}, ErrUnknownKey},
		{"elliptic curve", map[string]any{"kty": "EC", "crv": "P-256", "kid": "key_2",
			"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}, ErrUnknownKey},
		{"no id", publicKey("", key2()), ErrUnknownKey},
		{"modulus missing", publicKey("key_2", key2(), map[string]any{"n": nil}), ErrUnknownKey},
		{"modulus isn't base64", publicKey("key_2", key2(), map[string]any{"n": "###"}), ErrUnknownKey},
		{"modulus is a number", publicKey("key_2", key2(), map[string]any{"n": 7}), ErrUnknownKey},
		{"null", nil, ErrUnknownKey},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newKeyServer(t, keySet(test.key, publicKey("key_1", key1())))
			v := verifierOf(t, server, newClock(start))
			if _, err := parseAndVerify(t.Context(), v, sign(t, key2(), "key_2", goodPayload)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if _, err := parseAndVerify(t.Context(), v, sign(t, key1(), "key_1", goodPayload)); err != nil {
				t.Errorf("the other key of the set: got %v, want no error", err)
			}
		})
	}
}

func TestKeySetSmallKey(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, keySet(publicKey("small", smallKey()), publicKey("key_1", key1())))
	v := verifierOf(t, server, newClock(start))
	if _, err := parseAndVerify(t.Context(), v, sign(t, smallKey(), "small", goodPayload)); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("2040 bits: got %v, want ErrUnknownKey", err)
	}
}

func TestKeySetOutageBeforeFirstFetch(t *testing.T) {
	t.Parallel()
	server := newKeyServer(t, status(http.StatusServiceUnavailable))
	clock := newClock(start)
	v := &Verifier{Keys: &KeySet{URL: server.url, Now: clock.Now}, ClientID: "client_1", Now: clock.Now}

	requests := int64(0)
	for range 5 { // one fetch a second
		requests++
		verify(t, v, server, "key_1", ErrUnavailable, requests)
		verify(t, v, server, "key_1", ErrUnavailable, requests)
		clock.advance(1 * time.Second)
	}
	if v.Keys.Ready() {
		t.Error("got ready, want not")
	}
	server.serve(keySet(publicKey("key_1", key1())))
	verify(t, v, server, "key_1", nil, requests+1)
	if !v.Keys.Ready() {
		t.Error("got not ready, want ready")
	}

	server.serve(status(http.StatusServiceUnavailable))
	clock.advance(1 * time.Minute)
	verify(t, v, server, "key_2", ErrUnavailable, requests+2)
	clock.advance(1 * time.Second)
	verify(t, v, server, "key_2", ErrUnavailable, requests+3)
}

// inMemory is AuthKit without a network, for tests inside a synctest bubble.
type inMemory struct {
	requests atomic.Int64
	handler  http.HandlerFunc // nil never answers
}

func (m *inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.requests.Add(1)
	if m.handler == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	recorder := httptest.NewRecorder()
	m.handler(recorder, r)
	return recorder.Result(), nil
}

func TestKeySetNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := &KeySet{URL: "http://authkit.test/jwks", Client: &http.Client{Transport: &inMemory{}}}
		began := time.Now()
		if err := keys.Fetch(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if got := time.Since(began); got != 5*time.Second {
			t.Errorf("gave up after %s, want 5s", got)
		}
	})
}

func TestKeySetRefreshedInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		authKit := &inMemory{handler: keySet(publicKey("key_1", key1()), publicKey("key_2", key2()))}
		keys := &KeySet{URL: "http://authkit.test/jwks", Client: &http.Client{Transport: authKit}}
		if err := keys.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		use := func(what string, want2 bool, requests int64) {
			t.Helper()
			if keys.key("key_1") == nil {
				t.Errorf("%s: key_1 is gone", what)
			}
			synctest.Wait() // for the fetch that this use may have started
			if got := keys.latest().keys["key_2"] != nil; got != want2 {
				t.Errorf("%s: got key_2 %t, want %t", what, got, want2)
			}
			if got := authKit.requests.Load(); got != requests {
				t.Errorf("%s: got %d fetches, want %d", what, got, requests)
			}
		}
		use("at once", true, 1)
		time.Sleep(10*time.Minute - 1)
		use("before ten minutes", true, 1)

		authKit.handler = status(http.StatusBadGateway)
		time.Sleep(1 * time.Nanosecond)
		use("outage after ten minutes", true, 2)
		use("within the same second", true, 2)
		time.Sleep(1 * time.Second)
		use("outage goes on", true, 3)

		authKit.handler = keySet(publicKey("key_1", key1()))
		time.Sleep(2 * time.Second)
		use("AuthKit is back without key_2", false, 4)
		time.Sleep(10*time.Minute - 1)
		use("fresh again", false, 4)
	})
}
