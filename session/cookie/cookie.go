package cookie

import (
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// A neighbour under the same domain can put cookies of this name in front of ours:
// one for each domain above the host and each directory of the URL. That must not
// sign anybody out, so many are looked at, and what is too short for a session
// doesn't count. There is a bound, as each of them is opened, which takes microseconds.
const (
	maxCandidates = 32  // whole cookies, and as many that begin chunks
	minSealed     = 512 // bytes; an access token's signature alone takes 342
)

// ErrTooLarge is the error for a session that doesn't fit into eight cookies.
var ErrTooLarge = errors.New("session: too large for cookies")

// Config is the session cookie's name and attributes. Path is always /, and it
// is always HttpOnly.
type Config struct {
	Name     string
	Domain   string // empty: the host alone
	MaxAge   int    // seconds
	SameSite http.SameSite
	Secure   bool
	// EscapePlus writes + as %2B, for Ruby: Rack reads a + as a space.
	EscapePlus bool
}

// Read returns the sealed values of a request's session cookies, each once, and
// whether there was any cookie of that name. Values that can't be a session, and
// chunks that don't make a whole, are left out.
func (c Config) Read(request http.Header) (values []string, present bool) {
	var chunked generations
	for index, value := range c.own(request) {
		present = true
		switch value = unquote(value); {
		case index > 0:
		case strings.HasPrefix(value, chunkMark):
			chunked.begin(value)
		case len(value) >= minSealed && len(values) < maxCandidates:
			values = appendNew(values, value)
		}
	}
	if len(chunked) == 0 {
		return values, present
	}
	for index, value := range c.own(request) {
		chunked.add(index, unquote(value))
	}
	for i := range chunked {
		if whole, ok := chunked[i].join(); ok {
			values = appendNew(values, whole)
		}
	}
	return values, present
}

// Count is how many session cookies the request carries, whatever is in them: the
// different values under the name itself.
func (c Config) Count(request http.Header) int {
	var values []string
	for index, value := range c.own(request) {
		if index == 0 {
			values = appendNew(values, value)
		}
	}
	return len(values)
}

// Present reports whether the request carries a cookie of the session's, of whatever use.
func (c Config) Present(request http.Header) bool {
	for range c.own(request) {
		return true
	}
	return false
}

// carried lists the chunks that the request carries, in order.
func (c Config) carried(request http.Header) []int {
	var found [maxChunks]bool
	for index := range c.own(request) {
		found[index] = true
	}
	var indexes []int
	for i, ok := range found {
		if ok {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// own yields the request's cookies of the session's names: the number of the chunk, and
// the value as it came.
func (c Config) own(request http.Header) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, line := range request["Cookie"] {
			for pair := range strings.SplitSeq(line, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
				if index, ok := c.index(name); ok && !yield(index, value) {
					return
				}
			}
		}
	}
}

// index is the number of the chunk that a cookie's name stands for; the name itself is 0.
func (c Config) index(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, c.Name)
	if !ok {
		return 0, false
	}
	if rest == "" {
		return 0, true
	}
	if len(rest) != 2 || rest[0] != '.' || rest[1] < '1' || rest[1] >= '0'+maxChunks {
		return 0, false
	}
	return int(rest[1] - '0'), true
}

// unquote undoes what some cookie libraries do to values.
func unquote(value string) string {
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	if strings.IndexByte(value, '%') >= 0 {
		if plain, err := url.PathUnescape(value); err == nil {
			return plain
		}
	}
	return value
}

func appendNew(values []string, value string) []string {
	for _, v := range values {
		if v == value {
			return values
		}
	}
	return append(values, value)
}
