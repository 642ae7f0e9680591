package session

import (
	"reflect"
	"testing"
	"time"
)

// at is a time so many seconds after an hour.
func at(seconds int64) time.Time { return time.Unix(1_700_000_000+seconds, 0).UTC() }

// What two replicas know comes to the same whoever hears of whom first, and twice is
// as good as once.
func TestMerge(t *testing.T) {
	t.Parallel()
	key := lineKey{"user", "sid"}
	turns := []struct {
		name       string
		a, b, want turn
	}{
		{"nothing known", turn{}, turn{Line: key, Run: "r", Number: 3, Made: at(1)}, turn{Line: key, Run: "r", Number: 3, Made: at(1)}},
		{"exchanged elsewhere", turn{Line: key, Run: "r", Number: 3}, turn{Line: key, Run: "r", Number: 3, Exchanged: true}, turn{Line: key, Run: "r", Number: 3, Exchanged: true}},
		{"exchanged by both in an outage", turn{Line: key, Run: "b", Number: 7, Exchanged: true}, turn{Line: key, Run: "a", Exchanged: true}, turn{Line: key, Run: "a", Exchanged: true}},
		{"refused, but exchanged by another replica", turn{Line: key, Refused: true}, turn{Line: key, Run: "r", Exchanged: true}, turn{Line: key, Run: "r", Exchanged: true}},
		{"refused", turn{Line: key}, turn{Line: key, Refused: true, Until: at(60)}, turn{Line: key, Refused: true, Until: at(60)}},
		{"the later pause", turn{Line: key, Pause: at(5), Failures: 1, Step: "sso_required"}, turn{Line: key, Pause: at(9), Failures: 3}, turn{Line: key, Pause: at(9), Failures: 3}},
	}
	for _, tt := range turns {
		for _, got := range []turn{tt.a.merge(tt.b), tt.b.merge(tt.a), tt.a.merge(tt.b).merge(tt.b), tt.b.merge(tt.a.merge(tt.b))} {
			if got != tt.want {
				t.Errorf("turn, %s: got %+v, want %+v", tt.name, got, tt.want)
			}
		}
	}
	lines := []struct {
		name       string
		a, b, want line
	}{
		{"the latest token is current", line{Sealed: "old", Issued: at(0)}, line{Sealed: "new", Issued: at(1)}, line{Sealed: "new", Issued: at(1)}},
		{"two of one second", line{Sealed: "b", Issued: at(0), Set: at(1)}, line{Sealed: "a", Issued: at(0), Set: at(2), Met: at(2)}, line{Sealed: "a", Issued: at(0), Set: at(2), Met: at(2)}},
		{"the first sighting of each number", line{Runs: []run{{ID: "r", Seen: []sighting{{1, at(4)}, {2, at(9)}}}}},
			line{Runs: []run{{ID: "r", Seen: []sighting{{1, at(3)}, {3, at(8)}}}}},
			line{Runs: []run{{ID: "r", Seen: []sighting{{1, at(3)}, {2, at(9)}, {3, at(8)}}}}}},
		{"what is superseded stays so", line{Runs: []run{{ID: "r", Behind: 5}}}, line{Runs: []run{{ID: "r", Seen: []sighting{{4, at(1)}, {6, at(2)}}}}},
			line{Runs: []run{{ID: "r", Behind: 5, Seen: []sighting{{6, at(2)}}}}}},
	}
	for _, tt := range lines {
		for _, got := range []line{tt.a.merge(tt.b), tt.b.merge(tt.a), tt.a.merge(tt.b).merge(tt.b)} {
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("line, %s: got %+v, want %+v", tt.name, got, tt.want)
			}
		}
	}
	// What one has dropped doesn't push out what is newest.
	var mine, theirs line
	for i := range 2 * maxRuns {
		r := run{ID: string(rune('a' + i)), Begun: at(int64(i))}
		mine.Runs, mine.Full = newest(append(mine.Runs, r), mine.Full)
		if i < maxRuns {
			theirs.Runs = append(theirs.Runs, r)
		}
	}
	for _, got := range []line{mine.merge(theirs), theirs.merge(mine)} {
		if len(got.Runs) != maxRuns || got.Runs[maxRuns-1].Begun != at(2*maxRuns-1) || got.Runs[0].Begun != at(maxRuns) || !got.Full {
			t.Errorf("got runs from %s to %s, want the newest", got.Runs[0].Begun, got.Runs[len(got.Runs)-1].Begun)
		}
	}
	both := line{Runs: []run{{ID: "a"}}}.merge(line{Runs: []run{{ID: "b"}}})
	if len(both.Runs) != 2 {
		t.Errorf("got %+v, want the runs of both", both.Runs)
	}
}

// A sighting that is heard of late still counts from when it was.
func TestAged(t *testing.T) {
	t.Parallel()
	u := run{ID: "r", Seen: []sighting{{1, at(50)}, {2, at(0)}}}
	if got := u.aged(at(59)); got.Behind != 0 || len(got.Seen) != 2 {
		t.Errorf("got %+v within the minute, want nothing superseded", got)
	}
	if got := u.aged(at(60)); got.Behind != 2 || len(got.Seen) != 0 {
		t.Errorf("got %+v, want those before the second superseded", got)
	}
}
