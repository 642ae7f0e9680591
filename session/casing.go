package session

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
)

// casing is how an SDK spells the names of a session's fields and those of its user's
// and impersonator's fields. What is nested deeper, metadata say, is the API's or an
// app's own and stays as it is.
type casing bool

const (
	camelCase casing = false // Node.js
	snakeCase casing = true  // Go, Ruby, Python, PHP, and the API
)

// of spells a name in the casing, whichever it is in. A name that could not be turned
// back stays.
func (c casing) of(name string) string {
	if c == camelCase {
		if spelt := camel(name); snake(spelt) == name {
			return spelt
		}
	} else if spelt := snake(name); camel(spelt) == name {
		return spelt
	}
	return name
}

// find finds a field under its name in the casing, or in the other one: Kotlin's user
// is in snake_case in a session that is in camelCase.
func (c casing) find(fields map[string]json.RawMessage, inCamel, inSnake string) (value json.RawMessage, ok bool) {
	first, second := inCamel, inSnake
	if c == snakeCase {
		first, second = inSnake, inCamel
	}
	if value, ok = fields[first]; !ok {
		value, ok = fields[second]
	}
	return value, ok
}

// rename spells the names of an object's own fields. One that was spelt otherwise
// takes the place of one that has the name already.
func (c casing) rename(fields map[string]json.RawMessage) {
	for _, name := range slices.Collect(maps.Keys(fields)) {
		if spelt := c.of(name); spelt != name {
			fields[spelt] = fields[name]
			delete(fields, name)
		}
	}
}

// value spells the names within a field's value.
func (c casing) value(field string, value json.RawMessage) json.RawMessage {
	if field != "user" && field != "impersonator" {
		return value
	}
	return mapObject(value, c.rename)
}

// mapObject changes an object's own fields. Anything but an object stays.
func mapObject(value json.RawMessage, change func(map[string]json.RawMessage)) json.RawMessage {
	fields, err := jsonobject.MembersOfSDK(value)
	if err != nil || fields == nil {
		return value
	}
	change(fields)
	changed, err := encode(fields)
	if err != nil {
		return value
	}
	return changed
}

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

func camel(name string) string {
	words := strings.Split(name, "_")
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}

func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
