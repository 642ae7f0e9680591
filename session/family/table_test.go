package family

import (
	"fmt"
	"strings"
	"testing"
)

const (
	t0 = Moment(1_770_000_000_000)
	s  = Moment(1000) // a second
)

var (
	me, other = Holder{1}, Holder{2}
	acme      = &Step{Code: "sso_required", Organization: "org_acme"}
	successor = &Key{9}
)

func tok(n byte) Hash { return Hash{n} }

func alive(Holder) bool  { return false }
func gone(h Holder) bool { return h == other }
func issued(n byte) Issued {
	return Issued{Token: tok(n), Sealed: fmt.Sprintf("session %d", n), Began: t0}
}

// show writes a record as the table below has it.
func show(r *Record) string {
	name := func(h Hash) string { return fmt.Sprintf("t%d", h[0]) }
	at := func(word string, m Moment) string {
		if m == 0 {
			return ""
		}
		return fmt.Sprintf(" %s %d", word, (m-t0)/s)
	}
	var b strings.Builder
	switch f := r.Refresh; f.State {
	case Idle:
		b.WriteString("idle")
	case Running:
		fmt.Fprintf(&b, "running(%d%s%s)", f.Holder[0], at("until", f.Until), at("since", f.Since))
	case Paused:
		fmt.Fprintf(&b, "paused(%s)", strings.TrimSpace(at("until", f.Until)))
	}
	if r.Refresh.Unknown {
		b.WriteString(" unknown")
	}
	if r.Refresh.Step != nil {
		b.WriteString(" " + r.Refresh.Step.Code)
	}
	for i := range r.Tokens {
		t := &r.Tokens[i]
		b.WriteString("; " + name(t.Hash))
		if t.From != (Hash{}) {
			b.WriteString("<" + name(t.From))
		}
		if t.Spent {
			b.WriteString(" spent")
		}
		if t.Rejected {
			b.WriteString(" rejected")
		}
		b.WriteString(at("began", t.Began) + at("brought", t.Brought) + at("carried", t.Carried) + at("used", t.Used))
	}
	if c := r.Current; c != nil {
		fmt.Fprintf(&b, "; current %s %q %d/%d", name(c.Token), c.Sealed, c.Exchanges, c.Switches)
	}
	if r.Ended != 0 {
		b.WriteString(";" + at("ended", r.Ended))
	}
	if r.RevokePending {
		b.WriteString(" untold")
	}
	if r.Successor != nil {
		fmt.Fprintf(&b, "; successor %d", r.Successor[0])
	}
	return b.String()
}

// A record in some state: the ones from which the table's rows begin.
func empty() *Record { return &Record{} }
func seen() *Record { // t1 was brought
	r := empty()
	r.Bring(tok(1), t0)
	return r
}
func running() *Record {
	r := seen()
	r.Acquire(Intent{Token: tok(1)}, me, t0, alive)
	return r
}
func others() *Record {
	r := seen()
	r.Acquire(Intent{Token: tok(1)}, other, t0, alive)
	return r
}
func paused() *Record {
	r := running()
	r.Pause(me, t0+5*s, false, nil)
	return r
}
func unknown() *Record {
	r := running()
	r.Pause(me, t0+5*s, true, nil)
	return r
}
func exchanged() *Record { // t1 became t2
	r := running()
	r.Exchange(tok(1), issued(2), me, t0+1*s)
	return r
}
func ended() *Record {
	r := exchanged()
	r.End(true, t0+2*s)
	return r
}

