package jsonobject

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Members returns a JSON object's own members, each with its value as it is written; null has none and is no error. The
// values are parts of data, which must not be changed afterwards. A name that an object in data has twice is an error, as is
// invalid UTF-8: whoever reads it next may read it otherwise.
func Members(data []byte) (map[string]json.RawMessage, error) {
	return members(data)
}

// MembersOfSDK is Members for what programs of all kinds have written: of members of one name the last counts, as for most
// readers, and texts may hold any bytes.
func MembersOfSDK(data []byte) (map[string]json.RawMessage, error) {
	return members(data, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// errNoObject says no more: a value may be a secret.
var errNoObject = errors.New("not a JSON object")

func members(data []byte, options ...jsontext.Options) (map[string]json.RawMessage, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(data), options...)
	if d.PeekKind() == jsontext.KindNull {
		_, err := d.ReadToken()
		return nil, errors.Join(err, atEnd(d))
	}
	if begin, err := d.ReadToken(); err != nil || begin.Kind() != jsontext.KindBeginObject {
		return nil, errNoObject
	}
	all := make(map[string]json.RawMessage, 16)
	for d.PeekKind() != jsontext.KindEndObject {
		token, err := d.ReadToken()
		if err != nil {
			return nil, errNoObject
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, errNoObject
		}
		// The decoder may use value's bytes again; data's are ours.
		end := d.InputOffset()
		all[name] = data[end-int64(len(value)) : end : end]
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, errNoObject
	}
	return all, atEnd(d)
}

// atEnd reports an error where something follows.
func atEnd(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errNoObject
	}
	return nil
}
