package policy

import (
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxBytes bounds a policy file.
const maxBytes = 8 << 20

// Options are what Parse checks a policy against.
type Options struct {
	// Reaches reports whether the session cookie reaches a host, or, for
	// "*.example.com", some host below it: site.Site.Reaches. nil: not checked.
	Reaches func(host string) bool
}

// Parse reads a policy file. The error is Problems: all of them, each with its line.
func Parse(file []byte, o Options) (*Policy, error) {
	var d decoder
	root := d.document(file)
	if root == nil {
		return nil, d.err()
	}
	keys := d.mapping(root, "the policy", "default", "rules", "tests")
	if keys == nil {
		return nil, d.err()
	}
	fallback := &Rule{Access: Nobody}
	if n := keys["default"]; n != nil {
		fallback.Line = n.Line
		if d.word(n, "default", "authenticated", "deny") == "authenticated" {
			fallback.Access = Authenticated
		}
	}
	rules := d.rules(root.Line, keys["rules"], o)
	if err := d.err(); err != nil {
		return nil, err
	}
	p := newPolicy(rules, fallback)
	p.testsNode = keys["tests"]
	if problems := p.runCases(p.testsNode); len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

// document returns the root of the one document, nil after a problem.
func (d *decoder) document(file []byte) *yaml.Node {
	if len(file) > maxBytes {
		d.report(1, "the policy is larger than 8 MB: make it smaller")
		return nil
	}
	if line := unreadable(file); line > 0 {
		d.report(line, "the policy must be UTF-8 text without control characters")
		return nil
	}
	var documents []yaml.Node
	err := yaml.Load(file, &documents, yaml.WithAllDocuments())
	var broken *yaml.LoadError
	switch {
	case errors.As(err, &broken):
		d.report(max(broken.Mark.Line, 1), "this is not YAML: %s", broken.Message)
	case err != nil:
		d.report(1, "this is not YAML")
	case len(documents) == 0:
		d.report(1, "the policy is empty: write rules")
	case len(documents) > 1:
		d.report(documents[1].Line, "the policy must be one YAML document: leave out what follows ---")
	default:
		return follow(documents[0].Content[0])
	}
	return nil
}

// unreadable returns the line of the first byte that isn't text, 0 without one.
func unreadable(file []byte) int {
	line := 1
	for i := 0; i < len(file); {
		r, size := utf8.DecodeRune(file[i:])
		if r == utf8.RuneError && size == 1 || r < 0x20 && !strings.ContainsRune("\t\n\r", r) || r == 0x7f {
			return line
		}
		if r == '\n' {
			line++
		}
		i += size
	}
	return 0
}
