// Package jsonobject takes a JSON object apart into its members, in one pass and without copying them: sealed
// sessions and access tokens are read at the first sight of a cookie, and encoding/json reads every byte of them twice.
//
//	{"sub":"user_01","roles":["a"]}  ->  "sub": "user_01"   "roles": ["a"]
//
// It says nothing of what a member means. jsontext is what encoding/json/jsontext is from Go 1.27 on.
package jsonobject
