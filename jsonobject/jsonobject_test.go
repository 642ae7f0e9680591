package jsonobject_test

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, data string
		want       map[string]string // nil: an error
		ofSDK      map[string]string // the same of MembersOfSDK
	}{
		{"none", `{}`, map[string]string{}, map[string]string{}},
		{"values of every kind, as they are written", ` { "a" : "x\u0041" , "b":[1, {"c":null}],"d":1.50,"e":null,"f":true}`,
			map[string]string{"a": `"x\u0041"`, "b": `[1, {"c":null}]`, "d": "1.50", "e": "null", "f": "true"},
			map[string]string{"a": `"x\u0041"`, "b": `[1, {"c":null}]`, "d": "1.50", "e": "null", "f": "true"}},
		{"an escaped name", `{"s\u0075b":1}`, map[string]string{"sub": "1"}, map[string]string{"sub": "1"}},
		{"names that differ in case", `{"sub":1,"Sub":2}`, map[string]string{"sub": "1", "Sub": "2"}, map[string]string{"sub": "1", "Sub": "2"}},
		{"null", `null`, map[string]string{}, map[string]string{}},
		{"one name twice", `{"sub":1,"sub":2}`, nil, map[string]string{"sub": "2"}},
		{"one name twice, once escaped", `{"sub":1,"s\u0075b":2}`, nil, map[string]string{"sub": "2"}},
		{"one name twice, further down", `{"act":{"sub":1,"sub":2}}`, nil, map[string]string{"act": `{"sub":1,"sub":2}`}},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", nil, map[string]string{"a": "\"\xff\""}},
		{"nothing", ``, nil, nil},
		{"a list", `[{"a":1}]`, nil, nil},
		{"a text", `"a"`, nil, nil},
		{"cut off in a name", `{"a`, nil, nil},
		{"cut off behind a name", `{"a"`, nil, nil},
		{"cut off in a value", `{"a":"b`, nil, nil},
		{"cut off behind a value", `{"a":1`, nil, nil},
		{"a comma at the end", `{"a":1,}`, nil, nil},
		{"no comma", `{"a":1 "b":2}`, nil, nil},
		{"a name without quotes", `{a:1}`, nil, nil},
		{"more behind it", `{"a":1}{"b":2}`, nil, nil},
		{"more behind null", `null 1`, nil, nil},
		{"a bad value", `{"a":01}`, nil, nil},
		{"a NUL behind it", "{\"a\":1}\x00", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, read := range []struct {
				name    string
				members func([]byte) (map[string]json.RawMessage, error)
				want    map[string]string
			}{{"Members", jsonobject.Members, row.want}, {"MembersOfSDK", jsonobject.MembersOfSDK, row.ofSDK}} {
				got, err := read.members([]byte(row.data))
				switch {
				case (err == nil) != (read.want != nil):
					t.Errorf("%s: got %v, %v, want %v", read.name, got, err, read.want)
				case err == nil && !maps.Equal(texts(got), read.want):
					t.Errorf("%s: got %v, want %v", read.name, texts(got), read.want)
				}
			}
		})
	}
}

// A value is no door to the bytes behind it.
func TestMembersCapacity(t *testing.T) {
	t.Parallel()
	data := []byte(`{"a":1,"b":2}`)
	members, err := jsonobject.Members(data)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(members["a"], "999"...)
	if string(data) != `{"a":1,"b":2}` {
		t.Errorf("got %s after appending to a value", data)
	}
}

// FuzzMembers compares with encoding/json, which takes more.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":{"b":[null,"\ud800"]},"a":2}`, ` null `, `{"\u0000":""}`, "{\"\xff\":1}", `{"a":1} x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(data, &want)
		strict, strictErr := jsonobject.Members(data)
		lax, laxErr := jsonobject.MembersOfSDK(data)
		if (laxErr == nil) != (wantErr == nil) {
			t.Fatalf("MembersOfSDK: got %v, encoding/json %v", laxErr, wantErr)
		}
		if laxErr == nil && !maps.Equal(texts(lax), texts(want)) {
			t.Errorf("MembersOfSDK: got %q, encoding/json %q", texts(lax), texts(want))
		}
		if strictErr == nil && !maps.Equal(texts(strict), texts(want)) {
			t.Errorf("Members: got %q, encoding/json %q", texts(strict), texts(want))
		}
		if strictErr == nil && laxErr != nil {
			t.Errorf("Members takes what MembersOfSDK does not: %v", laxErr)
		}
	})
}

func texts(members map[string]json.RawMessage) map[string]string {
	texts := make(map[string]string, len(members))
	for name, value := range members {
		texts[name] = string(value)
	}
	return texts
}
