package family

import "time"

// longestRest is longer than any pause: one that ends later is from before the clock was set back.
const longestRest = 2 * time.Minute

// State is whether a token of the record is being exchanged.
type State uint8

const (
	Idle State = iota
	Running
	Paused
)

// Holder is one start of a replica. The zero Holder is nobody.
type Holder [16]byte

// Refresh is the exchange that is under way, or was tried last.
type Refresh struct {
	State   State
	Unknown bool   // the outcome of an earlier call isn't known: the token may be spent
	Token   Hash   // that the lease, or what is unknown, is about
	Holder  Holder // of the lease, while Running
	Until   Moment // end of the lease, or of the pause
	Since   Moment // when the first call began, of this one and those whose outcome isn't known
	Step    *Step  // while Paused: AuthKit asks for it; nil: an outage
}

// Step is what AuthKit wants of the user before it goes on.
type Step struct {
	Code         string
	Organization string
}

// Intent is to exchange a token.
type Intent struct {
	Token  Hash
	Switch bool // to another organization: what AuthKit said of a refresh doesn't hinder it
}

// Busy reports whether another exchange has to be waited for. gone reports whether a
// holder has died; its lease is void then.
func (r *Record) Busy(now Moment, gone func(Holder) bool) bool {
	return r.Refresh.State == Running && now < r.Refresh.Until && !gone(r.Refresh.Holder)
}

// IsPaused reports whether AuthKit isn't to be asked yet for what is wanted.
func (r *Record) IsPaused(w Intent, now Moment) bool {
	left := r.Refresh.Until.Sub(now)
	return r.Refresh.State == Paused && left > 0 && left <= longestRest && !r.Refresh.Unknown && !w.Switch
}

// Settled reports whether nothing is under way and no outcome is open.
func (r *Record) Settled() bool { return r.Refresh.State == Idle && !r.Refresh.Unknown }

// Acquire makes by the holder of the lease. It reports whether by got it.
func (r *Record) Acquire(w Intent, by Holder, now Moment, gone func(Holder) bool) bool {
	t := r.Find(w.Token)
	if r.Ended != 0 || t != nil && (t.Spent || t.Rejected) || r.Busy(now, gone) || r.IsPaused(w, now) {
		return false
	}
	last := r.Refresh
	unknown := last.State == Running || last.Unknown
	r.doubt(now)
	r.Refresh = Refresh{State: Running, Unknown: unknown, Token: w.Token, Holder: by, Until: now.Add(Lease), Since: now}
	if unknown && last.Since != 0 {
		r.Refresh.Since = last.Since
	}
	return true
}

// Renew extends the lease before another call for a token, after one whose outcome isn't
// known. It reports false where the token isn't by's to exchange any more.
func (r *Record) Renew(token Hash, by Holder, now Moment) bool {
	t := r.Find(token)
	if r.Ended != 0 || t != nil && t.Spent {
		return false
	}
	if r.Refresh.State == Running && r.Refresh.Holder != by && now < r.Refresh.Until {
		return false
	}
	since := r.Refresh.Since
	if since == 0 {
		since = now
	}
	r.Refresh = Refresh{State: Running, Unknown: true, Token: token, Holder: by, Until: now.Add(Lease), Since: since}
	return true
}

// Pause ends by's exchange: AuthKit is not to be asked again before until. unknown says
// that the token may be spent. It reports whether the lease was by's.
func (r *Record) Pause(by Holder, until Moment, unknown bool, step *Step) bool {
	if !r.HasLease(by) {
		return false
	}
	r.Refresh.State, r.Refresh.Until, r.Refresh.Step = Paused, until, step
	r.Refresh.Unknown = r.Refresh.Unknown || unknown
	r.Refresh.Holder = Holder{}
	return true
}

// Release ends by's exchange without anything to note. It reports whether the lease was by's.
func (r *Record) Release(by Holder) bool {
	if !r.HasLease(by) {
		return false
	}
	r.Refresh = Refresh{}
	return true
}

