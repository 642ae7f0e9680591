package cookie

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// anHour is the cookie of most tests. A browser counts name and value together: 11 + 4085.
var anHour = Config{Name: "wos-session", MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true}

// parts cuts a sealed session into n chunks of a size, independently of the code under test.
func parts(sealed string, size int) []string {
	sum := sha256.Sum256([]byte(sealed))
	var texts []string
	for text := range slices.Chunk([]byte(sealed), size) {
		texts = append(texts, string(text))
	}
	for i, text := range texts {
		texts[i] = fmt.Sprintf("k1.%d.%s.%s", len(texts), base64.RawURLEncoding.EncodeToString(sum[:12]), text)
	}
	return texts
}

// sealedAs is something as long as a sealed session.
func sealedAs(mark string) string { return "Fe26.2*" + mark + "*" + strings.Repeat(mark, 600) + "~2" }

func TestCookieRead(t *testing.T) {
	t.Parallel()
	v, w := sealedAs("v"), sealedAs("w")
	a, b := "abcdefghijklmnopqrstuvwxy", "ABCDEFGHIJKLMNOPQRSTUVWXY"
	a3, b3, b2 := parts(a, 10), parts(b, 10), parts(b, 20)
	encoded := strings.NewReplacer("*", "%2A", "~", "%7e").Replace(v)
	base64ed := strings.Repeat("ab+/", 200) + "=="
	tests := []struct {
		name    string
		lines   []string
		want    []string
		present bool
	}{
		{"no cookie", nil, nil, false},
		{"empty line", []string{""}, nil, false},
		{"raw", []string{"wos-session=" + v}, []string{v}, true},
		{"among others", []string{"a=1; wos-session=" + v + ";b=2"}, []string{v}, true},
		{"without a space", []string{"a=1;wos-session=" + v}, []string{v}, true},
		{"on a line of its own, as HTTP/2 sends it", []string{"a=1", "wos-session=" + v}, []string{v}, true},
		{"quoted", []string{`wos-session="` + v + `"`}, []string{v}, true},
		{"percent-encoded", []string{"wos-session=" + encoded}, []string{v}, true},
		{"quoted and percent-encoded", []string{`wos-session="` + encoded + `"`}, []string{v}, true},
		{"bad escape", []string{"wos-session=" + v + "%"}, []string{v + "%"}, true},
		{"one quote", []string{`wos-session="` + v}, []string{`"` + v}, true},
		{"base64: plus and equals signs stay", []string{"wos-session=" + base64ed}, []string{base64ed}, true},
		{"twice the same", []string{"wos-session=" + v + "; wos-session=" + v, `wos-session="` + v + `"`}, []string{v}, true},
		{"two", []string{"wos-session=" + v + "; wos-session=" + w}, []string{v, w}, true},

		{"empty", []string{"wos-session="}, nil, true},
		{"name alone", []string{"wos-session"}, nil, true},
		{"too short for a session", []string{"wos-session=" + strings.Repeat("v", 511)}, nil, true},
		{"just long enough", []string{"wos-session=" + strings.Repeat("v", 512)}, []string{strings.Repeat("v", 512)}, true},

		{"another case", []string{"Wos-Session=" + v}, nil, false},
		{"names with the same beginning", []string{"wos-session2=v; wos-sessions=v; wos-session-1=v; wos-session_1=v; wos-session.x=v"}, nil, false},
		{"no chunk's name: 0", []string{"wos-session.0=" + a3[0]}, nil, false},
		{"no chunk's name: 8", []string{"wos-session.8=" + a3[0]}, nil, false},
		{"no chunk's name: 9", []string{"wos-session.9=" + a3[0]}, nil, false},
		{"no chunk's name: 10", []string{"wos-session.10=" + a3[0]}, nil, false},
		{"no chunk's name: 01", []string{"wos-session.01=" + a3[0]}, nil, false},
		{"no chunk's name: sign", []string{"wos-session.-1=v; wos-session.+1=v; wos-session.=v"}, nil, false},
		{"no name at all", []string{"=v; ;;"}, nil, false},

		{"chunks", []string{chunked("wos-session", a3...)}, []string{a}, true},
		{"chunks in another order", []string{"wos-session.2=" + a3[2], "wos-session=" + a3[0], "wos-session.1=" + a3[1]}, []string{a}, true},
		{"chunks, quoted and percent-encoded", []string{`wos-session="` + a3[0] + `"; wos-session.1=%6b` + a3[1][1:] + `; wos-session.2="k1%2E` + a3[2][3:] + `"`}, []string{a}, true},
		{"a chunk is missing", []string{"wos-session=" + a3[0] + "; wos-session.2=" + a3[2]}, nil, true},
		{"the last chunk is missing", []string{"wos-session=" + a3[0] + "; wos-session.1=" + a3[1]}, nil, true},
		{"the first chunk is missing", []string{"wos-session.1=" + a3[1] + "; wos-session.2=" + a3[2]}, nil, true},
		{"only a later chunk", []string{"wos-session.3=" + a3[1]}, nil, true},
		{"a truncated chunk", []string{chunked("wos-session", a3[0], a3[1][:len(a3[1])-1], a3[2])}, nil, true},
		{"a truncated last chunk", []string{chunked("wos-session", a3[0], a3[1], a3[2][:len(a3[2])-1])}, nil, true},
		{"a chunk cut down to its beginning", []string{chunked("wos-session", a3[0], a3[1][:22], a3[2])}, nil, true},
		{"a chunk in another's place", []string{chunked("wos-session", a3[1], a3[0], a3[2])}, nil, true},

		{"the session has shrunk to fewer chunks", []string{chunked("wos-session", b2[0], b2[1], a3[2])}, []string{b}, true},
		{"the session has shrunk to one cookie", []string{chunked("wos-session", v, a3[1], a3[2])}, []string{v}, true},
		{"the session has grown, and the browser has kept the first chunk alone", []string{"wos-session=" + a3[0]}, nil, true},
		{"the session has grown, and the browser has kept all but the first", []string{chunked("wos-session", v, a3[1], a3[2])}, []string{v}, true},
		{"two generations mixed", []string{chunked("wos-session", a3[0], b3[1], a3[2])}, nil, true},
		{"two generations mixed, of another count each", []string{chunked("wos-session", b2[0], a3[1], a3[2])}, nil, true},

		{"two cookies of each name: both whole", []string{"wos-session=" + a3[0] + "; wos-session=" + b3[0] + "; wos-session.1=" + a3[1] + "; wos-session.1=" + b3[1] +
			"; wos-session.2=" + b3[2] + "; wos-session.2=" + a3[2]}, []string{a, b}, true},
		{"two cookies of each name: one whole", []string{"wos-session=" + a3[0] + "; wos-session=" + b3[0] + "; wos-session.1=" + b3[1] + "; wos-session.2=" + b3[2]}, []string{b}, true},
		{"two cookies of each name: the whole one first", []string{chunked("wos-session", a3...), chunked("wos-session", b3[0], b3[1], b3[2][:25])}, []string{a}, true},
		{"two cookies of each name: chunks and a raw one", []string{chunked("wos-session", a3...), "wos-session=" + v}, []string{v, a}, true},

		{"planted chunk of the same generation", []string{chunked("wos-session", a3...), "wos-session.1=" + strings.Replace(a3[1], "klmno", "KLMNO", 1)}, nil, true},
		{"planted chunk past the count", []string{chunked("wos-session", a3...), "wos-session.3=" + a3[2]}, []string{a}, true},
		{"planted chunk without the mark", []string{chunked("wos-session", v, w)}, []string{v}, true},
		{"a smaller count over the same chunks", []string{strings.ReplaceAll(chunked("wos-session", a3...), "k1.3", "k1.2")}, nil, true},
		{"a larger count over the same chunks", []string{strings.ReplaceAll(chunked("wos-session", a3...), "k1.3", "k1.4")}, nil, true},
		{"one chunk is no session", []string{"wos-session=" + parts(a, 25)[0]}, nil, true},
		{"malformed chunks", []string{"wos-session=k1.; wos-session.1=k1.3; wos-session.2=k1.3.; wos-session.3=k1..; wos-session.4=k1.9.0123456789abcdef.x; " +
			"wos-session.5=k1.3.0123456789abcdef.; wos-session.6=k1.33.0123456789abcdef.x; wos-session.7=k1.3.short.x"}, nil, true},
		{"counts that are no number", []string{"wos-session=k1.x.0123456789abcdef.x; wos-session.1=k1.0.0123456789abcdef.x; wos-session.2=k1.\xff.0123456789abcdef.x"}, nil, true},
		{"no chunk at all is no session", []string{"wos-session=k1.0.47DEQpj8HBSa-_TI.x"}, nil, true},
		{"a chunk's mark before something else as long", []string{"wos-session=k1." + v}, nil, true},
		{"vouch's names (E6)", []string{"wos-session_x=1; wos-session_9of1=1; wos-session.9of1=k1.9.x.y"}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, present := anHour.Read(http.Header{"Cookie": tt.lines})
			if !slices.Equal(got, tt.want) || present != tt.present {
				t.Errorf("got %.70q, %t, want %.70q, %t", got, present, tt.want, tt.present)
			}
		})
	}
}

