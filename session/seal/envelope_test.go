package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"testing"
)

// envelope signs a body as React Router does.
func envelope(password, body string) string {
	text := base64.StdEncoding.EncodeToString([]byte(body))
	h := hmac.New(sha256.New, []byte(password))
	h.Write([]byte(text))
	return text + "." + base64.RawStdEncoding.EncodeToString(h.Sum(nil))
}

func TestEnvelope(t *testing.T) {
	t.Parallel()
	const other = "another password of 32 characters"
	inner, err := newCookie(t, FormatIron, password).Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	inOther, err := newCookie(t, FormatIron, other).Seal([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	valid := envelope(password, `{"jwt":"`+inner+`"}`)
	tests := []struct {
		name, cookie string
		want         error
	}{
		{"as the SDK does", valid, nil},
		{"with what an app keeps beside it", envelope(password, `{"flash":"é","jwt":"`+inner+`"}`), nil},
		{"signed with another password", envelope(other, `{"jwt":"`+inner+`"}`), ErrPassword},
		{"seal under another password", envelope(password, `{"jwt":"`+inOther+`"}`), ErrPassword},
		{"no seal", envelope(password, `{"user":"secret"}`), ErrMalformed},
		{"seal of another type", envelope(password, `{"jwt":1}`), ErrMalformed},
		{"plain text for a seal", envelope(password, `{"jwt":"secret"}`), ErrMalformed},
		{"envelope in an envelope", envelope(password, `{"jwt":"`+valid+`"}`), ErrMalformed},
		{"no JSON", envelope(password, `{"jwt`), ErrMalformed},
		{"no signature", valid[:len(valid)-43], ErrMalformed},
		{"signature cut short", valid[:len(valid)-1], ErrMalformed},
		{"signature with padding", valid + "=", ErrMalformed},
		{"something behind it", valid + ".x", ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newCookie(t, FormatIron, password).Unseal(tt.cookie)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if tt.want == nil && string(got) != "secret" {
				t.Errorf("got %q, want secret", got)
			}
		})
	}
}

// Nothing inside counts before the signature: a good seal in a bad envelope is no session.
func TestEnvelopeIsChecked(t *testing.T) {
	t.Parallel()
	v := readVector(t, "testdata/vectors/authkit-react-router-0.12.2.json")
	last := map[bool]string{true: "AA", false: "QA"}[v.Sealed[len(v.Sealed)-2:] != "AA"]
	if _, err := v.cookie(t).Unseal(v.Sealed[:len(v.Sealed)-2] + last); !errors.Is(err, ErrPassword) {
		t.Errorf("got %v, want ErrPassword", err)
	}
	if _, err := v.cookie(t).Unseal(v.Inner); err != nil {
		t.Errorf("the seal alone: got %v, want it opened", err)
	}
}

func FuzzEnvelope(f *testing.F) {
	v := readVector(f, "testdata/vectors/authkit-react-router-0.12.2.json")
	f.Add(v.Sealed)
	f.Add(envelope(password, `{"jwt":"Fe26.2*"}`))
	c := newCookie(f, FormatIron, password)
	f.Fuzz(func(t *testing.T, cookie string) {
		if _, err := c.Unseal(cookie); err != nil && !known(err) {
			t.Errorf("got %v, want one of the package's errors", err)
		}
	})
}
