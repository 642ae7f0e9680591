package policy_test

import (
	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/index"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"

	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// byReading is the rule that one reading of a path ends at, found rule by rule.
func byReading(p *Policy, q Request, reading string) *Rule {
	for _, r := range p.Rules() {
		if r.MismatchReading(q, reading) == "" {
			return r
		}
	}
	return p.Default()
}

// slowly answers as Match does, rule by rule.
func slowly(p *Policy, q Request) string {
	of := func(has func(r *Rule) bool) bool {
		return slices.ContainsFunc(p.Rules(), func(r *Rule) bool { return matchesHost(r, q.Host) && has(r) })
	}
	path := site.ReadPath(q.Path)
	decide := func(q Request) (*Rule, string) {
		r := byReading(p, q, path.Text)
		for _, reading := range path.Others {
			if byReading(p, q, reading) != r {
				return nil, path.Ambiguity
			}
		}
		switch {
		case path.EncodedSlash && r.DeniesEncodedSlash:
			return nil, "the path has an encoded slash"
		case !InCapitals(q.Method) && r.Access == Public:
			return nil, "the method is not in capital letters"
		}
		return r, ""
	}
	switch {
	case !of(func(*Rule) bool { return true }):
		return "default"
	case path.DotSegment && q.NoDotSegments:
		return "the path has a dot segment"
	case path.Ambiguity != "" && q.OneReading, path.Unlisted && of(func(r *Rule) bool { return len(r.Paths) > 0 }):
		return path.Ambiguity
	case !InCapitals(q.Method) && of(func(r *Rule) bool { return len(r.Methods) > 0 }):
		return "the method is not in capital letters"
	}
	if q.Method == "OPTIONS" && InCapitals(q.Preflight) {
		announced := q
		announced.Method = q.Preflight
		if r, _ := decide(announced); r != nil && r.AllowsPreflights {
			return "preflight " + r.Name
		}
	}
	r, ambiguity := decide(q)
	if r == nil {
		return ambiguity
	}
	return r.Name
}

// agrees compares the index with one rule after the other.
func agrees(t *testing.T, p *Policy, q Request) {
	t.Helper()
	got, want := matched(p, q), slowly(p, q)
	if got != want {
		t.Errorf("%+v: got %s, want %s", q, got, want)
	}
	m := p.Match(q)
	if m.Err != nil || !p.Names(q.Host) {
		return
	}
	if m.Preflight {
		q.Method = q.Preflight
	}
	first := p.Default()
	if i := slices.IndexFunc(p.Rules(), func(r *Rule) bool { return r.Mismatch(q) == "" }); i >= 0 {
		first = p.Rules()[i]
	}
	if first != m.Rule {
		t.Errorf("%+v: got %s of the rules alone, want %s", q, first.Name, m.Rule.Name)
	}
}

// chooser makes choices of a string of bytes, or of chance where there is none.
type chooser struct {
	bytes  []byte
	chance *rand.Rand
}

func (c *chooser) n(n int) int {
	if c.chance != nil {
		return c.chance.IntN(n)
	}
	if len(c.bytes) == 0 {
		return 0
	}
	b := c.bytes[0]
	c.bytes = c.bytes[1:]
	return int(b) % n
}

func (c *chooser) of(words ...string) string { return words[c.n(len(words))] }

// some returns a list of different words, maybe none.
func (c *chooser) some(word func() string) []string {
	var list []string
	for range c.n(3) {
		if w := word(); !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

func (c *chooser) host() string {
	return c.of("a.com", "x.a.com", "y.x.a.com", "b.com", "*.a.com", "*.x.a.com", "*.com")
}

func (c *chooser) path() string {
	var path strings.Builder
	for range c.n(4) {
		path.WriteString("/" + c.of("a", "b", "A", "*", "**", "é", "e\u0301"))
	}
	return strings.ReplaceAll(path.String()+c.of("", "/"), "/**/**", "/**")
}

func (c *chooser) rule(i int) Rule {
	r := Rule{
		Name:               fmt.Sprint("r", i),
		Hosts:              c.some(c.host),
		Paths:              c.some(func() string { return "/" + strings.TrimPrefix(c.path(), "/") }),
		Methods:            c.some(func() string { return c.of("GET", "POST", "OPTIONS") }),
		Access:             Access(c.of("", "", "public", "nobody")),
		DeniesEncodedSlash: c.n(2) == 0,
		AllowsPreflights:   c.n(2) == 0,
	}
	r.IgnoreCase = len(r.Paths) > 0 && c.n(3) == 0
	return r
}

func (c *chooser) request() Request {
	var path strings.Builder
	for range c.n(5) {
		path.WriteString(c.of("/", "/", "/", "%2f", "%2F/") + c.of("a", "b", "A", "%61", "c", "..", "é", "e%cc%81", "%C3%89", "", "a;b", "a%23", "%2561", `\a`, "%00"))
	}
	return Request{
		Method:    c.of("GET", "POST", "OPTIONS", "OPTIONS", "get", "PUT"),
		Host:      strings.TrimPrefix(c.host(), "*."),
		Path:      path.String() + c.of("", "/"),
		Preflight: c.of("", "GET", "POST", "post"),

		NoDotSegments: c.n(4) == 0, OneReading: c.n(8) == 0,
	}
}

// policy makes a policy of the rules that are right alone.
func (c *chooser) policy() *Policy {
	var rules []Rule
	for i := range 1 + c.n(8) {
		rule := c.rule(i)
		if _, err := New([]Rule{rule}, Default{Access: Nobody}); err == nil {
			rules = append(rules, rule)
		}
	}
	return Unchecked(rules, Default{Access: Nobody})
}

func (c *chooser) try(t *testing.T) {
	p := c.policy()
	for range 20 {
		agrees(t, p, c.request())
	}
}

func TestMatchAgrees(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		c := chooser{chance: rand.New(rand.NewPCG(seed, 6))}
		c.try(t)
	}
}

// The index answers as one rule after the other would.
func FuzzMatch(f *testing.F) {
	f.Add([]byte("any bytes make a policy and a few requests, which is what this seed is about"))
	f.Add([]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5, 0, 2, 8, 8})
	f.Fuzz(func(t *testing.T, choices []byte) {
		c := chooser{bytes: choices}
		c.try(t)
	})
}

func matchesHost(r *Rule, host string) bool {
	return (&index.Target{Hosts: r.Hosts}).MatchesHost(host)
}
