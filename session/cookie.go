package session

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A browser drops a cookie of more than 4096 bytes (name and value) without a
// word. A longer sealed session is cut into chunks:
//
//	wos-session   = k1.3.f2yZ8bqN1mB4dQ0x.<first part>
//	wos-session.1 = k1.3.f2yZ8bqN1mB4dQ0x.<second part>
//	wos-session.2 = k1.3.f2yZ8bqN1mB4dQ0x.<last part>
//
// The number is the count, and what follows begins the SHA-256 of the whole, so
// that parts of two generations never make one. WorkOS's SDKs can't read chunks.
const (
	maxCookie = 4096
	chunkSize = 3800
	maxChunks = 8 // 30 KB: what fits the header buffers that gateways commonly have
	chunkMark = "k1."
	chunkHead = len("k1.3.f2yZ8bqN1mB4dQ0x.")
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

// Cookie is the session cookie's name and attributes. Path is always /, and it
// is always HttpOnly.
type Cookie struct {
	Name     string
	Domain   string // empty: the host alone
	MaxAge   int    // seconds
	SameSite http.SameSite
	Secure   bool
	// EscapePlus writes + as %2B, for Ruby: Rack reads a + as a space.
	EscapePlus bool
}

// read returns the sealed values of a request's session cookies, each once, and
// whether there was any cookie of that name. What can't be a session, and chunks
// that don't make a whole, are left out.
func (c Cookie) read(h http.Header) (values []string, present bool) {
	var chunks chunkSet
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			index, ok := c.index(name)
			if !ok {
				continue
			}
			present = true
			switch value = unquote(value); {
			case strings.HasPrefix(value, chunkMark):
				chunks.add(index, value)
			case index == 0 && len(value) >= minSealed && len(values) < maxCandidates:
				values = appendNew(values, value)
			}
		}
	}
	for _, whole := range chunks.wholes() {
		values = appendNew(values, whole)
	}
	return values, present
}

// index tells which chunk a cookie's name stands for; the name itself is 0.
func (c Cookie) index(name string) (int, bool) {
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

// chunkSet collects chunks by generation, which is what their values begin with:
// mark, count and hash.
type chunkSet struct {
	generations []string // whose first chunk is there: no other can be whole
	data        map[chunkPlace]string
}

type chunkPlace struct {
	generation string
	index      int
}

func (s *chunkSet) add(index int, value string) {
	if len(value) <= chunkHead || index >= chunkCount(value) {
		return
	}
	generation, data := value[:chunkHead], value[chunkHead:]
	if index == 0 && len(s.generations) < maxCandidates {
		s.generations = appendNew(s.generations, generation)
	}
	if s.data == nil {
		s.data = make(map[chunkPlace]string)
	}
	s.data[chunkPlace{generation, index}] = data
}

// chunkCount is the count in a chunk, 0 where it can't be right.
func chunkCount(value string) int {
	count := value[len(chunkMark)]
	if count < '2' || count > '0'+maxChunks {
		return 0
	}
	return int(count - '0')
}

// wholes joins each generation that is complete and is what its hash says.
func (s *chunkSet) wholes() []string {
	var wholes []string
	for _, generation := range s.generations {
		if whole := s.join(generation); chunkStart(whole, chunkCount(generation)) == generation {
			wholes = append(wholes, whole)
		}
	}
	return wholes
}

// join returns "" where a chunk is missing.
func (s *chunkSet) join(generation string) string {
	var whole strings.Builder
	for i := range chunkCount(generation) {
		data, ok := s.data[chunkPlace{generation, i}]
		if !ok {
			return ""
		}
		whole.WriteString(data)
	}
	return whole.String()
}

// chunkStart is what each chunk of a session begins with.
func chunkStart(sealed string, count int) string {
	sum := sha256.Sum256([]byte(sealed))
	return chunkMark + strconv.Itoa(count) + "." + base64.RawURLEncoding.EncodeToString(sum[:12]) + "."
}

// SetLines returns the Set-Cookie lines that give a browser a sealed session:
// the session's own first, then those that expire chunks which the request
// carried and the session no longer needs. ErrTooLarge where it doesn't fit.
func (c Cookie) SetLines(sealed string, request http.Header) ([]string, error) {
	values, err := c.split(sealed)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, value := range values {
		lines = append(lines, c.line(c.chunkName(i), value, c.Domain, c.MaxAge))
	}
	for _, i := range c.carried(request) {
		if i >= len(values) {
			lines = append(lines, c.line(c.chunkName(i), "", c.Domain, -1))
		}
	}
	return lines, nil
}

// ClearLines returns the Set-Cookie lines that take the session away: the
// session's own first, then the chunks that the request carried.
func (c Cookie) ClearLines(request http.Header) []string {
	lines := []string{c.line(c.Name, "", c.Domain, -1)}
	for _, i := range c.carried(request) {
		if i > 0 {
			lines = append(lines, c.line(c.chunkName(i), "", c.Domain, -1))
		}
	}
	return lines
}

// ClearHostLines expires the cookie's variant without a domain, which a
// browser keeps beside ours and may send first. None where ours has no domain.
func (c Cookie) ClearHostLines(request http.Header) []string {
	if c.Domain == "" {
		return nil
	}
	c.Domain = ""
	return c.ClearLines(request)
}

func (c Cookie) split(sealed string) ([]string, error) {
	if len(c.Name)+len(c.escape(sealed)) <= maxCookie {
		return []string{sealed}, nil
	}
	count := (len(sealed) + chunkSize - 1) / chunkSize
	if count > maxChunks {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(sealed))
	}
	start := chunkStart(sealed, count)
	values := make([]string, 0, count)
	for ; len(sealed) > chunkSize; sealed = sealed[chunkSize:] {
		values = append(values, start+sealed[:chunkSize])
	}
	return append(values, start+sealed), nil
}

func (c Cookie) chunkName(i int) string {
	if i == 0 {
		return c.Name
	}
	return c.Name + "." + strconv.Itoa(i)
}

// Present reports whether the request carries a cookie of the session's, of whatever use.
func (c Cookie) Present(request http.Header) bool { return len(c.carried(request)) > 0 }

// carried lists the chunks that the request carried, in order.
func (c Cookie) carried(request http.Header) []int {
	var found [maxChunks]bool
	for _, line := range request["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if i, ok := c.index(name); ok {
				found[i] = true
			}
		}
	}
	var indexes []int
	for i, ok := range found {
		if ok {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

func (c Cookie) escape(value string) string {
	if !c.EscapePlus {
		return value
	}
	return strings.ReplaceAll(value, "+", "%2B")
}

func (c Cookie) line(name, value, domain string, maxAge int) string {
	cookie := http.Cookie{
		Name: name, Value: c.escape(value), Path: "/", Domain: domain, MaxAge: maxAge,
		HttpOnly: true, Secure: c.Secure, SameSite: c.SameSite,
	}
	return cookie.String()
}
