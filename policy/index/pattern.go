package index

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// The limits of a path in a rule.
const (
	maxPatternBytes    = 1024
	maxPatternSegments = 64
)

// kind is what a pattern's segment stands for. The zero value is a literal.
type kind byte

const (
	literal  kind = iota
	star          // exactly one segment, not empty
	globstar      // zero or more segments
)

// segment is one of a pattern's. The text of a literal is as a reading has it:
// decoded, in NFC, folded where the rule ignores case.
type segment struct {
	kind kind
	text string
}

// Pattern is a path of a rule. Make it with NewPattern.
type Pattern struct {
	Text     string // as the rule has it
	segments []segment
}

// PatternProblem says what is wrong with a path, and what to write. "": nothing.
func PatternProblem(path string) string {
	switch {
	case path == "" || path[0] != '/':
		return "a path begins with a slash"
	case len(path) > maxPatternBytes || strings.Count(path, "/") > maxPatternSegments:
		return fmt.Sprintf("a path has at most %d bytes and %d segments", maxPatternBytes, maxPatternSegments)
	case !utf8.ValidString(path):
		return "a path is UTF-8"
	case strings.Contains(path, "%"):
		return "write the character itself for a percent escape: paths are compared decoded"
	case strings.Contains(path, "?"):
		return "leave the query out: only the path is compared"
	}
	if what := site.Ambiguity(norm.NFC.String(path)); what != "" {
		return what + ": leave it out: no request with one matches a path"
	}
	for segment := range strings.SplitSeq(path, "/") {
		if strings.Contains(segment, "*") && segment != "*" && segment != "**" {
			before, _, _ := strings.Cut(path, "*")
			return fmt.Sprintf("a * stands for a whole segment: write %s/** for what is below, or * for one segment",
				strings.TrimSuffix(before, "/"))
		}
	}
	if strings.Contains(path+"/", "/**/**/") {
		return "write ** once: it stands for any number of segments"
	}
	return ""
}

// NewPattern makes a pattern of a path without problems. Where a ** stands before a *,
// they change places: the same paths match, and fewer nodes hold them.
func NewPattern(path string, ignoreCase bool) Pattern {
	p := Pattern{Text: path}
	path = norm.NFC.String(path)
	if ignoreCase {
		path = foldCase(path)
	}
	for s := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		switch s {
		case "":
		case "*":
			last := len(p.segments)
			if last > 0 && p.segments[last-1].kind == globstar {
				last--
			}
			p.segments = slices.Insert(p.segments, last, segment{kind: star})
		case "**":
			if last := len(p.segments); last == 0 || p.segments[last-1].kind != globstar {
				p.segments = append(p.segments, segment{kind: globstar})
			}
		default:
			p.segments = append(p.segments, segment{kind: literal, text: s})
		}
	}
	return p
}

// Key is the same for two patterns that differ only in spelling.
func (p Pattern) Key() string {
	var b strings.Builder
	for _, s := range p.segments {
		b.WriteByte('/')
		b.WriteString([...]string{literal: s.text, star: "*", globstar: "**"}[s.kind])
	}
	return b.String()
}

// Matches compares segment by segment. It is what the index must agree with, and
// answers for one rule alone.
func (p Pattern) Matches(path string) bool {
	reached := make([]bool, len(p.segments)+1) // the first i segments match what has been read
	reached[0] = true
	spread := func() { // a ** may stand for nothing
		for i, s := range p.segments {
			reached[i+1] = reached[i+1] || reached[i] && s.kind == globstar
		}
	}
	spread()
	for rest := path; rest != ""; {
		var name string
		name, rest = nextSegment(rest)
		for i := len(p.segments); i > 0; i-- {
			switch s := p.segments[i-1]; s.kind {
			case literal:
				reached[i] = reached[i-1] && s.text == name
			case star:
				reached[i] = reached[i-1] && name != ""
			case globstar: // goes on
			}
		}
		reached[0] = false
		spread()
	}
	return reached[len(p.segments)]
}

// nextSegment cuts the first segment off.
func nextSegment(path string) (name, rest string) {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return path, ""
}
