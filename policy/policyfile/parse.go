package policyfile

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// maxBytes bounds a policy file.
const maxBytes = 8 << 20

// Options are what Parse checks a policy against.
type Options struct {
	// Reaches reports whether the session cookie reaches a host, or, for
	// "*.example.com", some host below it: site.Site.Reaches. nil: not checked.
	Reaches func(host string) bool
	// NoAuthKitDomain says that AUTHKIT_DOMAIN isn't set, which rules with a resource need.
	NoAuthKitDomain bool
	// AuthKit are the URLs of AuthKit and of WorkOS's API as they are set: none of their hosts is an issuer of workloads'.
	AuthKit []string
}

// Document is a policy file whose own tests the policy passes.
type Document struct {
	Policy   *policy.Policy
	Tests    int      // how many there are
	Warnings Problems // that something is probably a mistake
}

// Parse reads a policy file. The error is Problems: all of them, each with its line.
func Parse(file []byte, o Options) (*Document, error) {
	var d decoder
	root := d.document(file)
	if root == nil {
		return nil, d.err()
	}
	keys := d.mapping(root, "the policy", "default", issuersKey, "rules", "tests")
	if keys == nil {
		return nil, d.err()
	}
	d.readIssuers(keys[issuersKey], o)
	p := d.policy(root.Line, keys, o)
	if err := d.err(); err != nil {
		return nil, err
	}
	tests := d.tests(p, keys["tests"])
	if err := d.err(); err != nil {
		return nil, err
	}
	d.warnOfUnused(p)
	return &Document{Policy: p, Tests: tests, Warnings: d.warnings.inOrder()}, nil
}

// policy makes the policy. It is nil after a problem.
func (d *decoder) policy(line int, keys map[string]*yaml.Node, o Options) *policy.Policy {
	fallback := policy.Default{Access: policy.Nobody}
	if n := keys["default"]; n != nil {
		fallback.Line = n.Line
		if d.word(n, "default", "authenticated", "deny") == "authenticated" {
			fallback.Access = policy.Authenticated
		}
	}
	rules, positions := d.rules(line, keys["rules"], o)
	p, err := policy.New(rules, fallback)
	problems, ok := errors.AsType[policy.Problems](err)
	if !ok {
		return p
	}
	broken := len(d.problems) > 0
	for _, problem := range problems {
		if position := positions[problem.Rule]; !position.failed[problem.Field] && !(broken && problem.Field == "") {
			d.report(position.line(problem), "%s", problem.Text)
		}
	}
	return nil
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
		line := max(broken.Mark.Line, 1)
		if star := unquotedStar(file, line); star != "" {
			d.report(line, "this is not YAML: a value that begins with * stands in quotes: write %q", star)
			break
		}
		d.report(line, "this is not YAML: %s", broken.Message)
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

// unquotedStar returns the glob or host of a line that YAML takes for an alias. "": none.
func unquotedStar(file []byte, line int) string {
	lines := strings.SplitN(string(file), "\n", line+1)
	if len(lines) < line {
		return ""
	}
	// *, ** and *.example.com where a value begins; *name is an alias.
	unquoted := regexp.MustCompile(`(?:^|[\[,:-])\s*(\*(?:[*./][^\s,\]}]*)?)\s*(?:[,\]}#]|$)`)
	found := unquoted.FindStringSubmatch(lines[line-1])
	if found == nil {
		return ""
	}
	return found[1]
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
