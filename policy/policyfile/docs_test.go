package policyfile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

func policyDocs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The examples of docs/policy.md are policies, and pass their tests.
func TestDocsExamples(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(policyDocs(t), -1)
	if len(blocks) != 5 {
		t.Fatalf("got %d examples, want 5", len(blocks))
	}
	validate := validator(t)
	for _, block := range blocks {
		if _, err := Parse([]byte(block[1]), Options{}); err != nil {
			t.Errorf("%v\nin\n%s", err, block[1])
		}
		if err := validate(block[1]); err != nil {
			t.Errorf("the schema says %v\nof\n%s", err, block[1])
		}
	}
}

// The policies of docs/workloads.md are policies, too.
func TestDocsOfWorkloads(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "workloads.md"))
	if err != nil {
		t.Fatal(err)
	}
	validate, policies := validator(t), 0
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.HasPrefix(block[1], "issuers:") {
			continue
		}
		policies++
		if d, err := Parse([]byte(block[1]), Options{}); err != nil || len(d.Warnings) > 0 {
			t.Errorf("%v\nin\n%s", err, block[1])
		}
		if err := validate(block[1]); err != nil {
			t.Errorf("the schema says %v\nof\n%s", err, block[1])
		}
	}
	if policies != 2 {
		t.Errorf("got %d policies, want 2", policies)
	}
}

// The table of globs in docs/policy.md is right.
func TestDocsGlobs(t *testing.T) {
	t.Parallel()
	rows := 0
	for line := range strings.Lines(policyDocs(t)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `/") {
			continue
		}
		rows++
		code := regexp.MustCompile("`([^`]+)`")
		glob := code.FindStringSubmatch(cells[1])[1]
		p := parsed(t, "default: authenticated\nrules:\n  - name: glob\n    paths: [\""+glob+"\"]\n    allow: public\n")
		for i, public := range map[int]bool{2: true, 3: false} {
			for _, path := range code.FindAllStringSubmatch(cells[i], -1) {
				m := p.Match(policy.Request{Method: "GET", Host: "app.example.com", Path: path[1]})
				if got := m.Err == nil && m.Rule.Name == "glob"; got != public {
					t.Errorf("%s and %s: got a match: %v, want %v", glob, path[1], got, public)
				}
			}
		}
	}
	if rows != 9 {
		t.Errorf("got %d rows, want 9", rows)
	}
}

// Every key, requirement, credential and answer is in docs/policy.md.
func TestDocsNameEveryKey(t *testing.T) {
	t.Parallel()
	docs := policyDocs(t)
	for _, name := range append(policy.Answers(),
		"default", "rules", "tests", "name", "hosts", "paths", "methods", "allow", "credentials", "require", "encoded_slash", "ignore_case",
		"cors_preflight", "users", "emails", "email_domains", "organizations", "roles", "permissions", "entitlements", "feature_flags",
		"max_auth_age", "impersonation", "request", "expect", "rule", "claims", "credential", "preflight", "issuer", "issuers",
	) {
		if !strings.Contains(docs, "\n| `"+name+"` |") && !strings.Contains(docs, "| `"+name+"` | ") {
			t.Errorf("docs/policy.md has no row for %s", name)
		}
	}
}