// chunked is a Cookie line with the values in the cookies NAME, NAME.1, NAME.2 and so on.
func chunked(name string, values ...string) string {
	line := name + "=" + values[0]
	for i, value := range values[1:] {
		line += fmt.Sprintf("; %s.%d=%s", name, i+1, value)
	}
	return line
}

// A neighbour under the same domain plants cookies in front of the session's. The
// session is found behind them, and there is a bound.
func TestCookieReadPlanted(t *testing.T) {
	t.Parallel()
	ours, inChunks := sealedAs("ours"), parts(strings.Repeat("in_chunks_", 60), 100)
	var short, long, heads, tails []string
	for i := range 100 {
		junk := parts(fmt.Sprint("a planted session ", i), 10)
		short = append(short, fmt.Sprint("wos-session=v", i))
		long = append(long, "wos-session="+sealedAs(fmt.Sprint(i, "_")))
		heads = append(heads, "wos-session="+junk[0])
		tails = append(tails, "wos-session.1="+junk[1], "wos-session.2="+fmt.Sprint("k1.8.", i, "-23456789abcdef.x"))
	}
	tests := []struct {
		name    string
		planted []string
		found   bool // behind them
		want    int  // sessions
	}{
		{"100 that are too short", short, true, 2},
		{"31 that could be sessions", long[:31], true, 33},
		{"32 that could be sessions", long[:32], false, 33},
		{"100 that could be sessions", long, false, 33},
		{"100 later chunks", tails, true, 2},
		{"31 first chunks", heads[:31], true, 2},
		{"32 first chunks", heads[:32], false, 1},
		{"all of them, some", slices.Concat(short, tails, heads[:31], long[:31]), true, 33},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines := append(slices.Clone(tt.planted), "wos-session="+ours, chunked("wos-session", inChunks...))
			for _, lines := range [][]string{lines, {strings.Join(lines, "; ")}} {
				got, _ := anHour.Read(http.Header{"Cookie": lines})
				both := slices.Contains(got, ours) && slices.Contains(got, strings.Repeat("in_chunks_", 60))
				if both != tt.found || len(got) != tt.want {
					t.Errorf("got %d sessions, the two in question among them %t, want %d, %t", len(got), both, tt.want, tt.found)
				}
			}
		})
	}
}

