package family

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	// Lease is how long the holder of a refresh has it, from its last call to AuthKit.
	Lease = 12 * time.Second
	// Grace is how long a spent token works once a later one of its chain was brought: a
	// long poll's answer can bring an older cookie back.
	Grace = 3 * time.Minute
)

// Key names a record. Its last bit says whether the record stays in the process.
type Key [sha256.Size]byte

const privateBit = 1

// KeyOf is the key of a user's session. The user is part of it, since a JWT template can
// override the sid claim: no mistake there may mix two users' sessions.
func KeyOf(clientID, subject, sessionID string) Key {
	key := Key(hashOf("session", clientID, subject, sessionID))
	key[len(key)-1] &^= privateBit
	return key
}

// PrivateKey is for a token whose session has no usable id: its record is about this one
// refresh token, and never leaves the process.
func PrivateKey(clientID, subject string, token Hash) Key {
	key := Key(hashOf("token", clientID, subject, string(token[:])))
	key[len(key)-1] |= privateBit
	return key
}

// Private reports whether the record stays in the process.
func (k Key) Private() bool { return k[len(k)-1]&privateBit != 0 }

func hashOf(parts ...string) (hash [sha256.Size]byte) {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	h.Sum(hash[:0])
	return hash
}

// Hash stands for a refresh token: half of its SHA-256. The zero Hash is no token.
type Hash [sha256.Size / 2]byte

// HashToken hashes a refresh token.
func HashToken(refreshToken string) Hash {
	sum := sha256.Sum256([]byte(refreshToken))
	return Hash(sum[:len(Hash{})])
}

// Moment is a time in milliseconds since 1970, by the clock of the store. Zero: never.
type Moment int64

// At is the moment of a time.
func At(t time.Time) Moment { return Moment(t.UnixMilli()) }

// Add is the moment d later.
func (m Moment) Add(d time.Duration) Moment { return m + Moment(d/time.Millisecond) }

// Sub is the time between two moments.
func (m Moment) Sub(earlier Moment) time.Duration { return time.Duration(m-earlier) * time.Millisecond }

// Time is the moment as a time.
func (m Moment) Time() time.Time { return time.UnixMilli(int64(m)) }

// Tag tells two contents of a record apart. It is random. Zero: the record was never written.
type Tag [16]byte

// Version tells copies of a record apart.
type Version struct {
	Count uint64 // which copy is probably newer, no more
	Tag   Tag
}

// Record is all that is known of one AuthKit session. A record that others can see is
// never changed: clone it, change the clone, and put that in its place.
type Record struct {
	Version
	Current       *Current // nil until there was an exchange
	Tokens        []Token
	Refresh       Refresh
	Ended         Moment // when it was signed out or revoked
	RevokePending bool   // ended here, and AuthKit may not know: the session is to be revoked there
	Successor     *Key   // of the record that an exchange with another sid led to
}

// Current is what the last exchange brought.
type Current struct {
	Sealed    string // the session, as in its cookie
	Token     Hash   // its refresh token
	Exchanges uint32 // how many there were
	Switches  uint32 // how many of them changed the organization
}

// Token is one refresh token.
type Token struct {
	Hash     Hash
	From     Hash   // the token that was exchanged for it; zero: it begins a chain
	Spent    bool   // it was exchanged
	Rejected bool   // AuthKit refused it, and nobody knows of an exchange
	Unknown  bool   // of a call for it the outcome never came: it may have been exchanged
	Began    Moment // when the first call began that brought it; zero: it came from elsewhere
	Brought  Moment // when a request first brought it
	Carried  Moment // when an answer first carried it
	Used     Moment // when it was last issued, brought first, or spent
}

// Clone is a copy that may be changed.
func (r *Record) Clone() *Record {
	c := *r
	c.Tokens = make([]Token, len(r.Tokens), len(r.Tokens)+1)
	copy(c.Tokens, r.Tokens)
	return &c
}

// Find returns a token of the record, nil if it is unknown.
func (r *Record) Find(hash Hash) *Token {
	for i := range r.Tokens {
		if r.Tokens[i].Hash == hash {
			return &r.Tokens[i]
		}
	}
	return nil
}

// IsCurrent reports whether a token is the current session's.
func (r *Record) IsCurrent(hash Hash) bool { return r.Current != nil && r.Current.Token == hash }

// SupersededAt is the moment from which a token no longer works because a later token
// of its chain was brought; zero: none was.
func (r *Record) SupersededAt(hash Hash) Moment {
	var at Moment
	for i := range r.Tokens {
		later := &r.Tokens[i]
		if later.Brought == 0 || later.Hash == hash || !r.descends(later, hash) {
			continue
		}
		if end := later.Brought.Add(Grace); at == 0 || end < at {
			at = end
		}
	}
	return at
}

// descends reports whether a token came from another by one exchange or more.
func (r *Record) descends(t *Token, from Hash) bool {
	for range r.Tokens {
		if t == nil || t.From == (Hash{}) {
			return false
		}
		if t.From == from {
			return true
		}
		t = r.Find(t.From)
	}
	return false
}

// Bring notes that a request brought a token. It reports whether that is news.
func (r *Record) Bring(hash Hash, now Moment) bool {
	t := r.Find(hash)
	switch {
	case t == nil:
		r.Tokens = append(r.Tokens, Token{Hash: hash, Brought: now, Used: now})
		return true
	case t.Brought == 0:
		t.Brought, t.Used = now, now
		return true
	}
	return false
}

// Carry notes that an answer carried a token's session. It reports whether that is news.
func (r *Record) Carry(hash Hash, now Moment) bool {
	t := r.Find(hash)
	if t == nil || t.Carried != 0 || t.Brought != 0 {
		return false
	}
	t.Carried = now
	return true
}

// SignedIn notes a token that a sign-in here brought; began is when it began.
func (r *Record) SignedIn(hash Hash, began, now Moment) {
	if r.Find(hash) == nil {
		r.Tokens = append(r.Tokens, Token{Hash: hash, Began: began, Used: now})
	}
}

// End ends the session for good. revokePending says that AuthKit may not know of it. It reports
// whether that is news.
func (r *Record) End(revokePending bool, now Moment) bool {
	if r.Ended != 0 {
		return false
	}
	r.Ended, r.RevokePending = now, revokePending
	return true
}

// Revoked notes that AuthKit knows of the end. It reports whether that is news.
func (r *Record) Revoked() bool {
	news := r.RevokePending
	r.RevokePending = false
	return news
}
