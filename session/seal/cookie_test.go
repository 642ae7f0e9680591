package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const universal = "3q2+7wAAESIzRFVmd4iZqrvM3e7/AAECAwQFBgcICQo=" // base64 of 32 bytes

func newCookie(t testing.TB, format Format, passwords ...string) *Cookie {
	t.Helper()
	c, err := NewCookie(format, passwords...)
	if err != nil {
		t.Fatal(err)
	}
	c.Now = at(november)
	return c
}

// format is the one to configure for the vector.
func (v vector) format() Format {
	switch v.Layout {
	case "go-v7":
		return FormatGo
	case "ruby-v6", "ruby-v7":
		return FormatRuby
	case "fernet":
		return FormatPython
	case "php-secretbox", "php-halite":
		return FormatPHP
	}
	return FormatIron
}

// cookie has the vector's password second where it can open only: PHP 4.3x took any.
func (v vector) cookie(t testing.TB) *Cookie {
	t.Helper()
	if v.Layout == "php-halite" {
		return newCookie(t, FormatPHP, universal, v.Password)
	}
	return newCookie(t, v.format(), v.Password)
}

func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	var g, w any
	if err := errors.Join(json.Unmarshal(got, &g), json.Unmarshal(want, &w)); err != nil {
		t.Fatal(err)
	}
	if w == nil || !reflect.DeepEqual(g, w) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestCookieVectors(t *testing.T) {
	t.Parallel()
	for _, v := range everyVector(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			got, err := v.cookie(t).Unseal(v.Sealed)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, got, v.Plaintext)
		})
	}
}

// Iron, bare or in the envelope, opens whatever format is written.
func TestCookieAlwaysOpensIron(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatGo, FormatRuby, FormatPython, FormatPHP} {
		for _, v := range everyVector(t) {
			if v.format() != FormatIron {
				continue
			}
			got, err := newCookie(t, format, universal, v.Password).Unseal(v.Sealed)
			if err != nil {
				t.Errorf("%s, written %s: %v", v.name, format, err)
				continue
			}
			sameJSON(t, got, v.Plaintext)
		}
	}
}

// A cookie of another format than the written one is no session, whatever its password.
func TestCookieOfAnotherFormat(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatIron, FormatGo, FormatRuby, FormatPython, FormatPHP} {
		for _, v := range everyVector(t) {
			if v.format() == FormatIron || v.format() == format {
				continue
			}
			got, err := newCookie(t, format, universal, v.Password).Unseal(v.Sealed)
			if !errors.Is(err, ErrPassword) && !errors.Is(err, ErrMalformed) || got != nil {
				t.Errorf("%s read as %s: got %q, %v, want an error", v.name, format, got, err)
			}
		}
	}
}

func TestCookieRoundTrip(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format   Format
		password string
		shape    string
	}{
		{FormatIron, password, `^Fe26\.2\*1\*[\w*-]+~2$`},
		{FormatGo, password, `^[\w+/]+=*$`},
		{FormatGo, strings.Repeat("0f", 32), `^[\w+/]+=*$`},
		{FormatRuby, universal, `^AQ?[\w+/]+=*$`},
		{FormatPython, universal, `^gAAAAABq5oEA[\w-]+=*$`},
		{FormatPHP, universal, `^[\w+/]+=*$`},
	}
	for _, tt := range tests {
		t.Run(string(tt.format)+" "+tt.password[:2], func(t *testing.T) {
			t.Parallel()
			c, shape := newCookie(t, tt.format, tt.password), regexp.MustCompile(tt.shape)
			for n := range 50 {
				want := bytes.Repeat([]byte{'x'}, n)
				sealed, err := c.Seal(want)
				if err != nil {
					t.Fatal(err)
				}
				if again, err := c.Seal(want); err != nil || sealed == again {
					t.Errorf("got %s twice, %v, want a nonce for each", sealed, err)
				}
				if !shape.MatchString(sealed) {
					t.Errorf("got %s, want it to match %s", sealed, shape)
				}
				if got, err := c.Unseal(sealed); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes: got %q, %v, want %q", n, got, err, want)
				}
			}
			if got := c.Format(); got != tt.format {
				t.Errorf("got format %s, want %s", got, tt.format)
			}
		})
	}
}

