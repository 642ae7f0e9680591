package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestSecretReveals(t *testing.T) {
	t.Parallel()
	if got, want := NewSecret("s3cr3t").Reveal(), "s3cr3t"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Secret{}).Reveal(); got != "" {
		t.Errorf("zero value: got %q, want none", got)
	}
}

func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	type exported struct{ Key Secret }
	type hidden struct{ key Secret }
	secret := NewSecret("s3cr3t")
	values := []any{
		secret, &secret, exported{secret}, &exported{secret}, hidden{secret}, &hidden{secret},
		[]Secret{secret}, map[string]Secret{"key": secret}, map[Secret]string{secret: "key"}, &Config{APIKey: secret},
	}
	for _, value := range values {
		var out []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%20v", "%p"} {
			out = append(out, fmt.Sprintf(verb, value))
		}
		b, err := json.Marshal(value)
		if err != nil {
			t.Errorf("json of %T: %v", value, err)
		}
		var log bytes.Buffer
		logger := zerolog.New(&log)
		logger.Info().Interface("a", value).Any("b", value).Fields(map[string]any{"c": value}).Msg("")
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "d", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "e", value)
		out = append(out, string(b), log.String())
		for _, s := range out {
			if strings.Contains(s, "s3cr3t") || strings.Contains(s, "733363723374") {
				t.Errorf("%T leaks: %s", value, s)
			}
		}
	}
}

func TestSecretPrintsRedacted(t *testing.T) {
	t.Parallel()
	secret := NewSecret("s3cr3t")
	b, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"string", secret.String(), "[redacted]"},
		{"fmt", fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, secret), "[redacted] [redacted] [redacted] [redacted]"},
		{"json", string(b), `"[redacted]"`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}
