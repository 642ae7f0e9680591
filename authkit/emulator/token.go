package emulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-jose/go-jose/v4"
)

// keys is the key that signs access tokens, and its public side.
type keys struct {
	signer jose.Signer
	set    jose.JSONWebKeySet
}

func newKeys(private *rsa.PrivateKey) (*keys, error) {
	if private == nil {
		var err error
		if private, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("emulator: signing key: %w", err)
		}
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("emulator: signing key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256,
		Key:       jose.JSONWebKey{Key: private, KeyID: public.KeyID},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("emulator: signing key: %w", err)
	}
	return &keys{signer: signer, set: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}, nil
}

// claims of an access token, in the API's order. There is no audience.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Actor    *actor `json:"act,omitempty"`
	ClientID string `json:"client_id"`

	// Of the organization, where there is one.
	*organizationClaims

	SessionID string `json:"sid"`
	ID        string `json:"jti"`
	AuthTime  int64  `json:"auth_time"`
	IssuedAt  int64  `json:"iat"`
	Expires   int64  `json:"exp"`
}

// actor is who acts as the subject: the impersonator's email address.
type actor struct {
	Subject string `json:"sub"`
}

type organizationClaims struct {
	OrganizationID string   `json:"org_id"`
	Role           string   `json:"role"`
	Roles          []string `json:"roles"`
	Permissions    []string `json:"permissions"`
	Entitlements   []string `json:"entitlements,omitempty"`
	FeatureFlags   []string `json:"feature_flags,omitempty"`
}

// accessToken signs a new token of the session. The caller holds the lock.
func (e *Emulator) accessToken(s *session) (string, error) {
	now := e.config.Now()
	c := claims{
		Issuer:             e.config.issuer(),
		Subject:            s.person.ID,
		ClientID:           e.config.ClientID,
		organizationClaims: e.organizationClaims(s),
		SessionID:          s.id,
		ID:                 newID("", now),
		AuthTime:           s.created.Unix(),
		IssuedAt:           now.Unix(),
		Expires:            now.Add(e.config.AccessTokenLifetime).Unix(),
	}
	if by := s.person.Impersonator; by != nil {
		c.Actor = &actor{by.Email}
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("emulator: access token: %w", err)
	}
	signed, err := e.keys.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("emulator: access token: %w", err)
	}
	return signed.CompactSerialize()
}

func (e *Emulator) organizationClaims(s *session) *organizationClaims {
	organization, _ := e.organization(s.organizationID)
	member, ok := s.person.membership(s.organizationID)
	if !ok {
		return nil
	}
	return &organizationClaims{
		OrganizationID: organization.ID,
		Role:           member.Roles[0],
		Roles:          member.Roles,
		Permissions:    append([]string{}, member.Permissions...), // [] where there are none
		Entitlements:   organization.Entitlements,
		FeatureFlags:   organization.FeatureFlags,
	}
}

// jwks answers GET /sso/jwks/{client_id}.
func (e *Emulator) jwks(w http.ResponseWriter, r *http.Request) {
	if chi.URLParam(r, "clientID") != e.config.ClientID {
		writeError(w, errNotFound)
		return
	}
	writeJSON(w, http.StatusOK, e.keys.set)
}
