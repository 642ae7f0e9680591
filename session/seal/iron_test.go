package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const password = "0123456789abcdefghijklmnopqrstuv"

// november is within the expiration of the vectors that have one and that open.
var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// vector is a cookie that one of the SDKs has sealed. Inner is the iron seal
// where the cookie is an envelope around it.
type vector struct {
	name      string
	Layout    string          `json:"format"`
	Password  string          `json:"password"`
	Sealed    string          `json:"sealed"`
	Inner     string          `json:"inner_sealed"`
	Plaintext json.RawMessage `json:"plaintext"`
}

// vectors returns the iron seals, without an envelope and without the expired one.
func vectors(t testing.TB) []vector {
	t.Helper()
	var vs []vector
	for _, v := range everyVector(t) {
		if v.Inner != "" {
			v.Sealed = v.Inner
		}
		if strings.HasPrefix(v.Sealed, "Fe26.2*") {
			vs = append(vs, v)
		}
	}
	if len(vs) != 9 {
		t.Fatalf("got %d iron vectors, want 9", len(vs))
	}
	return vs
}

// everyVector returns the cookies of every SDK but the expired one.
func everyVector(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	for _, file := range files {
		if v := readVector(t, file); v.name != "iron-expired-seal" {
			vs = append(vs, v)
		}
	}
	if len(vs) != 18 {
		t.Fatalf("got %d vectors, want 18", len(vs))
	}
	return vs
}

func readVector(t testing.TB, file string) vector {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := vector{name: strings.TrimSuffix(filepath.Base(file), ".json")}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if v.Inner != "" { // as it stands in the header
		v.Sealed, err = url.PathUnescape(v.Sealed)
		if err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v vector) iron() Iron { return Iron{Passwords: []string{v.Password}, Now: at(november)} }

func TestUnsealVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		bare := strings.TrimSuffix(v.Sealed, "~2")
		for suffix, sealed := range map[string]string{"": bare, "~2": bare + "~2"} {
			plaintext, err := v.iron().Unseal(sealed)
			if err != nil {
				t.Errorf("%s with suffix %q: %v", v.name, suffix, err)
				continue
			}
			var got, want any
			if err := errors.Join(json.Unmarshal(plaintext, &got), json.Unmarshal(v.Plaintext, &want)); err != nil {
				t.Errorf("%s with suffix %q: %v", v.name, suffix, err)
			}
			if want == nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s with suffix %q: got %v, want %v", v.name, suffix, got, want)
			}
		}
	}
}

func TestUnsealWrongPassword(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		for _, passwords := range [][]string{nil, {""}, {"another password of 32 characters"}, {v.Password + "x"}} {
			_, err := Iron{Passwords: passwords, Now: at(november)}.Unseal(v.Sealed)
			if !errors.Is(err, ErrPassword) {
				t.Errorf("%s under %d other passwords: got %v, want ErrPassword", v.name, len(passwords), err)
			}
		}
	}
}

func TestUnsealFlippedByte(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		for i := range len(v.Sealed) {
			for _, flip := range []byte{0x01, 0x02, 0x20, 0x80} {
				changed := []byte(v.Sealed)
				changed[i] ^= flip
				if _, err := v.iron().Unseal(string(changed)); !known(err) {
					t.Fatalf("%s, byte %d ^ %#x: got %v, want one of the package's errors", v.name, i, flip, err)
				}
			}
		}
	}
}

func TestUnsealTruncated(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		bare := strings.TrimSuffix(v.Sealed, "~2")
		for i := range len(bare) {
			if _, err := v.iron().Unseal(bare[:i]); !known(err) {
				t.Fatalf("%s cut to %d bytes: got %v, want one of the package's errors", v.name, i, err)
			}
			if _, err := v.iron().Unseal(bare[:i] + "~2"); !known(err) {
				t.Fatalf("%s cut to %d bytes and ~2: got %v, want one of the package's errors", v.name, i, err)
			}
		}
		if _, err := v.iron().Unseal(bare + "~"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s with half a suffix: got %v, want ErrMalformed", v.name, err)
		}
	}
}

func known(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrExpired) || errors.Is(err, ErrPassword)
}

func TestUnsealExpiration(t *testing.T) {
	t.Parallel()
	v := readVector(t, "testdata/vectors/iron-expired-seal.json")
	const expiration = 1792838744936
	tests := []struct {
		name string
		now  int64
		want error
	}{
		{"before", expiration - 1, nil},
		{"at the expiration, within the skew", expiration, nil},
		{"last millisecond of the skew", expiration + 59_999, nil},
		{"skew used up", expiration + 60_000, ErrExpired},
		{"years after", expiration + 100_000_000_000, ErrExpired},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plaintext, err := Iron{Passwords: []string{v.Password}, Now: at(time.UnixMilli(test.now))}.Unseal(v.Sealed)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if test.want == nil && !json.Valid(plaintext) {
				t.Errorf("got %q, want JSON", plaintext)
			}
		})
	}
}

