package replica

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// Replicas compare the digests of their events in the goroutine that hears messages, which must
// not take longer than the pings that it hears: a directory's synchronization makes thousands.
func TestDigestOfManyEvents(t *testing.T) {
	t.Parallel()
	now := family.At(time.Now())
	var list []Event
	for i := range 50_000 {
		list = append(list, Event{Whom: Whom{Subject: fmt.Sprint("user_", i), Organization: "org_1"}, Ended: i%2 == 0, At: now, Happened: now})
	}
	var a, b Events
	a.init(time.Now)
	b.init(time.Now)
	a.add(now, list...)
	begin := time.Now()
	digest := a.digest()
	if took := time.Since(begin); took > 100*time.Millisecond {
		t.Errorf("took %s, want no time at all", took)
	}
	for i := range list { // in another order, some told again
		b.add(now, list[len(list)-1-i])
		if i%100 == 0 {
			b.add(now, list[len(list)-1-i])
		}
	}
	if !bytes.Equal(b.digest(), digest) {
		t.Error("got another digest of the same events in another order")
	}
	b.add(now, Event{Whom: Whom{Role: "admin"}, At: now, Happened: now})
	if bytes.Equal(b.digest(), digest) {
		t.Error("got the same digest of one event more")
	}
	a.sweep(now + 1)
	var none Events
	none.init(time.Now)
	if !bytes.Equal(a.digest(), none.digest()) {
		t.Error("got another digest than that of no events after all were forgotten")
	}
}
