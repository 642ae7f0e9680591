package session

import (
	"cmp"
	"slices"
	"time"
)

// Two replicas may each know a part of a turn or a line. The following make one of
// two, in whatever order and as often as they come.

func (t turn) merge(other turn) turn {
	if t.Run == "" || other.Run != "" && other.Run < t.Run { // both exchanged it: either will do, if all take the same
		t.Run, t.Number = other.Run, other.Number
	}
	if t.Line == (lineKey{}) {
		t.Line = other.Line
	}
	if other.Pause.After(t.Pause) {
		t.Pause, t.Failures, t.Step, t.StepIn = other.Pause, other.Failures, other.Step, other.StepIn
	}
	t.Exchanged = t.Exchanged || other.Exchanged
	t.Refused = (t.Refused || other.Refused) && !t.Exchanged
	t.Made = later(t.Made, other.Made)
	t.Until = later(t.Until, other.Until)
	return t
}

func (l line) merge(other line) line {
	newer := cmp.Or(other.Issued.Compare(l.Issued), other.Set.Compare(l.Set), cmp.Compare(other.Sealed, l.Sealed))
	if newer > 0 {
		l.Sealed, l.Issued, l.Set = other.Sealed, other.Issued, other.Set
	}
	l.Met = later(l.Met, other.Met)
	runs := slices.Clone(l.Runs)
	for _, theirs := range other.Runs {
		if i := slices.IndexFunc(runs, func(u run) bool { return u.ID == theirs.ID }); i >= 0 {
			runs[i] = runs[i].merge(theirs)
		} else {
			runs = append(runs, theirs)
		}
	}
	slices.SortStableFunc(runs, func(a, b run) int { return a.Begun.Compare(b.Begun) })
	l.Runs, l.Full = newest(runs, l.Full || other.Full)
	return l
}

// merge keeps the first sighting of each number.
func (u run) merge(other run) run {
	u.Behind = max(u.Behind, other.Behind)
	first := make(map[int]time.Time, len(u.Seen)+len(other.Seen))
	for _, s := range slices.Concat(u.Seen, other.Seen) {
		if at, ok := first[s.Number]; !ok || s.At.Before(at) {
			first[s.Number] = s.At
		}
	}
	u.Seen = nil
	for number, at := range first {
		if number > u.Behind {
			u.Seen = append(u.Seen, sighting{number, at})
		}
	}
	slices.SortFunc(u.Seen, func(a, b sighting) int { return a.Number - b.Number })
	return u
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
