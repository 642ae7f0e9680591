package doctor

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each change has a line whatever the gateway is, and none for a gateway that -gateway doesn't take.
func TestEveryChangeHasLines(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("advice.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^\t\w+ +change = "(.+)"$`).FindAllStringSubmatch(string(text), -1)
	if len(declared) < 30 {
		t.Fatalf("got %d changes", len(declared))
	}
	for _, m := range declared {
		c := change(m[1])
		for name := range c.lines() {
			if name != all && !knownGateway(name) {
				t.Errorf("%s: got a line for %q", c, name)
			}
		}
		for _, name := range append(Gateways(), "") {
			e := &examination{Options: Options{Gateway: name}}
			if e.advice(c) == "" {
				t.Errorf("%s: got no line for %q", c, name)
			}
		}
	}
}

// The files and lines that advice names are those of examples/.
func TestAdviceNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("advice.go")
	if err != nil {
		t.Fatal(err)
	}
	files := regexp.MustCompile(`authkit/[a-z-]+\.conf|authkit\.caddy|authkit\.lua|examples/[a-z/.-]+\.yaml`).FindAllString(string(text), -1)
	slices.Sort(files)
	for _, name := range slices.Compact(files) {
		path := "../examples/nginx/" + name
		switch {
		case strings.HasPrefix(name, "examples/"):
			path = "../" + name
		case strings.HasSuffix(name, ".caddy"):
			path = "../examples/caddy/" + name
		case strings.HasSuffix(name, ".lua"):
			path = "../examples/haproxy/" + name
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	config, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\b[A-Z]{2,}(?:_[A-Z]+)+\b`).FindAllString(string(text), -1) {
		if name != "AUTHKIT_VERIFY" && name != "DROP_HEADER" && !strings.Contains(string(config), "`"+name+"`") {
			t.Errorf("got %s, want a variable of docs/configuration.md", name)
		}
	}
}

func TestValueOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ echo, want string }{
		{"Host: x\r\nX-Auth-Request-User: user_01\r\nX-Y: z\r\n", "user_01"},
		{"x-auth-request-user=user_01\n", "user_01"},
		{`{"header":{"X-Auth-Request-User":["user_01"],"X":["y"]}}`, "user_01"},
		{`{"headers": {"x-auth-request-user": "user_01"}}`, "user_01"},
		{"HTTP_X_AUTH_REQUEST_USER = user_01\n", "user_01"},
		{"<li>X-Auth-Request-User: user_01</li>", ""},
		{"<li> X-Auth-Request-User: user_01</li>", "user_01"},
		{"X-Auth-Request-User: \r\nX-Auth-Request-Email: a@b\r\n", ""},
		{"Not-X-Auth-Request-User: user_01", ""},
		{"", ""},
	} {
		if got := valueOf(test.echo, "X-Auth-Request-User"); got != test.want {
			t.Errorf("%q: got %q, want %q", test.echo, got, test.want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	const page = `<html><head><title>T</title></head><body><style>a{b:c}</style><h1>Can't sign in</h1><p>This is not <b>one</b>.</p><script>if (1<2) x()</script></body></html>`
	if got, want := words(page), "Can't sign in This is not one ."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := words(strings.Repeat("ä", 500)); len(got) > 210 {
		t.Errorf("got %d bytes, want them cut", len(got))
	}
	if got, want := words("no markup < at all"), "no markup"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
