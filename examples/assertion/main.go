// Command assertion is an app that believes nothing but the assertion.
//
//	ISSUER    where the sign-in flow is, such as https://app.example.com/_auth
//	HOST      the app's own host, as browsers ask for it, with a port that isn't the scheme's own
package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func main() {
	app := &verifier{issuer: os.Getenv("ISSUER"), host: os.Getenv("HOST")}
	server := http.Server{Addr: "127.0.0.1:" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: app, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

type verifier struct {
	issuer, host string

	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	fetched time.Time
}

// ServeHTTP says who asks.
func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, err := v.verify(r.Header.Get("X-Auth-Request-Assertion"))
	if err != nil {
		log.Print(err) // which never has the assertion itself in it
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(user)
}

// verify returns what a good assertion says.
func (v *verifier) verify(assertion string) (map[string]any, error) {
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	key, err := v.key(token.Headers[0].KeyID)
	if err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	var standard jwt.Claims
	var all map[string]any
	if err := token.Claims(key, &standard, &all); err != nil {
		return nil, fmt.Errorf("assertion: %w", err)
	}
	good := jwt.Expected{Issuer: v.issuer, AnyAudience: jwt.Audience{v.host}, Time: time.Now()}
	return all, standard.ValidateWithLeeway(good, 10*time.Second)
}

// key is a published one. The set is fetched again for one that isn't known, at most every 30 seconds.
func (v *verifier) key(id string) (jose.JSONWebKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys.Key(id)) == 0 && time.Since(v.fetched) > 30*time.Second {
		v.fetched = time.Now()
		client := http.Client{Timeout: 5 * time.Second}
		response, err := client.Get(v.issuer + "/jwks.json")
		if err != nil {
			return jose.JSONWebKey{}, err
		}
		defer response.Body.Close()
		var set jose.JSONWebKeySet
		if err := json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&set); err != nil {
			return jose.JSONWebKey{}, fmt.Errorf("key set: %w", err)
		}
		v.keys = set
	}
	if keys := v.keys.Key(id); len(keys) > 0 {
		return keys[0], nil
	}
	return jose.JSONWebKey{}, fmt.Errorf("no key %.50q is published", id)
}
