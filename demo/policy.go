package demo

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed policy.yaml
var policySource []byte

// writePolicy puts the demo's policy where it can be edited: in a directory of its
// own, until remove.
func writePolicy() (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "authkit-forward-auth-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("policy: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	file = filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(file, policySource, 0o600); err != nil {
		remove()
		return "", nil, fmt.Errorf("policy: %w", err)
	}
	return file, remove, nil
}