func TestUnsealPreviousPassword(t *testing.T) {
	t.Parallel()
	sealed, err := Iron{Passwords: []string{"previous-previous-previous-previous"}}.Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	rotated := Iron{Passwords: []string{password, "", "previous-previous-previous-previous"}}
	got, err := rotated.Unseal(sealed)
	if err != nil || string(got) != "secret" {
		t.Errorf("under the previous password: got %q, %v, want secret", got, err)
	}
	resealed, err := rotated.Seal(got)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := (Iron{Passwords: []string{password}}).Unseal(resealed); err != nil || string(got) != "secret" {
		t.Errorf("resealed under the first password: got %q, %v, want secret", got, err)
	}
}

func TestSealRoundTrip(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^Fe26\.2\*1\*[0-9a-f]{64}\*[\w-]{22}\*[\w-]+\*\*[0-9a-f]{64}\*[\w-]{43}~2$`)
	for _, secret := range []string{password, "pässwörd-pässwörd-pässwörd-pässwörd"} {
		iron := Iron{Passwords: []string{secret}}
		seen := map[string]bool{}
		for n := range 50 { // every length of padding
			want := bytes.Repeat([]byte{'x'}, n)
			sealed, err := iron.Seal(want)
			if err != nil {
				t.Fatal(err)
			}
			if !shape.MatchString(sealed) {
				t.Errorf("got %s, want it to match %s", sealed, shape)
			}
			fields := strings.Split(sealed, "*")
			for _, fresh := range []string{fields[2], fields[3], fields[6]} {
				if seen[fresh] {
					t.Errorf("got salt or IV %s twice, want fresh ones", fresh)
				}
				seen[fresh] = true
			}
			if got, err := iron.Unseal(sealed); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: got %q, %v, want %q", n, got, err, want)
			}
		}
	}
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		passwords []string
		size      int
	}{
		{"no password", nil, 1},
		{"empty first password", []string{"", password}, 1},
		{"more than Unseal takes", []string{password}, 64 << 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if sealed, err := (Iron{Passwords: test.passwords}).Seal(make([]byte, test.size)); err == nil || sealed != "" {
				t.Errorf("got %d bytes, %v, want an error", len(sealed), err)
			}
		})
	}
}

// forged are the parts of a seal that the tests make by the format's
// description, with a valid MAC over whatever they say.
type forged struct {
	password, prefix, id, expiration, version string
	padded                                    []byte
}

func (f forged) seal(t *testing.T) string {
	t.Helper()
	key := func(salt string) []byte {
		k, err := pbkdf2.Key(sha1.New, f.password, []byte(salt), 1, 32)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	keySalt, macSalt, iv := strings.Repeat("ab", 32), strings.Repeat("cd", 32), []byte("sixteen bytes iv")
	ciphertext := f.padded
	if len(ciphertext)%aes.BlockSize == 0 {
		block, err := aes.NewCipher(key(keySalt))
		if err != nil {
			t.Fatal(err)
		}
		ciphertext = make([]byte, len(f.padded))
		cipher.NewCBCEncrypter(block, iv).CryptBlocks(ciphertext, f.padded)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	base := strings.Join([]string{f.prefix, f.id, keySalt, b64(iv), b64(ciphertext), f.expiration}, "*")
	mac := hmac.New(sha256.New, key(macSalt))
	mac.Write([]byte(base))
	return base + "*" + macSalt + "*" + b64(mac.Sum(nil)) + f.version
}

func TestUnsealAuthenticButOdd(t *testing.T) {
	t.Parallel()
	const padded = "secret\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a"
	tests := []struct {
		name string
		seal forged
		want error
	}{
		{"as the SDKs do", forged{password, "Fe26.2", "1", "", "~2", []byte(padded)}, nil},
		{"no version", forged{password, "Fe26.2", "1", "", "", []byte(padded)}, nil},
		{"version 1", forged{password, "Fe26.2", "1", "", "~1", []byte(padded)}, ErrMalformed},
		{"two versions", forged{password, "Fe26.2", "1", "", "~2~2", []byte(padded)}, ErrMalformed},
		{"password id of a rotation", forged{password, "Fe26.2", "2", "", "~2", []byte(padded)}, nil},
		{"password id with a name", forged{password, "Fe26.2", "autumn_2026", "", "~2", []byte(padded)}, nil},
		{"no password id", forged{password, "Fe26.2", "", "", "~2", []byte(padded)}, nil},
		{"malformed password id", forged{password, "Fe26.2", "a b", "", "~2", []byte(padded)}, ErrMalformed},
		{"endless password id", forged{password, "Fe26.2", strings.Repeat("1", 65), "", "~2", []byte(padded)}, ErrMalformed},
		{"another version of iron", forged{password, "Fe26.1", "1", "", "~2", []byte(padded)}, ErrMalformed},
		{"a field within", forged{password, "Fe26.2", "1*2", "", "~2", []byte(padded)}, ErrMalformed},
		{"a field at the end", forged{password, "Fe26.2", "1", "", "*x~2", []byte(padded)}, ErrMalformed},
		{"future expiration", forged{password, "Fe26.2", "1", "1893456000000", "~2", []byte(padded)}, nil},
		{"past expiration", forged{password, "Fe26.2", "1", "1", "~2", []byte(padded)}, ErrExpired},
		{"expiration with a leading zero", forged{password, "Fe26.2", "1", "01893456000000", "~2", []byte(padded)}, ErrMalformed},
		{"expiration zero", forged{password, "Fe26.2", "1", "0", "~2", []byte(padded)}, ErrMalformed},
		{"negative expiration", forged{password, "Fe26.2", "1", "-1", "~2", []byte(padded)}, ErrMalformed},
		{"fractional expiration", forged{password, "Fe26.2", "1", "1893456000000.5", "~2", []byte(padded)}, ErrMalformed},
		{"expiration beyond 64 bits", forged{password, "Fe26.2", "1", "99999999999999999999", "~2", []byte(padded)}, ErrMalformed},
		{"sealed under an empty password", forged{"", "Fe26.2", "1", "", "~2", []byte(padded)}, ErrPassword},
		{"no ciphertext", forged{password, "Fe26.2", "1", "", "~2", nil}, ErrMalformed},
		{"half a block", forged{password, "Fe26.2", "1", "", "~2", []byte("8 bytes!")}, ErrMalformed},
		{"padding of zero", forged{password, "Fe26.2", "1", "", "~2", []byte("fifteen bytes..\x00")}, ErrMalformed},
		{"padding over the plaintext", forged{password, "Fe26.2", "1", "", "~2", []byte("fifteen bytes..\x11")}, ErrMalformed},
		{"padding over a block", forged{password, "Fe26.2", "1", "", "~2", bytes.Repeat([]byte{17}, 32)}, ErrMalformed},
		{"padding that differs", forged{password, "Fe26.2", "1", "", "~2", []byte("fourteen bytes\x03\x02")}, ErrMalformed},
		{"over 64 KiB", forged{password, "Fe26.2", "1", "", "~2", bytes.Repeat([]byte{16}, 64<<10)}, ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			iron := Iron{Passwords: []string{"", password}, Now: at(november)}
			got, err := iron.Unseal(test.seal.seal(t))
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if test.want == nil && string(got) != "secret" {
				t.Errorf("got %q, want secret", got)
			}
		})
	}
}

// A MAC isn't covered by itself, so a second spelling of it would be a second
// cookie with the same session.
func TestUnsealOneSpelling(t *testing.T) {
	t.Parallel()
	sealed := forged{password, "Fe26.2", "1", "", "", []byte("secret\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a")}.seal(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, sealed[len(sealed)-1])
	tests := []struct{ name, sealed string }{
		{"trailing bits", sealed[:len(sealed)-1] + alphabet[last|1:][:1]},
		{"more trailing bits", sealed[:len(sealed)-1] + alphabet[last|2:][:1]},
		{"padding", sealed + "="},
		{"line end", sealed + "\n"},
		{"line end within", sealed[:len(sealed)-3] + "\r\n" + sealed[len(sealed)-3:]},
		{"space", sealed + " "},
		{"leading space", " " + sealed},
		{"quotes", `"` + sealed + `"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := (Iron{Passwords: []string{password}}).Unseal(test.sealed); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %v, want ErrMalformed", err)
			}
		})
	}
}

func FuzzUnseal(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Sealed)
	}
	f.Add(readVector(f, "testdata/vectors/iron-expired-seal.json").Sealed)
	f.Add("Fe26.2*1*a*b*c*1*d*e~2")
	iron := Iron{Passwords: []string{password, "pässwörd-pässwörd-pässwörd-pässwörd"}, Now: at(november)}
	f.Fuzz(func(t *testing.T, sealed string) {
		plaintext, err := iron.Unseal(sealed)
		if err != nil && !known(err) {
			t.Errorf("got %v, want one of the package's errors", err)
		}
		if err == nil && !json.Valid(plaintext) {
			t.Errorf("got %q: nobody without the password can have sealed that", plaintext)
		}
	})
}

func BenchmarkUnseal(b *testing.B) {
	v := readVector(b, "testdata/vectors/node-10.9.0.json")
	iron := v.iron()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := iron.Unseal(v.Sealed); err != nil {
			b.Fatal(err)
		}
	}
}
