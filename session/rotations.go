package session

import (
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// rotationGrace is how long an old cookie works once a later one has been seen.
	rotationGrace = 60 * time.Second
	// justRefreshed is how long a new access token counts as valid whatever the
	// clocks say, and is not refreshed again.
	justRefreshed = 30 * time.Second

	maxTurns     = 500_000   // about 200 bytes each
	maxLineBytes = 256 << 20 // about 2.5 KB a line
	maxRuns      = 16        // of one line, the newest
)

// tokenHash stands for a refresh token.
type tokenHash [sha256.Size]byte

func hashToken(refreshToken string) tokenHash { return sha256.Sum256([]byte(refreshToken)) }

// rotations remembers, in this process, which refresh token was exchanged and
// what its session is now:
//
//	refresh token's hash -> turn -> line (one per AuthKit session) -> current sealed session
//
// So an old cookie finds the current session in one step, however often it was
// refreshed since. A run is a row of tokens each of which was exchanged here
// for the next; once a cookie of a run has come back, those before it work for
// rotationGrace and are superseded then. Tokens that somebody else refreshed (an
// app's own SDK) begin a run of their own, and runs never supersede each other.
//
// With a Store the replicas share turns and lines, see shared. What two of them
// know is then merged, in any order and as often as it comes.
type rotations struct {
	mu    sync.Mutex
	turns *otter.Cache[tokenHash, turn]
	lines *otter.Cache[lineKey, line]
}

func newRotations(ttl time.Duration) *rotations {
	return &rotations{
		turns: otter.Must(&otter.Options[tokenHash, turn]{
			MaximumSize: maxTurns, ExpiryCalculator: otter.ExpiryAccessing[tokenHash, turn](ttl),
		}),
		lines: otter.Must(&otter.Options[lineKey, line]{
			MaximumWeight:    maxLineBytes,
			Weigher:          func(_ lineKey, l line) uint32 { return uint32(len(l.Sealed) + 512) },
			ExpiryCalculator: otter.ExpiryAccessing[lineKey, line](ttl),
		}),
	}
}

// place is what is known of a refresh token.
type place struct {
	current    string // sealed session that it became; empty: the token is not spent here
	superseded bool
	refused    bool
	made       time.Time
	fresh      bool // it was refreshed for this very request
	pause      time.Time
	step       *StepRequired // what AuthKit asked for before the pause
	uncertain  bool          // the replicas' store can't be asked, or could not a moment ago
}

// find looks up the refresh token of a sealed session.
func (r *rotations) find(hash tokenHash, sealed string, now time.Time) place {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.turns.GetIfPresent(hash)
	if !ok {
		return place{}
	}
	p := place{refused: t.Refused, made: t.Made, pause: t.Pause}
	if t.Step != "" {
		p.step = &StepRequired{Code: t.Step, OrganizationID: t.StepIn}
	}
	l, ok := r.lines.GetIfPresent(t.Line)
	if !ok {
		return p
	}
	if t.Run != "" {
		p.superseded = l.supersedes(t, now)
	}
	if l.Sealed != "" && l.Sealed != sealed && (t.Exchanged || now.Before(t.Until)) {
		p.current, p.refused = l.Sealed, false
	}
	return p
}

// arrived notes that a request brought the token: those before it in its run
// begin to age. It reports whether that is news.
func (r *rotations) arrived(hash tokenHash, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.turns.GetIfPresent(hash)
	if !ok || t.Number == 0 {
		return false
	}
	l, ok := r.lines.GetIfPresent(t.Line)
	i := slices.IndexFunc(l.Runs, func(u run) bool { return u.ID == t.Run })
	if !ok || i < 0 {
		return false
	}
	u := l.Runs[i].aged(now)
	if t.Number <= u.Behind || len(u.Seen) > 0 && t.Number <= u.Seen[len(u.Seen)-1].Number {
		return false
	}
	u.Seen = append(slices.Clone(u.Seen), sighting{t.Number, now})
	l.Runs = slices.Clone(l.Runs)
	l.Runs[i] = u
	r.setLine(t.Line, l, now)
	return true
}

