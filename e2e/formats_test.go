package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// The passwords that people make; universalPassword is of `openssl rand -base64 32`.
const (
	universalPassword = "3q2+7wAAESIzRFVmd4iZqrvM3e7/AAECAwQFBgcICQo="
	hexPassword       = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

const formatsResponse = `{"access_token":"header.payload.signature","refresh_token":"rt_1","organization_id":"org_1","authentication_method":"SSO",` +
	`"impersonator":{"email":"it@example.com","reason":null},` +
	`"user":{"object":"user","id":"user_1","email":"zoë@example.com","first_name":"Zoë","last_name":null,"metadata":{"cost_center":"a/b"}}}`

// formatsJSON is the response as the SDKs seal it, but those for Node.js.
const formatsJSON = `{"access_token":"header.payload.signature","impersonator":{"email":"it@example.com","reason":null},"refresh_token":"rt_1",` +
	`"user":{"object":"user","id":"user_1","email":"zoë@example.com","first_name":"Zoë","last_name":null,"metadata":{"cost_center":"a/b"}}}`

const formatsIronJSON = `{"accessToken":"header.payload.signature","authenticationMethod":"SSO","impersonator":{"email":"it@example.com","reason":null},` +
	`"organizationId":"org_1","refreshToken":"rt_1",` +
	`"user":{"email":"zoë@example.com","firstName":"Zoë","id":"user_1","lastName":null,"metadata":{"cost_center":"a/b"},"object":"user"}}`

// Cookies of this service open with the other languages' own cryptography.
func TestFormatsOpenElsewhere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		format   seal.Format
		password string
		open     func(t *testing.T, password, sealed string) string
		want     string
	}{
		{"iron by openssl", seal.FormatIron, cookiePassword, opensslIron, formatsIronJSON},
		{"iron by openssl, password outside ASCII", seal.FormatIron, "pässwörd-pässwörd-pässwörd-pässwörd", opensslIron, formatsIronJSON},
		{"python by openssl", seal.FormatPython, universalPassword, opensslFernet, formatsJSON},
		{"python by Python", seal.FormatPython, universalPassword, pythonOpen, formatsJSON},
		{"ruby by Ruby", seal.FormatRuby, universalPassword, rubyOpen("ruby"), formatsJSON},
		{"go by Ruby", seal.FormatGo, universalPassword, rubyOpen("go"), formatsJSON},
		{"go with a hex password by Ruby", seal.FormatGo, hexPassword, rubyOpen("go"), formatsJSON},
		{"php by PHP", seal.FormatPHP, universalPassword, phpOpen, formatsJSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.FromResponse([]byte(formatsResponse))
			if err != nil {
				t.Fatal(err)
			}
			plaintext, err := s.JSONFor(tt.format)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := formatsCookie(t, tt.format, tt.password).Seal(plaintext)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.open(t, tt.password, sealed); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Cookies of the other languages open here.
func TestFormatsOpenHere(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		format   seal.Format
		password string
		seal     func(t *testing.T, password string) string
	}{
		{"python", seal.FormatPython, universalPassword, func(t *testing.T, password string) string {
			return foreign(t, python(t), "formats.py", map[string]any{"command": "seal", "password": password, "text": formatsJSON})
		}},
		{"ruby", seal.FormatRuby, universalPassword, rubySeal("ruby")},
		{"ruby 6, encryptor gem", seal.FormatRuby, cookiePassword[:32], rubySeal("ruby-6")},
		{"ruby 6, read as Go with the password in hex", seal.FormatGo, hexPassword, func(t *testing.T, password string) string {
			raw, err := hex.DecodeString(password)
			if err != nil {
				t.Fatal(err)
			}
			return rubySeal("ruby-6")(t, string(raw)) // bytes 0 to 31, which are ASCII
		}},
		{"go", seal.FormatGo, universalPassword, rubySeal("go")},
		{"go with a hex password", seal.FormatGo, hexPassword, rubySeal("go")},
		{"php", seal.FormatPHP, universalPassword, phpSeal("php")},
		{"php 4.3x", seal.FormatPHP, universalPassword, phpSeal("php-4")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := formatsCookie(t, tt.format, tt.password).Unseal(tt.seal(t, tt.password))
			if err != nil {
				t.Fatal(err)
			}
			s, err := session.Parse(got)
			if err != nil {
				t.Fatal(err)
			}
			if want := (session.User{ID: "user_1", Email: "zoë@example.com", Name: "Zoë"}); s.User != want || s.RefreshToken != "rt_1" {
				t.Errorf("got %+v, want user %+v", *s, want)
			}
		})
	}
}

