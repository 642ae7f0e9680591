package index

// node is a node of a tree of path segments. Rules whose pattern ends at the node are
// in here. A walk through the tree is in several nodes at once, as a segment can match
// a literal, a star and a globstar.
type node struct {
	least    int32 // the first rule here and below
	literals map[string]*node
	star     *node
	globstar *node // never has a globstar of its own
	here     byMethod
}

func newNode(least int32) *node { return &node{least: least, here: byMethod{any: None}} }

// add puts a rule's pattern below the node.
func (n *node) add(pattern []segment, methods []string, number int32) {
	for _, s := range pattern {
		n = n.child(s, number)
	}
	n.here.add(methods, number)
}

// child returns the child for a segment. A new one is of the rule with this number.
func (n *node) child(s segment, number int32) *node {
	switch s.kind {
	case star:
		if n.star == nil {
			n.star = newNode(number)
		}
		return n.star
	case globstar:
		if n.globstar == nil {
			n.globstar = newNode(number)
		}
		return n.globstar
	}
	if n.literals == nil {
		n.literals = make(map[string]*node)
	}
	if n.literals[s.text] == nil {
		n.literals[s.text] = newNode(number)
	}
	return n.literals[s.text]
}

// walk looks for the first rule, among those before the best one known. After each
// segment it is at the nodes that all segments so far lead to. A globstar, once
// reached, stays reached.
type walk struct {
	method    string
	best      int32
	at, next  nodes
	globstars nodes
}

// nodes is a list that needs no allocation while it is short.
type nodes struct {
	few  [6]*node
	more []*node
	n    int
}

func (l *nodes) add(n *node) {
	if l.n < len(l.few) {
		l.few[l.n] = n
	} else {
		l.more = append(l.more, n)
	}
	l.n++
}

func (l *nodes) get(i int) *node {
	if i < len(l.few) {
		return l.few[i]
	}
	return l.more[i-len(l.few)]
}

func (l *nodes) clear() { l.n, l.more = 0, l.more[:0] }

// first returns the first rule that matches a path and a method, if it comes before
// the best one known; else that.
func (n *node) first(path, method string, best int32) int32 {
	w := walk{method: method, best: best}
	w.start(n)
	for rest := path; rest != "" && w.at.n+w.globstars.n > 0; {
		var name string
		name, rest = nextSegment(rest)
		w.step(segment{text: name})
	}
	return w.end()
}

// covering returns the first rule that matches every path of a pattern. It misses some
// where that shows only in more than one segment together.
func (n *node) covering(pattern []segment, method string) int32 {
	w := walk{method: method, best: None}
	w.start(n)
	for _, s := range pattern {
		w.step(s)
	}
	return w.end()
}

func (w *walk) start(root *node) {
	w.enter(root)
	w.at, w.next = w.next, w.at
}

// step goes on by a segment. Only a star and a globstar match a star's every segment,
// and only a globstar matches what a globstar does.
func (w *walk) step(s segment) {
	if s.kind != globstar {
		reached := w.globstars.n
		for i := range w.at.n {
			w.children(w.at.get(i), s)
		}
		for i := range reached {
			w.children(w.globstars.get(i), s)
		}
	}
	w.at.clear()
	w.at, w.next = w.next, w.at
}

func (w *walk) children(n *node, s segment) {
	if n.least >= w.best {
		return
	}
	if n.star != nil && (s.kind != literal || s.text != "") {
		w.enter(n.star)
	}
	if s.kind == literal && n.literals != nil {
		if child := n.literals[s.text]; child != nil {
			w.enter(child)
		}
	}
}

// enter reaches a node, and with it its globstar, which may stand for nothing. What
// ends in a globstar matches, whatever comes.
func (w *walk) enter(n *node) {
	if n.least >= w.best {
		return
	}
	w.next.add(n)
	g := n.globstar
	if g == nil || g.least >= w.best {
		return
	}
	w.best = min(w.best, g.here.first(w.method))
	if g.star == nil && g.literals == nil {
		return
	}
	for i := range w.globstars.n {
		if w.globstars.get(i) == g {
			return
		}
	}
	w.globstars.add(g)
}

// end is the best rule, once all segments are read.
func (w *walk) end() int32 {
	for i := range w.at.n {
		w.best = min(w.best, w.at.get(i).here.first(w.method))
	}
	return w.best
}
