package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Session is what a session cookie holds: the tokens, the user and whatever
// else the SDK that sealed it put there. It is not changed once made.
type Session struct {
	AccessToken  string
	RefreshToken string // may be empty, then the session ends with its access token
	User         User
	Impersonator string // email address, empty without one

	fields map[string]json.RawMessage // every field as it came
}

// User is the part of the sealed user that identity headers need.
type User struct {
	ID    string
	Email string
	Name  string
}

// Parse reads an unsealed session, as any of WorkOS's iron SDKs writes it. The
// access token and the user's id must be there; what it doesn't know is kept.
func Parse(plaintext []byte) (*Session, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(plaintext, &fields); err != nil {
		return nil, fmt.Errorf("session: parse: %w", err)
	}
	s := &Session{fields: fields}
	var impersonator struct{ Email string }
	var user map[string]any
	for name, into := range map[string]any{
		"accessToken": &s.AccessToken, "refreshToken": &s.RefreshToken, "user": &user, "impersonator": &impersonator,
	} {
		if raw, ok := fields[name]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return nil, fmt.Errorf("session: parse: field %s: %w", name, err)
			}
		}
	}
	s.Impersonator = impersonator.Email
	s.User = userOf(user)
	if s.AccessToken == "" || s.User.ID == "" {
		return nil, fmt.Errorf("session: parse: no access token or user id")
	}
	return s, nil
}

// userOf reads the user in camelCase, or in Kotlin's snake_case.
func userOf(fields map[string]any) User {
	text := func(names ...string) string {
		for _, name := range names {
			if s, ok := fields[name].(string); ok && s != "" {
				return s
			}
		}
		return ""
	}
	name := text("name")
	if name == "" {
		name = strings.TrimSpace(text("firstName", "first_name") + " " + text("lastName", "last_name"))
	}
	return User{ID: text("id"), Email: text("email"), Name: name}
}

// FromResponse makes a session of the API's authenticate response (snake_case),
// with the fields that the SDKs seal. User and impersonator keep every key, known
// or not, with nulls and nested values as they came.
func FromResponse(response []byte) (*Session, error) {
	return merge(nil, response)
}

// Refreshed makes the session that follows s after a refresh. What the
// response doesn't mention stays as it was. A response without a new access
// token, with an empty refresh token or of another user is refused: the old token
// must not pass for one that was refreshed just now.
func (s *Session) Refreshed(response []byte) (*Session, error) {
	next, err := merge(s.fields, response)
	if err != nil {
		return nil, err
	}
	if next.AccessToken == s.AccessToken || next.RefreshToken == "" || next.User.ID != s.User.ID {
		return nil, errors.New("session: authenticate response: no new tokens, or another user's")
	}
	return next, nil
}

// sealedFields are the fields of an authenticate response that belong into the cookie.
var sealedFields = [...]string{
	"access_token", "refresh_token", "user", "organization_id", "impersonator", "authentication_method",
}

func merge(old map[string]json.RawMessage, response []byte) (*Session, error) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(response, &answer); err != nil {
		return nil, fmt.Errorf("session: authenticate response: %w", err)
	}
	fields := make(map[string]json.RawMessage, len(old)+len(sealedFields))
	maps.Copy(fields, old)
	for _, name := range sealedFields {
		value, ok := answer[name]
		if !ok {
			continue
		}
		if name == "user" || name == "impersonator" {
			value = camelKeys(value)
		}
		fields[camel(name)] = value
	}
	plaintext, err := encode(fields)
	if err != nil {
		return nil, fmt.Errorf("session: authenticate response: %w", err)
	}
	return Parse(plaintext)
}

// JSON is the session as it is sealed.
func (s *Session) JSON() ([]byte, error) { return encode(s.fields) }

// encode keeps the values' bytes: no HTML escaping.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// camelKeys renames an object's own keys; anything but an object stays.
func camelKeys(object json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil || fields == nil {
		return object
	}
	renamed := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		renamed[camel(name)] = value
	}
	out, err := encode(renamed)
	if err != nil {
		return object
	}
	return out
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

// Identity is what an application may learn about who is signed in. Organization,
// roles and the like come from the verified access token, the rest from the seal.
type Identity struct {
	Subject        string // user id
	Email          string
	Name           string
	SessionID      string
	OrganizationID string
	Role           string
	Roles          []string
	Permissions    []string
	Entitlements   []string
	Impersonator   string // who is really there, empty without impersonation
	AccessToken    string // empty unless asked for
}

// SessionHash names the session in log lines of decisions without giving its id
// away; the audit lines have both. Empty where there is no id.
func (i Identity) SessionHash() string { return hashSession(i.SessionID) }

func hashSession(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:6])
}

func identityOf(s *Session, c *token.Claims) Identity {
	id := Identity{
		Subject: c.Subject, Email: s.User.Email, Name: s.User.Name, SessionID: c.SessionID,
		OrganizationID: c.OrganizationID, Role: c.Role, Roles: c.Roles,
		Permissions: c.Permissions, Entitlements: c.Entitlements, Impersonator: c.Actor,
	}
	if len(id.Roles) == 0 && id.Role != "" {
		id.Roles = []string{id.Role}
	}
	if id.Impersonator == "" {
		id.Impersonator = s.Impersonator
	}
	return id
}