func formatsCookie(t *testing.T, format seal.Format, password string) *seal.Cookie {
	t.Helper()
	c, err := seal.NewCookie(format, password)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func python(t *testing.T) string {
	t.Helper()
	for _, candidate := range []string{"/usr/bin/python3", "python3"} { // Debian's package is for the first
		if exec.CommandContext(t.Context(), candidate, "-c", "import cryptography.fernet").Run() == nil {
			return candidate
		}
	}
	missing(t, "python3 with its cryptography package is not installed")
	return ""
}

func pythonOpen(t *testing.T, password, sealed string) string {
	return foreign(t, python(t), "formats.py", map[string]any{"command": "open", "password": password, "text": sealed})
}

func rubyOpen(format string) func(t *testing.T, password, sealed string) string {
	return func(t *testing.T, password, sealed string) string {
		return foreign(t, program(t, "ruby"), "formats.rb", map[string]any{"command": "open", "format": format, "password": password, "text": sealed})
	}
}

func rubySeal(format string) func(t *testing.T, password string) string {
	return func(t *testing.T, password string) string {
		ruby := program(t, "ruby")
		if format == "ruby-6" && exec.CommandContext(t.Context(), ruby, "-r", "encryptor", "-e", "").Run() != nil {
			missing(t, "Ruby's encryptor gem is not installed")
		}
		return foreign(t, ruby, "formats.rb", map[string]any{"command": "seal", "format": format, "password": password, "text": formatsJSON})
	}
}

func phpOpen(t *testing.T, password, sealed string) string {
	return foreign(t, program(t, "php"), "formats.php", map[string]any{"command": "open", "format": "php", "password": password, "text": sealed})
}

func phpSeal(format string) func(t *testing.T, password string) string {
	return func(t *testing.T, password string) string {
		return foreign(t, program(t, "php"), "formats.php", map[string]any{
			"command": "seal", "format": format, "password": password, "text": formatsJSON, "expires_at": 4102444800,
		})
	}
}

// foreign runs a script of formats/.
func foreign(t *testing.T, interpreter, script string, task map[string]any) string {
	t.Helper()
	stdin, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, stdin, interpreter, "formats/"+script)
}

// opensslIron checks the seal's signature and decrypts it.
func opensslIron(t *testing.T, password, sealed string) string {
	t.Helper()
	openssl := program(t, "openssl")
	fields := strings.Split(strings.TrimSuffix(sealed, "~2"), "*")
	if len(fields) != 8 {
		t.Fatalf("got %d fields, want 8", len(fields))
	}
	key := func(salt string) string {
		derived := run(t, nil, openssl, "kdf", "-keylen", "32", "-kdfopt", "digest:SHA1", "-kdfopt", "iter:1", "-kdfopt", "pkcs5:1",
			"-kdfopt", "hexpass:"+hex.EncodeToString([]byte(password)), "-kdfopt", "hexsalt:"+hex.EncodeToString([]byte(salt)), "PBKDF2")
		return strings.ReplaceAll(strings.TrimSpace(derived), ":", "")
	}
	mac := run(t, []byte(strings.Join(fields[:6], "*")), openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+key(fields[6]), "-binary")
	if want := base64.RawURLEncoding.EncodeToString([]byte(mac)); fields[7] != want {
		t.Errorf("signature: got %s, want openssl's %s", fields[7], want)
	}
	return run(t, unbase64(t, fields[4]), openssl, "enc", "-d", "-aes-256-cbc", "-K", key(fields[2]), "-iv", hex.EncodeToString(unbase64(t, fields[3])))
}

// opensslFernet checks the token's signature and decrypts it.
func opensslFernet(t *testing.T, password, sealed string) string {
	t.Helper()
	openssl := program(t, "openssl")
	keys, err := base64.StdEncoding.DecodeString(password)
	if err != nil {
		t.Fatal(err)
	}
	raw := unbase64(t, strings.TrimRight(sealed, "="))
	signed, mac := raw[:len(raw)-32], raw[len(raw)-32:]
	if want := run(t, signed, openssl, "dgst", "-sha256", "-mac", "HMAC", "-macopt", "hexkey:"+hex.EncodeToString(keys[:16]), "-binary"); string(mac) != want {
		t.Errorf("signature: got %x, want openssl's %x", mac, want)
	}
	return run(t, signed[25:], openssl, "enc", "-d", "-aes-128-cbc", "-K", hex.EncodeToString(keys[16:]), "-iv", hex.EncodeToString(signed[9:25]))
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func run(t *testing.T, stdin []byte, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, args[0], err, stderr.String())
	}
	return string(stdout)
}
