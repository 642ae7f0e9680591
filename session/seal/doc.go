// Package seal closes bytes under a password and opens them again. It knows
// nothing of HTTP, of cookies' headers or of what the bytes mean.
//
//	Cookie  the session cookie, byte-compatible with WorkOS's SDKs, in one Format:
//	          iron    Fe26.2*...~2                    Node.js and what is built on it; Kotlin
//	          go      nonce|ciphertext|tag            Go 7 and later, Rust
//	          ruby    version|nonce|tag|ciphertext    Ruby 7 and later; 5.7 to 6.2 is read too
//	          python  a Fernet token                  Python 5.10 and later
//	          php     nonce|secretbox                 PHP 5 and later; 4.30 to 4.32 is read too
//	Iron    iron alone; Cookie always opens it, and Remix's envelope around it
//	Box     everything that only this service reads: state, store    version|nonce|ciphertext|tag
//	MACKey  keys for keyed hashes, such as those that name a store's entries
//
// Each format has a file of its own that shows its bytes. To open is always
// size, shape and age first, then authenticity, then decryption (where the age is
// inside, as in PHP's old form, it comes last):
//
//	too long, wrong fields, bad base64   ErrMalformed
//	past its expiration                  ErrExpired (iron, and PHP's old form)
//	wrong password, or tampered with     ErrPassword: the one can't be told from the other
//
// Several passwords are for rotation: the first one seals, all of them open.
// CheckPassword knows the form that each SDK asks of a password; how varied it
// must be is for the configuration to check.
//
// The package does not compress, and it remembers nothing: whether a seal was
// used before is for its caller to know.
package seal
