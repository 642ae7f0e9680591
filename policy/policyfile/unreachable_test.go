package policyfile

import (
	"fmt"
	"testing"
)

func TestUnreachable(t *testing.T) {
	t.Parallel()
	const refused = `line 3: rule "b" can never match: what it is about is matched before, as by rule "a" of line 2: move it up, or leave it out`
	for _, tt := range []struct {
		name, earlier, later string
		refused              bool
	}{
		{"the same", "hosts: [a.com], paths: [/a], methods: [GET]", "hosts: [a.com], paths: [/a], methods: [GET]", true},
		{"everything before anything", "allow: nobody", "hosts: [a.com], paths: [/a], methods: [GET]", true},
		{"everything twice", "allow: nobody", "allow: public", true},
		{"anything before everything", "hosts: [a.com]", "allow: nobody", false},

		{"host below a wildcard", "hosts: ['*.a.com']", "hosts: [x.y.a.com]", true},
		{"wildcard below a wildcard", "hosts: ['*.a.com']", "hosts: ['*.x.a.com']", true},
		{"wildcard above a wildcard", "hosts: ['*.x.a.com']", "hosts: ['*.a.com']", false},
		{"host that the wildcard is below", "hosts: ['*.a.com']", "hosts: [a.com]", false},
		{"wildcard of the same host", "hosts: [a.com]", "hosts: ['*.a.com']", false},
		{"one host of two", "hosts: [a.com]", "hosts: [a.com, b.com]", false},
		{"two hosts of three", "hosts: [a.com, b.com, c.com]", "hosts: [a.com, b.com]", true},

		{"all methods before one", "paths: [/a]", "paths: [/a], methods: [GET]", true},
		{"one method before all", "methods: [GET], paths: [/a]", "paths: [/a]", false},
		{"one method of two", "methods: [GET], paths: [/a]", "methods: [GET, HEAD], paths: [/a]", false},
		{"two methods before one", "methods: [GET, HEAD], paths: [/a]", "methods: [HEAD], paths: [/a]", true},

		{"all below before one path", "paths: [/a/**]", "paths: [/a, /a/b/c, /a/*/b, /a/**/c]", true},
		{"one path before all below", "paths: [/a]", "paths: [/a/**]", false},
		{"one segment before all below", "paths: [/a/*]", "paths: [/a/**]", false},
		{"all below before itself and more", "paths: [/a/**]", "paths: [/a/**, /b]", false},
		{"star before a literal", "paths: [/*/x]", "paths: [/a/x]", true},
		{"literal before a star", "paths: [/a/x]", "paths: [/*/x]", false},
		{"star before two segments", "paths: [/*]", "paths: [/a/b]", false},
		{"star before none", "paths: ['/*']", "paths: [/]", false},
		{"globstar before none", "paths: [/**]", "paths: [/]", true},
		{"globstar before a rule without paths", "paths: [/**]", "hosts: [a.com]", true},
		{"a segment or more before a rule without paths", "paths: ['/*/**']", "hosts: [a.com]", false},
		{"globstar and star in another order", "paths: ['/*/**']", "paths: ['/**/*']", true},
		{"suffix before a longer one", "paths: [/**/c]", "paths: [/**/b/c]", true},
		{"longer suffix before a suffix", "paths: [/**/b/c]", "paths: [/**/c]", false},
		{"trailing slash", "paths: [/a]", "paths: [/a/]", true},

		{"any case before one", "paths: [/Admin], ignore_case: true", "paths: [/aDMIN]", true},
		{"one case before any", "paths: [/admin]", "paths: [/admin], ignore_case: true", false},
		{"capitals before any case", "paths: [/ADMIN]", "paths: [/admin], ignore_case: true", false},
		{"digits before digits of any case", "paths: [/1]", "paths: [/1], ignore_case: true", true},
		{"star before any case", "paths: ['/*']", "paths: [/a], ignore_case: true", true},
		{"other letters", "paths: [/admin], ignore_case: true", "paths: [/admix]", false},

		{"access and requirements don't matter", "paths: [/a], allow: public", "paths: [/a], require: {roles: [x]}", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(fmt.Appendf(nil, "rules:\n- {name: a, %s}\n- {name: b, %s}", tt.earlier, tt.later), Options{})
			want := "<nil>"
			if tt.refused {
				want = refused
			}
			if got := fmt.Sprint(err); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// Each host, path and method must be matched by one earlier rule, not all by the same.
func TestUnreachableBySeveralRules(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`rules:
- {name: a, hosts: [a.com], paths: [/x/**]}
- {name: b, hosts: [b.com], methods: [GET]}
- {name: c, hosts: [b.com], methods: [POST]}
- {name: d, hosts: [a.com, b.com], paths: [/x/y], methods: [GET, POST]}
- {name: e, hosts: [a.com, b.com], paths: [/x/y, /y], methods: [GET, POST]}`), Options{})
	want := `line 5: rule "d" can never match: what it is about is matched before, as by rule "c" of line 4: move it up, or leave it out`
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