// Chunks have the prefix that browsers know, and meet its conditions.
func TestCookiePrefixes(t *testing.T) {
	t.Parallel()
	sealed := strings.Repeat("a", 3800) + strings.Repeat("b", 100) + strings.Repeat("c", 300)
	const start = "k1.2.30IT384wr-MOOIyz."
	tests := []struct {
		name   string
		cookie Config
		want   []string
	}{
		{"__Host-", Config{Name: "__Host-s", MaxAge: 60, SameSite: http.SameSiteLaxMode, Secure: true}, []string{
			"__Host-s=" + start + sealed[:3800] + "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
			"__Host-s.1=" + start + sealed[3800:] + "; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
			"__Host-s.4=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}},
		{"__Secure-", Config{Name: "__Secure-s", Domain: "example.com", MaxAge: 60, SameSite: http.SameSiteLaxMode, Secure: true}, []string{
			"__Secure-s=" + start + sealed[:3800] + "; Path=/; Domain=example.com; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
			"__Secure-s.1=" + start + sealed[3800:] + "; Path=/; Domain=example.com; Max-Age=60; HttpOnly; Secure; SameSite=Lax",
			"__Secure-s.4=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.cookie.SetLines(sealed, http.Header{"Cookie": {tt.cookie.Name + ".4=x; s.5=x; __host-s.6=x"}})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %.100q, %v, want %.100q", got, err, tt.want)
			}
			b := browser{"s": sealedAs("v"), "wos-session": sealedAs("w")} // other names
			b.store(t, got)
			if values, _ := tt.cookie.Read(b.request()); !slices.Equal(values, []string{sealed}) {
				t.Errorf("read: got %.70q, want what was written", values)
			}
		})
	}
}

func TestSetLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cookie Config
		want   string
	}{
		{"on a host", anHour, "wos-session=Fe26.2*1*x~2; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"on a domain", Config{Name: "s", Domain: "example.com", MaxAge: 60, SameSite: http.SameSiteNoneMode, Secure: true},
			"s=Fe26.2*1*x~2; Path=/; Domain=example.com; Max-Age=60; HttpOnly; Secure; SameSite=None"},
		{"on localhost", Config{Name: "wos-session", MaxAge: 60, SameSite: http.SameSiteLaxMode},
			"wos-session=Fe26.2*1*x~2; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.cookie.SetLines("Fe26.2*1*x~2", nil)
			if err != nil || !slices.Equal(got, []string{tt.want}) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestSetLinesFormat(t *testing.T) {
	t.Parallel()
	sealed := strings.Repeat("a", 3800) + strings.Repeat("b", 3800) + strings.Repeat("c", 10)
	const attributes = "; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"
	want := []string{
		"wos-session=k1.3.pkK4BChTQAuWMVbz." + strings.Repeat("a", 3800) + attributes,
		"wos-session.1=k1.3.pkK4BChTQAuWMVbz." + strings.Repeat("b", 3800) + attributes,
		"wos-session.2=k1.3.pkK4BChTQAuWMVbz.cccccccccc" + attributes,
	}
	if got, err := anHour.SetLines(sealed, nil); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %.70q, %v, want %.70q", got, err, want)
	}
}

// browser stores cookies as Set-Cookie lines tell it to, and drops what is too large.
type browser map[string]string

func (b browser) store(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case len(c.Name)+len(c.Value) > 4096:
			t.Errorf("%s: got %d bytes of name and value, want at most 4096", c.Name, len(c.Name)+len(c.Value))
		case c.MaxAge < 0:
			delete(b, c.Name)
		default:
			b[c.Name] = c.Value
		}
	}
}

func (b browser) request() http.Header {
	h := http.Header{}
	for name, value := range b {
		h.Add("Cookie", name+"="+value)
	}
	return h
}

func TestSetLinesRoundTrip(t *testing.T) {
	t.Parallel()
	b := browser{"other": "1"}
	for _, step := range []struct {
		name          string
		size, cookies int
	}{
		{"small", 1000, 1},
		{"the largest in one cookie", 4085, 1},
		{"one byte more", 4086, 2},
		{"12 KB", 12 << 10, 4},
		{"the largest at all", 30400, 8},
		{"shrinks to three chunks", 11400, 3},
		{"shrinks to one cookie", 4000, 1},
		{"grows again", 7601, 3},
		{"another session of as many", 7602, 3},
	} {
		sealed := strings.Repeat(strings.ReplaceAll(step.name, " ", "_"), 30400)[:step.size]
		lines, err := anHour.SetLines(sealed, b.request())
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		b.store(t, lines)
		if len(b) != 1+step.cookies {
			t.Errorf("%s: got %d cookies, want %d", step.name, len(b)-1, step.cookies)
		}
		if got, _ := anHour.Read(b.request()); !slices.Equal(got, []string{sealed}) {
			t.Errorf("%s: got %d sessions, want the one that was written", step.name, len(got))
		}
	}
	b.store(t, anHour.ClearLines(b.request()))
	if len(b) != 1 {
		t.Errorf("cleared: got %d cookies left, want 0", len(b)-1)
	}
}

func TestSetLinesTooLarge(t *testing.T) {
	t.Parallel()
	lines, err := anHour.SetLines(strings.Repeat("x", 30401), nil)
	if !errors.Is(err, ErrTooLarge) || lines != nil {
		t.Errorf("got %d lines, %v, want ErrTooLarge", len(lines), err)
	}
}

