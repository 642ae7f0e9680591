package policyfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// parsed is the policy of a text that has to be right.
func parsed(t testing.TB, file string) *policy.Policy {
	t.Helper()
	d, err := Parse([]byte(file), Options{})
	if err != nil {
		t.Fatalf("got %v, want a policy", err)
	}
	return d.Policy
}

func TestParse(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := parsed(t, string(file))
	var got []string
	for _, r := range append(p.Rules(), p.Default()) {
		got = append(got, fmt.Sprint(r.Line, " ", r.Name, " ", r.Access, " ", r.Credentials, " ", r.Require.None()))
	}
	want := []string{
		"4 health and assets public [cookie] true",
		"9 admin authenticated [cookie] false",
		"17 machine API authenticated [bearer api_key] false",
		"23 nobody at all nobody [cookie] true",
		"2 default authenticated [cookie] true",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestParseWithoutDefault(t *testing.T) {
	t.Parallel()
	p := parsed(t, "rules: [{name: a, paths: [/a]}]")
	if got := p.Default(); got.Access != policy.Nobody || got.Line != 0 {
		t.Errorf("got %+v, want nobody", got)
	}
}

// Every refusal: the whole error, line and reason.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	reaches := func(host string) bool { return strings.HasSuffix(host, "example.com") }
	rule := func(keys string) string { return "rules:\n  - name: a\n    " + keys }
	const allKeys = "the keys are name, hosts, paths, methods, allow, require, credentials, encoded_slash, ignore_case, cors_preflight, resource, m2m, agents, mcp"
	for _, tt := range []struct{ name, file, want string }{
		// The document.
		{"nothing", "", "line 1: the policy is empty: write rules"},
		{"a comment alone", "# later\n", "line 1: the policy is empty: write rules"},
		{"too large", strings.Repeat("# comment\n", 1<<20), "line 1: the policy is larger than 8 MB: make it smaller"},
		{"no YAML", "rules: [\n", "line 2: this is not YAML: did not find expected node content"},
		{"tab", "default: deny\nrules:\n\t- name: a", "line 3: this is not YAML: found character that cannot start any token"},
		{"unknown anchor", "default: *what", "line 1: this is not YAML: unknown anchor 'what' referenced"},
		{"host with a star without quotes", "rules:\n  - name: a\n    hosts: [*.example.com]",
			`line 3: this is not YAML: a value that begins with * stands in quotes: write "*.example.com"`},
		{"the same in a block", "rules:\n  - name: a\n    hosts:\n      - *.example.com",
			`line 4: this is not YAML: a value that begins with * stands in quotes: write "*.example.com"`},
		{"star alone without quotes", "rules:\n  - name: a\n    paths: [*]",
			`line 3: this is not YAML: a value that begins with * stands in quotes: write "*"`},
		{"invalid UTF-8", "default: deny\nrules: \xff", "line 2: the policy must be UTF-8 text without control characters"},
		{"control character", "default: deny\nrules:\n  - name: \x01", "line 3: the policy must be UTF-8 text without control characters"},
		{"UTF-16", "\xff\xfed\x00", "line 1: the policy must be UTF-8 text without control characters"},
		{"two documents", "rules:\n  - name: a\n---\nrules:\n  - name: b",
			"line 3: the policy must be one YAML document: leave out what follows ---"},
		{"a list", "- name: a", "line 1: the policy must be a mapping with the keys default, issuers, rules, tests"},
		{"null", "null", "line 1: the policy must be a mapping with the keys default, issuers, rules, tests"},

		// Keys.
		{"no rules", "default: authenticated", "line 1: the policy has no rules: write rules, a list"},
		{"empty rules", "default: authenticated\nrules: []", "line 2: rules must be a list with at least one rule"},
		{"rules without value", "rules:", "line 1: the policy: rules has no value: write one, or leave the key out\n" +
			"line 1: the policy has no rules: write rules, a list"},
		{"rules as a mapping", "rules: {name: a}", "line 1: rules must be a list with at least one rule"},
		{"a rule that is a string", "rules: [a]", "line 1: rule 1 must be a mapping with the keys " +
			"name, hosts, paths, methods, allow, require, credentials, encoded_slash, ignore_case, cors_preflight, resource, m2m, agents, mcp"},
		{"default in words", "default: allow\nrules: [{name: a}]", "line 1: default must be authenticated or deny"},
		{"unknown key of the policy", "rule:\n  - name: a", "line 1: the policy has the unknown key \"rule\": write rules\n" +
			"line 1: the policy has no rules: write rules, a list"},
		{"mistyped key", rule("path: [/a]"), `line 3: rule "a" has the unknown key "path": write paths`},
		{"key with a dash", rule("encoded-slash: allow"), `line 3: rule "a" has the unknown key "encoded-slash": write encoded_slash`},
		{"key in capitals", rule("HOSTS: [a.example.com]"), `line 3: rule "a" has the unknown key "HOSTS": write hosts`},
		{"unknown key", rule("unless: x"), `line 3: rule "a" has the unknown key "unless": ` + allKeys},
		{"merge key", "rules:\n  - &a\n    name: a\n  - <<: *a\n    name: b\n    hosts: [b.example.com]",
			`line 4: rule "b" has the unknown key "<<": ` + allKeys},
		{"key that is a list", rule("[hosts]: x"), `line 3: rule "a" has the unknown key "": ` + allKeys},
		{"key twice", rule("hosts: [a.example.com]\n    hosts: [b.example.com]"), `line 4: rule "a" has the key hosts twice: keep one`},
		{"key twice, once without value", rule("hosts:\n    hosts: [b.example.com]"),
			"line 3: rule \"a\": hosts has no value: write one, or leave the key out\nline 4: rule \"a\" has the key hosts twice: keep one"},
		{"key without value", rule("require:"), `line 3: rule "a": require has no value: write one, or leave the key out`},

		// Names.
		{"no name", "rules:\n  - hosts: [a.example.com]\n  - paths: [/a]",
			"line 2: rule 1 has no name: write one\nline 3: rule 2 has no name: write one"},
		{"empty name", `rules: [{name: ""}]`, "line 1: rule 1: name must not be an empty string: leave it out"},
		{"name of the default", "rules: [{name: default}]", `line 1: rule "default": name: "default" is the default's: write another`},
		{"name twice", "rules:\n  - {name: a, paths: [/a]}\n  - {name: a, paths: [/b]}",
			`line 3: the name "a" is taken by the rule of line 2: write another`},
		{"name of two lines", "rules:\n  - name: |\n      a\n      b", `line 2: rule "a\nb": name: write one line of at most 100 bytes`},
		{"long name", "rules: [{name: " + strings.Repeat("a", 101) + "}]",
			`line 1: rule "` + strings.Repeat("a", 80) + `…": name: write one line of at most 100 bytes`},
		{"name that is a number", "rules: [{name: 7}]", `line 1: rule "7": name must be a string: write it in quotes: "7"`},
		{"name that is a list", "rules: [{name: [a]}]", "line 1: rule 1: name must be a string, not a list or a mapping"},
		{"name with a tag", "rules: [{name: !x a}]", `line 1: rule "a": name must be a string: leave out its tag "!x"`},

		// Lists and strings.
		{"string for a list", rule("hosts: app.example.com"), `line 3: rule "a": hosts must be a list: write [app.example.com]`},
		{"mapping for a list", rule("hosts: {a: b}"), `line 3: rule "a": hosts must be a list of strings`},
		{"empty list", rule("hosts: []"), `line 3: rule "a": hosts must not be an empty list: leave it out`},
		{"empty string", rule(`paths: [""]`), `line 3: rule "a": paths must not be an empty string: leave it out`},
		{"null in a list", rule(`paths: [~]`), `line 3: rule "a": paths must be a string: write it in quotes: "~"`},
		{"number in a list", rule("require:\n      roles:\n        - admin\n        - 17"),
			`line 6: rule "a": require: roles must be a string: write it in quotes: "17"`},
		{"boolean in a list", rule("require: {roles: [true]}"), `line 3: rule "a": require: roles must be a string: write it in quotes: "true"`},
		{"date in a list", rule("require: {roles: [2026-01-02]}"), `line 3: rule "a": require: roles must be a string: write it in quotes: "2026-01-02"`},
		{"list in a list", rule("paths: [[/a]]"), `line 3: rule "a": paths must be a string, not a list or a mapping`},
		{"value twice", rule("require: {roles: [b, c, b]}"), `line 3: rule "a": require: roles has "b" twice: keep one`},
		{"aliases without end", "rules:\n  - name: a\n    require:\n      roles: &a [*a]", `line 4: rule "a": require: roles must be a string, not a list or a mapping`},

		// Hosts.
		{"host with a port", rule("hosts: [app.example.com:8443]"),
			`line 3: rule "a": hosts: "app.example.com:8443": leave the port out: ports are ignored, as cookies ignore them`},
		{"host with the default port", rule("hosts: [app.example.com:443]"),
			`line 3: rule "a": hosts: "app.example.com:443": leave the port out: ports are ignored, as cookies ignore them`},
		{"URL for a host", rule(`hosts: ["https://app.example.com"]`),
			`line 3: rule "a": hosts: "https://app.example.com" is not a host: write its name alone, such as app.example.com or *.example.com`},
		{"every host", rule(`hosts: ["*"]`), `line 3: rule "a": hosts: "*": leave hosts out, then the rule is for every protected host`},
		{"star within a host", rule(`hosts: ["app*.example.com"]`),
			`line 3: rule "a": hosts: "app*.example.com": a * stands only at the beginning, before a dot: write *.example.com`},
		{"star behind a host", rule(`hosts: ["*.*.example.com"]`),
			`line 3: rule "a": hosts: "*.*.example.com": a * stands only at the beginning, before a dot: write *.example.com`},
		{"dot before a host", rule(`hosts: [.example.com]`),
			`line 3: rule "a": hosts: ".example.com" is not a host: write its name alone, such as app.example.com or *.example.com`},
		{"star over an address", rule(`hosts: ["*.[::1]"]`),
			`line 3: rule "a": hosts: "*.[::1]" is not a host: write its name alone, such as app.example.com or *.example.com`},
		{"host twice in two spellings", rule("hosts: [app.example.com, App.Example.com.]"), `line 3: rule "a": hosts has "app.example.com" twice: keep one`},
		{"host that the cookie doesn't reach", rule("hosts:\n    - app.example.com\n    - \"*.example.net\""),
			`line 5: rule "a": hosts: the session cookie does not reach "*.example.net": set WORKOS_COOKIE_DOMAIN to a domain that covers it, or leave it out`},

		// Paths.
		{"relative path", rule("paths: [admin]"), `line 3: rule "a": paths: "admin": a path begins with a slash`},
		{"star within a segment", rule("paths: [/public*]"),
			`line 3: rule "a": paths: "/public*": a * stands for a whole segment: write /public/** for what is below, or * for one segment`},
		{"suffix", rule("paths: [/a/*.css]"),
			`line 3: rule "a": paths: "/a/*.css": a * stands for a whole segment: write /a/** for what is below, or * for one segment`},
		{"three stars", rule("paths: [/***]"),
			`line 3: rule "a": paths: "/***": a * stands for a whole segment: write /** for what is below, or * for one segment`},
		{"** twice", rule("paths: [/a/**/**]"), `line 3: rule "a": paths: "/a/**/**": write ** once: it stands for any number of segments`},
		{"percent escape", rule("paths: [/a%20b]"),
			`line 3: rule "a": paths: "/a%20b": write the character itself for a percent escape: paths are compared decoded`},
		{"query", rule("paths: [/a?b=c]"), `line 3: rule "a": paths: "/a?b=c": leave the query out: only the path is compared`},
		{"fragment", rule(`paths: ["/a#b"]`), `line 3: rule "a": paths: "/a#b": the path has a #: leave it out: no request with one matches a path`},
		{"semicolon", rule(`paths: [/a;b]`), `line 3: rule "a": paths: "/a;b": the path has a semicolon: leave it out: no request with one matches a path`},
		{"semicolon in disguise", rule("paths: [\"/a\u037eb\"]"),
			`line 3: rule "a": paths: "/a` + "\u037e" + `b": the path has a semicolon: leave it out: no request with one matches a path`},
		{"backslash", rule(`paths: ['/a\b']`), `line 3: rule "a": paths: "/a\\b": the path has a backslash: leave it out: no request with one matches a path`},
		{"empty segment", rule(`paths: [/a//b]`), `line 3: rule "a": paths: "/a//b": the path has an empty segment: leave it out: no request with one matches a path`},
		{"dot segment", rule(`paths: [/a/./b]`), `line 3: rule "a": paths: "/a/./b": the path has a dot segment: leave it out: no request with one matches a path`},
		{"dot segment at the end", rule(`paths: [/a/..]`), `line 3: rule "a": paths: "/a/..": the path has a dot segment: leave it out: no request with one matches a path`},
		{"control character in a path", rule(`paths: ["/a\tb"]`), `line 3: rule "a": paths: "/a\tb": the path has a control character: leave it out: no request with one matches a path`},
		{"long path", rule("paths: [/" + strings.Repeat("a", 1024) + "]"),
			`line 3: rule "a": paths: "/` + strings.Repeat("a", 79) + `…": a path has at most 1024 bytes and 64 segments`},
		{"deep path", rule("paths: [" + strings.Repeat("/a", 65) + "]"),
			`line 3: rule "a": paths: "` + strings.Repeat("/a", 40) + `…": a path has at most 1024 bytes and 64 segments`},
		{"path twice but for a slash", rule("paths: [/a/b, /c, /a/b/]"), `line 3: rule "a": paths: "/a/b/" is the same as "/a/b": keep one`},
		{"path twice but for the stars' order", rule("paths: [/**/*, /*/**]"), `line 3: rule "a": paths: "/*/**" is the same as "/**/*": keep one`},
		{"path twice but for case", rule("paths: [/Admin, /admin]\n    ignore_case: true"), `line 3: rule "a": paths: "/admin" is the same as "/Admin": keep one`},
		{"path twice but for its normal form", rule("paths: [\"/caf\u00e9\", \"/cafe\u0301\"]"), "line 3: rule \"a\": paths: \"/cafe\u0301\" is the same as \"/caf\u00e9\": keep one"},

		// Methods and the other keys.
		{"method in small letters", rule("methods: [get]"), `line 3: rule "a": methods: "get" is not a method: write it in capital letters, such as GET`},
		{"every method", rule(`methods: ["*"]`), `line 3: rule "a": methods: leave methods out, then the rule is for all of them`},
		{"method twice", rule(`methods: [GET, GET]`), `line 3: rule "a": methods has "GET" twice: keep one`},
		{"allow in words", rule("allow: everyone"), `line 3: rule "a": allow must be public or authenticated or nobody`},
		{"unknown credential", rule("credentials: [cookie, token]"), `line 3: rule "a": credentials: "token" is none: write cookie, bearer, api_key`},
		{"encoded_slash as a boolean", rule("encoded_slash: true"), `line 3: rule "a": encoded_slash must be allow or deny`},
		{"cors_preflight as a boolean", rule("cors_preflight: true"), `line 3: rule "a": cors_preflight must be allow or deny`},
		{"ignore_case in words", rule("paths: [/a]\n    ignore_case: yes"), `line 4: rule "a": ignore_case must be true or false, without quotes`},
		{"ignore_case without paths", rule("ignore_case: true"), `line 3: rule "a": ignore_case is about paths, and there are none: leave it out`},

		// Keys that don't go together.
		{"public with requirements", rule("allow: public\n    require: {roles: [b]}"),
			`line 4: rule "a" has allow: public: leave out require, or write allow: authenticated`},
		{"public with credentials", rule("allow: public\n    credentials: [bearer]"),
			`line 4: rule "a" has allow: public: leave out credentials, or write allow: authenticated`},
		{"nobody with requirements", rule("allow: nobody\n    require: {roles: [b]}"),
			`line 4: rule "a" has allow: nobody: leave out require, or write allow: authenticated`},
		{"nobody with credentials", rule("allow: nobody\n    credentials: [cookie]"),
			`line 4: rule "a" has allow: nobody: leave out credentials, or write allow: authenticated`},
		{"preflights for nobody", rule("allow: nobody\n    cors_preflight: allow"), `line 4: rule "a" is for nobody: leave out cors_preflight`},
		{"email of a bearer token", rule("credentials: [bearer, api_key]\n    require: {emails: [a@example.com]}"),
			`line 4: rule "a": require: emails: none of the rule's credentials can meet it: add cookie to its credentials`},
		{"email domain of an API key", rule("credentials: [api_key]\n    require: {email_domains: [example.com]}"),
			`line 4: rule "a": require: email_domains: none of the rule's credentials can meet it: add cookie to its credentials`},
		{"session's claims of an API key", rule("credentials: [api_key]\n    require:\n      roles: [b]\n      entitlements: [b]\n      feature_flags: [b]\n      max_auth_age: 1m"),
			`line 5: rule "a": require: roles: none of the rule's credentials can meet it: add cookie to its credentials
line 6: rule "a": require: entitlements: none of the rule's credentials can meet it: add cookie to its credentials
line 7: rule "a": require: feature_flags: none of the rule's credentials can meet it: add cookie to its credentials
line 8: rule "a": require: max_auth_age: none of the rule's credentials can meet it: add cookie to its credentials`},
		{"several problems", "default: maybe\nrules:\n  - name: a\n    hosts: []\n    paths: [x]\n  - nam: b",
			`line 1: default must be authenticated or deny
line 4: rule "a": hosts must not be an empty list: leave it out
line 5: rule "a": paths: "x": a path begins with a slash
line 6: rule 2 has the unknown key "nam": write name
line 6: rule 2 has no name: write one`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte(tt.file), Options{Reaches: reaches})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			var problems Problems
			if err != nil && !errors.As(err, &problems) {
				t.Errorf("got a %T, want Problems", err)
			}
		})
	}
}

