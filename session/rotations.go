package session

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// rotationTTL is how long a rotation is remembered after it was last used.
	rotationTTL = 30 * 24 * time.Hour
	// rotationGrace is how long an old cookie works once a later one has been seen.
	rotationGrace = 60 * time.Second
	// justRefreshed is how long a new access token counts as valid whatever the
	// clocks say, and is not refreshed again.
	justRefreshed = 30 * time.Second

	maxRotations = 500_000
	maxLines     = 100_000
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
type rotations struct {
	mu    sync.Mutex
	turns *otter.Cache[tokenHash, *turn]
	lines *otter.Cache[lineKey, *line]
	ended *otter.Cache[lineKey, struct{}]
}

// lineKey names an AuthKit session. A JWT template can override the sid claim, so
// the user is part of the key: no mistake there may mix two users' sessions.
type lineKey struct{ subject, sid string }

// line is one AuthKit session.
type line struct {
	sealed string    // the current session, as in its cookie
	issued time.Time // of its access token
}

// turn is one refresh token's place.
type turn struct {
	line      lineKey
	run       *run
	number    int       // place in the run
	exchanged bool      // spent here
	made      time.Time // when a refresh here brought it, zero if it came from outside
	refused   bool      // invalid_grant
	pause     time.Time // no call to AuthKit before
}

// run knows how far its row of tokens was seen in requests.
type run struct {
	seen   []sighting // numbers ascending, of the last minute
	behind int        // turns before this one are superseded
}

type sighting struct {
	number int
	at     time.Time
}

func newRotations() *rotations {
	return &rotations{
		turns: otter.Must(&otter.Options[tokenHash, *turn]{
			MaximumSize: maxRotations, ExpiryCalculator: otter.ExpiryAccessing[tokenHash, *turn](rotationTTL),
		}),
		lines: otter.Must(&otter.Options[lineKey, *line]{
			MaximumSize: maxLines, ExpiryCalculator: otter.ExpiryAccessing[lineKey, *line](rotationTTL),
		}),
		ended: otter.Must(&otter.Options[lineKey, struct{}]{
			MaximumSize: maxLines, ExpiryCalculator: otter.ExpiryWriting[lineKey, struct{}](rotationTTL),
		}),
	}
}

// place is what is known of a refresh token.
type place struct {
	current    string // sealed session that it became; empty: the token is not spent here
	superseded bool
	refused    bool
	made       time.Time
	pause      time.Time
}

// find looks up the refresh token of a sealed session.
func (r *rotations) find(hash tokenHash, sealed string, now time.Time) place {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.turns.GetIfPresent(hash)
	if !ok {
		return place{}
	}
	p := place{refused: t.refused, made: t.made, pause: t.pause}
	if t.run == nil {
		return p
	}
	t.run.age(now)
	p.superseded = t.number < t.run.behind
	if l, ok := r.lines.GetIfPresent(t.line); ok && t.exchanged && l.sealed != sealed {
		p.current = l.sealed
	}
	return p
}

// arrived notes that a request brought the token: those before it in its run
// begin to age.
func (r *rotations) arrived(hash tokenHash, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.turns.GetIfPresent(hash); ok && t.run != nil {
		t.run.age(now)
		t.run.see(t.number, now)
	}
}

// age moves the mark of superseded turns to the latest one seen a grace ago.
func (u *run) age(now time.Time) {
	for len(u.seen) > 0 && !now.Before(u.seen[0].at.Add(rotationGrace)) {
		u.behind = max(u.behind, u.seen[0].number)
		u.seen = u.seen[1:]
	}
}

// see notes the first sighting of each number past the last one.
func (u *run) see(number int, now time.Time) {
	if number == 0 || number <= u.behind || len(u.seen) > 0 && number <= u.seen[len(u.seen)-1].number {
		return
	}
	u.seen = append(u.seen, sighting{number, now})
}

// rotation is one exchange of a refresh token.
type rotation struct {
	line        lineKey
	spent, next tokenHash
	sealed      string    // the new session
	issued      time.Time // of its access token
}

// record notes a rotation. Of several for one session the latest token is current.
func (r *rotations) record(o rotation, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from, ok := r.turns.GetIfPresent(o.spent)
	if !ok || from.run == nil {
		from = &turn{run: new(run)}
	}
	from.line, from.exchanged, from.pause = o.line, true, time.Time{}
	if o.spent == o.next { // AuthKit may leave a refresh token as it is
		from.made = now
	} else {
		r.turns.SetIfAbsent(o.next, &turn{line: o.line, run: from.run, number: from.number + 1, made: now})
	}
	r.turns.Set(o.spent, from)
	if l, ok := r.lines.GetIfPresent(o.line); ok && l.issued.After(o.issued) {
		return
	}
	r.lines.Set(o.line, &line{sealed: o.sealed, issued: o.issued})
}

// refuse notes that AuthKit refused the token for good.
func (r *rotations) refuse(hash tokenHash) {
	r.change(hash, func(t *turn) { t.refused = true })
}

// hold notes that AuthKit is not to be asked about the token before a time.
func (r *rotations) hold(hash tokenHash, until time.Time) {
	r.change(hash, func(t *turn) { t.pause = until })
}

func (r *rotations) change(hash tokenHash, set func(*turn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.turns.GetIfPresent(hash)
	if !ok {
		t = new(turn)
	}
	set(t)
	r.turns.Set(hash, t)
}

// end ends a session for good.
func (r *rotations) end(key lineKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended.Set(key, struct{}{})
	r.lines.Invalidate(key)
}

// hasEnded tells whether a session was ended here.
func (r *rotations) hasEnded(key lineKey) bool {
	_, ok := r.ended.GetIfPresent(key)
	return ok
}