func TestClearLines(t *testing.T) {
	t.Parallel()
	onDomain := Config{Name: "wos-session", Domain: "example.com", MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true}
	request := http.Header{"Cookie": {"wos-session.4=x; wos-session.9=x; other.1=x; wos-session.1=x", "wos-session=x; wos-session.1=y"}}
	const expired = "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
	const expiredOnDomain = "=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax"
	set, err := anHour.SetLines("v", request)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		got, want []string
	}{
		{"set: only what the request carried", set,
			[]string{"wos-session=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax", "wos-session.1" + expired, "wos-session.4" + expired}},
		{"clear: session line first", anHour.ClearLines(request), []string{"wos-session" + expired, "wos-session.1" + expired, "wos-session.4" + expired}},
		{"clear: no chunks carried", anHour.ClearLines(http.Header{}), []string{"wos-session" + expired}},
		{"clear on the domain", onDomain.ClearLines(request), []string{"wos-session" + expiredOnDomain, "wos-session.1" + expiredOnDomain, "wos-session.4" + expiredOnDomain}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if !slices.Equal(tt.got, tt.want) {
				t.Errorf("got %q, want %q", tt.got, tt.want)
			}
		})
	}
}

// A cookie in a scope that isn't the session's own can be expired from any host that
// could have set it, and from no other.
func TestExpireLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, cookieName, domain, host, carried string
		want                                    []string // names and domains
	}{
		{"on a host", "wos-session", "", "a.app.example.com", "wos-session=x",
			[]string{"wos-session a.app.example.com", "wos-session app.example.com", "wos-session example.com"}},
		{"on a domain", "wos-session", "example.com", "app.example.com", "wos-session=x",
			[]string{"wos-session -", "wos-session app.example.com"}},
		{"chunks", "wos-session", "app.example.com", "app.example.com", "wos-session=x; wos-session.2=x; other=1",
			[]string{"wos-session -", "wos-session.2 -", "wos-session example.com", "wos-session.2 example.com"}},
		{"a chunk alone", "wos-session", "", "example.com", "wos-session.7=x", []string{"wos-session.7 example.com"}},
		{"with a port, in another case", "wos-session", "", "Example.COM:8443", "wos-session=x", []string{"wos-session example.com"}},
		{"registrable under a public suffix of two labels", "wos-session", "", "app.example.co.uk", "wos-session=x",
			[]string{"wos-session app.example.co.uk", "wos-session example.co.uk"}},
		{"registrable under a shared hoster's domain", "wos-session", "", "me.github.io", "wos-session=x", []string{"wos-session me.github.io"}},
		{"localhost", "wos-session", "", "localhost:3000", "wos-session=x", nil},
		{"an address", "wos-session", "", "192.0.2.7", "wos-session=x", nil},
		{"an IPv6 address", "wos-session", "", "[2001:db8::1]:443", "wos-session=x", nil},
		{"a public suffix", "wos-session", "", "github.io", "wos-session=x", nil},
		{"none carried", "wos-session", "", "app.example.com", "other=1", nil},
		{"a name that can have one scope alone", "__Host-session", "", "app.example.com", "__Host-session=x", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Config{Name: tt.cookieName, Domain: tt.domain, MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true}
			var got []string
			for _, line := range c.ExpireLines(http.Header{"Cookie": {tt.carried}}, tt.host) {
				parsed, err := http.ParseSetCookie(line)
				if err != nil {
					t.Fatal(err)
				}
				if parsed.MaxAge >= 0 || parsed.Value != "" || parsed.Path != "/" || !parsed.Secure || !parsed.HttpOnly {
					t.Errorf("got %q, want a line that expires the cookie of path /", line)
				}
				domain := parsed.Domain
				if domain == "" {
					domain = "-"
				}
				got = append(got, parsed.Name+" "+domain)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"wos-session": true, "wos-session.1": true, "wos-session.7": true,
		"wos-session.0": false, "wos-session.8": false, "Wos-Session": false, "wos-session2": false, "": false,
	} {
		if _, got := anHour.index(name); got != want {
			t.Errorf("%q: got %t, want %t", name, got, want)
		}
	}
}