func TestParseRefusesRequirements(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, require, want string }{
		{"nothing", "{}", `must not be empty: leave it out`},
		{"a list", "[admin]", "must be a mapping with the keys users, emails, email_domains, organizations, roles, permissions, " +
			"entitlements, feature_flags, scopes, claims, max_auth_age, impersonation, issuer"},
		{"mistyped key", "{role: [admin]}", `has the unknown key "role": write roles`},
		{"empty mapping", "{roles: {}}", `: roles must not be empty: write any or all`},
		{"unknown key of any and all", "{roles: {none: [a]}}", `: roles has the unknown key "none": the keys are any, all`},
		{"empty any", "{roles: {any: [], all: [a]}}", `: roles: any must not be an empty list: leave it out`},
		{"users all", "{users: {all: [user_1, user_2]}}", `: users: all can't be met, as nobody has two: write them as any`},
		{"emails all", "{emails: {all: [a@b.com, b@b.com]}}", `: emails: all can't be met, as nobody has two: write them as any`},
		{"email_domains all", "{email_domains: {all: [b.com, c.com]}}", `: email_domains: all can't be met, as nobody has two: write them as any`},
		{"organizations all", "{organizations: {all: [org_1, org_2]}}", `: organizations: all can't be met, as nobody has two: write them as any`},
		{"organizations all and another any", "{organizations: {any: [org_1], all: [org_2]}}", `: organizations: all can't be met, as nobody has two: write them as any`},
		{"email without domain", "{emails: [admin]}", `: emails: "admin" is not an email address: write it as user@example.com`},
		{"email with two @", "{emails: [a@b@c.com]}", `: emails: "a@b@c.com" is not an email address: write it as user@example.com`},
		{"email twice but for case", "{emails: [a@b.com, A@B.com]}", `: emails has "a@b.com" twice: keep one`},
		{"domain with @", "{email_domains: ['@b.com']}", `: email_domains: "@b.com" is not a domain: write it as example.com, without @ and *`},
		{"domain with a star", "{email_domains: ['*.b.com']}", `: email_domains: "*.b.com" is not a domain: write it as example.com, without @ and *`},
		{"age without unit", "{max_auth_age: 15}", `: max_auth_age must be a duration such as 90s, 15m or 12h`},
		{"age in days", "{max_auth_age: 1d}", `: max_auth_age must be a duration such as 90s, 15m or 12h`},
		{"age as a list", "{max_auth_age: [15m]}", `: max_auth_age must be a duration such as 90s, 15m or 12h`},
		{"short age", "{max_auth_age: 999ms}", `: max_auth_age must be at least 1s`},
		{"negative age", "{max_auth_age: -15m}", `: max_auth_age must be at least 1s`},
		{"impersonation as a boolean", "{impersonation: false}", `: impersonation must be deny or allow`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse([]byte("rules:\n- name: a\n  require: "+tt.require), Options{})
			got := fmt.Sprint(err)
			want := `line 3: rule "a": require` + tt.want
			if tt.want[0] != ':' {
				want = `line 3: rule "a": require ` + tt.want
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// The values that aliases stand for are counted, so that a small file can't become a large policy.
func TestParseBoundsAliases(t *testing.T) {
	t.Parallel()
	roles := ""
	for i := range 800 {
		roles += fmt.Sprintf("r%d, ", i)
	}
	var file strings.Builder
	fmt.Fprintf(&file, "rules:\n- {name: r, paths: [/r], require: {roles: &all [%s]}}\n", roles)
	for i := range 320 {
		fmt.Fprintf(&file, "- {name: r%d, paths: [/r%d], require: {roles: *all}}\n", i, i)
	}
	_, err := Parse([]byte(file.String()), Options{})
	want := "line 2: the policy has more than 250000 values, those of aliases counted: make it smaller"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %.200v, want %s", err, want)
	}
}

func TestParseBoundsTheIndex(t *testing.T) {
	t.Parallel()
	var hosts, paths strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&hosts, "h%d.example.com, ", i)
		fmt.Fprintf(&paths, "/p%d, ", i)
	}
	_, err := Parse([]byte("rules:\n- name: a\n  hosts: ["+hosts.String()+"]\n  paths: ["+paths.String()+"]"), Options{})
	want := "line 2: the policy is too large: its rules have more than 1000000 hosts times methods times segments of paths: make their lists shorter"
	if fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProblemsShowAtMost50(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("rules:\n"+strings.Repeat("- {}\n", 60)), Options{})
	lines := strings.Split(fmt.Sprint(err), "\n")
	if len(lines) != 51 || lines[0] != "line 2: rule 1 has no name: write one" || lines[50] != "and more" {
		t.Errorf("got %d lines, the last %q, want 50 and more", len(lines), lines[len(lines)-1])
	}
}

// A name where WorkOS has ids is probably a mistake: nobody has it.
func TestParseWarns(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(`rules:
  - name: a
    require:
      organizations: [org_1, Acme]
      users: {all: [zoe@acme.example]}
      roles: [admin]
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `line 4: rule "a": require: organizations: "Acme" is no id of WorkOS, which begins with org_: nobody has it
line 5: rule "a": require: users: "zoe@acme.example" is no id of WorkOS, which begins with user_: nobody has it`
	if got := d.Warnings.Error(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
