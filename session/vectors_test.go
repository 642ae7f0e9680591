package session_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// vector is a cookie that one of WorkOS's SDKs has sealed.
type vector struct {
	name      string
	Password  string          `json:"password"`
	Sealed    string          `json:"sealed"`
	Inner     string          `json:"inner_sealed"` // where the cookie is an envelope around it
	Plaintext json.RawMessage `json:"plaintext"`
}

// november is within the expiration of the vectors that have one.
func november() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }

func vectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	for _, file := range files {
		v := vector{name: strings.TrimSuffix(filepath.Base(file), ".json")}
		readJSON(t, file, &v)
		if v.Inner != "" {
			v.Sealed = v.Inner
		}
		if v.name != "fixture" {
			vs = append(vs, v)
		}
	}
	if len(vs) != 9 {
		t.Fatalf("got %d vectors, want 9", len(vs))
	}
	return vs
}

func (v vector) unseal(t testing.TB) []byte {
	t.Helper()
	plaintext, err := seal.Iron{Passwords: []string{v.Password}, Now: november}.Unseal(v.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	return plaintext
}

// fixture is what the vectors were made of.
type fixture struct {
	JWKS     json.RawMessage `json:"jwks"`
	Valid    string          `json:"access_token_valid_until_2100"`
	Expired  string          `json:"access_token_expired_2025"`
	Response json.RawMessage `json:"api_authenticate_response"`
}

func readFixture(t testing.TB) (f fixture) {
	t.Helper()
	readJSON(t, "testdata/vectors/fixture.json", &f)
	return f
}

func readJSON(t testing.TB, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// sameJSON fails the test where two JSON texts differ in more than the order of keys.
func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
