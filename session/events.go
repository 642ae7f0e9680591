package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
)

// eventDelay is how long after it happened an event counts as of when it was learned: our
// clocks and AuthKit's differ by less. One that comes later counts as of when it happened.
const eventDelay = time.Minute

// Revocation says which sessions were ended or changed at AuthKit. A field left
// empty doesn't narrow it down; at least one must be set. Sessions that began, or were
// exchanged, later are right again. API keys are validated anew whatever Refresh says, by
// Revoked.
type Revocation struct {
	Subject        string    // a user's id, or an agent's; tokens that it has of somebody else, too
	SessionID      string    // one session of Subject's; it ends whatever its token's age
	OrganizationID string    // tokens of this organization
	Role           string    // tokens with this role
	Permission     string    // tokens with this permission
	APIKeyID       string    // one API key, no token
	ConsentID      string    // tokens of the OAuth client that a user gave it to: it is their sid
	At             time.Time // when it happened at AuthKit
	Refresh        bool      // to be refreshed before the next use; false: ended
}

// Revoke ends sessions, or has them refreshed before their next use, on every
// replica. The error says that it holds on this replica only, as the others could be reached
// neither directly nor by the store: call it again.
func (m *Manager) Revoke(ctx context.Context, r Revocation) error {
	if r.SessionID != "" {
		key := family.KeyOf(m.Tokens.ClientID, r.Subject, r.SessionID)
		announced, stored := m.records.End(ctx, key, "")
		_, became, _ := m.records.Lookup(ctx, key, false)
		m.endSuccessors(ctx, became)
		if !announced && !stored {
			return errUnsynced
		}
		return nil
	}
	at, happened := m.records.Now(), family.At(r.At)
	if at > happened.Add(eventDelay) {
		at = happened
	}
	err := m.records.Announce(ctx, replica.Event{
		Whom:  replica.Whom{Subject: r.Subject, Organization: r.OrganizationID, Role: r.Role, Permission: r.Permission, APIKey: r.APIKeyID, Consent: r.ConsentID},
		Ended: !r.Refresh, At: at, Happened: happened,
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsynced, err)
	}
	return nil
}

var errUnsynced = errors.New("session: neither announced nor stored, so the other replicas do not know")

// Revoked reports whether what AuthKit said of an API key at since, by this machine's
// clock, may be out of date: an event about the key, its owner, organization or
// permissions has come here since then, or may have been missed. id is whom the key
// stands for.
func (m *Manager) Revoked(id *identity.Identity, apiKeyID string, since time.Time) bool {
	events := m.records.Events()
	return events.Since(since, func(yield func(replica.Whom) bool) {
		if !yield(replica.Whom{APIKey: apiKeyID}) {
			return
		}
		for w := range whom(id, events.Broad()) {
			if !yield(w) {
				return
			}
		}
	})
}

// eventSays is what the events say of a session.
type eventSays int

const (
	eventNone eventSays = iota
	eventChanged
	eventEnded
)

// eventsSay looks a session up. began is when an exchange or a sign-in here brought it.
func (m *Manager) eventsSay(id *identity.Identity, began family.Moment, issued time.Time) eventSays {
	events := m.records.Events()
	if began > m.records.Now().Add(justRefreshed) { // the clock has been set back
		began = 0
	}
	ended, changed := events.Latest(whom(id, events.Broad()))
	switch {
	case concerned(ended, began, issued):
		return eventEnded
	case concerned(changed, began, issued):
		return eventChanged
	}
	return eventNone
}

// whom yields everybody that an identity is, acts for, or belongs to.
func whom(id *identity.Identity, broad bool) iter.Seq[replica.Whom] {
	return func(yield func(replica.Whom) bool) {
		organization := id.OrganizationID
		more := yield(replica.Whom{Subject: id.Subject})
		if organization != "" {
			more = more && yield(replica.Whom{Organization: organization}) && yield(replica.Whom{Subject: id.Subject, Organization: organization})
		}
		if actor := id.Extra.DelegatedTo(); actor != "" { // an agent's end is that of what it was given, and a user's that of what was given for them
			more = more && yield(replica.Whom{Subject: actor}) && (organization == "" || yield(replica.Whom{Subject: actor, Organization: organization}))
		}
		if id.SessionID != "" && !strings.HasPrefix(id.SessionID, "session_") {
			more = more && yield(replica.Whom{Consent: id.SessionID})
		}
		if !broad {
			return
		}
		for _, role := range id.Roles {
			more = more && yield(replica.Whom{Role: role}) && (organization == "" || yield(replica.Whom{Organization: organization, Role: role}))
		}
		for _, permission := range id.Permissions {
			more = more && yield(replica.Whom{Permission: permission})
		}
	}
}

// Watch looks up the record of the session that a bearer token is of, and what the events say of whoever it stands for. The token
// must be verified, and issued is when it was. unchanged reports whether nothing new is known since then: while it does, the token need
// not be looked up again. The error is ErrEnded: revoked, or changed, and whoever holds the token must refresh it.
func (m *Manager) Watch(ctx context.Context, id *identity.Identity, token string, issued time.Time) (unchanged func() bool, err error) {
	c, r, _ := m.records.Lookup(ctx, m.keyOfBearer(id, token), false)
	seen := m.records.EventCount()
	if m.ended(ctx, c, r) != nil || m.eventsSay(id, 0, issued) != eventNone {
		return nil, ErrEnded
	}
	return func() bool { return m.stands(c, r, seen) }, nil
}

// keyOfBearer is the key of the record of a bearer token's session; one without is by itself.
func (m *Manager) keyOfBearer(id *identity.Identity, token string) family.Key {
	if strings.HasPrefix(id.SessionID, "session_") {
		return family.KeyOf(m.Tokens.ClientID, id.Subject, id.SessionID)
	}
	return family.PrivateKey(m.Tokens.ClientID, id.Subject, family.HashToken(token))
}

// BreakerOpen reports whether the circuit breaker spares AuthKit.
func (m *Manager) BreakerOpen() bool { return !m.refresher.breaker.Since().IsZero() }
