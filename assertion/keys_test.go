package assertion

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	password = "correct-horse-battery-staple-0123456789"
	apiKey   = "sk_test_0123456789"

	// Of the keys in testdata and of the derived one, worked out without this package.
	pkcs8ID   = "cmKDSXie0exYRnNNKbM59VlgcN5fNB0SRl5NN9ZNYo0"
	sec1ID    = "FZOlA5QkWzoOs3qWU4IeNOjtBz2PFdVJ7bFJz8itjnE"
	rsaID     = "GBvJCAF65NwyTcxQdkuS-GNdscobyAqHSaSjBgO1jKw"
	derivedID = "z8ouEJ8BGk9jiMLKane3HJWxvFf4fjsvTJ3L3KOZ_bM"
	anotherID = "Predk-8_CfdOMvv_s7umSxjVmHms7ifTUdD93jVxDwY"
)

// pemOf is what some files of testdata hold together.
func pemOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("testdata", name+".pem"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}

// published are the members of the keys in a key set, by which only public ones may be there.
func published(t *testing.T, k *Keys) []map[string]string {
	t.Helper()
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(k.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys
}

func ids(t *testing.T, k *Keys) []string {
	t.Helper()
	var all []string
	for _, key := range published(t, k) {
		all = append(all, key["kid"])
	}
	return all
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files []string
		want  []string // of the published, the first of which signs
	}{
		{"PKCS#8", []string{"pkcs8"}, []string{pkcs8ID}},
		{"SEC 1, behind the parameters that openssl ecparam writes", []string{"sec1"}, []string{sec1ID}},
		{"RSA in PKCS#8", []string{"rsa"}, []string{rsaID}},
		{"RSA in PKCS#1", []string{"pkcs1"}, []string{rsaID}},
		{"the first signs, and the one before it is published still", []string{"sec1", "pkcs8", "rsa"}, []string{sec1ID, pkcs8ID, rsaID}},
		{"the other order", []string{"pkcs8", "sec1"}, []string{pkcs8ID, sec1ID}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := ParseKeys(pemOf(t, tt.files...))
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(t, k); !slices.Equal(got, tt.want) || k.ID() != tt.want[0] {
				t.Errorf("got %q, signed by %s, want %q", got, k.ID(), tt.want)
			}
		})
	}
	text := strings.ReplaceAll("# made by hand\n"+string(pemOf(t, "pkcs8"))+"\n\n", "\n", "\r\n")
	if k, err := ParseKeys([]byte(text)); err != nil || k.ID() != pkcs8ID {
		t.Errorf("with Windows's line breaks and a comment: got %v, want the key", err)
	}
}

// Nothing but the public half is published.
func TestJWKS(t *testing.T) {
	t.Parallel()
	k, err := ParseKeys(pemOf(t, "sec1", "rsa"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]string{
		{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": sec1ID, "x": "", "y": ""},
		{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": rsaID, "e": "AQAB", "n": ""},
	} {
		got := published(t, k)[i]
		for name, value := range got {
			if wanted, ok := want[name]; !ok || wanted != "" && value != wanted {
				t.Errorf("key %d: got %s %q, want %q", i, name, value, wanted)
			}
		}
		if len(got) != len(want) {
			t.Errorf("key %d: got %d members, want %d", i, len(got), len(want))
		}
	}
}

func TestParseKeysRefuses(t *testing.T) {
	t.Parallel()
	key := string(pemOf(t, "pkcs8"))
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = "pkcs8"
	}
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "has no key in PEM"},
		{"a JSON Web Key", `{"kty":"EC"}`, "has no key in PEM"},
		{"a public key", string(pemOf(t, "public")), `has a PEM block that is no private key ("PUBLIC KEY")`},
		{"a public key behind a good one", key + string(pemOf(t, "public")), "no private key"},
		{"encrypted, PKCS#8", string(pemOf(t, "encrypted")), "has an encrypted key: write it without a passphrase"},
		{"encrypted, SEC 1", string(pemOf(t, "encrypted-sec1")), "has an encrypted key: write it without a passphrase"},
		{"another curve", string(pemOf(t, "p384")), "has an EC key of the curve P-384: make one of P-256"},
		{"Ed25519", string(pemOf(t, "ed25519")), "neither EC nor RSA"},
		{"a short RSA key", string(pemOf(t, "rsa1024")), "has an RSA key of 1024 bits: make one of 2048 to 4096"},
		{"the same key twice", key + key, "has the same key twice"},
		{"the same RSA key in two forms", string(pemOf(t, "rsa", "pkcs1")), "has the same key twice"},
		{"a damaged block, which the PEM decoder skips", key + strings.Replace(string(pemOf(t, "sec1")), "PRIVATE KEY-----\nMH", "PRIVATE KEY-----\n*MH", 1), "has a PEM block that is damaged"},
		{"a block cut off", key[:len(key)/2], "has a PEM block that is damaged"},
		{"bytes that are no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "has a private key that can't be read"},
		{"parameters alone", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "has parameters and no key"},
		{"too many", string(pemOf(t, eleven...)), "has 11 keys: keep at most 10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := ParseKeys([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// All replicas derive the same key, and nobody does who has but one of the two secrets.
func TestDeriveKeys(t *testing.T) {
	t.Parallel()
	const another = "another-horse-battery-staple-0123456789"
	for _, tt := range []struct {
		name      string
		passwords []string
		secret    string
		want      []string
	}{
		{"of both secrets", []string{password}, apiKey, []string{derivedID}},
		{"another password", []string{another}, apiKey, []string{anotherID}},
		{"the password before is published still", []string{another, password}, apiKey, []string{anotherID, derivedID}},
		{"another API key", []string{password}, "sk_test_9876543210", nil},
		{"the two in each other's place", []string{apiKey}, password, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := DeriveKeys(tt.passwords, tt.secret)
			if err != nil {
				t.Fatal(err)
			}
			got := ids(t, k)
			if tt.want == nil && (got[0] == derivedID || got[0] == anotherID) || tt.want != nil && !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for name, passwords := range map[string][]string{"no password": nil, "an empty password": {""}} {
		if _, err := DeriveKeys(passwords, apiKey); err == nil {
			t.Errorf("%s: got a key, want an error", name)
		}
	}
	if _, err := DeriveKeys([]string{password}, ""); err == nil {
		t.Error("without the other secret: got a key, want an error")
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, name := range []string{"pkcs8", "sec1", "rsa", "pkcs1", "p384", "ed25519", "encrypted", "encrypted-sec1", "public"} {
		f.Add(pemOf(f, name))
	}
	f.Add(append(pemOf(f, "sec1"), pemOf(f, "pkcs8")...))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParseKeys(text)
		if err != nil {
			return
		}
		if got := ids(t, k); len(got) == 0 || got[0] != k.ID() {
			t.Errorf("got %q signed by %s, want that first", got, k.ID())
		}
		for _, key := range published(t, k) {
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi"} {
				if key[private] != "" {
					t.Errorf("got the member %s of a private key published", private)
				}
			}
		}
	})
}
