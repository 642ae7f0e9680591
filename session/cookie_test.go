package session

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
var anHour = Cookie{Name: "wos-session", MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true}

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

func TestCookieRead(t *testing.T) {
	t.Parallel()
	a, b := "abcdefghijklmnopqrstuvwxy", "ABCDEFGHIJKLMNOPQRSTUVWXY"
	a3, b3, b2 := parts(a, 10), parts(b, 10), parts(b, 20)
	tests := []struct {
		name    string
		lines   []string
		want    []string
		present bool
	}{
		{"no cookie", nil, nil, false},
		{"empty line", []string{""}, nil, false},
		{"raw", []string{"wos-session=Fe26.2*1*x~2"}, []string{"Fe26.2*1*x~2"}, true},
		{"among others", []string{"a=1; wos-session=v;b=2"}, []string{"v"}, true},
		{"without a space", []string{"a=1;wos-session=v"}, []string{"v"}, true},
		{"on a line of its own, as HTTP/2 sends it", []string{"a=1", "wos-session=v"}, []string{"v"}, true},
		{"quoted", []string{`wos-session="Fe26.2*1"`}, []string{"Fe26.2*1"}, true},
		{"percent-encoded", []string{"wos-session=Fe26.2%2A1%7E2"}, []string{"Fe26.2*1~2"}, true},
		{"quoted and percent-encoded", []string{`wos-session="Fe26.2%2a1"`}, []string{"Fe26.2*1"}, true},
		{"bad escape", []string{"wos-session=100%"}, []string{"100%"}, true},
		{"one quote", []string{`wos-session="`}, []string{`"`}, true},
		{"plus sign stays", []string{"wos-session=a+b"}, []string{"a+b"}, true},
		{"equals signs in the value", []string{"wos-session=a=b=="}, []string{"a=b=="}, true},
		{"empty", []string{"wos-session="}, []string{""}, true},
		{"name alone", []string{"wos-session"}, []string{""}, true},
		{"twice the same", []string{"wos-session=v; wos-session=v", `wos-session="v"`}, []string{"v"}, true},
		{"two", []string{"wos-session=v; wos-session=w"}, []string{"v", "w"}, true},

		{"another case", []string{"Wos-Session=v"}, nil, false},
		{"names with the same beginning", []string{"wos-session2=v; wos-sessions=v; wos-session-1=v; wos-session_1=v; wos-session.x=v"}, nil, false},
		{"no chunk's name: 0", []string{"wos-session.0=" + a3[0]}, nil, false},
		{"no chunk's name: 8", []string{"wos-session.8=" + a3[0]}, nil, false},
		{"no chunk's name: 9", []string{"wos-session.9=" + a3[0]}, nil, false},
		{"no chunk's name: 10", []string{"wos-session.10=" + a3[0]}, nil, false},
		{"no chunk's name: 01", []string{"wos-session.01=" + a3[0]}, nil, false},
		{"no chunk's name: sign", []string{"wos-session.-1=v; wos-session.+1=v; wos-session.=v"}, nil, false},
		{"no name at all", []string{"=v; ;;"}, nil, false},

		{"chunks", []string{"wos-session=" + a3[0] + "; wos-session.1=" + a3[1] + "; wos-session.2=" + a3[2]}, []string{a}, true},
		{"chunks in another order", []string{"wos-session.2=" + a3[2], "wos-session=" + a3[0], "wos-session.1=" + a3[1]}, []string{a}, true},
		{"chunks, quoted and percent-encoded", []string{`wos-session="` + a3[0] + `"; wos-session.1=%6b` + a3[1][1:] + "; wos-session.2=" + a3[2]}, []string{a}, true},
		{"a chunk is missing", []string{"wos-session=" + a3[0] + "; wos-session.2=" + a3[2]}, nil, true},
		{"the first chunk is missing", []string{"wos-session.1=" + a3[1] + "; wos-session.2=" + a3[2]}, nil, true},
		{"only a later chunk", []string{"wos-session.3=" + a3[1]}, nil, true},
		{"a chunk in another's place", []string{"wos-session=" + a3[1] + "; wos-session.1=" + a3[0] + "; wos-session.2=" + a3[2]}, nil, true},
		{"surplus chunk of an older generation", []string{"wos-session=" + b2[0] + "; wos-session.1=" + b2[1] + "; wos-session.2=" + a3[2]}, []string{b}, true},
		{"surplus chunk beside a session of one cookie", []string{"wos-session=v; wos-session.1=" + a3[1]}, []string{"v"}, true},
		{"two generations mixed", []string{"wos-session=" + a3[0] + "; wos-session.1=" + b3[1] + "; wos-session.2=" + a3[2]}, nil, true},
		{"two generations, both whole", []string{"wos-session=" + a3[0] + "; wos-session=" + b3[0] + "; wos-session.1=" + a3[1] + "; wos-session.1=" + b3[1] +
			"; wos-session.2=" + b3[2] + "; wos-session.2=" + a3[2]}, []string{a, b}, true},
		{"two generations, one whole", []string{"wos-session=" + a3[0] + "; wos-session=" + b3[0] + "; wos-session.1=" + b3[1] + "; wos-session.2=" + b3[2]}, []string{b}, true},
		{"whole session and a raw one", []string{"wos-session=" + a3[0] + "; wos-session.1=" + a3[1] + "; wos-session.2=" + a3[2] + "; wos-session=v"}, []string{"v", a}, true},
		{"planted chunk of the same generation", []string{"wos-session=" + a3[0] + "; wos-session.1=" + a3[1] + "; wos-session.2=" + a3[2] +
			"; wos-session.1=" + strings.Replace(a3[1], "klmno", "KLMNO", 1)}, nil, true},
		{"planted chunk past the count", []string{"wos-session=" + a3[0] + "; wos-session.1=" + a3[1] + "; wos-session.2=" + a3[2] + "; wos-session.3=" + a3[2]}, []string{a}, true},
		{"planted chunk without the mark", []string{"wos-session=v; wos-session.1=w"}, []string{"v"}, true},
		{"a smaller count over the same chunks", []string{strings.ReplaceAll("wos-session="+a3[0]+"; wos-session.1="+a3[1]+"; wos-session.2="+a3[2], "k1.3", "k1.2")}, nil, true},
		{"one chunk is no session", []string{"wos-session=" + parts(a, 25)[0]}, nil, true},
		{"malformed chunks", []string{"wos-session=k1.; wos-session.1=k1.3; wos-session.2=k1.3.; wos-session.3=k1..; wos-session.4=k1.9.0123456789abcdef.x; " +
			"wos-session.5=k1.3.0123456789abcdef.; wos-session.6=k1.33.0123456789abcdef.x; wos-session.7=k1.3.short.x"}, nil, true},
		{"counts that are no number", []string{"wos-session=k1.x.0123456789abcdef.x; wos-session.1=k1.0.0123456789abcdef.x; wos-session.2=k1.\xff.0123456789abcdef.x"}, nil, true},
		{"vouch's names (E6)", []string{"wos-session_x=1; wos-session_9of1=1; wos-session.9of1=k1.9.x.y"}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, present := anHour.read(http.Header{"Cookie": tt.lines})
			if !slices.Equal(got, tt.want) || present != tt.present {
				t.Errorf("got %q, %t, want %q, %t", got, present, tt.want, tt.present)
			}
		})
	}
}