// The table of transitions in the package comment.
func TestTransitions(t *testing.T) {
	t.Parallel()
	applied := func(o Outcome) string { return [...]string{"applied", "late", "void"}[o] }
	yes := func(ok bool) string { return map[bool]string{true: "yes", false: "no"}[ok] }
	acquire := func(by Holder, at Moment, switching bool, gone func(Holder) bool) func(*Record) string {
		return func(r *Record) string { return yes(r.Acquire(Intent{tok(1), switching}, by, at, gone)) }
	}
	tests := []struct {
		name   string
		from   func() *Record
		event  func(*Record) string
		answer string
		want   string
	}{
		{"unknown token brought", empty, func(r *Record) string { return yes(r.Bring(tok(1), t0)) }, "yes",
			"idle; t1 brought 0 used 0"},
		{"unknown token brought to a record with others", exchanged, func(r *Record) string { return yes(r.Bring(tok(7), t0+9*s)) }, "yes",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; t7 brought 9 used 9; current t2 "session 2" 1/0`},
		{"token first brought", exchanged, func(r *Record) string { return yes(r.Bring(tok(2), t0+9*s)) }, "yes",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 brought 9 used 9; current t2 "session 2" 1/0`},
		{"token brought again", seen, func(r *Record) string { return yes(r.Bring(tok(1), t0+9*s)) }, "no",
			"idle; t1 brought 0 used 0"},
		{"token first carried", exchanged, func(r *Record) string { return yes(r.Carry(tok(2), t0+2*s)) }, "yes",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 carried 2 used 1; current t2 "session 2" 1/0`},
		{"brought token carried", seen, func(r *Record) string { return yes(r.Carry(tok(1), t0+2*s)) }, "no",
			"idle; t1 brought 0 used 0"},

		{"idle, refresh wanted", seen, acquire(me, t0, false, alive), "yes",
			"running(1 until 12 since 0); t1 brought 0 used 0"},
		{"idle, refresh of an unknown token wanted", empty, acquire(me, t0, false, alive), "yes",
			"running(1 until 12 since 0)"},
		{"running, holder alive", others, acquire(me, t0+5*s, false, alive), "no",
			"running(2 until 12 since 0); t1 brought 0 used 0"},
		{"running by the one who asks", running, acquire(me, t0+5*s, false, alive), "no",
			"running(1 until 12 since 0); t1 brought 0 used 0"},
		{"running, lease over", others, acquire(me, t0+12*s, false, alive), "yes",
			"running(1 until 24 since 0) unknown; t1 brought 0 used 0"},
		{"running, holder gone", others, acquire(me, t0+3*s, false, gone), "yes",
			"running(1 until 15 since 0) unknown; t1 brought 0 used 0"},
		{"paused", paused, acquire(me, t0+4*s, false, alive), "no",
			"paused(until 5); t1 brought 0 used 0"},
		{"paused, a switch", paused, acquire(me, t0+4*s, true, alive), "yes",
			"running(1 until 16 since 4); t1 brought 0 used 0"},
		{"pause from before the clock was set back", paused, acquire(me, t0-3600*s, false, alive), "yes",
			"running(1 until -3588 since -3600); t1 brought 0 used 0"},
		{"pause over", paused, acquire(me, t0+5*s, false, alive), "yes",
			"running(1 until 17 since 5); t1 brought 0 used 0"},
		{"paused, unknown", unknown, acquire(me, t0+4*s, false, alive), "yes",
			"running(1 until 16 since 0) unknown; t1 brought 0 used 0"},
		{"spent token", exchanged, acquire(me, t0+4*s, false, alive), "no",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0`},
		{"rejected token", func() *Record { r := running(); r.Reject(tok(1), me, t0); return r }, acquire(me, t0+4*s, false, alive), "no",
			"idle; t1 rejected brought 0 used 0"},
		{"ended", ended, func(r *Record) string { return yes(r.Acquire(Intent{Token: tok(2)}, me, t0+4*s, alive)) }, "no",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0; ended 2 untold`},

		{"success", running, func(r *Record) string { return applied(r.Exchange(tok(1), issued(2), me, t0+1*s)) }, "applied",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0`},
		{"success of a switch", exchanged, func(r *Record) string {
			r.Acquire(Intent{tok(2), true}, me, t0+2*s, alive)
			return applied(r.Exchange(tok(2), Issued{Token: tok(3), Sealed: "acme", Switch: true, Began: t0 + 2*s}, me, t0+3*s))
		}, "applied",
			`idle; t1 spent brought 0 used 1; t2<t1 spent began 0 used 3; t3<t2 began 2 used 3; current t3 "acme" 2/1`},
		{"success, the token stays", seen, func(r *Record) string { return applied(r.Exchange(tok(1), issued(1), me, t0+1*s)) }, "applied",
			`idle; t1 began 0 brought 0 used 1; current t1 "session 1" 1/0`},
		{"success under another sid", running, func(r *Record) string {
			i := issued(2)
			i.Successor = successor
			return applied(r.Exchange(tok(1), i, me, t0+1*s))
		}, "applied",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0; successor 9`},
		{"success after an unknown outcome began with the first call", unknown, func(r *Record) string {
			r.Acquire(Intent{Token: tok(1)}, me, t0+8*s, alive)
			i := issued(2)
			i.Began = t0 + 8*s
			return applied(r.Exchange(tok(1), i, me, t0+9*s))
		}, "applied",
			`idle; t1 spent brought 0 used 9; t2<t1 began 0 used 9; current t2 "session 2" 1/0`},
		{"success, token spent meanwhile", exchanged, func(r *Record) string { return applied(r.Exchange(tok(1), issued(5), me, t0+3*s)) }, "late",
			`idle; t1 spent brought 0 used 3; t2<t1 began 0 used 1; t5<t1 began 0 used 3; current t2 "session 2" 1/0`},
		{"success, ended meanwhile", func() *Record { r := running(); r.End(false, t0); return r },
			func(r *Record) string { return applied(r.Exchange(tok(1), issued(2), me, t0+1*s)) }, "void",
			"running(1 until 12 since 0); t1 brought 0 used 0; ended 0"},
		{"later call succeeds too", exchanged, func(r *Record) string { return yes(r.Replace(tok(2), issued(3), t0+3*s)) }, "yes",
			`idle; t1 spent brought 0 used 1; t2<t1 spent began 0 used 3; t3<t2 began 0 used 3; current t3 "session 3" 1/0`},
		{"later call brings the same session", exchanged, func(r *Record) string { return yes(r.Replace(tok(2), issued(2), t0+3*s)) }, "no",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0`},

		{"not processed", running, func(r *Record) string { return yes(r.Pause(me, t0+7*s, false, nil)) }, "yes",
			"paused(until 7); t1 brought 0 used 0"},
		{"not processed, after an unknown outcome", func() *Record { r := running(); r.Renew(tok(1), me, t0); return r },
			func(r *Record) string { return yes(r.Pause(me, t0+7*s, false, nil)) }, "yes",
			"paused(until 7) unknown; t1 brought 0 used 0"},
		{"step of the user's", running, func(r *Record) string { return yes(r.Pause(me, t0+7*s, false, acme)) }, "yes",
			"paused(until 7) sso_required; t1 brought 0 used 0"},
		{"pause of another's exchange", others, func(r *Record) string { return yes(r.Pause(me, t0+7*s, false, nil)) }, "no",
			"running(2 until 12 since 0); t1 brought 0 used 0"},
		{"unknown, again", running, func(r *Record) string { return yes(r.Renew(tok(1), me, t0+10*s)) }, "yes",
			"running(1 until 22 since 0) unknown; t1 brought 0 used 0"},
		{"unknown, again, another's by now", others, func(r *Record) string { return yes(r.Renew(tok(1), me, t0+10*s)) }, "no",
			"running(2 until 12 since 0); t1 brought 0 used 0"},
		{"invalid_grant", running, func(r *Record) string { return yes(r.Reject(tok(1), me, t0+1*s)) }, "yes",
			"idle; t1 rejected brought 0 used 0"},
		{"invalid_grant, spent by another", exchanged, func(r *Record) string { return yes(r.Reject(tok(1), me, t0+1*s)) }, "no",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0`},
		{"rejected, exchanged after all", func() *Record { r := running(); r.Reject(tok(1), me, t0); return r },
			func(r *Record) string { return applied(r.Exchange(tok(1), issued(2), me, t0+1*s)) }, "applied",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0`},
		{"as before: idle", running, func(r *Record) string { return yes(r.Restore(me, Refresh{})) }, "yes", "idle; t1 brought 0 used 0"},
		{"as before: paused", running, func(r *Record) string {
			return yes(r.Restore(me, Refresh{State: Paused, Until: t0 + 9*s, Unknown: true, Since: t0}))
		}, "yes", "paused(until 9) unknown; t1 brought 0 used 0"},
		{"as before: another's lease that was over", running, func(r *Record) string {
			return yes(r.Restore(me, Refresh{State: Running, Holder: other, Until: t0, Since: t0}))
		}, "yes", "idle unknown; t1 brought 0 used 0"},
		{"as before, another's lease", running, func(r *Record) string { return yes(r.Restore(other, Refresh{})) }, "no", "running(1 until 12 since 0); t1 brought 0 used 0"},
		{"nothing to note", running, func(r *Record) string { return yes(r.Release(me)) }, "yes",
			"idle; t1 brought 0 used 0"},

		{"sign-out", seen, func(r *Record) string { return yes(r.End(true, t0+2*s)) }, "yes",
			"idle; t1 brought 0 used 0; ended 2 untold"},
		{"sign-out again", ended, func(r *Record) string { return yes(r.End(false, t0+9*s)) }, "no",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0; ended 2 untold`},
		{"AuthKit told", ended, func(r *Record) string { return yes(r.Revoked()) }, "yes",
			`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0; ended 2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := tt.from()
			if got := tt.event(r); got != tt.answer {
				t.Errorf("answer: got %s, want %s", got, tt.answer)
			}
			if got := show(r); got != tt.want {
				t.Errorf("record:\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// chain is a record whose t1 became t2, t2 became t3 and so on, a second apart.
func chain(n byte) *Record {
	r := seen()
	for i := byte(1); i < n; i++ {
		now := t0 + Moment(i)*s
		r.Acquire(Intent{Token: tok(i)}, me, now, alive)
		got := issued(i + 1)
		got.Began = now
		r.Exchange(tok(i), got, me, now)
	}
	return r
}

func TestSuperseded(t *testing.T) {
	t.Parallel()
	r := chain(4)
	if at := r.SupersededAt(tok(1)); at != 0 {
		t.Errorf("no later token was brought: got %d, want never", at)
	}
	r.Bring(tok(7), t0+10*s) // a chain of its own
	if at := r.SupersededAt(tok(1)); at != 0 {
		t.Errorf("a foreign token was brought: got %d, want never", at)
	}
	r.Bring(tok(3), t0+20*s)
	for hash, want := range map[Hash]Moment{tok(1): t0 + 200*s, tok(2): t0 + 200*s, tok(3): 0, tok(4): 0, tok(7): 0} {
		if at := r.SupersededAt(hash); at != want {
			t.Errorf("t%d: got %d, want %d", hash[0], at, want)
		}
	}
	r.Bring(tok(4), t0+30*s)
	if at := r.SupersededAt(tok(1)); at != t0+200*s {
		t.Errorf("a still later one was brought: got %d, want the first one's time", at)
	}
	r.drop(1) // t2: t1's descent goes on
	if at := r.SupersededAt(tok(1)); at != t0+200*s {
		t.Errorf("a token between was dropped: got %d, want no change", at)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	now := t0 + 60*s
	both := func(name string, a, b *Record, want string) {
		t.Helper()
		for _, m := range []*Record{Merge(a, b, now), Merge(b, a, now)} {
			if got := show(m); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
			if again := Merge(m, b, now); !again.Same(m) {
				t.Errorf("%s: merged again: got %s, want no change", name, show(again))
			}
		}
	}
	// One replica made t1 to t2, another t2 to t3.
	one, two := chain(2), chain(2)
	two.Acquire(Intent{Token: tok(2)}, other, t0+2*s, alive)
	two.Exchange(tok(2), Issued{Token: tok(3), Sealed: "session 3", Began: t0 + 2*s}, other, t0+2*s)
	one.Current = &Current{Sealed: "session 2", Token: tok(2), Exchanges: 9}
	both("the one whose token neither knows as spent", one, two,
		`idle; t1 spent brought 0 used 1; t2<t1 spent began 1 used 2; t3<t2 began 2 used 2; current t3 "session 3" 9/0`)
	// Two exchanged t1.
	fork := func(n byte, switches uint32) *Record {
		r := running()
		r.Exchange(tok(1), issued(n), me, t0+1*s)
		r.Current.Switches = switches
		return r
	}
	both("both live: more switches", fork(2, 0), fork(3, 1),
		`idle; t1 spent brought 0 used 1; t3<t1 began 0 used 1; t2<t1 spent began 0 used 60; current t3 "session 3" 1/1`)
	both("both live: the smaller hash", fork(2, 0), fork(3, 0),
		`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; t3<t1 spent began 0 used 60; current t2 "session 2" 1/0`)
	// Each of two copies has preferred its own of two live tokens.
	prefers := func(own, others byte) *Record {
		r := fork(own, 0)
		r.Tokens = append(r.Tokens, Token{Hash: tok(others), From: tok(1), Spent: true, Began: t0, Used: t0 + 1*s})
		return r
	}
	both("both spent, neither exchanged: one lives on", prefers(2, 3), prefers(3, 2),
		`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; t3<t1 spent began 0 used 1; current t2 "session 2" 1/0`)
	went := prefers(2, 3)
	went.Current.Exchanges = 9
	went.Tokens = append(went.Tokens, Token{Hash: tok(4), From: tok(2), Spent: true, Used: t0 + 2*s})
	both("both spent, one exchanged: the other lives on", went, prefers(3, 2),
		`idle; t1 spent brought 0 used 1; t3<t1 began 0 used 1; t2<t1 spent began 0 used 1; t4<t2 spent used 2; current t3 "session 3" 9/0`)
	rejected := running()
	rejected.Reject(tok(1), me, t0)
	both("spent undoes rejected", rejected, exchanged(),
		`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0`)
	out := seen()
	out.End(true, t0+5*s)
	both("ended wins", out, exchanged(),
		`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0; ended 5 untold`)
	told := exchanged()
	told.End(false, t0+4*s)
	both("told wins", out, told,
		`idle; t1 spent brought 0 used 1; t2<t1 began 0 used 1; current t2 "session 2" 1/0; ended 4`)
}

func TestTrim(t *testing.T) {
	t.Parallel()
	has := func(r *Record) (list string) {
		for i := range r.Tokens {
			list += fmt.Sprint(r.Tokens[i].Hash[0], " ")
		}
		return list
	}
	r := chain(6)
	r.Carry(tok(3), t0+5*s)
	if r.Trim(t0 + 302*s); has(r) != "1 2 3 4 5 6 " {
		t.Errorf("within five minutes: got %s", has(r))
	}
	r.Trim(t0 + 306*s) // all but the brought, the carried and the current
	if has(r) != "1 3 6 " {
		t.Errorf("after five minutes: got %s, want 1 3 6", has(r))
	}
	if r.Find(tok(6)).From != tok(3) || r.Find(tok(3)).From != tok(1) {
		t.Errorf("descent: got %s", show(r))
	}
	for n := byte(20); n < 40; n++ { // foreign ones, each brought later
		r.Bring(tok(n), t0+400*s+Moment(n)*s)
		r.Trim(t0 + 400*s + Moment(n)*s)
	}
	if len(r.Tokens) != MaxTokens || r.Find(tok(6)) == nil || r.Find(tok(39)) == nil || r.Find(tok(20)) != nil {
		t.Errorf("more than 16: got %s", has(r))
	}
	r = chain(3)
	for n := byte(20); n < 34; n++ {
		r.Bring(tok(n), t0+10*s)
	}
	r.Bring(tok(3), t0+4*s)
	if r.Trim(t0 + 200*s); len(r.Tokens) != 16 || r.Find(tok(1)) != nil {
		t.Errorf("a superseded one goes first: got %s", has(r))
	}
}

// An unknown outcome stays unknown when copies that went apart are merged, until its token was
// exchanged: the store's copy doesn't know of a call made without it.
func TestMergeKeepsWhatIsUnknown(t *testing.T) {
	t.Parallel()
	unknown := running()
	unknown.Pause(me, t0+5*s, true, nil)
	exchanged := running()
	exchanged.Exchange(tok(1), issued(2), me, t0+1*s)
	for _, tt := range []struct {
		name  string
		other *Record
		want  bool
	}{{"idle", seen(), true}, {"exchanged", exchanged, false}} {
		for _, m := range []*Record{Merge(unknown, tt.other, t0+9*s), Merge(tt.other, unknown, t0+9*s)} {
			if m.Refresh.Unknown != tt.want {
				t.Errorf("%s: got %s, want unknown: %t", tt.name, show(m), tt.want)
			}
			if tt.want && m.Refresh.Since != t0 {
				t.Errorf("%s: got since %d, want when the first call began", tt.name, m.Refresh.Since)
			}
		}
	}
}

// Of one live token an outcome is unknown, and another is exchanged meanwhile: what is unknown isn't forgotten, in no copy.
func TestUnknownOutcomeOfAnotherToken(t *testing.T) {
	t.Parallel()
	dead := func() *Record { // its holder has died, and nobody knows what came of t1
		r := &Record{}
		r.Bring(tok(1), t0)
		r.Bring(tok(2), t0)
		r.Acquire(Intent{Token: tok(1)}, other, t0, alive)
		return r
	}
	goesOn := func(r *Record) *Record {
		if !r.Acquire(Intent{Token: tok(2)}, me, t0+4*s, gone) {
			t.Fatal("got no lease")
		}
		r.Exchange(tok(2), issued(3), me, t0+5*s)
		return r
	}
	seen := &Record{}
	seen.Bring(tok(2), t0)
	paused := dead()
	paused.Pause(other, t0+s, true, nil)
	for name, r := range map[string]*Record{
		"taken over":    goesOn(dead()),
		"paused":        goesOn(paused),
		"merged":        Merge(dead(), goesOn(seen.Clone()), t0+5*s),
		"the other way": Merge(goesOn(seen.Clone()), dead(), t0+5*s),
	} {
		parsed, err := Parse(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*Record{r, parsed} {
			changed := r.Reject(tok(1), me, t0+60*s)
			if got := r.Find(tok(1)); !changed || !got.Spent || got.Rejected {
				t.Errorf("%s: got %+v, %t, want it spent", name, got, changed)
			}
			r.Reject(tok(2), me, t0+60*s)
			if current := r.Find(tok(3)); current == nil || current.Spent || !r.IsCurrent(tok(3)) {
				t.Errorf("%s: got %+v, want it current", name, current)
			}
		}
	}

	alone := dead()
	alone.Acquire(Intent{Token: tok(1)}, me, t0+4*s, gone)
	if alone.Reject(tok(1), me, t0+60*s); !alone.Find(tok(1)).Rejected {
		t.Error("no other session: got it kept, want it rejected")
	}
	certain := &Record{}
	certain.Bring(tok(1), t0)
	certain.Bring(tok(2), t0)
	goesOn(certain)
	if certain.Reject(tok(1), me, t0+60*s); !certain.Find(tok(1)).Rejected {
		t.Error("nothing unknown: got it kept, want it rejected")
	}
}
