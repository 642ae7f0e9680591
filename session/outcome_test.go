package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// The token may be spent: AuthKit is asked again after 1, 2 and 4 s, whatever anybody's pause,
// and nobody is signed out meanwhile.
func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		response string
		err      error
	}{
		{"closed connection", "", &Outage{Err: io.EOF}},
		{"reset connection", "", &Outage{Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}},
		{"500", "", &Outage{Status: 500}},
		{"500 that says invalid_grant", "", &Outage{Status: 500, Code: "invalid_grant"}},
		{"502 of a proxy", "", &Outage{Status: 502}},
		{"503 without Retry-After", "", &Outage{Status: 503}},
		{"half an answer", "", &Outage{Status: 200, Err: io.ErrUnexpectedEOF}},
		{"an access token that is none", `{"access_token":"opaque","refresh_token":"r"}`, nil},
		{"another user's session", `{"access_token":"a","refresh_token":"r","user":{"id":"user_01OTHER"}}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, slow(0))
				var calls []time.Duration
				request, begin := b.cookie(t, "r"), time.Now().Add(time.Hour)
				b.answer = func(string) (json.RawMessage, error) {
					calls = append(calls, time.Since(begin))
					return json.RawMessage(tt.response), tt.err
				}
				pass(time.Hour)
				var outage *Outage
				if _, err := b.Verify(t.Context(), request, false); !errors.As(err, &outage) || errors.Is(err, ErrEnded) {
					t.Errorf("got %v, want an *Outage that ends nothing", err)
				}
				took(t, begin, 5*time.Second)
				b.Wait()
				if got, want := fmt.Sprint(calls), "[0s 1s 3s 7s]"; got != want {
					t.Errorf("got calls at %s, want %s", got, want)
				}
				b.answer = nil
				if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
					t.Errorf("got %v, %v, want the session at once: what is unknown doesn't wait", v, err)
				}
			})
		})
	}
}

// A session can have two live tokens, as when replicas that couldn't hear each other both refreshed it. Of one the outcome
// is unknown, then the other is exchanged: once AuthKit refuses the first, its cookie goes on as the session's.
func TestUnknownOutcomeOfAnotherToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		x, y := b.cookieOf(t, "x", "session_1"), b.cookieOf(t, "y", "session_1")
		lost := true
		b.answer = func(token string) (json.RawMessage, error) {
			switch {
			case strings.HasSuffix(token, "x") && lost:
				return nil, &Outage{Err: io.EOF}
			case strings.HasSuffix(token, "x"):
				return nil, ErrInvalidGrant
			}
			return nil, nil
		}
		pass(time.Hour)
		if _, err := b.Verify(t.Context(), x, false); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("got %v, want ErrUnavailable", err)
		}
		b.Wait()
		pass(10 * time.Second)
		if v, err := b.Verify(t.Context(), y, false); err != nil || v.Current == "" {
			t.Fatalf("got %v, %v, want the session", v, err)
		}
		lost = false
		pass(time.Minute)
		if v, err := b.Verify(t.Context(), x, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the session that goes on", v, err)
		}
	})
}

// AuthKit has exchanged the token, and its answer is lost: within its grace the session is saved.
// The same for a switch.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int{"once": 1, "twice": 2, "three times": 3, "five times": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, slow(0))
				refreshed, moved := b.cookieOf(t, "r", "session_1"), b.cookieOf(t, "r", "session_2")
				spent := map[string]time.Time{}
				n := 0
				b.answer = func(token string) (json.RawMessage, error) {
					if at, ok := spent[token]; ok && time.Since(at) > 10*time.Second {
						return nil, ErrInvalidGrant // the grace is over
					} else if !ok {
						spent[token] = time.Now()
					}
					if n++; n <= lost {
						return nil, &Outage{Err: io.EOF}
					}
					return nil, nil
				}
				pass(time.Hour)
				for {
					v, err := b.Verify(t.Context(), refreshed, false)
					if errors.Is(err, ErrUnavailable) {
						continue
					}
					if err != nil || v.Current == "" {
						t.Errorf("got %v, %v, want the session", v, err)
					}
					break
				}
				n = 0
				_, _, err := b.Switch(t.Context(), moved, "org_01OTHER")
				for errors.Is(err, ErrUnavailable) {
					_, _, err = b.Switch(t.Context(), moved, "org_01OTHER")
				}
				if v, verr := b.Verify(t.Context(), moved, false); err != nil || verr != nil || v.Identity.OrganizationID != "org_01OTHER" {
					t.Errorf("got %v, %v, %v, want the other organization", err, v, verr)
				}
			})
		})
	}
}

// invalid_grant beside a call that never answered is unknown: that call may have spent the token.
func TestInvalidGrantBesideUnansweredCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		var b *bubble
		b = newBubble(t, func(ctx context.Context) error {
			switch b.calls.Load() {
			case 1:
				select {
				case <-first: // after 9 s, with the session
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			default:
				return ErrInvalidGrant
			}
		})
		request := b.cookie(t, "r")
		pass(time.Hour)
		time.AfterFunc(9*time.Second, func() { close(first) })
		for range 2 {
			if _, err := b.Verify(t.Context(), request, false); err != nil && !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v, want nobody signed out", err)
			}
		}
		if v, err := b.Verify(t.Context(), request, false); err != nil || v.Current == "" {
			t.Errorf("got %v, %v, want the session", v, err)
		}
	})
}

// A call that was sent later and succeeds too has the last word: AuthKit may have ended the
// earlier one's session.
func TestLaterCallCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, slow(0))
		var calls atomic.Int64
		b.answer = func(token string) (json.RawMessage, error) {
			n := calls.Add(1)
			pass(map[int64]time.Duration{1: 4 * time.Second, 2: 4 * time.Second}[n])
			return json.Marshal(map[string]any{
				"access_token": b.mint("session_01TEST", fmt.Sprint("org_", n), time.Hour), "refresh_token": fmt.Sprint("r", n),
			})
		}
		request := b.cookie(t, "r")
		pass(time.Hour)
		v, err := b.Verify(t.Context(), request, false)
		if err != nil || v.Identity.OrganizationID != "org_1" {
			t.Errorf("got %v, %v, want the first answer", v, err)
		}
		b.Wait()
		if v, err = b.Verify(t.Context(), request, false); err != nil || v.Identity.OrganizationID != "org_2" {
			t.Errorf("got %v, %v, want the later call's session", v, err)
		}
	})
}

// Failures of one user's sessions don't keep others from their refreshes, whatever it is and
// however often they ask.
func TestOneUsersTroubleIsNoOutage(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 40_000)
	tests := []struct {
		name string
		err  error
		sent string
		wait time.Duration // the longest that somebody else waits
	}{
		{"404", &Outage{Status: 404, Code: "entity_not_found", Refused: true}, "", 0},
		{"429", &Outage{Status: 429}, "", 3 * time.Second},
		{"500", &Outage{Status: 500}, "", 3 * time.Second},
		{"oversized", nil, `{"access_token":"` + large + `","refresh_token":"r"}`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, slow(0))
				b.answer = func(token string) (json.RawMessage, error) {
					if strings.HasPrefix(token, "session_evil") {
						return json.RawMessage(tt.sent), tt.err
					}
					return nil, nil
				}
				var evil, good []http.Header
				for i := range 10 {
					evil = append(evil, b.cookieOf(t, "r", fmt.Sprint("session_evil", i)))
				}
				for i := range 30 {
					good = append(good, b.cookieOf(t, "r", fmt.Sprint("session_good", i)))
				}
				pass(time.Hour)
				ctx, cancel := context.WithCancel(t.Context())
				var polls sync.WaitGroup
				for _, request := range evil {
					polls.Go(func() {
						for ctx.Err() == nil {
							_, _ = b.Verify(ctx, request, false)
							pass(100 * time.Millisecond)
						}
					})
				}
				pass(5 * time.Second)
				for i, request := range good {
					begin := time.Now()
					for {
						_, err := b.Verify(t.Context(), request, false)
						if err == nil {
							break
						}
						var outage *Outage
						if !errors.As(err, &outage) {
							t.Fatalf("session %d: got %v, want a session", i, err)
						}
						pass(max(outage.RetryAfter, 100*time.Millisecond))
					}
					if got := time.Since(begin); got > tt.wait {
						t.Errorf("session %d: waited %s, want %s at most", i, got, tt.wait)
					}
					pass(time.Second)
				}
				cancel()
				polls.Wait()
			})
		})
	}
}
