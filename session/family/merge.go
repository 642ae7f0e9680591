package family

import (
	"bytes"
	"time"
)

const (
	// MaxTokens is how many tokens a record keeps.
	MaxTokens = 16

	keepUnseen  = 5 * time.Minute // a token that no request brought and no answer carried
	keepRecent  = time.Minute     // none that was issued or spent so lately goes before others
	rankUnseen  = 1
	rankInUse   = 2
	rankCurrent = 3
)

// Merge is what two copies of a record know together. It takes neither's version.
func Merge(a, b *Record, now Moment) *Record {
	win, lose := b, a
	if a.wins(b) {
		win, lose = a, b
	}
	m := win.Clone()
	for i := range lose.Tokens {
		m.learn(&lose.Tokens[i])
	}
	if win.Current != nil && lose.Current != nil {
		if win.Current.Token != lose.Current.Token {
			if t := m.Find(lose.Current.Token); t != nil && !t.Spent {
				t.Spent, t.Rejected, t.Used = true, false, now
			}
		}
		m.Current = &Current{
			Sealed: win.Current.Sealed, Token: win.Current.Token,
			Exchanges: max(a.Current.Exchanges, b.Current.Exchanges), Switches: max(a.Current.Switches, b.Current.Switches),
		}
		if *m.Current == *win.Current {
			m.Current = win.Current
		}
	}
	m.reviveCurrent()
	if f := lose.Refresh; f.Token != m.Refresh.Token && (f.Unknown || f.State == Running) {
		if t := m.Find(f.Token); t != nil {
			t.Unknown = true
		}
	}
	if lose.Refresh.Unknown && (win.Current == nil || lose.Current != nil && win.Current.Token == lose.Current.Token) {
		if m.Refresh.Token == (Hash{}) {
			m.Refresh.Token = lose.Refresh.Token
		}
		m.Refresh.Unknown, m.Refresh.Since = true, first(m.Refresh.Since, lose.Refresh.Since) // nothing has come of it yet
	}
	switch { // ended wins, and so does that AuthKit knows
	case lose.Ended == 0:
	case win.Ended == 0:
		m.Ended, m.RevokePending = lose.Ended, lose.RevokePending
	default:
		m.Ended, m.RevokePending = min(win.Ended, lose.Ended), win.RevokePending && lose.RevokePending
	}
	if m.Successor == nil {
		m.Successor = lose.Successor
	}
	m.Count = max(a.Count, b.Count)
	m.Trim(now)
	return m
}

// reviveCurrent makes the current token live where both copies' tokens count as spent: each
// copy has preferred its own of two live tokens, or the session that they became is known to
// neither. AuthKit, or another replica, says whether it is good; nothing else would.
func (r *Record) reviveCurrent() {
	if r.Current == nil {
		return
	}
	if t := r.Find(r.Current.Token); t != nil {
		t.Spent = false
	}
}

// exchanged reports whether a token is known that was exchanged for this one.
func (r *Record) exchanged(hash Hash) bool {
	for i := range r.Tokens {
		if r.Tokens[i].From == hash {
			return true
		}
	}
	return false
}

// wins reports whether a's current session is the one to go on with: the one whose
// token the other doesn't know as spent; of two that count as spent the one that wasn't
// exchanged; if both are live, that of more switches, then of more exchanges, then the
// smaller hash. A tie is b's.
func (r *Record) wins(b *Record) bool {
	x, y := r.Current, b.Current
	if x == nil || y == nil {
		return x != nil
	}
	if x.Token == y.Token {
		return x.Exchanges > y.Exchanges
	}
	xSpent, ySpent := b.knowsSpent(x.Token), r.knowsSpent(y.Token)
	if xSpent != ySpent {
		return ySpent
	}
	if xGone, yGone := r.exchanged(x.Token) || b.exchanged(x.Token), r.exchanged(y.Token) || b.exchanged(y.Token); xSpent && xGone != yGone {
		return yGone
	}
	switch {
	case x.Switches != y.Switches:
		return x.Switches > y.Switches
	case x.Exchanges != y.Exchanges:
		return x.Exchanges > y.Exchanges
	}
	return bytes.Compare(x.Token[:], y.Token[:]) < 0
}

// knowsSpent reports whether a token is known as spent, if only by what it was exchanged for.
func (r *Record) knowsSpent(hash Hash) bool {
	t := r.Find(hash)
	return t != nil && t.Spent || r.exchanged(hash)
}

// learn takes over what another copy knows of a token: spent, brought and a known parent
// win, and spent undoes rejected.
func (r *Record) learn(o *Token) {
	t := r.Find(o.Hash)
	if t == nil {
		r.Tokens = append(r.Tokens, *o)
		return
	}
	t.Spent, t.Unknown = t.Spent || o.Spent, t.Unknown || o.Unknown
	t.Rejected = (t.Rejected || o.Rejected) && !t.Spent
	t.Brought, t.Carried = first(t.Brought, o.Brought), first(t.Carried, o.Carried)
	t.Began, t.Used = max(t.Began, o.Began), max(t.Used, o.Used)
	if t.From == (Hash{}) {
		t.From = o.From
	}
}

// first is the earlier of two moments that aren't zero.
func first(a, b Moment) Moment {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// Same reports whether two copies say the same, whatever their versions.
func (r *Record) Same(o *Record) bool {
	if r.Ended != o.Ended || r.RevokePending != o.RevokePending || !same(r.Successor, o.Successor) || !same(r.Current, o.Current) ||
		!r.Refresh.same(o.Refresh) || len(r.Tokens) != len(o.Tokens) {
		return false
	}
	for i := range r.Tokens {
		if t := o.Find(r.Tokens[i].Hash); t == nil || *t != r.Tokens[i] {
			return false
		}
	}
	return true
}

func (f Refresh) same(o Refresh) bool {
	steps := same(f.Step, o.Step)
	f.Step, o.Step = nil, nil
	return steps && f == o
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// Trim drops tokens that are of no use, and those over MaxTokens. The children of a
// dropped token descend from its parent.
func (r *Record) Trim(now Moment) {
	for i := 0; i < len(r.Tokens); {
		t := &r.Tokens[i]
		if t.Brought == 0 && t.Carried == 0 && now.Sub(t.Used) > keepUnseen && !r.IsCurrent(t.Hash) {
			r.drop(i)
			continue
		}
		i++
	}
	for len(r.Tokens) > MaxTokens {
		least := 0
		for i := range r.Tokens {
			a, b := r.rank(&r.Tokens[i], now), r.rank(&r.Tokens[least], now)
			if a < b || a == b && r.Tokens[i].Used < r.Tokens[least].Used {
				least = i
			}
		}
		r.drop(least)
	}
}

// rank is how much a token is worth keeping.
func (r *Record) rank(t *Token, now Moment) int {
	superseded := r.SupersededAt(t.Hash)
	switch {
	case r.IsCurrent(t.Hash):
		return rankCurrent
	case superseded != 0 && superseded <= now:
		return 0
	case t.Brought == 0 && now.Sub(t.Used) > keepRecent:
		return rankUnseen
	}
	return rankInUse
}

func (r *Record) drop(i int) {
	gone := r.Tokens[i]
	r.Tokens = append(r.Tokens[:i], r.Tokens[i+1:]...)
	for k := range r.Tokens {
		if r.Tokens[k].From == gone.Hash {
			r.Tokens[k].From = gone.From
		}
	}
}
