package authkit

import (
	"fmt"
	"io"
)

// Secret is a string that prints as [redacted], whatever the verb, and in JSON.
// string(s) is its value.
type Secret string

// Format implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
