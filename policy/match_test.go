package policy_test

import (
	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"errors"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// matched says what a policy answers: the rule's name, "preflight" and it, or what is
// ambiguous.
func matched(p *Policy, r Request) string {
	m := p.Match(r)
	var ambiguous *AmbiguousError
	switch {
	case errors.As(m.Err, &ambiguous):
		return ambiguous.What
	case m.Preflight:
		return "preflight " + m.Rule.Name
	}
	return m.Rule.Name
}

// A public prefix before what is for some alone: what another reading of a path, a
// host or a method than the app's would open.
const attacked = `
default: authenticated
rules:
  - {name: internal admin, hosts: ["*.admin.example.com"], allow: nobody}
  - {name: public files, hosts: ["*.example.com"], paths: [/public/**, /foo/*/bar], allow: public}
  - {name: posts, hosts: [app.example.com], paths: [/posts/**], methods: [GET, HEAD], allow: public}
  - {name: no posting, hosts: [app.example.com], paths: [/posts/**], methods: [POST], require: {roles: [editor]}}
  - {name: admin, hosts: [app.example.com], paths: [/Admin/**], ignore_case: true, require: {roles: [admin]}}
  - {name: packages, hosts: [app.example.com], paths: ["/packages/*"], encoded_slash: deny}
  - {name: package files, hosts: [app.example.com], paths: [/packages/**], allow: nobody}
  - {name: projects, hosts: [app.example.com], paths: [/projects/**]}
  - {name: api, hosts: [app.example.com], paths: [/api/**], methods: [PUT], cors_preflight: allow}
  - {name: plain, hosts: [plain.example.net], allow: public}
  - {name: plain too, hosts: ["*.example.net"], cors_preflight: allow}
`

func TestMatchAttacks(t *testing.T) {
	t.Parallel()
	const (
		dot    = "the path has a dot segment"
		slash  = "the path has an encoded slash"
		method = "the method is not in capital letters"
	)
	p := parsed(t, attacked)
	for _, tt := range []struct{ name, method, host, path, want string }{
		{"public", "GET", "app.example.com", "/public/a", "public files"},
		{"public prefix itself", "GET", "app.example.com", "/public", "public files"},
		{"beside the public prefix", "GET", "app.example.com", "/publicx", "default"},

		{"A3: public path in the query", "GET", "app.example.com", "/admin?x=/public", "the path has a question mark"},
		{"A3: public path in the query, escaped", "GET", "app.example.com", "/admin%3Fx=/public/a", "the path has a question mark"},
		{"A3: query without its path", "GET", "app.example.com", "/admin", "admin"},
		{"A4: fragment", "GET", "app.example.com", "/foo/secret#/bar", "the path has a #"},
		{"A4: escaped fragment", "GET", "app.example.com", "/foo/secret%23/bar", "the path has a #"},
		{"A4: neither", "GET", "app.example.com", "/foo/secret/bar", "public files"},
		{"A12: dot segments", "GET", "app.example.com", "/public/../admin", dot},
		{"A12, E1: escaped dot segments", "GET", "app.example.com", "/public/%2e%2e/admin", dot},
		{"A12, E1: escaped slash behind dots", "GET", "app.example.com", "/public/..%2fadmin", dot},
		{"A12: parameter behind dots", "GET", "app.example.com", "/public/..;/admin", "the path has a semicolon"},
		{"A12: double escapes", "GET", "app.example.com", "/public/%252e%252e/admin", "the path has a double percent escape"},
		{"A12: double slash", "GET", "app.example.com", "//public/../admin", "the path has an empty segment"},
		{"A12: backslash", "GET", "app.example.com", `/public\..\admin`, "the path has a backslash"},
		{"D3: escapes in small letters", "GET", "app.example.com", "/%61dmin", "admin"},
		{"D3: escapes in capitals", "GET", "app.example.com", "/posts/%C3%A9", "posts"},
		{"D3: the same in small letters", "GET", "app.example.com", "/posts/%c3%a9", "posts"},
		{"D3: another case where it counts", "GET", "app.example.com", "/PUBLIC/a", "default"},
		{"D3: another case where it doesn't", "GET", "app.example.com", "/aDMIN/x", "admin"},
		{"D3: another case, escaped", "GET", "app.example.com", "/%41dm%49n", "admin"},
		{"D4: dot segments at the end", "GET", "app.example.com", "/public/..", dot},
		{"D4: encoded slash", "GET", "app.example.com", "/public%2Fadmin", slash},

		{"B3: wildcard for nobody first", "GET", "secure.admin.example.com", "/public/a", "internal admin"},
		{"the wildcard's own host", "GET", "admin.example.com", "/public/a", "public files"},
		{"host that only ends like it", "GET", "evilexample.com", "/public/a", "default"},
		{"host above the wildcard", "GET", "example.com", "/public/a", "default"},

		{"HEAD with GET", "HEAD", "app.example.com", "/posts/1", "posts"},
		{"method of the later rule", "POST", "app.example.com", "/posts/1", "no posting"},
		{"method of no rule", "DELETE", "app.example.com", "/posts/1", "default"},
		{"method in small letters", "post", "app.example.com", "/posts/1", method},
		{"method with a digit", "GET2", "app.example.com", "/public/a", method},
		{"no method", "", "app.example.com", "/public/a", method},
		{"method in small letters where rules have none", "get", "x.example.com", "/public/a", method},
		{"the same in capitals", "GET", "x.example.com", "/public/a", "public files"},
		{"method in small letters, nobody", "get", "x.admin.example.com", "/", "internal admin"},

		{"encoded slash: one rule in both readings", "GET", "app.example.com", "/projects/a%2Fb/c", "projects"},
		{"encoded slash: two rules", "GET", "app.example.com", "/packages/a%2Fb", slash},
		{"no encoded slash", "GET", "app.example.com", "/packages/a", "packages"},
		{"slash itself", "GET", "app.example.com", "/packages/a/b", "package files"},
		{"encoded slash: the default", "GET", "app.example.com", "/other%2fx", "default"},
		{"encoded slash that makes the prefix", "GET", "app.example.com", "/projects%2Fa", slash},
		{"encoded slash in front", "GET", "app.example.com", "/%2fprojects/a", "the path has an empty segment"},
		{"encoded slash and dots where it is allowed", "GET", "app.example.com", "/projects/..%2Fadmin", dot},
		{"encoded slash, odd method", "get", "x.example.com", "/public/a%2fb", method},

		{"host without paths", "GET", "plain.example.net", "/a", "plain"},
		{"host without paths: dot segments make no difference", "GET", "plain.example.net", "/a/../b", "plain"},
		{"host without paths: an encoded slash makes none", "GET", "plain.example.net", "/a%2fb", "plain"},
		{"host without paths: odd method is not public", "get", "plain.example.net", "/a", method},
		{"host without paths: a bad escape makes none", "GET", "plain.example.net", "/%", "plain"},
		{"host without paths or public rules: dot segments", "GET", "x.example.net", "/a/../b", "plain too"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := matched(p, Request{Method: tt.method, Host: tt.host, Path: tt.path}); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// E10, B3: a host as gateways forward it, whatever its spelling.
func TestMatchHostSpellings(t *testing.T) {
	t.Parallel()
	p := parsed(t, `rules:
  - {name: exact, hosts: [App.Example.com], paths: [/a]}
  - {name: below, hosts: ["*.Bücher.example"]}
`)
	for _, tt := range []struct {
		raw, want string
		named     bool
	}{
		{"app.example.com", "exact", true},
		{"App.EXAMPLE.com", "exact", true},
		{"app.example.com.", "exact", true},
		{"app.example.com:443", "exact", true},
		{"app.example.com:8443", "exact", true},
		{"x.app.example.com", "default", false},
		{"app.example.com.evil.test", "default", false},
		{"unknown.test", "default", false},
		{"a.bücher.example", "below", true},
		{"a.xn--bcher-kva.example", "below", true},
		{"a.b.BÜCHER.example", "below", true},
		{"bücher.example", "default", false},
		{"xbücher.example", "default", false},
	} {
		host, err := site.ParseHost(tt.raw, "https")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Names(host.Name); got != tt.named {
			t.Errorf("%s: named: got %t, want %t", tt.raw, got, tt.named)
		}
		if got := matched(p, Request{Method: "GET", Host: host.Name, Path: "/a"}); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.raw, got, tt.want)
		}
	}
}

func TestMatchPreflight(t *testing.T) {
	t.Parallel()
	p := parsed(t, attacked)
	for _, tt := range []struct{ name, method, host, path, preflight, want string }{
		{"let through", "OPTIONS", "app.example.com", "/api/x", "PUT", "preflight api"},
		{"another method to come", "OPTIONS", "app.example.com", "/api/x", "POST", "default"},
		{"no preflight", "OPTIONS", "app.example.com", "/api/x", "", "default"},
		{"no OPTIONS", "PUT", "app.example.com", "/api/x", "PUT", "api"},
		{"rule without cors_preflight", "OPTIONS", "app.example.com", "/posts/1", "POST", "default"},
		{"method in small letters to come", "OPTIONS", "app.example.com", "/api/x", "put", "default"},
		{"ambiguous path", "OPTIONS", "app.example.com", "/api/../x", "PUT", "default"},
		{"encoded slash", "OPTIONS", "app.example.com", "/api/a%2fb", "PUT", "preflight api"},
		{"encoded slash that the rule denies", "OPTIONS", "app.example.com", "/packages/a%2f", "PUT", "the path has an encoded slash"},
		{"host without paths", "OPTIONS", "x.example.net", "/x", "PUT", "preflight plain too"},
		{"host without paths: ambiguous path", "OPTIONS", "x.example.net", "/a//x", "PUT", "preflight plain too"},
		{"host without paths: encoded slash", "OPTIONS", "x.example.net", "/a%2fx", "PUT", "preflight plain too"},
		{"an earlier rule decides", "OPTIONS", "plain.example.net", "/x", "PUT", "plain"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := matched(p, Request{Method: tt.method, Host: tt.host, Path: tt.path, Preflight: tt.preflight})
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// The first rule in the file's order decides, whichever part of the index it is in.
func TestMatchOrder(t *testing.T) {
	t.Parallel()
	both := []string{"x.a.com", "*.com"}
	parts := map[string]Rule{
		"exact":    {Hosts: []string{"x.a.com"}, Paths: []string{"/a/b"}},
		"star":     {Hosts: []string{"x.a.com", "z.com"}, Paths: []string{"/*/b"}},
		"below":    {Hosts: []string{"*.a.com"}, Paths: []string{"/a/**"}},
		"higher":   {Hosts: []string{"*.com"}, Paths: []string{"/a/b", "/c"}},
		"hostless": {Paths: []string{"/a/*", "/d"}},
		"suffix":   {Hosts: []string{"x.a.com", "y.com"}, Paths: []string{"/**/b"}},
		"folded":   {Hosts: both, Paths: []string{"/A/B"}, IgnoreCase: true},
		"method":   {Hosts: both, Methods: []string{"GET", "PUT"}},
	}
	for first, rule := range parts {
		rule.Name = first
		rules := []Rule{{Name: "other", Paths: []string{"/other"}}, rule}
		for name, part := range parts {
			if name != first {
				part.Name, part.Access = name, Nobody
				rules = append(rules, part)
			}
		}
		p := Unchecked(rules, Default{Access: Nobody}) // New would refuse those that can never match
		if got := matched(p, Request{Method: "GET", Host: "x.a.com", Path: "/a/b"}); got != first {
			t.Errorf("got %s, want %s", got, first)
		}
	}
}

func TestMatchNobodysHost(t *testing.T) {
	t.Parallel()
	p := parsed(t, "default: authenticated\nrules: [{name: a, hosts: [a.com]}]")
	got := p.Match(Request{Method: "GET", Host: "b.com", Path: "/"}).Rule
	if got.Name != "default" || got.Access != Nobody {
		t.Errorf("got %s for %s, want default for nobody", got.Name, got.Access)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, rules string
		named, not  []string
	}{
		{"hosts", "[{name: a, hosts: [a.com, '*.b.com']}]", []string{"a.com", "x.b.com", "x.y.b.com"}, []string{"x.a.com", "b.com", "ab.com", ""}},
		{"a rule without hosts", "[{name: a, hosts: [a.com]}, {name: b, paths: [/b]}]", []string{"a.com", "b.com"}, nil},
	} {
		p := parsed(t, "rules: "+tt.rules)
		for _, host := range tt.named {
			if !p.Names(host) {
				t.Errorf("%s: %s: got false, want true", tt.name, host)
			}
		}
		for _, host := range tt.not {
			if p.Names(host) {
				t.Errorf("%s: %s: got true, want false", tt.name, host)
			}
		}
	}
}

func TestEverybody(t *testing.T) {
	t.Parallel()
	p := Everybody()
	for _, path := range []string{"/", "//a;b", "/a%2fb", "/%"} {
		m := p.Match(Request{Method: "get", Host: "a.com", Path: path})
		if m.Err != nil || m.Preflight || m.Rule.Access != Authenticated || m.Rule.Name != "default" || !m.Rule.Require.None() {
			t.Errorf("%s: got %+v, want the default, authenticated", path, m)
		}
	}
	if !p.Names("a.com") || len(p.Rules()) != 0 {
		t.Errorf("got named %t, %d rules; want true, 0", p.Names("a.com"), len(p.Rules()))
	}
}

// Where all readings end at one rule, the answer says that there are several.
func TestMatchIsAmbiguous(t *testing.T) {
	t.Parallel()
	p := parsed(t, attacked)
	for _, tt := range []struct {
		name, method, host, path string
		want                     bool
	}{
		{"dot segments", "GET", "plain.example.net", "/a/../b", true},
		{"encoded slash", "GET", "plain.example.net", "/a%2fb", true},
		{"method in small letters", "get", "x.example.net", "/a", true},
		{"nothing", "GET", "plain.example.net", "/a", false},
		{"encoded slash within one rule", "GET", "app.example.com", "/projects/a%2fb", true},
	} {
		if got := p.Match(Request{Method: tt.method, Host: tt.host, Path: tt.path}).Ambiguous; got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

// The paths of F11 in public-reports: apps whose paths have several readings work beside a
// rule with paths, as long as all of them end at one rule.
func TestMatchSeveralReadingsOneRule(t *testing.T) {
	t.Parallel()
	p := parsed(t, "default: authenticated\nrules: [{name: health, hosts: [app.example.com], paths: [/healthz], allow: public}]")
	for _, path := range []string{
		"/_matrix/client/v3/directory/room/%23sd%3Ahost", "/cool/https%3A%2F%2Fc%2Findex.php%3Ftoken/ws", "/app;jsessionid=1", "/wiki//page",
		"/s3/bucket//key", "/files/a%5Cb", "/x/./y", "/a%2525b", "//k8s/vnc", "/proxy/3000/..%2f..%2fx", "/static/out/vs%2Fworkbench;v=1//x%23y",
	} {
		if got := matched(p, Request{Method: "GET", Host: "app.example.com", Path: path}); got != "default" {
			t.Errorf("%s: got %s, want default", path, got)
		}
	}
	for _, path := range []string{
		"//healthz", "/x/../healthz", "/healthz;x", "/healthz%23", "/healthz%2f", "/healthz/x/..", "/x;/../healthz", "/%2568ealthz", `/x\..\healthz`,
		"/caf%E9", "/x%00", "//x/healthz", "/x%2f..%2fhealthz", "/healthz%3fx",
	} {
		if got := matched(p, Request{Method: "GET", Host: "app.example.com", Path: path}); got == "default" || got == "health" {
			t.Errorf("%s: got %s, want it ambiguous", path, got)
		}
	}
}

// A gateway that has chosen by the path before it asks gets no doubtful answer.
func TestMatchStrict(t *testing.T) {
	t.Parallel()
	p := parsed(t, attacked)
	for _, tt := range []struct {
		path string
		q    Request
		want string
	}{
		{"/a/%2e%2e/b", Request{NoDotSegments: true}, "the path has a dot segment"},
		{"/a/%2e%2e/%ff", Request{NoDotSegments: true}, "the path has a dot segment"},
		{"/a/..;/b", Request{NoDotSegments: true}, "the path has a dot segment"},
		{"/a//b;c", Request{NoDotSegments: true}, "plain"},
		{"/a//b;c", Request{OneReading: true}, "the path has an empty segment"},
		{"/a%2fb", Request{OneReading: true}, "the path has an encoded slash"},
		{"/a%ff", Request{OneReading: true}, "the path is not UTF-8"},
		{"/a/b", Request{OneReading: true, NoDotSegments: true}, "plain"},
	} {
		q := tt.q
		q.Method, q.Host, q.Path = "GET", "plain.example.net", tt.path
		if got := matched(p, q); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.path, got, tt.want)
		}
	}
}

// Without a policy the gateway's routes are all there is, and it may route by the raw path.
func TestEverybodyDotSegments(t *testing.T) {
	t.Parallel()
	if got := matched(Everybody(), Request{Method: "GET", Host: "a.com", Path: "/a/..%2fb"}); got != "the path has a dot segment" {
		t.Errorf("got %s, want the path has a dot segment", got)
	}
}
