package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// An unknown outcome is asked about again so soon, while AuthKit's grace may last.
var unknownWaits = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

const (
	unknownPause   = 5 * time.Second // after the last of them
	uncertainPause = time.Second     // where it isn't known whether another replica has exchanged the token
)

// exchange asks AuthKit until the outcome is known, and notes it. The lease is this
// replica's, and so is a slot. again: somebody else has exchanged the token.
func (f *refresher) exchange(ctx context.Context, w refreshRequest) (again bool, err error) {
	for attempt := 0; ; attempt++ {
		answer := f.call(w)
		f.reportToBreaker(w, answer)
		if answer.meaning != unknown {
			return f.note(ctx, w, answer, attempt > 0)
		}
		f.failed(w, answer.err)
		if attempt == len(unknownWaits) {
			break
		}
		if !f.renew(ctx, w) {
			return true, nil
		}
		f.slots.release()
		pause(context.Background(), unknownWaits[attempt])
		f.slots.acquire(context.Background(), true)
		if !f.mayCall() {
			break
		}
		if !f.renew(ctx, w) {
			return true, nil
		}
	}
	f.change(ctx, w, func(r *record, now family.Moment) bool {
		return r.Pause(f.records.Holder(), now.Add(unknownPause), true, nil)
	})
	return false, &Outage{RetryAfter: backOff, Err: errors.New("AuthKit didn't answer whether it has exchanged the refresh token")}
}

// renew extends the lease. It reports false where the token isn't this replica's to exchange.
func (f *refresher) renew(ctx context.Context, w refreshRequest) (mine bool) {
	f.change(ctx, w, func(r *record, now family.Moment) bool {
		mine = !f.records.Ended(w.key) && r.Renew(w.token, f.records.Holder(), now)
		return mine
	})
	return mine
}

func (f *refresher) change(ctx context.Context, w refreshRequest, change func(r *record, now family.Moment) bool) *record {
	r, _ := f.records.Change(ctx, w.key, func(r *record) bool { return change(r, f.records.Now()) })
	return r
}

// reportToBreaker counts an answer as success or failure of AuthKit.
func (f *refresher) reportToBreaker(w refreshRequest, a answer) {
	key := string(w.key[:])
	switch {
	case a.meaning == succeeded || a.meaning == invalid || a.meaning == step:
		f.breaker.Success(key)
	case a.against:
		f.breaker.Failure(key)
	}
}

// note notes an outcome that is known.
func (f *refresher) note(ctx context.Context, w refreshRequest, a answer, unknown bool) (again bool, err error) {
	switch a.meaning {
	case succeeded:
		return f.succeeded(ctx, w, a)
	case invalid:
		return f.invalidGrant(ctx, w)
	case step:
		return false, f.stepRequired(ctx, w, a)
	}
	wait := max(backOff, min(a.outage.RetryAfter, maxPause))
	f.change(ctx, w, func(r *record, now family.Moment) bool {
		if w.switches && !unknown { // the session goes on where it is
			return r.Restore(f.records.Holder(), w.before)
		}
		return r.Pause(f.records.Holder(), now.Add(wait), unknown, nil)
	})
	return false, f.failed(w, a.err)
}

// succeeded makes the new session current, before anybody is answered.
func (f *refresher) succeeded(ctx context.Context, w refreshRequest, a answer) (again bool, err error) {
	outcome := family.Void
	f.change(ctx, w, func(r *record, now family.Moment) bool {
		if f.records.Ended(w.key) {
			outcome = family.Void
			return false
		}
		outcome = r.Exchange(w.token, a.issued, f.records.Holder(), now)
		return outcome != family.Void
	})
	if next := a.issued.Successor; next != nil {
		f.succeed(ctx, *next, a, outcome == family.Void)
	}
	switch outcome {
	case family.Void:
		return false, ErrEnded
	case family.Late:
		return true, nil
	}
	f.metrics.refreshes.WithLabelValues(resultRefreshed).Inc()
	w.audit(f.log.Info()).Msg("session refreshed")
	return false, nil
}

// succeed notes a session that goes on under another sid. Where it was signed out meanwhile,
// that has ended, too.
func (f *refresher) succeed(ctx context.Context, next family.Key, a answer, ended bool) {
	if ended {
		f.revoke(next, a.sessionID)
		return
	}
	f.records.Seen(ctx, next, func(r *record) bool {
		r.SignedIn(a.issued.Token, a.issued.Began, f.records.Now())
		return true
	})
}