func TestCookieRotation(t *testing.T) {
	t.Parallel()
	const next = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for _, format := range []Format{FormatIron, FormatGo, FormatRuby, FormatPython, FormatPHP} {
		sealed, err := newCookie(t, format, universal).Seal([]byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		rotated := newCookie(t, format, next, "no form at all", universal)
		if got, err := rotated.Unseal(sealed); err != nil || string(got) != "secret" {
			t.Errorf("%s under the previous password: got %q, %v, want secret", format, got, err)
		}
		if sealed, err = rotated.Seal([]byte("secret")); err != nil {
			t.Fatal(err)
		}
		if got, err := newCookie(t, format, next).Unseal(sealed); err != nil || string(got) != "secret" {
			t.Errorf("%s under the first password: got %q, %v, want secret", format, got, err)
		}
		if _, err := newCookie(t, format, universal).Unseal(sealed); !errors.Is(err, ErrPassword) {
			t.Errorf("%s under another password: got %v, want ErrPassword", format, err)
		}
	}
}

func TestCookieWrongPassword(t *testing.T) {
	t.Parallel()
	const other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for _, v := range everyVector(t) {
		if got, err := newCookie(t, v.format(), other, other+"x").Unseal(v.Sealed); !errors.Is(err, ErrPassword) || got != nil {
			t.Errorf("%s: got %q, %v, want ErrPassword", v.name, got, err)
		}
	}
}

// No cookie that was changed opens, but one whose line ends or last bits were.
func TestCookieChanged(t *testing.T) {
	t.Parallel()
	for _, v := range everyVector(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			c := v.cookie(t)
			for i := 0; i < len(v.Sealed); i += 1 + i/40 { // the head and a part of the rest
				for _, flip := range []byte{0x01, 0x02, 0x20, 0x80} {
					changed := []byte(v.Sealed)
					changed[i] ^= flip
					if got, err := c.Unseal(string(changed)); !known(err) && v.Sealed[i] != '\n' {
						t.Fatalf("byte %d ^ %#x: got %.40q, %v, want one of the package's errors", i, flip, got, err)
					}
				}
				if i < len(v.Sealed)-2 {
					if _, err := c.Unseal(v.Sealed[:i]); !known(err) {
						t.Fatalf("cut to %d bytes: got %v, want one of the package's errors", i, err)
					}
				}
			}
		})
	}
}

func TestCookieMalformed(t *testing.T) {
	t.Parallel()
	short := func(n int, first ...byte) string {
		return base64.StdEncoding.EncodeToString(append(first, make([]byte, n-len(first))...))
	}
	tests := []struct {
		name, sealed string
		formats      []Format // none: every one
	}{
		{"empty", "", nil},
		{"plain JSON", `{"accessToken":"a","user":{"id":"user_1"}}`, nil},
		{".NET's", short(100) + "~2", nil},
		{"over 64 KiB", strings.Repeat("AAAA", 17<<10), nil},
		{"iron over 64 KiB", "Fe26.2*" + strings.Repeat("AAAA", 17<<10), nil},
		{"without padding", "AQ", []Format{FormatGo, FormatRuby, FormatPHP}},
		{"too short for go", short(27), []Format{FormatGo}},
		{"too short for ruby", short(27), []Format{FormatRuby}},
		{"too short for ruby's version 1", short(27, 1), []Format{FormatRuby}},
		{"too short for php", short(39), []Format{FormatPHP}},
		{"too short for python", "gAAA" + strings.Repeat("AAAA", 17), []Format{FormatPython}},
		{"half a block of python", "gAAA" + strings.Repeat("AAAA", 25), []Format{FormatPython}},
		{"python of another version", strings.Repeat("AAAA", 24) + "AA==", []Format{FormatPython}},
		{"halite cut short", base64.StdEncoding.EncodeToString([]byte("MUIFA" + strings.Repeat("A", 100))), []Format{FormatPHP}},
		{"halite of another version", base64.StdEncoding.EncodeToString([]byte("MUIFAQ" + strings.Repeat("A", 200))), []Format{FormatPHP}},
		{"halite that is no base64", base64.StdEncoding.EncodeToString([]byte("MUIFA" + strings.Repeat("*", 200))), []Format{FormatPHP}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.formats == nil {
				tt.formats = []Format{FormatIron, FormatGo, FormatRuby, FormatPython, FormatPHP}
			}
			for _, format := range tt.formats {
				if got, err := newCookie(t, format, universal).Unseal(tt.sealed); !errors.Is(err, ErrMalformed) || got != nil {
					t.Errorf("%s: got %q, %v, want ErrMalformed", format, got, err)
				}
			}
		})
	}
}

func TestCookieSealTooLarge(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{FormatIron, FormatGo, FormatRuby, FormatPython, FormatPHP} {
		c := newCookie(t, format, universal)
		if sealed, err := c.Seal(make([]byte, 49<<10)); err == nil || sealed != "" {
			t.Errorf("%s: got %d bytes, %v, want an error", format, len(sealed), err)
		}
		sealed, err := c.Seal(make([]byte, 47<<10))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Unseal(sealed); err != nil {
			t.Errorf("%s: got %v for the largest cookie, want it opened", format, err)
		}
	}
}

func TestNewCookieRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		format    Format
		passwords []string
	}{
		{"no password", FormatIron, nil},
		{"empty password", FormatGo, []string{""}},
		{"empty previous password", FormatGo, []string{universal, ""}},
		{"short password", FormatIron, []string{"short", universal}},
		{"password of another form", FormatPython, []string{password, universal}},
		{"no format", "", []string{universal}},
		{"unknown format", "dotnet", []string{universal}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if c, err := NewCookie(tt.format, tt.passwords...); err == nil || c != nil {
				t.Errorf("got %v, %v, want an error", c, err)
			}
		})
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	const (
		url     = "3q2-7wAAESIzRFVmd4iZqrvM3e7_AAECAwQFBgcICQo="
		hex     = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
		base24  = "3q2+7wAAESIzRFVmd4iZqrvM3e7/AAEC" // openssl rand -base64 24
		accents = "éééééééééééééééé"                 // 16 characters, 32 bytes
		emoji   = "🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑"                 // 16 characters that JavaScript counts twice
	)
	tests := []struct {
		name, password string
		want           []Format // those that take it
	}{
		{"openssl rand -base64 32", universal, []Format{FormatIron, FormatGo, FormatRuby, FormatPython, FormatPHP}},
		{"the same in base64url", url, []Format{FormatIron, FormatGo, FormatRuby, FormatPython}},
		{"the same without padding", universal[:43], []Format{FormatIron, FormatGo, FormatRuby, FormatPHP}},
		{"openssl rand -hex 32", hex, []Format{FormatIron, FormatGo, FormatRuby}},
		{"openssl rand -base64 24", base24, []Format{FormatIron, FormatGo, FormatRuby}},
		{"31 characters", password[:31], nil},
		{"16 characters of 32 bytes", accents, []Format{FormatGo, FormatRuby}},
		{"32 units of UTF-16", emoji, []Format{FormatIron, FormatGo, FormatRuby}},
		{"base64 of 33 bytes", strings.Repeat("QUJD", 11), []Format{FormatIron, FormatGo, FormatRuby}},
		{"empty", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []Format
			for _, format := range []Format{FormatIron, FormatGo, FormatRuby, FormatPython, FormatPHP} {
				err := CheckPassword(format, tt.password)
				if err == nil {
					got = append(got, format)
					continue
				}
				if tt.password != "" && strings.Contains(err.Error(), tt.password) || !strings.Contains(err.Error(), "openssl rand -base64 32") {
					t.Errorf("%s: got %q, want how to make one and nothing of this one", format, err)
				}
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if err := CheckPassword("dotnet", universal); err == nil {
		t.Error("unknown format: got nil, want an error")
	}
}

func FuzzCookieUnsealGo(f *testing.F)     { fuzzCookie(f, FormatGo) }
func FuzzCookieUnsealRuby(f *testing.F)   { fuzzCookie(f, FormatRuby) }
func FuzzCookieUnsealPython(f *testing.F) { fuzzCookie(f, FormatPython) }
func FuzzCookieUnsealPHP(f *testing.F)    { fuzzCookie(f, FormatPHP) }

func fuzzCookie(f *testing.F, format Format) {
	passwords := []string{universal}
	for _, v := range everyVector(f) {
		if v.format() == format || v.format() == FormatIron {
			f.Add(v.Sealed)
			passwords = append(passwords, v.Password)
		}
	}
	c := newCookie(f, format, passwords...)
	f.Fuzz(func(t *testing.T, sealed string) {
		plaintext, err := c.Unseal(sealed)
		if err != nil && !known(err) {
			t.Errorf("got %v, want one of the package's errors", err)
		}
		if err == nil && !json.Valid(plaintext) {
			t.Errorf("got %q: nobody without the password can have sealed that", plaintext)
		}
	})
}

func BenchmarkCookieUnseal(b *testing.B) {
	for _, v := range everyVector(b) {
		b.Run(v.name, func(b *testing.B) {
			c := v.cookie(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Unseal(v.Sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestHaliteExpiration(t *testing.T) {
	t.Parallel()
	v := readVector(t, "testdata/vectors/php-4.32-halite.json")
	const expiration = 4102444800
	tests := []struct {
		name string
		now  int64
		want error
	}{
		{"before", expiration - 1, nil},
		{"last second of the skew", expiration + 59, nil},
		{"skew used up", expiration + 60, ErrExpired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := v.cookie(t)
			c.Now = at(time.Unix(tt.now, 0))
			if _, err := c.Unseal(v.Sealed); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnwrapPHP(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, plaintext, want string
		err                   error
	}{
		{"a session", `{"data":{"access_token":"a"},"expires_at":1893456000}`, `{"access_token":"a"}`, nil},
		{"no data", `{"expires_at":1893456000}`, "", ErrMalformed},
		{"no expiration", `{"data":{"access_token":"a"}}`, "", ErrExpired},
		{"expiration of another type", `{"data":{},"expires_at":"1893456000"}`, "", ErrMalformed},
		{"no JSON", `secret`, "", ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := unwrapPHP([]byte(tt.plaintext), november)
			if !errors.Is(err, tt.err) || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

// A password that is no key must not stand for a key of zeros, which anybody has.
func TestPHPPasswordThatIsNoKey(t *testing.T) {
	t.Parallel()
	sealed, err := newCookie(t, FormatPHP, strings.Repeat("A", 43)+"=").Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := newCookie(t, FormatPHP, universal, "a passphrase that is no base64 at all").Unseal(sealed); !errors.Is(err, ErrPassword) {
		t.Errorf("got %q, %v, want ErrPassword", got, err)
	}
}
