package policy

import (
	"math"
	"strings"
)

// none is the number of no rule: more than any.
const none = int32(math.MaxInt32)

// layersRoom is how many layers of a host find room without an allocation.
const layersRoom = 8

// index finds the first rule that matches. A host has a layer for its own name, one for
// each wildcard above it, and one for the rules without hosts.
type index struct {
	exact    map[string]*layer // by host
	below    map[string]*layer // by what stands behind the "*."
	anywhere *layer            // nil without such rules
}

// layer holds the rules of one pattern of hosts.
type layer struct {
	least    int32    // the first rule
	pathless byMethod // rules without paths
	paths    *node    // rules with paths, nil without one
	folded   *node    // rules with paths that ignore case, nil without one
	methods  bool     // some rule has methods
}

// byMethod has the first rule for each method.
type byMethod struct {
	any   int32 // the first rule without methods
	named map[string]int32
}

func newIndex() *index {
	return &index{exact: make(map[string]*layer), below: make(map[string]*layer)}
}

// add puts a rule into the index. Rules come in their order.
func (x *index) add(r *Rule) {
	if len(r.hosts) == 0 {
		if x.anywhere == nil {
			x.anywhere = newLayer(r.number)
		}
		x.anywhere.add(r)
	}
	for _, host := range r.hosts {
		layers := x.exact
		if suffix, wildcard := strings.CutPrefix(host, "*."); wildcard {
			layers, host = x.below, suffix
		}
		if layers[host] == nil {
			layers[host] = newLayer(r.number)
		}
		layers[host].add(r)
	}
}

// layers appends the layers that a host has, or those that all hosts of a wildcard have.
func (x *index) layers(host string, to []*layer) []*layer {
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

func newLayer(least int32) *layer {
	return &layer{least: least, pathless: byMethod{any: none}}
}

func (l *layer) add(r *Rule) {
	l.methods = l.methods || len(r.methods) > 0
	if len(r.paths) == 0 {
		l.pathless.add(r)
		return
	}
	root := &l.paths
	if r.ignoreCase {
		root = &l.folded
	}
	if *root == nil {
		*root = newNode(r.number)
	}
	for _, p := range r.paths {
		(*root).add(p.segments, r)
	}
}

func (m *byMethod) add(r *Rule) {
	if m.any != none {
		return // an earlier rule takes every method
	}
	if len(r.methods) == 0 {
		m.any = r.number
	}
	for _, method := range r.methods {
		if _, ok := m.named[method]; ok {
			continue
		}
		if m.named == nil {
			m.named = make(map[string]int32)
		}
		m.named[method] = r.number
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
