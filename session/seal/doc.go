// Package seal closes bytes under a password and opens them again. It knows
// nothing of HTTP, of cookies or of what the bytes mean.
//
//	Iron    the session cookie, byte-compatible with WorkOS's SDKs   Fe26.2*...~2
//	Box     everything that only this service reads: state, store    version|nonce|ciphertext|tag
//	MACKey  keys for keyed hashes, such as those that name a store's entries
//
// Each format has a file of its own that shows its bytes. To open is always
// size, shape and age first, then authenticity, then decryption:
//
//	too long, wrong fields, bad base64   ErrMalformed
//	past its expiration                  ErrExpired (Iron only)
//	wrong password, or tampered with     ErrPassword: nobody can tell which
//
// Several passwords are for rotation: the first one seals, all of them open.
// How long and how varied a password must be is for the configuration to check.
//
// The package does not compress, and it remembers nothing: whether a seal was
// used before is for its caller to know.
package seal
