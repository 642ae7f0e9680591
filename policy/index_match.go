package policy

import "net/http"

// Match finds the rule that decides about a request to a host that the policy names.
// It takes the time of the path's length, not of the rules' number. What an app may
// read in another way (readPath) never matches a public rule and never is a preflight.
func (p *Policy) Match(r Request) Match {
	var room [layersRoom]*layer
	layers := p.all.layers(r.Host, room[:0])
	if len(layers) == 0 && !p.everyone {
		return Match{Rule: p.refusal}
	}
	path := readPath(r.Path)
	paths, methods := depends(layers)
	plainMethod := validMethod(r.Method)
	switch {
	case path.unsure != "" && paths:
		return Match{Err: &AmbiguousError{path.unsure}}
	case !plainMethod && methods:
		return Match{Err: &AmbiguousError{unsureMethod}}
	case path.unsure != "", path.slash && !paths, !plainMethod:
		m := p.decide(p.closed.layers(r.Host, layers[:0]), path, paths, r.Method)
		m.Unsure = true
		return m
	}
	if r.Method == http.MethodOptions && validMethod(r.Preflight) {
		if m := p.decide(layers, path, paths, r.Preflight); m.Err == nil && m.Rule.preflight {
			return Match{Rule: m.Rule, Preflight: true}
		}
	}
	return p.decide(layers, path, paths, r.Method)
}

const (
	unsureMethod = "the method is not in capital letters"
	unsureSlash  = "the path has an encoded slash"
	unsureForm   = "the path has letters that are not in Unicode NFC"
)

// depends reports whether some rule of a host has paths, and whether one has methods.
func depends(layers []*layer) (paths, methods bool) {
	for _, l := range layers {
		paths = paths || l.paths != nil || l.folded != nil
		methods = methods || l.methods
	}
	return paths, methods
}

// decide finds the rule. Where rules of the host have paths, a path with an encoded
// slash, and one whose characters can be composed in another way, must lead to one rule
// in both readings; the rule must allow an encoded slash.
func (p *Policy) decide(layers []*layer, path reading, paths bool, method string) Match {
	number := first(layers, path.path, method)
	rule := p.fallback
	if number != none {
		rule = p.rules[number]
	}
	if path.slash && paths && (!rule.encodedSlash || number != first(layers, path.held, method)) {
		return Match{Err: &AmbiguousError{unsureSlash}}
	}
	if path.bare != "" && paths && number != first(layers, path.bare, method) {
		return Match{Err: &AmbiguousError{unsureForm}}
	}
	return Match{Rule: rule}
}

// first returns the first rule of the layers that matches a path and a method.
func first(layers []*layer, path, method string) int32 {
	best, folded := none, ""
	for _, l := range layers {
		if l.least >= best {
			continue
		}
		best = min(best, l.pathless.first(method))
		if l.paths != nil {
			best = l.paths.first(path, method, best)
		}
		if l.folded != nil {
			if folded == "" {
				folded = fold(path)
			}
			best = l.folded.first(folded, method, best)
		}
	}
	return best
}

// validMethod reports whether a method is written as rules write them.
func validMethod(method string) bool {
	for i := range len(method) {
		if c := method[i]; (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return method != "" && len(method) <= maxMethodBytes
}

const maxMethodBytes = 32
