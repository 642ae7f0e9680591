package policy

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy/index"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Request is what is asked about.
type Request struct {
	Method    string // as the client sent it
	Host      string // canonical name without port
	Path      string // raw, as the client sent it, without the query
	Preflight string // the method that a CORS preflight announces, empty if the request is none
	// Header is the request's: rules about an MCP server's calls look at it. Keys are canonical.
	Header http.Header

	// NoDotSegments: a path with a segment . or .. is ambiguous whatever the rules say. The
	// gateway has chosen by the resolved path whether to ask, and hands on another.
	NoDotSegments bool
	// OneReading: so is every path with more than one reading. The gateway has chosen by the
	// path what else it requires.
	OneReading bool
}

// NewRequest makes a Request of what a person writes: the host in any spelling, the
// path as a client sends it, whose query is cut off. What the service refuses before
// it asks a policy is an error.
func NewRequest(method, host, path, preflight string) (Request, error) {
	canonical, err := site.ParseHost(host, "https")
	if err != nil {
		return Request{}, errors.New("the host is not one: write a name such as app.example.com")
	}
	path, _, _ = strings.Cut(path, "?")
	switch {
	case !site.ValidMethod(method):
		return Request{}, errors.New("the method is not one: write a word such as GET")
	case !strings.HasPrefix(path, "/"):
		return Request{}, errors.New("the path must begin with a slash")
	case !site.ValidURLBytes(path):
		return Request{}, errors.New("the path has a space or a control character: write it with percent escapes")
	case !site.ValidEscapes(path):
		return Request{}, errors.New("the path has a bad percent escape: write %25 for a percent sign")
	case preflight != "" && !site.ValidMethod(preflight):
		return Request{}, errors.New("the preflight is not a method: write a word such as PUT")
	case preflight != "" && method != "OPTIONS":
		return Request{}, errors.New("a preflight has the method OPTIONS")
	}
	return Request{Method: method, Host: canonical.Name, Path: path, Preflight: preflight}, nil
}

// Match is what a policy says of a request before anybody knows who makes it.
type Match struct {
	Rule *Rule // nil with an *AmbiguousError
	// Preflight: the request is a CORS preflight, which the rule lets through
	// without a credential.
	Preflight bool
	// Ambiguous: servers read the path or the method in different ways, which all end at
	// the Rule.
	Ambiguous bool
	// Err is an *AmbiguousError where the readings end at different rules, an *MCPError where a rule about an MCP server's calls
	// can't be asked.
	Err error
}

// AmbiguousError is the error for a request whose path or method servers read in different
// ways, where that matters. It is the client's doing, not the operator's.
type AmbiguousError struct {
	What string // such as "the path has a dot segment"
}

func (e *AmbiguousError) Error() string { return "policy: ambiguous request: " + e.What }

// Match finds the rule that decides about a request to a host that the policy names. It
// takes the time of the path's length, not of the rules' number.
func (p *Policy) Match(r Request) Match {
	var room [layersRoom]*index.Layer
	layers := p.index.Layers(r.Host, room[:0])
	if len(layers) == 0 && !p.everyone {
		return Match{Rule: p.refusal}
	}
	path := site.ReadPath(r.Path)
	if what := p.refused(r, path, layers); what != "" {
		return Match{Err: &AmbiguousError{what}}
	}
	if r.Method == http.MethodOptions && inCapitals(r.Preflight) {
		if m := p.decide(&r, layers, path, r.Preflight, true); m.Err == nil && m.Rule.AllowsPreflights {
			m.Preflight = true
			return m
		}
	}
	return p.decide(&r, layers, path, r.Method, false)
}

const (
	oddMethod    = "the method is not in capital letters"
	dotSegment   = "the path has a dot segment"
	encodedSlash = "the path has an encoded slash"
)

// refused says what is ambiguous about a request, whichever rule its readings end at. "":
// nothing.
func (p *Policy) refused(r Request, path site.Path, layers []*index.Layer) string {
	if path.Ambiguity == "" && inCapitals(r.Method) {
		return ""
	}
	paths, methods := index.DependsOn(layers)
	switch {
	case path.DotSegment && (r.NoDotSegments || p.everyone): // without a policy the gateway's routes are all there is
		return dotSegment
	case path.Ambiguity != "" && r.OneReading, path.Unlisted && paths:
		return path.Ambiguity
	case !inCapitals(r.Method) && methods:
		return oddMethod
	}
	return ""
}

// first finds the first rule for one reading of the path.
func (p *Policy) first(r *Request, layers []*index.Layer, reading, method string, preflight bool) (int32, error) {
	number := index.First(layers, reading, method)
	if len(p.toolRules) == 0 {
		return number, nil
	}
	return p.decideTool(r, reading, method, number, preflight)
}

// decide finds the rule that all readings of the path end at.
func (p *Policy) decide(r *Request, layers []*index.Layer, path site.Path, method string, preflight bool) Match {
	number, err := p.first(r, layers, path.Text, method, preflight)
	for _, reading := range path.Others {
		other, otherErr := p.first(r, layers, reading, method, preflight)
		if other != number || (otherErr == nil) != (err == nil) {
			return Match{Err: &AmbiguousError{path.Ambiguity}}
		}
	}
	if err != nil {
		return Match{Rule: p.rules[number], Err: err}
	}
	rule := p.fallback
	if number != index.None {
		rule = p.rules[number]
	}
	switch odd := !inCapitals(method); {
	case path.EncodedSlash && rule.DeniesEncodedSlash:
		return Match{Err: &AmbiguousError{encodedSlash}}
	case odd && rule.Access == Public: // no exemption is for what no client sends
		return Match{Err: &AmbiguousError{oddMethod}}
	default:
		return Match{Rule: rule, Ambiguous: odd || path.Ambiguity != ""}
	}
}
