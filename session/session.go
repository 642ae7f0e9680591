package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// Session is what a session cookie holds: the tokens, the user and whatever
// else the SDK that sealed it put there. It is not changed once made.
type Session struct {
	AccessToken  string
	RefreshToken string // may be empty, then the session ends with its access token
	User         User
	Impersonator string // email address, empty without one

	fields map[string]json.RawMessage // every field as it came
	casing casing                     // of the fields' names
	fresh  bool                       // made of AuthKit's response, not of a cookie
}

// User is the part of the sealed user that identity headers need.
type User struct {
	ID            string
	Email         string
	EmailVerified bool
	Name          string
}

// Parse reads an unsealed session, as any of WorkOS's SDKs writes it. The access
// token and the user's id must be there; what it doesn't know is kept.
func Parse(plaintext []byte) (*Session, error) {
	s := new(Session)
	var err error
	if s.fields, err = jsonobject.MembersOfSDK(plaintext); err != nil {
		return nil, fmt.Errorf("session: parse: %w", err)
	}
	if _, ok := s.fields["accessToken"]; !ok {
		s.casing = snakeCase
	}
	if err := s.read(); err != nil {
		return nil, fmt.Errorf("session: parse: %w", err)
	}
	return s, nil
}

// FromResponse makes a session of the API's authenticate response (snake_case),
// with the fields that the SDKs seal. User and impersonator keep every key, known
// or not, with nulls and nested values as they came.
func FromResponse(response []byte) (*Session, error) {
	return (&Session{casing: snakeCase, fresh: true}).merge(response)
}

// Refreshed makes the session that follows s after a refresh. What the
// response doesn't mention stays as it was. A response without a new access
// token, with an empty refresh token or of another user is refused: the old token
// must not pass for one that was refreshed just now.
func (s *Session) Refreshed(response []byte) (*Session, error) {
	next, err := s.merge(response)
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

// onlyNode reports whether only the SDKs for Node.js seal this field of a response.
func onlyNode(name string, value json.RawMessage) bool {
	return name == "organization_id" || name == "authentication_method" ||
		name == "impersonator" && string(value) == "null"
}

func (s *Session) merge(response []byte) (*Session, error) {
	answer, err := jsonobject.MembersOfSDK(response)
	if err != nil {
		return nil, fmt.Errorf("session: authenticate response: %w", err)
	}
	next := &Session{fields: make(map[string]json.RawMessage, len(sealedFields)), casing: s.casing, fresh: s.fresh}
	maps.Copy(next.fields, s.fields)
	for _, name := range sealedFields {
		value, ok := answer[name]
		if !ok {
			continue
		}
		key := s.casing.of(name)
		if _, had := s.fields[key]; !had && s.casing == snakeCase && !s.fresh && onlyNode(name, value) {
			continue
		}
		if s.casing == camelCase {
			value = camelCase.value(name, value)
		}
		next.fields[key] = value
	}
	if err := next.read(); err != nil {
		return nil, fmt.Errorf("session: authenticate response: %w", err)
	}
	return next, nil
}

// read fills the exported fields from the others.
func (s *Session) read() (err error) {
	if string(s.fields["impersonator"]) == `"null"` { // Ruby's SDK up to 6.2 means: none
		delete(s.fields, "impersonator")
	}
	if s.AccessToken, err = s.text("accessToken", "access_token"); err != nil {
		return err
	}
	if s.RefreshToken, err = s.text("refreshToken", "refresh_token"); err != nil {
		return err
	}
	user, err := s.object("user")
	if err != nil {
		return err
	}
	impersonator, err := s.object("impersonator")
	if err != nil {
		return err
	}
	if email, ok := impersonator["email"]; ok {
		if s.Impersonator, err = textOf(email); err != nil {
			return fmt.Errorf("field impersonator: %w", err)
		}
	}
	s.User = userOf(user, s.casing)
	if s.AccessToken == "" || s.User.ID == "" {
		return errors.New("no access token or user id")
	}
	return nil
}

func (s *Session) text(inCamel, inSnake string) (string, error) {
	value, ok := s.casing.find(s.fields, inCamel, inSnake)
	if !ok {
		return "", nil
	}
	text, err := textOf(value)
	if err != nil {
		return "", fmt.Errorf("field %s: %w", inSnake, err)
	}
	return text, nil
}

func (s *Session) object(name string) (fields map[string]json.RawMessage, err error) {
	value, ok := s.fields[name]
	if !ok {
		return nil, nil
	}
	if fields, err = jsonobject.MembersOfSDK(value); err != nil {
		return nil, fmt.Errorf("field %s: %w", name, err)
	}
	return fields, nil
}

// textOf reads a JSON string or null. Most strings are as they look, and the decoder
// would read each of them twice.
func textOf(value json.RawMessage) (text string, err error) {
	last := len(value) - 1
	if last > 0 && value[0] == '"' && value[last] == '"' && bytes.IndexByte(value, '\\') < 0 && utf8.Valid(value) {
		return string(value[1:last]), nil
	}
	err = json.Unmarshal(value, &text)
	return text, err
}

// userOf reads a user.
func userOf(fields map[string]json.RawMessage, c casing) User {
	text := func(inCamel, inSnake string) string {
		value, ok := c.find(fields, inCamel, inSnake)
		if !ok {
			return ""
		}
		s, err := textOf(value)
		if err != nil {
			return "" // no reason to refuse a session
		}
		return s
	}
	name := text("name", "name")
	if name == "" {
		name = strings.TrimSpace(text("firstName", "first_name") + " " + text("lastName", "last_name"))
	}
	verified, _ := c.find(fields, "emailVerified", "email_verified")
	return User{
		ID: text("id", "id"), Email: text("email", "email"), EmailVerified: string(verified) == "true", Name: name,
	}
}

// slimUser are the fields of a user that Slim keeps: those of the identity headers,
// and those without which an SDK's typed reader fails.
var slimUser = [...]string{
	"object", "id", "email", "email_verified", "name", "first_name", "last_name", "created_at", "updated_at",
}

// Slim is the session without what neither the identity headers nor the SDKs'
// readers need: the rest of the user (metadata, picture and so on), and every other
// field that a sign-in would not put there, such as OAuth tokens.
func (s *Session) Slim() *Session {
	slim := *s
	slim.fields = maps.Clone(s.fields)
	maps.DeleteFunc(slim.fields, func(name string, _ json.RawMessage) bool {
		return !slices.Contains(sealedFields[:], snakeCase.of(name))
	})
	slim.fields["user"] = mapObject(slim.fields["user"], func(fields map[string]json.RawMessage) {
		maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool {
			return !slices.Contains(slimUser[:], snakeCase.of(name))
		})
	})
	return &slim
}

// JSONFor is the session as it is sealed in a format: a cookie's fields all, in the casing
// of the format's SDK, and of AuthKit's response those that the SDK seals.
func (s *Session) JSONFor(format seal.Format) ([]byte, error) {
	target := snakeCase
	if format == seal.FormatIron {
		target = camelCase
	}
	fields := maps.Clone(s.fields)
	if s.fresh && target == snakeCase {
		maps.DeleteFunc(fields, onlyNode)
	}
	if target != s.casing {
		for name, value := range fields {
			fields[name] = target.value(name, value)
		}
		target.rename(fields)
	}
	return encode(fields)
}
