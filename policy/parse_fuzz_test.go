package policy

import (
	"os"
	"strings"
	"testing"
)

// Whatever parses answers, always in the same way.
func FuzzParse(f *testing.F) {
	file, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(file))
	f.Add(attacked)
	f.Add("rules: [{name: &n a, hosts: [a.com], paths: [&p /a]}, {name: b, hosts: [b.com], paths: [*p, /b]}]")
	f.Add("default: deny\nrules:\n- name: a\n  require: {emails: [a@b.com], max_auth_age: 1m}\n  <<: {x: y}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse([]byte(text), Options{})
		again, errAgain := Parse([]byte(text), Options{})
		if err != nil {
			if errAgain == nil || err.Error() != errAgain.Error() {
				t.Fatalf("got %v, then %v", err, errAgain)
			}
			return
		}
		for _, r := range p.Rules() {
			host, path, method := "a.com", "/a", "GET"
			if len(r.hosts) > 0 {
				host = strings.Replace(r.hosts[0], "*", "x", 1)
			}
			if len(r.paths) > 0 {
				path = escaped(strings.ReplaceAll(r.paths[0].text, "*", "x"))
			}
			if len(r.methods) > 0 {
				method = r.methods[0]
			}
			q := Request{Method: method, Host: host, Path: path}
			agrees(t, p, q)
			if got, want := matched(again, q), matched(p, q); got != want {
				t.Errorf("%+v: got %s, then %s", q, want, got)
			}
			if !p.Names(host) {
				t.Errorf("%s of rule %s has no name", host, r.Name)
			}
		}
	})
}
