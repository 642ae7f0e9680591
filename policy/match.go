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
	case !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		return Request{}, errors.New("the path must begin with one slash")
	case !site.Visible(path):
		return Request{}, errors.New("the path has a space or another byte that no client sends: write it with percent escapes")
	case preflight != "" && !site.ValidMethod(preflight):
		return Request{}, errors.New("the preflight is not a method: write a word such as PUT")
	case preflight != "" && method != "OPTIONS":
		return Request{}, errors.New("a preflight has the method OPTIONS")
	}
	return Request{Method: method, Host: canonical.Name, Path: path, Preflight: preflight}, nil
}

// Match is what a policy says of a request before anybody knows who makes it.
type Match struct {
	Rule *Rule // nil with Err
	// Preflight: the request is a CORS preflight, which the rule lets through
	// without a credential.
	Preflight bool
	// Ambiguous: servers read the path or the method in different ways, but no rule of
	// the host depends on it. No exemption is for such a request.
	Ambiguous bool
	// Err is an *AmbiguousError where the path or the method can be read in two ways
	// and a rule of the host depends on it.
	Err error
}

// AmbiguousError is the error for a request that an app may read in another way than
// this package does.
type AmbiguousError struct {
	What string // such as "the path has a dot segment"
}

func (e *AmbiguousError) Error() string { return "policy: ambiguous request: " + e.What }

// Match finds the rule that decides about a request to a host that the policy names.
// It takes the time of the path's length, not of the rules' number. What an app may
// read in another way (site.ReadPath) never matches a public rule and never is a preflight.
func (p *Policy) Match(r Request) Match {
	var room [layersRoom]*index.Layer
	layers := p.all.Layers(r.Host, room[:0])
	if len(layers) == 0 && !p.everyone {
		return Match{Rule: p.refusal}
	}
	path := site.ReadPath(r.Path)
	paths, methods := index.DependsOn(layers)
	plainMethod := inCapitals(r.Method)
	switch {
	case path.Ambiguity != "" && paths:
		return Match{Err: &AmbiguousError{path.Ambiguity}}
	case !plainMethod && methods:
		return Match{Err: &AmbiguousError{oddMethod}}
	case path.Ambiguity != "", path.EncodedSlash && !paths, !plainMethod:
		m := p.decide(p.closed.Layers(r.Host, layers[:0]), path, paths, r.Method)
		m.Ambiguous = true
		return m
	}
	if r.Method == http.MethodOptions && inCapitals(r.Preflight) {
		if m := p.decide(layers, path, paths, r.Preflight); m.Err == nil && m.Rule.AllowsPreflights {
			return Match{Rule: m.Rule, Preflight: true}
		}
	}
	return p.decide(layers, path, paths, r.Method)
}

const (
	oddMethod    = "the method is not in capital letters"
	encodedSlash = "the path has an encoded slash"
	notNFC       = "the path has letters that are not in Unicode NFC"
)

// decide finds the rule. Where rules of the host have paths, a path with an encoded
// slash, and one whose characters can be composed in another way, must lead to one rule
// in both readings; the rule must allow an encoded slash.
func (p *Policy) decide(layers []*index.Layer, path site.Path, paths bool, method string) Match {
	number := index.First(layers, path.Text, method)
	rule := p.fallback
	if number != index.None {
		rule = p.rules[number]
	}
	if path.EncodedSlash && paths && (!rule.EncodedSlash || number != index.First(layers, path.WithEscape, method)) {
		return Match{Err: &AmbiguousError{encodedSlash}}
	}
	if path.NotNFC != "" && paths && number != index.First(layers, path.NotNFC, method) {
		return Match{Err: &AmbiguousError{notNFC}}
	}
	return Match{Rule: rule}
}
