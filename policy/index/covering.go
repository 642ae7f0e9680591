package index

import (
	"unicode"
)

// Covering returns one of the rules that match all that a target is about, or None: each
// of its hosts, paths and methods together is matched by one of them. It misses where
// only several rules together match a path.
func (x *Index) Covering(t *Target) int32 {
	paths, methods, hosts := t.Paths, t.Methods, t.Hosts
	if len(paths) == 0 {
		paths = []Pattern{{segments: []segment{{kind: globstar}}}}
	}
	if len(methods) == 0 {
		methods = []string{""}
	}
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	number := None
	for _, host := range hosts {
		layers := x.Layers(host, nil)
		for _, p := range paths {
			exact, folded := p.symbols(t.IgnoreCase)
			for _, method := range methods {
				if number = covering(layers, exact, folded, method); number == None {
					return None
				}
			}
		}
	}
	return number
}

func covering(layers []*Layer, exact, folded []segment, method string) int32 {
	number := None
	for _, l := range layers {
		number = min(number, l.pathless.first(method))
		if l.paths != nil {
			number = min(number, l.paths.covering(exact, method))
		}
		if l.folded != nil {
			number = min(number, l.folded.covering(folded, method))
		}
	}
	return number
}

// symbols are the pattern's segments, to be compared with rules that don't ignore case
// and with those that do. A literal that ignores case is more than any literal that
// doesn't: only a star matches all of it.
func (p Pattern) symbols(ignoreCase bool) (exact, folded []segment) {
	for _, s := range p.segments {
		e := s
		if ignoreCase && s.kind == literal && hasCase(s.text) {
			e = segment{kind: star}
		}
		exact = append(exact, e)
		folded = append(folded, segment{kind: s.kind, text: foldCase(s.text)})
	}
	return exact, folded
}

func hasCase(s string) bool {
	for _, r := range s {
		if unicode.SimpleFold(r) != r {
			return true
		}
	}
	return false
}