func TestCookieReadIsBounded(t *testing.T) {
	t.Parallel()
	var raw, chunked []string
	for i := range 100 {
		raw = append(raw, fmt.Sprint("wos-session=v", i))
		for j, part := range parts(fmt.Sprint("a sealed session ", i), 10) {
			chunked = append(chunked, anHour.chunkName(j)+"="+part)
		}
	}
	tests := []struct {
		name  string
		lines []string
		want  int
	}{
		{"100 cookies", []string{strings.Join(raw, "; ")}, 8},
		{"100 cookies on as many lines", raw, 8},
		{"100 generations", chunked, 8},
		{"both", append(raw, chunked...), 16},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, _ := anHour.read(http.Header{"Cookie": tt.lines}); len(got) != tt.want {
				t.Errorf("got %d sessions, want %d", len(got), tt.want)
			}
		})
	}
}

func TestSetLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cookie Cookie
		want   string
	}{
		{"on a host", anHour, "wos-session=Fe26.2*1*x~2; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"},
		{"on a domain", Cookie{Name: "s", Domain: "example.com", MaxAge: 60, SameSite: http.SameSiteNoneMode, Secure: true},
			"s=Fe26.2*1*x~2; Path=/; Domain=example.com; Max-Age=60; HttpOnly; Secure; SameSite=None"},
		{"on localhost", Cookie{Name: "wos-session", MaxAge: 60, SameSite: http.SameSiteLaxMode},
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
		if got, _ := anHour.read(b.request()); !slices.Equal(got, []string{sealed}) {
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

func TestExpireLines(t *testing.T) {
	t.Parallel()
	onDomain := Cookie{Name: "wos-session", Domain: "example.com", MaxAge: 3600, SameSite: http.SameSiteLaxMode, Secure: true}
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
		{"clear the host-only variant", onDomain.ClearHostLines(request), []string{"wos-session" + expired, "wos-session.1" + expired, "wos-session.4" + expired}},
		{"no variant without a domain", anHour.ClearHostLines(request), nil},
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