// meet notes a verified session that a request brought, and reports whether that is
// news. One that was made elsewhere (a sign-in, an app's own SDK) and has a later
// token than the line's current session takes its place.
func (r *rotations) meet(key lineKey, hash tokenHash, sealed string, issued, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.turns.GetIfPresent(hash); ok && !t.Made.IsZero() {
		return false // made here
	}
	l, known := r.lines.GetIfPresent(key)
	if known && !issued.After(l.Issued) {
		return false
	}
	if known {
		l.Met = now
	}
	l.Sealed, l.Issued, l.Set = sealed, issued, l.next(now)
	r.setLine(key, l, now)
	return true
}

// rotation is one exchange of a refresh token.
type rotation struct {
	line        lineKey
	spent, next tokenHash
	from        string    // the session that was spent, sealed
	sealed      string    // the new session
	issued      time.Time // of its access token
}

// record notes a rotation, which was begun a moment ago. Of several for one session
// the latest token is current; what the current one became always is, whatever the
// clocks at AuthKit say.
func (r *rotations) record(o rotation, begun, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from, _ := r.turns.GetIfPresent(o.spent)
	l, _ := r.lines.GetIfPresent(o.line)
	next := turn{Line: o.line, Run: from.Run, Number: from.Number + 1, Made: begun}
	if from.Run == "" || from.Exchanged { // a token from outside, or a second exchange of one: a row of its own
		next.Run, next.Number = rand.Text(), 1
		l.Runs, l.Full = newest(append(slices.Clone(l.Runs), run{ID: next.Run, Begun: now}), l.Full)
		if from.Run == "" {
			from.Run = next.Run
		}
	}
	from.Line, from.Exchanged, from.Refused, from.Pause, from.Failures, from.Step = o.line, true, false, time.Time{}, 0, ""
	if o.spent == o.next { // AuthKit may leave a refresh token as it is
		from.Made = begun
	} else if _, known := r.turns.GetIfPresent(o.next); !known {
		r.setTurn(o.next, next, now)
	}
	r.setTurn(o.spent, from, now)
	if !l.Issued.After(o.issued) || l.Sealed == o.from {
		l.Sealed, l.Issued, l.Set = o.sealed, o.issued, l.next(now)
	}
	r.setLine(o.line, l, now)
}

// learnTurn and learnLine merge what another replica knows.

func (r *rotations) learnTurn(hash tokenHash, theirs turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ours, _ := r.turns.GetIfPresent(hash)
	r.setTurn(hash, ours.merge(theirs), ours.changed)
}

func (r *rotations) learnLine(key lineKey, theirs line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ours, _ := r.lines.GetIfPresent(key)
	r.setLine(key, ours.merge(theirs), ours.changed)
}

// refuse notes that AuthKit refused the token for good. Where a later session of
// the line was met within the last minute, an app's own SDK has spent the token:
// the requests that were under way with it go on with that session until the
// minute is over.
func (r *rotations) refuse(hash tokenHash, key lineKey, issued, now time.Time) {
	r.change(hash, now, func(t *turn) {
		t.Line, t.Refused = key, true
		if l, ok := r.lines.GetIfPresent(key); ok && l.Issued.After(issued) && now.Before(l.Met.Add(rotationGrace)) {
			t.Until = l.Met.Add(rotationGrace)
		}
	})
}

// hold notes that AuthKit is not to be asked about the token for a while, which
// doubles with each failure in a row.
func (r *rotations) hold(hash tokenHash, key lineKey, atLeast time.Duration, now time.Time) {
	r.change(hash, now, func(t *turn) {
		t.Line = key
		t.Pause = now.Add(min(max(atLeast, backOff<<min(t.Failures, 5)), maxPause))
		t.Failures++
		t.Step = ""
	})
}

// await notes that AuthKit wants a step of the user's before it is asked again.
func (r *rotations) await(hash tokenHash, key lineKey, step *StepRequired, now time.Time) {
	r.change(hash, now, func(t *turn) {
		t.Line, t.Step, t.StepIn, t.Pause = key, step.Code, step.OrganizationID, now.Add(stepPause)
	})
}

func (r *rotations) change(hash tokenHash, now time.Time, set func(*turn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, _ := r.turns.GetIfPresent(hash)
	set(&t)
	r.setTurn(hash, t, now)
}

// The caller of the following holds the lock.

func (r *rotations) setTurn(hash tokenHash, t turn, now time.Time) {
	t.changed = now
	r.turns.Set(hash, t)
}

func (r *rotations) setLine(key lineKey, l line, now time.Time) {
	l.changed = now
	r.lines.Set(key, l)
}