// invalidGrant rejects a refresh token, unless another replica knows what it became.
func (f *refresher) invalidGrant(ctx context.Context, w refreshRequest) (again bool, err error) {
	spent := func(r *record) bool { t := r.Find(w.token); return t != nil && t.Spent }
	_, r, certain := f.records.Lookup(ctx, w.key, true)
	if !spent(r) {
		all := f.records.Ask(ctx, w.key, w.token)
		var still bool
		_, r, still = f.records.Lookup(ctx, w.key, true)
		certain = certain && still && all
	}
	if spent(r) {
		f.change(ctx, w, func(r *record, _ family.Moment) bool { return r.Release(f.records.Holder()) })
		return true, nil
	}
	if !certain {
		f.metrics.refreshes.WithLabelValues(resultUncertain).Inc()
		f.change(ctx, w, func(r *record, now family.Moment) bool {
			return r.Pause(f.records.Holder(), now.Add(uncertainPause), false, nil)
		})
		w.audit(f.log.Warn()).Msg("AuthKit refused the refresh token, and not every replica could say whether it has exchanged it; the session is kept")
		return false, &Outage{RetryAfter: backOff, Err: errors.New("refresh token refused, and not every replica could be asked")}
	}
	rejected := false
	f.change(ctx, w, func(r *record, now family.Moment) bool {
		changed := r.Reject(w.token, f.records.Holder(), now)
		rejected = changed && r.Find(w.token).Rejected
		return changed
	})
	if !rejected {
		return true, nil
	}
	f.metrics.refreshes.WithLabelValues(resultRejected).Inc()
	w.audit(f.log.Info()).Msg("AuthKit refused the refresh token: this cookie's session is over")
	return false, ErrRejected
}

// stepRequired notes what AuthKit asks of the user. Of a switch it isn't kept: the session
// goes on where it is.
func (f *refresher) stepRequired(ctx context.Context, w refreshRequest, a answer) error {
	required := &StepRequired{Code: a.step.Code, OrganizationID: a.step.OrganizationID}
	if required.OrganizationID == "" {
		required.OrganizationID = w.organization
	}
	f.metrics.refreshes.WithLabelValues(resultStep).Inc()
	w.audit(f.log.Info()).Str("code", required.Code).Msg("AuthKit asks for a step of the user's")
	f.change(ctx, w, func(r *record, now family.Moment) bool {
		if w.switches {
			return r.Restore(f.records.Holder(), w.before)
		}
		return r.Pause(f.records.Holder(), now.Add(stepPause), false, &family.Step{Code: required.Code, Organization: required.OrganizationID})
	})
	return required
}

// failed logs and counts an outage, and returns it.
func (f *refresher) failed(w refreshRequest, err error) error {
	var outage *Outage
	if !errors.As(err, &outage) {
		outage = &Outage{Err: err}
	}
	result, level, text := resultOutage, zerolog.WarnLevel, "AuthKit can't refresh the session now; it is kept"
	switch {
	case outage.Refused && w.switches: // anybody can ask for an organization that there isn't
		result, text = resultRefused, "AuthKit refuses to move the session to this organization"
	case outage.Refused:
		result, level, text = resultRefused, zerolog.ErrorLevel, "AuthKit refuses this service's own request, or answers with something that is no session; sessions are kept"
	}
	f.metrics.refreshes.WithLabelValues(result).Inc()
	w.audit(f.log.WithLevel(level)).Int("status", outage.Status).Str("code", outage.Code).Err(outage.Err).Msg(text)
	return outage
}

// issued makes the new session of AuthKit's answer to a refresh.
func (m *Manager) issued(w refreshRequest, response json.RawMessage) (family.Issued, error) {
	next, err := w.Refreshed(response)
	if err != nil {
		return family.Issued{}, err
	}
	access, err := token.Parse(next.AccessToken)
	if err != nil {
		return family.Issued{}, err
	}
	sealed, err := m.sealWith(w.seal, next)
	if err != nil {
		return family.Issued{}, err
	}
	o := m.openedOf(next, access, m.newSealed(sealed))
	issued := family.Issued{Token: o.token, Sealed: sealed, Switch: w.switches}
	if o.key != w.key {
		issued.Successor = &o.key
	}
	return issued, nil
}
