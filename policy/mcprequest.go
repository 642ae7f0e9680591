package policy

import (
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// MCPError is the error for a request that a rule about tools or methods can't be asked about. It is the client's doing.
type MCPError struct {
	Version bool   // the protocol version is one older than the headers, or isn't said
	What    string // such as "Mcp-Name is there twice"
}

func (e *MCPError) Error() string { return "policy: MCP request: " + e.What }

// firstVersion is the protocol version from which on servers must compare the headers with the body.
const firstVersion = "2026-07-28"

var versionFormat = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// MCPHeader has the headers of a request to an MCP server; an empty one is left out.
func MCPHeader(version, method, name string) http.Header {
	h := http.Header{}
	for header, value := range map[string]string{mcpVersion: version, mcpMethod: method, mcpName: name} {
		if value != "" {
			h.Set(header, value)
		}
	}
	return h
}

// call is what an MCP request calls, as its headers say.
type call struct{ method, name string }

// The headers of an MCP request.
const (
	mcpVersion = "Mcp-Protocol-Version"
	mcpMethod  = "Mcp-Method"
	mcpName    = "Mcp-Name"
)

// readCall reads the headers of a request to an MCP server. The error is an *MCPError.
func readCall(h http.Header) (*call, error) {
	for _, line := range h["Connection"] { // RFC 9110, 7.6.1: the gateway takes these away, from the server too
		if strings.Contains(strings.ToLower(line), "mcp-") {
			return nil, &MCPError{What: "Connection must not name the protocol's headers"}
		}
	}
	version, err := one(h, mcpVersion)
	switch {
	case err != nil:
		return nil, err
	case h[mcpVersion] != nil && !versionFormat.MatchString(version): // a server may take it for a later one
		return nil, &MCPError{What: "MCP-Protocol-Version is no version"}
	case version < firstVersion:
		return nil, &MCPError{true, "MCP-Protocol-Version must be " + firstVersion + " or later: in older ones servers don't compare Mcp-Method and Mcp-Name with the body"}
	}
	q := &call{}
	if q.method, err = one(h, mcpMethod); err != nil {
		return nil, err
	}
	if q.method == "" || strings.ContainsAny(q.method, ", \t") {
		return nil, &MCPError{What: "Mcp-Method must be one method"}
	}
	if q.name, err = one(h, mcpName); err != nil {
		return nil, err
	}
	if q.name, err = decodeName(q.name); err != nil {
		return nil, err
	}
	if q.name == "" && slices.Contains([]string{callTool, readResource, promptsGet}, q.method) {
		return nil, &MCPError{What: "Mcp-Name is required for " + q.method}
	}
	return q, nil
}

// one is a header's only value, empty where it isn't there.
func one(h http.Header, name string) (string, error) {
	switch values := h[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", &MCPError{What: name + " is there more than once"}
}

// decodeName undoes how values are written that don't fit into a header. A text that only looks so is malformed.
func decodeName(text string) (string, error) {
	const begin, end = "=?base64?", "?="
	malformed := &MCPError{What: "Mcp-Name is malformed"}
	if !strings.HasPrefix(text, begin) {
		// A comma may be two lines that a proxy has joined. A name that has one is sent in base64.
		if strings.HasPrefix(strings.ToLower(text), begin) || strings.TrimSpace(text) != text || strings.Contains(text, ",") || !plainText(text) {
			return "", malformed
		}
		return text, nil
	}
	encoded, ok := strings.CutSuffix(text[len(begin):], end)
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || strings.ContainsAny(encoded, "\r\n") || len(raw) == 0 || !utf8.Valid(raw) {
		return "", malformed
	}
	return string(raw), nil
}

// plainText reports whether a header's value is printable ASCII.
func plainText(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// decideTool looks for a rule about tools or methods that comes before the first one without: by host, path and HTTP method, then by the
// call. A preflight announces no call, so the first such rule stands for those to come.
func (p *Policy) decideTool(r *Request, reading, method string, before int32, preflight bool) (int32, error) {
	var q *call
	for _, number := range p.toolRules {
		rule := p.rules[number]
		if number >= before || !rule.target.MatchesHost(r.Host) || !rule.target.MatchesPath(reading) ||
			len(rule.target.Methods) > 0 && !slices.Contains(rule.target.Methods, method) {
			continue
		}
		if preflight {
			return number, nil
		}
		if q == nil {
			var err error
			if q, err = readCall(r.Header); err != nil {
				if refused, _ := errors.AsType[*MCPError](err); refused.Version && rule.MCP.AllowsLegacy {
					continue
				}
				return number, err
			}
		}
		if rule.MCP.matches(q) {
			return number, nil
		}
		if rule.MCP.matchesInAnyCase(q) {
			return number, &MCPError{What: "Mcp-Method is spelt in another case"}
		}
	}
	return before, nil
}
