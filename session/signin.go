package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// exchangeLimit is the longest that a code exchange takes: the session began so long ago.
const exchangeLimit = 10 * time.Second

// SignIn seals the session of an authenticate response (a code's exchange) and
// says whose it is. The access token is decoded, not verified: it comes
// straight from AuthKit. ErrEnded: the session has been signed out here before; it is
// revoked at AuthKit now, and the sign-in has to begin anew.
func (m *Manager) SignIn(response json.RawMessage) (sealed string, id identity.Identity, err error) {
	s, err := FromResponse(response)
	if err != nil {
		return "", identity.Identity{}, err
	}
	access, err := token.Parse(s.AccessToken)
	if err != nil {
		return "", identity.Identity{}, fmt.Errorf("session: sign in: %w", err)
	}
	if sealed, err = m.seal(s); err != nil {
		return "", identity.Identity{}, err
	}
	ctx := context.Background()
	o := m.openedOf(s, access, m.newSealed(sealed))
	c, r, _ := m.records.Lookup(ctx, o.key, true)
	if err := m.ended(ctx, c, r); err != nil {
		m.signOuts.revokeNow(o.key, o.claims.SessionID)
		return "", identity.Identity{}, err
	}
	if o.token != (family.Hash{}) {
		now := m.records.Now()
		m.records.Seen(ctx, o.key, func(r *record) bool {
			r.SignedIn(o.token, now.Add(-exchangeLimit), now)
			return true
		})
	}
	return sealed, identityOf(s, o.claims), nil
}
