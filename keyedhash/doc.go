// Package keyedhash makes the keys of memories of what was verified: a cookie's or a token's whole value as 16 bytes.
//
//	value, scope -> GMAC under a key of this process -> Value
//
// Nobody who doesn't know the key can find two values with one hash. A Value is for this process alone: it is never
// stored, sent or shown, and proves nothing to anybody else.
package keyedhash
