package family

import (
	"encoding/binary"
	"errors"
)

// The bytes of a record. Numbers are varints, texts have their length before them.
//
//	format      1 byte, 1
//	flags       1 byte: current, revocation pending, successor, step, holder, token of the refresh
//	version     count; tag (16 bytes)
//	ended       moment
//	refresh     state and unknown (1 byte); until; since; [token, 16 bytes]; [holder, 16 bytes]; [step: code, organization]
//	tokens      their number, at most 64; of each its hash (16 bytes), flags (1 byte), place of its parent
//	            in the list + 1 (0: none, or its hash follows), began, brought, carried, used
//	current     [place of its token in the list + 1 (0: its hash follows), exchanges, switches, sealed session]
//	successor   [32 bytes]
const encoding = 1

const (
	hasCurrent = 1 << iota
	isRevokePending
	hasSuccessor
	hasStep
	hasHolder
	hasToken
)

const (
	isSpent = 1 << iota
	isRejected
	parentFollows
	isUnknown
)

// ErrMalformed: the bytes are no record's.
var ErrMalformed = errors.New("family: malformed record")

// Append appends the record's bytes to b.
func (r *Record) Append(b []byte) []byte {
	flags := bit(r.Current != nil, hasCurrent) | bit(r.RevokePending, isRevokePending) | bit(r.Successor != nil, hasSuccessor) |
		bit(r.Refresh.Step != nil, hasStep) | bit(r.Refresh.Holder != Holder{}, hasHolder) | bit(r.Refresh.Token != Hash{}, hasToken)
	b = append(b, encoding, flags)
	b = binary.AppendUvarint(b, r.Count)
	b = append(b, r.Tag[:]...)
	b = binary.AppendVarint(b, int64(r.Ended))
	b = append(b, byte(r.Refresh.State)<<1|bit(r.Refresh.Unknown, 1))
	b = binary.AppendVarint(b, int64(r.Refresh.Until))
	b = binary.AppendVarint(b, int64(r.Refresh.Since))
	if flags&hasToken != 0 {
		b = append(b, r.Refresh.Token[:]...)
	}
	if flags&hasHolder != 0 {
		b = append(b, r.Refresh.Holder[:]...)
	}
	if s := r.Refresh.Step; s != nil {
		b = appendText(appendText(b, s.Code), s.Organization)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Tokens)))
	for i := range r.Tokens {
		b = r.appendToken(b, &r.Tokens[i])
	}
	if c := r.Current; c != nil {
		b = r.appendHash(b, c.Token)
		b = binary.AppendUvarint(b, uint64(c.Exchanges))
		b = binary.AppendUvarint(b, uint64(c.Switches))
		b = appendText(b, c.Sealed)
	}
	if r.Successor != nil {
		b = append(b, r.Successor[:]...)
	}
	return b
}

func (r *Record) appendToken(b []byte, t *Token) []byte {
	parent := r.place(t.From)
	follows := parent == 0 && t.From != Hash{}
	b = append(b, t.Hash[:]...)
	b = append(b, bit(t.Spent, isSpent)|bit(t.Rejected, isRejected)|bit(t.Unknown, isUnknown)|bit(follows, parentFollows))
	b = binary.AppendUvarint(b, parent)
	if follows {
		b = append(b, t.From[:]...)
	}
	for _, m := range []Moment{t.Began, t.Brought, t.Carried, t.Used} {
		b = binary.AppendVarint(b, int64(m))
	}
	return b
}

// appendHash appends the place of a token, or its hash where it isn't in the list.
func (r *Record) appendHash(b []byte, hash Hash) []byte {
	place := r.place(hash)
	b = binary.AppendUvarint(b, place)
	if place == 0 {
		b = append(b, hash[:]...)
	}
	return b
}

func (r *Record) place(hash Hash) uint64 {
	for i := range r.Tokens {
		if r.Tokens[i].Hash == hash {
			return uint64(i) + 1
		}
	}
	return 0
}

func bit(set bool, mask byte) byte {
	if set {
		return mask
	}
	return 0
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// Parse reads what Append wrote. The error is ErrMalformed.
func Parse(b []byte) (*Record, error) {
	d := decoder{rest: b}
	if d.byte() != encoding {
		return nil, ErrMalformed
	}
	flags, r := d.byte(), &Record{}
	r.Count = d.uvarint()
	copy(r.Tag[:], d.bytes(len(r.Tag)))
	r.Ended, r.RevokePending = d.moment(), flags&isRevokePending != 0
	state := d.byte()
	r.Refresh = Refresh{State: State(state >> 1), Unknown: state&1 != 0, Until: d.moment(), Since: d.moment()}
	if flags&hasToken != 0 {
		r.Refresh.Token = *d.hash()
	}
	if flags&hasHolder != 0 {
		copy(r.Refresh.Holder[:], d.bytes(len(r.Refresh.Holder)))
	}
	if flags&hasStep != 0 {
		r.Refresh.Step = &Step{Code: d.text(), Organization: d.text()}
	}
	parents := d.tokens(r)
	for i, parent := range parents {
		if parent != 0 {
			r.Tokens[i].From = d.at(r, parent)
		}
	}
	if flags&hasCurrent != 0 {
		r.Current = &Current{Token: d.token(r), Exchanges: uint32(d.uvarint()), Switches: uint32(d.uvarint()), Sealed: d.text()}
	}
	if flags&hasSuccessor != 0 {
		r.Successor = new(Key)
		copy(r.Successor[:], d.bytes(len(r.Successor)))
	}
	if d.bad || len(d.rest) > 0 || r.Refresh.State > Paused {
		return nil, ErrMalformed
	}
	return r, nil
}

const maxParsed = 64 // tokens

// decoder reads bytes; after a mistake it reads zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) bytes(n int) []byte {
	if d.bad || n < 0 || n > len(d.rest) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) moment() Moment {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return Moment(v)
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	return string(d.bytes(int(n)))
}

func (d *decoder) hash() *Hash {
	h := new(Hash)
	copy(h[:], d.bytes(len(h)))
	return h
}

// tokens reads the list and returns the places of the parents.
func (d *decoder) tokens(r *Record) []uint64 {
	n := d.uvarint()
	if n > maxParsed {
		d.bad = true
		return nil
	}
	r.Tokens = make([]Token, n)
	parents := make([]uint64, n)
	for i := range r.Tokens {
		t := &r.Tokens[i]
		t.Hash = *d.hash()
		flags := d.byte()
		t.Spent, t.Rejected, t.Unknown = flags&isSpent != 0, flags&isRejected != 0, flags&isUnknown != 0
		parents[i] = d.uvarint()
		if flags&parentFollows != 0 {
			t.From = *d.hash()
		}
		t.Began, t.Brought, t.Carried, t.Used = d.moment(), d.moment(), d.moment(), d.moment()
	}
	return parents
}

func (d *decoder) token(r *Record) Hash {
	if place := d.uvarint(); place != 0 {
		return d.at(r, place)
	}
	return *d.hash()
}

func (d *decoder) at(r *Record, place uint64) Hash {
	if place > uint64(len(r.Tokens)) {
		d.bad = true
		return Hash{}
	}
	return r.Tokens[place-1].Hash
}