// Restore ends by's exchange as if it had not been: AuthKit wasn't asked, or said that the token
// is as it was. before is what Acquire found. A pause goes on, and what is unknown stays so.
// It reports whether the lease was by's.
func (r *Record) Restore(by Holder, before Refresh) bool {
	if !r.HasLease(by) {
		return false
	}
	if before.State == Running || before.State == Idle {
		before = Refresh{Unknown: before.State == Running || before.Unknown, Token: before.Token, Since: before.Since}
	}
	if !before.Unknown {
		before.Since, before.Token = 0, Hash{}
	}
	r.Refresh = before
	return true
}

// HasLease reports whether by has the lease.
func (r *Record) HasLease(by Holder) bool {
	return r.Refresh.State == Running && r.Refresh.Holder == by
}

// Issued is the session that an exchange brought.
type Issued struct {
	Token     Hash
	Sealed    string
	Switch    bool   // for another organization
	Began     Moment // when the call began
	Successor *Key   // of the record that it belongs to, where the sid is another
}

// Outcome is what became of an exchange's answer.
type Outcome uint8

const (
	Applied Outcome = iota // its session is current
	Late                   // somebody else had spent the token: its session isn't current
	Void                   // the session has ended: thrown away
)

// Exchange notes that a token was exchanged by by.
func (r *Record) Exchange(spent Hash, got Issued, by Holder, now Moment) Outcome {
	if r.Ended != 0 {
		return Void
	}
	r.know(spent, now)
	began := got.Began
	if since := r.Refresh.Since; since != 0 && r.HasLease(by) {
		began = min(since, began)
	}
	t := r.Find(spent)
	late := t.Spent
	t.Rejected, t.Used = false, now
	if t.Spent = got.Token != spent; !t.Spent { // AuthKit may leave a refresh token as it is
		t.Began = began
	}
	if r.Find(got.Token) == nil {
		r.Tokens = append(r.Tokens, Token{Hash: got.Token, From: spent, Began: began, Used: now})
	}
	if late {
		r.Release(by)
		return Late
	}
	next := &Current{Sealed: got.Sealed, Token: got.Token, Exchanges: 1}
	if r.Current != nil {
		next.Exchanges, next.Switches = r.Current.Exchanges+1, r.Current.Switches
	}
	if got.Switch {
		next.Switches++
	}
	if r.Refresh.Token != spent {
		r.doubt(now)
	}
	r.Current, r.Refresh = next, Refresh{}
	if got.Successor != nil {
		r.Successor = got.Successor
	}
	return Applied
}

// Replace puts the session of a call that was sent later than the current one's, and
// succeeded too, in its place: AuthKit may have ended the earlier token. It reports whether
// it did.
func (r *Record) Replace(earlier Hash, later Issued, now Moment) bool {
	t := r.Find(earlier)
	if r.Ended != 0 || !r.IsCurrent(earlier) || t == nil || t.Spent || r.Find(later.Token) != nil {
		return false
	}
	t.Spent, t.Used = true, now
	next := *r.Current
	next.Sealed, next.Token = later.Sealed, later.Token
	r.Tokens = append(r.Tokens, Token{Hash: later.Token, From: earlier, Began: t.Began, Used: now})
	r.Current = &next
	if later.Successor != nil {
		r.Successor = later.Successor
	}
	return true
}

// Reject notes that AuthKit refused a token for good and that nobody knows of an exchange. Where a call for it was never
// answered and the session goes on with another token, that was the exchange: it is spent then, and not rejected. It reports
// false where there was one.
func (r *Record) Reject(token Hash, by Holder, now Moment) bool {
	r.know(token, now)
	t := r.Find(token)
	if t.Spent {
		return false
	}
	if t.Unknown && r.Current != nil && r.Current.Token != token { // it was exchanged, and what it became is lost
		t.Spent, t.Rejected, t.Used = true, false, now
		r.Release(by)
		return true
	}
	t.Rejected = true
	r.Release(by)
	return true
}

// doubt notes of which token an outcome isn't known, before another exchange takes the place of what is unknown.
func (r *Record) doubt(now Moment) {
	if f := r.Refresh; f.Token != (Hash{}) && (f.Unknown || f.State == Running) {
		r.know(f.Token, now)
		r.Find(f.Token).Unknown = true
	}
}

// know adds a token that was dropped, or never seen.
func (r *Record) know(hash Hash, now Moment) {
	if r.Find(hash) == nil {
		r.Bring(hash, now)
	}
}
