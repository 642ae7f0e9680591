package replica

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// shelf is a store of one value and a bus that loses what it is given. It notes what swaps bring.
type shelf struct {
	unreachable
	ttl       time.Duration
	announced []byte
}

func (s *shelf) Load(context.Context, string, time.Duration) (Value, time.Time, error) {
	return Value{}, time.Time{}, nil
}

func (s *shelf) Swap(_ context.Context, _ string, _ Tag, _ Value, ttl time.Duration, announcement []byte) (bool, Value, time.Time, error) {
	s.ttl, s.announced = ttl, announcement
	return true, Value{}, time.Time{}, nil
}

// An event is stored for a day, however short records live; and where it couldn't be announced
// by itself, storing it does that, since nobody who hears looks there.
func TestEventIsStored(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	r, err := New(Config{Store: s, Bus: s, Passwords: []string{"0123456789abcdefghijklmnopqrstuv"}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	now := r.Now()
	if err := r.Announce(t.Context(), Event{Whom: Whom{Subject: "user_1"}, Ended: true, At: now, Happened: now}); err != nil {
		t.Fatal(err)
	}
	if s.ttl != 24*time.Hour {
		t.Errorf("stored for %s, want 24h", s.ttl)
	}
	plaintext, err := r.box.OpenFor(busContext, s.announced)
	var m message
	if err != nil || json.Unmarshal(plaintext, &m) != nil || m.Kind != kindEvent || len(m.Events) != 1 || m.Events[0].Subject != "user_1" {
		t.Errorf("got %q, %v announced, want the event", plaintext, err)
	}
}

// An answer that can't be read is none: the token isn't rejected for it.
func TestUnreadableAnswer(t *testing.T) {
	t.Parallel()
	r, err := New(Config{Store: unreachable{}, Bus: unreachable{}, Passwords: []string{"0123456789abcdefghijklmnopqrstuv"}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	key, other, id := family.KeyOf("client", "user", "session_1"), family.Holder{1}, [16]byte{2}
	q := &pendingAsk{key: key, waiting: map[family.Holder]bool{other: true}, done: make(chan struct{})}
	r.asks.pending[id] = q
	r.handleAnswer(other, message{Kind: kindAnswer, Key: key[:], Ask: id[:], Record: []byte("of a later release")})
	select {
	case <-q.done:
		t.Error("got an answer of a record that can't be read")
	default:
	}
	r.handleAnswer(other, message{Kind: kindAnswer, Key: key[:], Ask: id[:]})
	select {
	case <-q.done:
	default:
		t.Error("got no answer, want that the replica knows nothing")
	}
}
