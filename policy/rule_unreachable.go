package policy

import "unicode"

// unreachable reports the rules that can never match: each of their hosts, paths and
// methods together is matched by one earlier rule. It does not see where only several
// earlier rules together match a path.
func (d *decoder) unreachable(rules []*Rule) {
	x := newIndex()
	for _, r := range rules {
		if number := x.covering(r); number != none {
			earlier := rules[number]
			d.report(r.Line, "rule %q can never match: what it is about is matched before, as by rule %q of line %d: "+
				"move it up, or leave it out", r.Name, earlier.Name, earlier.Line)
		}
		x.add(r)
	}
}

// covering returns one of the rules that match all that a rule is about, or none.
func (x *index) covering(r *Rule) int32 {
	paths, methods, hosts := r.paths, r.methods, r.hosts
	if len(paths) == 0 {
		paths = []pattern{{segments: []segment{{kind: globstar}}}}
	}
	if len(methods) == 0 {
		methods = []string{""}
	}
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	number := none
	for _, host := range hosts {
		layers := x.layers(host, nil)
		for _, p := range paths {
			exact, folded := p.symbols(r.ignoreCase)
			for _, method := range methods {
				if number = covering(layers, exact, folded, method); number == none {
					return none
				}
			}
		}
	}
	return number
}

func covering(layers []*layer, exact, folded []segment, method string) int32 {
	number := none
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
func (p pattern) symbols(ignoreCase bool) (exact, folded []segment) {
	for _, s := range p.segments {
		e := s
		if ignoreCase && s.kind == literal && hasCase(s.text) {
			e = segment{kind: star}
		}
		exact = append(exact, e)
		folded = append(folded, segment{kind: s.kind, text: fold(s.text)})
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
