package breaker

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ask is what Allow answers: "yes", or how long to wait.
func ask(b *Breaker, key string) string {
	if wait, ok := b.Allow(key); !ok {
		return wait.String()
	}
	return "yes"
}

// run makes steps one after another and returns their answers: "a?" asks for a,
// "a-" is a failure of a's, "a+" a success; "1s" waits.
func run(t *testing.T, b *Breaker, steps string) string {
	t.Helper()
	var got []string
	for step := range strings.FieldsSeq(steps) {
		key := step[:len(step)-1]
		switch step[len(step)-1] {
		case '?':
			got = append(got, ask(b, key))
		case '-':
			if b.Failure(key) {
				got = append(got, "opened")
			}
		case '+':
			if b.Success(key) {
				got = append(got, "closed")
			}
		case 's':
			wait, err := time.ParseDuration(step)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(wait)
		}
	}
	return strings.Join(append(got, b.State().String()), " ")
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, steps, want string }{
		{"nothing has failed", "a? b?", "yes yes closed"},
		{"two keys failed", "a- b- a? c?", "yes yes closed"},
		{"three keys failed", "a- b- c- d?", "opened 1s open"},
		{"one key fails again and again", "a- a- a- a- a? b?", "yes yes closed"},
		{"a success between", "a- b- d+ c- d?", "yes closed"},
		{"the success of a key that failed counts for all", "a- b- a+ c- d?", "yes closed"},
		{"failures further apart than the window", "a- 5s b- 6s c- d?", "yes closed"},
		{"failures within the window", "a- 5s b- 5s c- d?", "opened 1s open"},
		{"the same key again renews its failure", "a- 9s a- b- 9s c-", "opened open"},
		{"half a second later", "a- b- c- 500ms d?", "opened 500ms open"},
		{"a trial is due", "a- b- c- 1s", "opened half-open"},
		{"one trial each interval", "a- b- c- 1s d? e? 600ms e? 400ms e?", "opened yes 1s 400ms yes half-open"},
		{"a trial succeeds", "a- b- c- 1s d? d+ a? e?", "opened yes closed yes yes closed"},
		{"a trial fails", "a- b- c- 1s d? d- e? 1s e?", "opened yes 1s yes half-open"},
		{"a trial that fails is over", "a- b- c- 1s d? 100ms d- 100ms", "opened yes open"},
		{"a trial that hangs doesn't stop the next", "a- b- c- 1s d? 1s e? 1s f? d- e-", "opened yes yes yes half-open"},
		{"a call from before that succeeds late", "a- b- c- d+ a?", "opened closed yes closed"},
		{"a call from before that fails late prolongs nothing", "a- b- c- 900ms d- 100ms e?", "opened yes half-open"},
		{"no trial for who made it open", "a- b- c- 1s a? b? d?", "opened 1s 1s yes half-open"},
		{"nor for whose trial has failed", "a- b- c- 1s d? d- 1s d? e?", "opened yes 1s yes half-open"},
		{"unless nobody else comes", "a- b- c- 2s a? b? d?", "opened yes 2s 1s half-open"},
		{"opens again as at first", "a- b- c- 1s d? d+ a- b- d? c- d?", "opened yes closed yes opened 1s open"},
		{"open for longer than the window", "a- b- c- 20s d? d- a? 1s e?", "opened yes 2s yes half-open"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &Breaker{Threshold: 3, Window: 10 * time.Second}
				if got := run(t, b, row.steps); got != row.want {
					t.Errorf("%s:\n got %s\nwant %s", row.steps, got, row.want)
				}
			})
		})
	}
}

// With a threshold of one there may be one key only.
func TestOneKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Breaker{Threshold: 1, Interval: 500 * time.Millisecond}
		steps, want := "k? k- k? 500ms k? k- k? 500ms k? k+ k? k-", "yes opened 500ms yes 500ms yes closed yes opened open"
		if got := run(t, b, steps); got != want {
			t.Errorf("%s:\n got %s\nwant %s", steps, got, want)
		}
	})
}

func TestSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := &Breaker{Threshold: 1, Now: func() time.Time { return now }}
	if got := b.Since(); !got.IsZero() {
		t.Errorf("got open since %s, want closed", got)
	}
	b.Failure("a")
	now = now.Add(time.Minute)
	b.Failure("b")
	if got := b.Since().Format(time.TimeOnly); got != "03:04:05" {
		t.Errorf("got open since %s, want 03:04:05", got)
	}
	b.Success("c")
	if got := b.Since(); !got.IsZero() {
		t.Errorf("got open since %s, want closed", got)
	}
}

// DESIGN 5: ten users whose refreshes fail, and who ask as fast as they can, delay 30
// others by a second or two.
func TestTenFailingUsers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &Breaker{Threshold: 5, Window: 10 * time.Second}
		ctx := t.Context()
		var wg sync.WaitGroup
		over := make(chan struct{})
		for i := range 10 {
			wg.Go(func() {
				key := fmt.Sprint("bad", i)
				for {
					if _, ok := b.Allow(key); ok {
						b.Failure(key)
					}
					select {
					case <-over:
						return
					case <-time.After(7 * time.Millisecond):
					}
				}
			})
		}
		time.Sleep(20 * time.Second) // none of the others was there
		if got := b.State(); got == Closed {
			t.Errorf("got it %s after ten keys failed, want open", got)
		}
		var others sync.WaitGroup
		for i := range 30 {
			others.Go(func() {
				begin, key := time.Now(), fmt.Sprint("good", i)
				for ctx.Err() == nil {
					wait, ok := b.Allow(key)
					if ok {
						b.Success(key)
						break
					}
					time.Sleep(wait)
				}
				if took := time.Since(begin); took > 2*time.Second {
					t.Errorf("%s waited %s, want 2s at most", key, took)
				}
			})
		}
		others.Wait()
		close(over)
		wg.Wait()
	})
}

// An attacker with many keys costs no more than so much memory.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	b := &Breaker{Threshold: 5}
	for i := range 100_000 {
		b.Failure(fmt.Sprint(i))
	}
	if got := len(b.failed); got > 1000 {
		t.Errorf("got %d keys remembered, want 1000 at most", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := &Breaker{Threshold: 2}
	var wg sync.WaitGroup
	var opened, closed sync.Map
	for i := range 50 {
		wg.Go(func() {
			if b.Failure(fmt.Sprint(i)) {
				opened.Store(i, true)
			}
		})
	}
	wg.Wait()
	for i := range 50 {
		wg.Go(func() {
			b.Allow("x")
			if b.Success("x") {
				closed.Store(i, true)
			}
		})
	}
	wg.Wait()
	for name, m := range map[string]*sync.Map{"opened": &opened, "closed": &closed} {
		n := 0
		m.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d calls were told that it %s, want 1", n, name)
		}
	}
}
