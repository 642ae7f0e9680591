package session

import (
	"slices"
	"time"
)

// lineKey names an AuthKit session. A JWT template can override the sid claim, so
// the user is part of the key: no mistake there may mix two users' sessions.
type lineKey struct {
	Subject string `json:"u"`
	SID     string `json:"s"`
}

// turn is one refresh token's place. It is not changed once it is kept.
type turn struct {
	Line      lineKey   `json:"l,omitzero"`
	Run       string    `json:"r,omitempty"`
	Number    int       `json:"n,omitempty"` // place in the run
	Exchanged bool      `json:"x,omitempty"` // spent here
	Made      time.Time `json:"m,omitzero"`  // when the refresh that brought it began here, zero if it came from outside
	Refused   bool      `json:"i,omitempty"` // invalid_grant
	Until     time.Time `json:"u,omitzero"`  // refused, but until then it stands for the line's current session
	Pause     time.Time `json:"p,omitzero"`  // no call to AuthKit before
	Failures  int       `json:"f,omitempty"` // in a row
	Step      string    `json:"e,omitempty"` // what AuthKit asked for, until Pause
	StepIn    string    `json:"o,omitempty"` // organization of the step

	changed time.Time // here
}

// line is one AuthKit session. It is not changed once it is kept.
type line struct {
	Sealed string    `json:"s"`           // the current session, as in its cookie
	Issued time.Time `json:"i"`           // of its access token, in whole seconds
	Set    time.Time `json:"t,omitzero"`  // when it became that, which decides between two of one second
	Met    time.Time `json:"m,omitzero"`  // when a request last brought a later session that was made elsewhere
	Runs   []run     `json:"r,omitempty"` // oldest first
	Full   bool      `json:"f,omitempty"` // older runs were dropped

	changed time.Time // here
}

// run knows how far its row of tokens was seen in requests.
type run struct {
	ID     string     `json:"i"`
	Begun  time.Time  `json:"t,omitzero"`
	Seen   []sighting `json:"s,omitempty"` // numbers ascending, of the last minute
	Behind int        `json:"b,omitempty"` // turns before this one are superseded
}

type sighting struct {
	Number int       `json:"n"`
	At     time.Time `json:"t"`
}

// supersedes reports whether a later token of the turn's run was seen a grace ago.
func (l line) supersedes(t turn, now time.Time) bool {
	i := slices.IndexFunc(l.Runs, func(u run) bool { return u.ID == t.Run })
	if i < 0 {
		return l.Full // its run was dropped: newer ones were seen since
	}
	return t.Number < l.Runs[i].aged(now).Behind
}

// aged moves the mark of superseded turns to the latest one seen a grace ago.
func (u run) aged(now time.Time) run {
	for _, s := range u.Seen {
		if !now.Before(s.At.Add(rotationGrace)) {
			u.Behind = max(u.Behind, s.Number)
		}
	}
	u.Seen = slices.DeleteFunc(slices.Clone(u.Seen), func(s sighting) bool { return s.Number <= u.Behind })
	return u
}

// next is a time for Set after the line's own, whatever another replica's clock said.
func (l line) next(now time.Time) time.Time { return later(now, l.Set.Add(1)) }

// newest bounds the runs of a line.
func newest(runs []run, full bool) ([]run, bool) {
	if len(runs) > maxRuns {
		return runs[len(runs)-maxRuns:], true
	}
	return runs, full
}
