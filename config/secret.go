package config

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret is a value that no print, log line or encoding shows. The zero value
// is an empty secret. The value sits behind a pointer, because fmt can't call
// the methods of a Secret in somebody's unexported field; there it prints an
// address.
type Secret struct{ value *string }

// NewSecret makes a Secret of a value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value itself. Hand it to what needs it and to nothing
// that prints.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// Format prints "[redacted]" for every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]", for encoding/json and what logs with it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
