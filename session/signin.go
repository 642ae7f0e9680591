package session

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// SignIn seals the session of an authenticate response (a code's exchange) and
// returns whose it is. The access token is decoded, not verified: it comes
// straight from AuthKit.
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
	return sealed, identityOf(s, access.Unverified()), nil
}

// End ends every session that the request carries, expired or not, on every
// replica, and returns the identity of the newest. It returns false where there is
// none that opens.
func (m *Manager) End(ctx context.Context, request http.Header) (identity.Identity, bool) {
	var last identity.Identity
	var issued time.Time
	values, _ := m.Cookie.Read(request)
	for _, value := range values {
		o, err := m.open(newSealed(value))
		if err != nil {
			continue
		}
		claims := o.access.Unverified()
		if claims.Subject != o.User.ID {
			continue
		}
		id := identityOf(o.Session, claims)
		_ = m.Revoke(ctx, Revocation{Subject: id.Subject, SessionID: id.SessionID, At: m.Now()}) // told later, where it can't be now
		if last.Subject == "" || claims.IssuedAt.After(issued) {
			last, issued = id, claims.IssuedAt
		}
	}
	return last, last.Subject != ""
}
