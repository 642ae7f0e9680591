package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	tolerance    = 180 * time.Second // as WorkOS's SDKs have it, but in both directions
	maxSignature = 1024              // bytes of a line; WorkOS sends 85
	maxLines     = 4
)

// Secret is the signing secret of a webhook endpoint. It prints as [redacted],
// whatever the verb, and in JSON.
type Secret string

// Format implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// signature is a WorkOS-Signature header: t=<unix milliseconds>, v1=<hex HMAC>.
type signature struct {
	t  string // as it stands in the header: the HMAC covers it
	at time.Time
	v1 [][]byte
}

// readSignatures reads a request's WorkOS-Signature lines: each may be whole, as where
// a proxy repeats it, or they are one that a proxy split at its comma.
func readSignatures(lines []string) ([]signature, error) {
	if len(lines) > maxLines {
		return nil, fmt.Errorf("%w: more than %d WorkOS-Signature lines", errMalformed, maxLines)
	}
	var whole []signature
	for _, line := range lines {
		if s, err := parseSignature(line); err == nil {
			whole = append(whole, s)
		}
	}
	if len(whole) > 0 {
		return whole, nil
	}
	s, err := parseSignature(strings.Join(lines, ","))
	return []signature{s}, err
}

// parseSignature takes the parts in any order, with or without spaces, and several
// v1. It ignores parts that it doesn't know and a v1 that isn't hex.
func parseSignature(header string) (signature, error) {
	var s signature
	if len(header) > maxSignature {
		return signature{}, fmt.Errorf("%w: WorkOS-Signature is longer than %d bytes", errMalformed, maxSignature)
	}
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "t":
			ms, err := strconv.ParseUint(value, 10, 63)
			if err != nil || s.t != "" {
				return signature{}, fmt.Errorf("%w: WorkOS-Signature: t is not one number", errMalformed)
			}
			s.t, s.at = value, time.UnixMilli(int64(ms))
		case "v1":
			if mac, err := hex.DecodeString(value); err == nil {
				s.v1 = append(s.v1, mac)
			}
		}
	}
	if s.t == "" || len(s.v1) == 0 {
		return signature{}, fmt.Errorf("%w: WorkOS-Signature lacks t or v1; is it WorkOS that sends this?", errMalformed)
	}
	return s, nil
}

// checkTime reports that a signature wasn't made lately.
func (s signature) checkTime(now time.Time) error {
	if age := now.Sub(s.at); age > tolerance || age < -tolerance {
		return fmt.Errorf("%w: signed at %s, it is %s here", errTooOld, s.at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// signs reports whether the signature is the body's. Without a secret it is none's:
// anybody can sign with an empty key.
func (s signature) signs(secret Secret, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(s.t + "."))
	mac.Write(body)
	sum := mac.Sum(nil)
	fits := false
	for _, v1 := range s.v1 {
		fits = hmac.Equal(v1, sum) || fits
	}
	return fits && secret != ""
}
