package identity

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Extra is what a token says beside what AuthKit's sessions do. Most say nothing of it, and sessions are remembered by the
// hundred thousand, so it is apart.
type Extra struct {
	Scopes []string // that an OAuth client was granted
	Client string   // the OAuth client's id; of a workload the name of its issuer
	Actor  string   // to whom the user has delegated, such as an agent; never an impersonator
	Issuer string   // of a workload's token, by the policy's name; empty: AuthKit

	// claims are those that AuthKit itself doesn't have: a JWT template of the operator's puts them there. A workload's are all of its
	// token's. A claim has
	// values: a text, a number or a truth value as its JSON says it has one, a list of them each. Objects, lists in
	// lists and values with control characters are left out, and so is null: nothing is met by them.
	claims string
}

const (
	maxExtra = 8 << 10 // bytes; more is left out, whole claims

	endOfValue = "\x1f"
	endOfClaim = "\x1e"
)

// NewExtra has claims of a JWT template, each with its values. Without any it is nil.
func NewExtra(claims map[string][]string) *Extra {
	var packed strings.Builder
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		values := strings.Join(claims[name], endOfValue)
		if len(claims[name]) == 0 || packed.Len()+len(name)+len(values) > maxExtra {
			continue
		}
		packed.WriteString(name + endOfValue + values + endOfClaim)
	}
	if packed.Len() == 0 {
		return nil
	}
	return &Extra{claims: packed.String()}
}

// extraOf packs the claims that the table doesn't have.
func extraOf(members map[string]json.RawMessage, table []Claim) *Extra {
	var claims map[string][]string // mostly none
	for name, value := range members {
		if !isExtra(name, table) {
			continue
		}
		if values, ok := scalars(value); ok {
			if claims == nil {
				claims = map[string][]string{}
			}
			claims[name] = values
		}
	}
	return NewExtra(claims)
}

// Values are those of a JWT template's claim; none where the token doesn't have it. A workload has none: its claims are
// another's, whatever they are called.
func (e *Extra) Values(name string) []string { return e.ValuesOf("", name) }

func (e *Extra) values(name string) []string {
	if e == nil {
		return nil
	}
	for claim := range strings.SplitSeq(e.claims, endOfClaim) {
		if rest, ok := strings.CutPrefix(claim, name+endOfValue); ok && name != "" {
			return strings.Split(rest, endOfValue)
		}
	}
	return nil
}

// Granted are the scopes that an OAuth client was granted.
func (e *Extra) Granted() []string {
	if e == nil {
		return nil
	}
	return e.Scopes
}

// ClientID is the OAuth client's, empty for a session.
func (e *Extra) ClientID() string {
	if e == nil {
		return ""
	}
	return e.Client
}

// DelegatedTo is to whom the user has delegated; empty: to nobody.
func (e *Extra) DelegatedTo() string {
	if e == nil {
		return ""
	}
	return e.Actor
}

// Size is about what it takes in memory, in bytes.
func (e *Extra) Size() int {
	if e == nil {
		return 0
	}
	size := 80 + len(e.Client) + len(e.Actor) + len(e.Issuer) + len(e.claims)
	for _, scope := range e.Scopes {
		size += 16 + len(scope)
	}
	return size
}

// storable reports whether a text can be told from others in a packed claim.
func storable(text string) bool {
	return text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// scalars are the values of a claim, at least one.
func scalars(value json.RawMessage) ([]string, bool) {
	if len(value) > 0 && value[0] != '[' {
		text, ok := scalar(value)
		return []string{text}, ok
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil || len(list) == 0 {
		return nil, false
	}
	values := make([]string, len(list))
	for i, item := range list {
		var ok bool
		if values[i], ok = scalar(item); !ok {
			return nil, false
		}
	}
	return values, true
}

// scalar is a text, a number or a truth value.
func scalar(value json.RawMessage) (string, bool) {
	switch {
	case len(value) == 0 || value[0] == '{' || value[0] == '[' || string(value) == "null":
		return "", false
	case value[0] != '"':
		return string(value), true
	}
	var text string
	if json.Unmarshal(value, &text) != nil || !storable(text) {
		return "", false
	}
	return text, true
}
