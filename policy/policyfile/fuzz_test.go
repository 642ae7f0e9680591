package policyfile

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// A policy that can be parsed answers, always in the same way.
func FuzzParse(f *testing.F) {
	file, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(file))
	f.Add(explained)
	f.Add("rules: [{name: &n a, hosts: [a.com], paths: [&p /a]}, {name: b, hosts: [b.com], paths: [*p, /b]}]")
	f.Add("default: deny\nrules:\n- name: a\n  require: {emails: [a@b.com], max_auth_age: 1m}\n  <<: {x: y}")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Parse([]byte(text), Options{})
		again, errAgain := Parse([]byte(text), Options{})
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("got %v, then %v", err, errAgain)
			}
			return
		}
		p := first.Policy
		for _, r := range p.Rules() {
			host, path, method := "a.com", "/a", "GET"
			if len(r.Hosts) > 0 {
				host = canonicalHost(r.Hosts[0])
			}
			if len(r.Paths) > 0 {
				path = (&url.URL{Path: strings.ReplaceAll(r.Paths[0], "*", "x")}).EscapedPath()
			}
			if len(r.Methods) > 0 {
				method = r.Methods[0]
			}
			q := policy.Request{Method: method, Host: host, Path: path}
			got, want := again.Policy.Match(q), p.Match(q)
			if (got.Rule == nil) != (want.Rule == nil) || got.Rule != nil && got.Rule.Name != want.Rule.Name {
				t.Errorf("%+v: got %+v, then %+v", q, want, got)
			}
			if !p.Names(host) {
				t.Errorf("%s of rule %s has no name", host, r.Name)
			}
		}
	})
}

// canonicalHost is a host that a rule's pattern is about.
func canonicalHost(pattern string) string {
	host, _ := policy.CanonicalHost(strings.Replace(pattern, "*", "x", 1))
	return host
}
