package session

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

const (
	callLimit = 10 * time.Second // for a call to AuthKit, and those beside it
	maxBeside = 8                // calls beside an unanswered one, at one time
)

// Another call is made beside one that isn't answered after so long: a hang can't be saved
// once AuthKit's grace is over.
var besideAfter = [...]time.Duration{3 * time.Second, 6 * time.Second}

// meaning is what an answer of AuthKit's says about the refresh token.
type meaning int

const (
	notProcessed meaning = iota // it is as it was
	step                        // it is as it was: the user has to do something
	invalid                     // it is refused for good
	unknown                     // it may be spent
	succeeded                   // it is spent, and its session is here
)

// answer is AuthKit's, or why there is none.
type answer struct {
	meaning   meaning
	issued    family.Issued // succeeded
	sessionID string        // succeeded: of the new session
	step      *StepRequired // step
	outage    *Outage       // notProcessed, unknown
	err       error
	against   bool // it says that AuthKit is out of order, not that one session is
	order     int  // of the calls beside each other
}

// call calls AuthKit, and again beside that while there is no answer. A success counts at
// once; anything else only when no call is unanswered. A later call that succeeds
// after the first one did has the last word.
func (f *refresher) call(w refreshRequest) answer {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	answers := make(chan answer, 1+len(besideAfter))
	calls, open := 0, 0
	begin := func(done func()) {
		order := calls
		calls++
		open++
		f.running.Go(func() {
			defer done()
			a := f.callOnce(ctx, w)
			a.order = order
			answers <- a
		})
	}
	begin(func() {})
	worst := answer{meaning: notProcessed}
	beside := time.NewTimer(besideAfter[0])
	defer beside.Stop()
	for {
		select {
		case a := <-answers:
			open--
			if a.meaning == succeeded {
				f.running.Go(func() { defer cancel(); f.awaitLater(w, a, answers, open) })
				return a
			}
			if a.meaning >= worst.meaning {
				worst = a
			}
			if open == 0 {
				cancel()
				return worst
			}
		case <-beside.C:
			if calls < len(besideAfter) {
				beside.Reset(besideAfter[calls] - besideAfter[calls-1])
			}
			if done, ok := f.mayCallBeside(); ok {
				begin(done)
			} else {
				calls++
			}
		}
	}
}

// mayCallBeside takes a slot for one more call, if there is one.
func (f *refresher) mayCallBeside() (done func(), ok bool) {
	if !f.mayCall() || !f.slots.tryAcquire() {
		return nil, false
	}
	select {
	case f.beside <- struct{}{}:
		return func() { <-f.beside; f.slots.release() }, true
	default:
		f.slots.release()
		return nil, false
	}
}

// awaitLater waits for the calls that are still open after one has succeeded.
func (f *refresher) awaitLater(w refreshRequest, first answer, answers <-chan answer, open int) {
	for ; open > 0; open-- {
		later := <-answers
		if later.meaning != succeeded || later.order < first.order || later.issued.Token == first.issued.Token {
			continue
		}
		f.change(context.Background(), w, func(r *record, now family.Moment) bool {
			return r.Replace(first.issued.Token, later.issued, now)
		})
		first = later
	}
}

// callOnce makes one call.
func (f *refresher) callOnce(ctx context.Context, w refreshRequest) answer {
	began := f.records.Now()
	response, err := f.authKit.Refresh(ctx, w.RefreshToken, w.organization)
	if err != nil {
		return meaningOf(err)
	}
	issued, err := f.next(w, response)
	if err != nil { // half an answer, or one that is about this session: the token may be spent
		outage := &Outage{Refused: true, Err: err}
		return answer{meaning: unknown, outage: outage, err: outage}
	}
	issued.Began = began
	return answer{meaning: succeeded, issued: issued, sessionID: sessionIDOf(response)}
}

// sessionIDOf is the sid of an authenticate response.
func sessionIDOf(response json.RawMessage) string {
	var r struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(response, &r) != nil {
		return ""
	}
	access, err := token.Parse(r.AccessToken)
	if err != nil {
		return ""
	}
	return access.Unverified().SessionID
}

// meaningOf sorts AuthKit's refusals and failures.
func meaningOf(err error) answer {
	if errors.Is(err, ErrInvalidGrant) {
		return answer{meaning: invalid, err: err}
	}
	if s, ok := errors.AsType[*StepRequired](err); ok {
		return answer{meaning: step, step: s, err: err}
	}
	outage, ok := errors.AsType[*Outage](err)
	if !ok {
		outage = &Outage{Err: err}
	}
	a := answer{meaning: unknown, outage: outage, err: outage, against: true}
	switch {
	case outage.Refused: // 3xx and 4xx
		a.meaning, a.against = notProcessed, outage.Status == http.StatusUnauthorized || outage.Code == "invalid_client"
	case outage.Status == http.StatusTooManyRequests, outage.Status == http.StatusRequestTimeout,
		outage.Status == http.StatusServiceUnavailable && outage.RetryAfter > 0, outage.Status == 0 && neverSent(outage.Err):
		a.meaning = notProcessed
	}
	return a
}

// neverSent reports whether a request can't have reached AuthKit: there was no connection.
func neverSent(err error) bool {
	if operation, ok := errors.AsType[*net.OpError](err); ok && operation.Op == "dial" {
		return true
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
