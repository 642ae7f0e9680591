package apikey

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// patience is how long WorkOS may take to answer, and how long anybody waits for it.
const patience = 5 * time.Second

// flight is one question to WorkOS, for all who ask about the same key meanwhile.
type flight struct {
	done chan struct{} // closed when the rest is set
	good *valid        // nil with err
	err  error
}

// ask has WorkOS asked and waits for the answer. joined says that the question was
// under way already.
func (v *Validator) ask(ctx context.Context, h hash, key string, client netip.Addr) (good *valid, joined bool, err error) {
	f, joined, err := v.board(ctx, h, key, client)
	if err != nil {
		return nil, false, err
	}
	select {
	case <-f.done:
		return f.good, joined, f.err
	case <-ctx.Done():
		return nil, joined, &session.Outage{Err: ctx.Err()}
	}
}

// board joins the flight of a key or begins one, as far as the limits allow.
func (v *Validator) board(ctx context.Context, h hash, key string, client netip.Addr) (f *flight, joined bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f, ok := v.flights[h]; ok {
		return f, true, nil
	}
	if good := v.recall(h); good != nil { // it has landed just now
		f := &flight{done: make(chan struct{}), good: good}
		close(f.done)
		return f, false, nil
	}
	now := v.Now()
	if v.memory.refused(h, now) {
		return nil, false, ErrInvalid
	}
	kind := v.limits.unknown
	if v.memory.known(h, now) {
		kind = v.limits.known
	}
	refund, err := v.limits.begin(kind, client, now)
	if err != nil {
		return nil, false, err
	}
	f = &flight{done: make(chan struct{})}
	v.flights[h] = f
	go func() { // ends with patience, whoever asked may be gone by then
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		f.good, f.err = v.validate(ctx, key, now)
		v.land(h, f, kind, client, refund)
	}()
	return f, false, nil
}

// validate asks WorkOS.
func (v *Validator) validate(ctx context.Context, key string, now time.Time) (*valid, error) {
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
	return &valid{identity: id, id: answer.ID, since: now}, nil
}

// land remembers a flight's answer and lets go of all who wait for it.
func (v *Validator) land(h hash, f *flight, kind *lane, client netip.Addr, refund func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.Now()
	v.limits.end(kind, f.err != nil && !errors.Is(f.err, ErrInvalid), now)
	switch {
	case f.err == nil:
		refund()
		v.memory.accept(h, f.good)
	case errors.Is(f.err, ErrInvalid):
		v.memory.refuse(h, now)
		v.Log.Debug().Stringer("client", client).Msg("API key refused")
	}
	delete(v.flights, h)
	close(f.done)
}
