package replica

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// Kinds of messages, see the package comment.
const (
	kindPing    = "ping"
	kindChanged = "changed"
	kindEnded   = "ended"
	kindEvent   = "event"
	kindAsk     = "ask"
	kindAnswer  = "answer"
	kindHello   = "hello"
	kindKnown   = "known"
	kindGoodbye = "goodbye"
)

// busContext is the seal's context of messages; that of values is their key.
const busContext = "bus"

// message is what replicas send to each other. Which fields are set depends on the kind.
type message struct {
	Kind   string `json:"k"`
	From   []byte `json:"f"`
	Number uint64 `json:"n,omitempty"` // of this sender's messages, or of its pings

	Sent     []uint64 `json:"s,omitempty"` // ping: messages that the store took before it
	Interval int64    `json:"i,omitempty"` // ping: milliseconds until the next one

	Key    []byte  `json:"r,omitempty"` // changed, ask, answer: of the record
	Tag    []byte  `json:"t,omitempty"` // changed
	Count  uint64  `json:"c,omitempty"` // changed
	Record []byte  `json:"w,omitempty"` // changed, answer: the record itself
	Stored bool    `json:"d,omitempty"` // changed: the store has that record
	Token  []byte  `json:"h,omitempty"` // ask
	Ask    []byte  `json:"a,omitempty"` // ask, answer: which ask
	Ends   []End   `json:"e,omitempty"` // ended, known
	Events []Event `json:"v,omitempty"` // event, known

	EndsDigest   []byte `json:"ed,omitempty"` // hello: what the sender knows already
	EventsDigest []byte `json:"vd,omitempty"` // hello
}

// End says that a session was ended.
type End struct {
	Key       family.Key    `json:"-"`
	KeyText   []byte        `json:"k"`
	At        family.Moment `json:"a"`
	SessionID string        `json:"s,omitempty"` // where it is to be revoked at AuthKit
	Holder    []byte        `json:"h,omitempty"` // who revokes it
}

// number makes the bytes of a message of this replica and gives it its number.
func (r *Replica) number(m message) (uint64, []byte) {
	if m.Kind == "" {
		return 0, nil
	}
	m.From = r.holder[:]
	if m.Kind != kindPing {
		m.Number = r.counted.Add(1)
	}
	plaintext, err := json.Marshal(m)
	if err != nil { // of a type that always encodes
		panic(err)
	}
	return m.Number, r.box.SealFor(busContext, plaintext)
}

// publish sends a message. Where that fails, nobody misses its number.
func (r *Replica) publish(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	number, sealed := r.number(m)
	if err := r.Bus.Publish(ctx, sealed); err != nil {
		return err
	}
	r.sent(number)
	return nil
}

var errMessage = errors.New("replica: malformed message")

// receive takes a message of any replica's.
func (r *Replica) receive(sealed []byte) {
	plaintext, err := r.box.OpenFor(busContext, sealed)
	if err != nil {
		r.garbage(err)
		return
	}
	var m message
	if err := json.Unmarshal(plaintext, &m); err != nil || len(m.From) != len(family.Holder{}) {
		r.garbage(errMessage)
		return
	}
	from := family.Holder(m.From)
	if from == r.holder {
		if m.Kind == kindPing {
			r.ownPing(m.Number)
		}
		return
	}
	r.noteSender(from, m)
	switch m.Kind {
	case kindChanged:
		r.handleChanged(m)
	case kindEnded, kindKnown:
		r.handleEnds(m.Ends, m.Kind == kindEnded)
		r.events.add(r.Now(), m.Events...)
	case kindEvent:
		r.events.add(r.Now(), m.Events...)
	case kindAsk:
		r.handleAsk(m)
	case kindAnswer:
		r.handleAnswer(from, m)
	case kindHello:
		r.handleHello(m)
	}
}

// handleChanged makes a copy stale, or merges a record that the store doesn't have.
func (r *Replica) handleChanged(m message) {
	if len(m.Key) != len(family.Key{}) || len(m.Tag) != len(family.Tag{}) {
		return
	}
	key, tag := family.Key(m.Key), family.Tag(m.Tag)
	switch {
	case m.Record != nil && m.Stored:
		r.handleStored(key, m.Record)
		return
	case m.Record != nil:
		r.handleRecord(key, m.Record)
		return
	}
	c := r.copies.peek(key)
	if c == nil || c.Record().Tag == tag {
		return
	}
	behind := c.Record().Count >= m.Count // the store's is older than the copy, perhaps
	c.markStale()
	if behind {
		r.goRead(c)
	}
}

// handleStored takes in a record that came with its announcement. It is read again before it is
// used, as after any announcement; where the store can't be asked by then, this is known.
func (r *Replica) handleStored(key family.Key, encoded []byte) {
	record, err := family.Parse(encoded)
	if err != nil || key.Private() {
		r.garbage(errMessage)
		return
	}
	c := r.Copy(key)
	c.markStale()
	c.mu.Lock()
	c.learn(record, r.Now())
	c.mu.Unlock()
	r.copies.weigh(c)
}

// handleRecord merges another replica's record, and reports whether it is one.
func (r *Replica) handleRecord(key family.Key, encoded []byte) bool {
	record, err := family.Parse(encoded)
	if err != nil || key.Private() {
		r.garbage(errMessage)
		return false
	}
	c := r.Copy(key)
	c.absorb(record, r.Now())
	r.copies.weigh(c)
	if record.Ended != 0 {
		r.ended.add(key, record.Ended)
		c.over.Store(true)
	}
	return true
}
