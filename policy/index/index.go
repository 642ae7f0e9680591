package index

import (
	"iter"
	"math"
	"slices"
	"strings"
)

// None is the number of no rule: more than any.
const None = int32(math.MaxInt32)

// Target is what a rule is about.
type Target struct {
	Hosts      []string  // canonical, or "*." and a canonical name; none: every host
	Paths      []Pattern // none: every path
	Methods    []string  // none: every method
	IgnoreCase bool      // of paths
}

// MatchesHost reports whether a host's canonical name is one of the target's hosts.
func (t *Target) MatchesHost(host string) bool {
	for _, pattern := range t.Hosts {
		below, wildcard := strings.CutPrefix(pattern, "*")
		if pattern == host || wildcard && strings.HasSuffix(host, below) {
			return true
		}
	}
	return len(t.Hosts) == 0
}

// MatchesPath reports whether a path, read by site.ReadPath, is one of the target's.
func (t *Target) MatchesPath(path string) bool {
	if t.IgnoreCase {
		path = foldCase(path)
	}
	return len(t.Paths) == 0 || slices.ContainsFunc(t.Paths, func(p Pattern) bool { return p.Matches(path) })
}

// Size is what a target takes of the index.
func (t *Target) Size() int {
	segments := 1
	for _, p := range t.Paths {
		segments += len(p.segments)
	}
	return segments * max(1, len(t.Hosts)) * max(1, len(t.Methods))
}

// Index finds the first rule that matches. A host has a layer for its own name, one for
// each wildcard above it, and one for the rules without hosts.
type Index struct {
	exact    map[string]*Layer // by host
	below    map[string]*Layer // by what stands behind the "*."
	anywhere *Layer            // nil without such rules
}

// Layer holds the rules of one pattern of hosts.
type Layer struct {
	least    int32    // the first rule
	pathless byMethod // rules without paths
	paths    *node    // rules with paths, nil without one
	folded   *node    // rules with paths that ignore case, nil without one
	methods  bool     // some rule has methods
	mentions bool     // some rule that the index doesn't have is about paths
}

// byMethod has the first rule for each method.
type byMethod struct {
	any   int32 // the first rule without methods
	named map[string]int32
}

// New returns an empty index.
func New() *Index {
	return &Index{exact: make(map[string]*Layer), below: make(map[string]*Layer)}
}

// Add puts a rule into the index. Rules come in the order of their numbers.
func (x *Index) Add(number int32, t *Target) {
	for l := range x.layersOf(t) {
		l.least = min(l.least, number)
		l.add(number, t)
	}
}

// Mention notes what a rule is about that isn't put into the index: somebody else looks for it. Its hosts have layers, and DependsOn
// counts it.
func (x *Index) Mention(t *Target) {
	for l := range x.layersOf(t) {
		l.methods = l.methods || len(t.Methods) > 0
		l.mentions = l.mentions || len(t.Paths) > 0
	}
}

// layersOf yields the layers of a target's hosts, new ones where there are none.
func (x *Index) layersOf(t *Target) iter.Seq[*Layer] {
	return func(yield func(*Layer) bool) {
		if len(t.Hosts) == 0 {
			if x.anywhere == nil {
				x.anywhere = newLayer()
			}
			yield(x.anywhere)
			return
		}
		for _, host := range t.Hosts {
			layers := x.exact
			if suffix, wildcard := strings.CutPrefix(host, "*."); wildcard {
				layers, host = x.below, suffix
			}
			if layers[host] == nil {
				layers[host] = newLayer()
			}
			if !yield(layers[host]) {
				return
			}
		}
	}
}

// Layers appends the layers that a host has, or those that all hosts of a wildcard have.
func (x *Index) Layers(host string, to []*Layer) []*Layer {
	if l := x.exact[host]; l != nil {
		to = append(to, l)
	}
	if len(x.below) > 0 {
		for dot := strings.IndexByte(host, '.'); dot >= 0; dot = strings.IndexByte(host, '.') {
			host = host[dot+1:]
			if l := x.below[host]; l != nil {
				to = append(to, l)
			}
		}
	}
	if x.anywhere != nil {
		to = append(to, x.anywhere)
	}
	return to
}

// DependsOn reports whether some rule of a host has paths, and whether one has methods.
func DependsOn(layers []*Layer) (paths, methods bool) {
	for _, l := range layers {
		paths = paths || l.mentions || l.paths != nil || l.folded != nil
		methods = methods || l.methods
	}
	return paths, methods
}

// First returns the first rule of the layers that matches a path and a method, or None.
func First(layers []*Layer, path, method string) int32 {
	best, folded := None, ""
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
				folded = foldCase(path)
			}
			best = l.folded.first(folded, method, best)
		}
	}
	return best
}

func newLayer() *Layer { return &Layer{least: None, pathless: byMethod{any: None}} }

func (l *Layer) add(number int32, t *Target) {
	l.methods = l.methods || len(t.Methods) > 0
	if len(t.Paths) == 0 {
		l.pathless.add(t.Methods, number)
		return
	}
	root := &l.paths
	if t.IgnoreCase {
		root = &l.folded
	}
	if *root == nil {
		*root = newNode(number)
	}
	for _, p := range t.Paths {
		(*root).add(p.segments, t.Methods, number)
	}
}

func (m *byMethod) add(methods []string, number int32) {
	if m.any != None {
		return // an earlier rule takes every method
	}
	if len(methods) == 0 {
		m.any = number
	}
	for _, method := range methods {
		if _, ok := m.named[method]; ok {
			continue
		}
		if m.named == nil {
			m.named = make(map[string]int32)
		}
		m.named[method] = number
	}
}

// first is the first rule for a method; for "", the first for every method. A named one
// comes before that.
func (m *byMethod) first(method string) int32 {
	if len(m.named) == 0 {
		return m.any
	}
	if number, ok := m.named[method]; ok {
		return number
	}
	return m.any
}
