package apikey

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// timeout is how long WorkOS may take to answer, and how long anybody waits for it.
const timeout = 5 * time.Second

// validateOnce has a key validated, once however many ask for it meanwhile. joined
// reports that the validation was under way already.
func (v *Validator) validateOnce(ctx context.Context, h hash, key string, client netip.Addr) (good *valid, joined bool, err error) {
	began := false // read once done has answered
	done := v.validations.DoChan(string(h[:]), func() (any, error) {
		began = true
		return v.validate(context.WithoutCancel(ctx), h, key, client) // whoever asked may be gone by then
	})
	select {
	case result := <-done:
		good, _ = result.Val.(*valid)
		return good, !began, result.Err
	case <-ctx.Done():
		return nil, false, &session.Outage{Err: ctx.Err()}
	}
}

// validate asks WorkOS about a key, as far as the limits allow, and remembers the answer.
func (v *Validator) validate(ctx context.Context, h hash, key string, client netip.Addr) (*valid, error) {
	if good := v.recall(h); good != nil { // by a validation that has just ended
		return good, nil
	}
	now := v.Now()
	if v.memory.refused(h, now) {
		return nil, ErrInvalid
	}
	if wait := v.memory.paused(h, now); wait > 0 {
		return nil, &session.Outage{RetryAfter: wait, Err: errors.New("WorkOS could not validate this API key; waiting before it is asked again")}
	}
	quota := v.limits.unknown
	if v.memory.seenValid(h, now) {
		quota = v.limits.known
	}
	refund, err := v.limits.reserve(quota, h, client, now)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	good, err := v.askWorkOS(ctx, key, now)
	v.limits.settle(quota, h, err != nil && !errors.Is(err, ErrInvalid))
	switch {
	case errors.Is(err, ErrInvalid):
		v.memory.refuse(h, v.Now())
		v.Log.Debug().Stringer("client", client).Msg("API key refused")
		return nil, err
	case err != nil:
		v.memory.pause(h, v.Now())
	default:
		v.memory.accept(h, good)
	}
	refund() // whoever has many good keys is no flood, and an outage is nobody's fault
	return good, err
}

func (v *Validator) askWorkOS(ctx context.Context, key string, now time.Time) (*valid, error) {
	answer, ok, err := v.AuthKit.ValidateAPIKey(ctx, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrInvalid
	}
	id := identity.Identity{
		Subject: answer.ID, Name: answer.Name, OrganizationID: answer.OrganizationID, Permissions: answer.Permissions,
	}
	if answer.UserID != "" {
		id.Subject = answer.UserID
	}
	if answer.AgentID != "" {
		id.Extra = &identity.Extra{Actor: answer.AgentID}
	}
	return &valid{identity: id, id: answer.ID, since: now}, nil
}
