package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/replica/replicatest"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

var (
	modelRuns = flag.Int("model.runs", 8, "runs of the model")
	modelSeed = flag.Uint64("model.seed", 0, "seed of its first run; 0: by chance")
)

// model plays browsers against replicas, in virtual time, with faults of the store, the bus and
// AuthKit, and checks what DESIGN 5 promises: a good session is never answered 401; none goes on
// a second after its end; no one gets another's; no request waits longer than 6 s; and as long as
// nothing is wrong, each refresh token is sent once.
type model struct {
	t        *testing.T
	name     string
	rng      *rand.Rand
	server   *replicatest.Server
	replicas []*modelReplica
	authKit  *modelAuthKit
	faulty   bool
	running  sync.WaitGroup

	mu      sync.Mutex
	lastBad time.Time // when a fault was last there
	answers int
}

type modelReplica struct {
	*Manager
	conn *replicatest.Conn
}

// modelAuthKit exchanges tokens. A spent one is good for ten seconds more.
type modelAuthKit struct {
	mu     sync.Mutex
	model  *model
	tokens map[string]*modelToken
	count  int
	lose   float64 // answers
	slow   time.Duration
}

type modelToken struct {
	session *modelSession
	spent   time.Time
	calls   int
	lost    int
}

type modelSession struct {
	id      string
	ended   time.Time
	tainted bool // AuthKit's answers were lost for longer than its grace: nothing can be promised
}

const modelLifetime = 6 * time.Second

// issue makes a sealed session's JSON. Nobody verifies its signature.
func (a *modelAuthKit) issue(s *modelSession, organization string) json.RawMessage {
	a.count++
	refreshToken := fmt.Sprint(s.id, " ", a.count)
	a.tokens[refreshToken] = &modelToken{session: s}
	now := time.Now()
	payload := fmt.Sprintf(`{"sub":"user_%s","sid":%q,"iat":%d,"exp":%d,"org_id":%q,"jti":"%d"}`, s.id, s.id, now.Unix(), now.Add(modelLifetime).Unix(), organization, a.count)
	encode := base64.RawURLEncoding.EncodeToString
	accessToken := encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(payload)) + "." + encode(make([]byte, 256))
	return json.RawMessage(fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"user":{"id":"user_%s"}}`, accessToken, refreshToken, s.id))
}

func (a *modelAuthKit) Refresh(ctx context.Context, refreshToken, organization string) (json.RawMessage, error) {
	if pause(ctx, a.delay()); ctx.Err() != nil {
		return nil, &Outage{Err: ctx.Err()}
	}
	a.mu.Lock()
	t := a.tokens[refreshToken]
	t.calls++
	if t.calls > 1 && !a.model.bad() {
		a.model.fail("%s: sent %d times", refreshToken, t.calls)
	}
	if !t.session.ended.IsZero() || !t.spent.IsZero() && time.Since(t.spent) > 10*time.Second {
		a.mu.Unlock()
		return nil, ErrInvalidGrant
	}
	if t.spent.IsZero() {
		t.spent = time.Now()
	}
	answer := a.issue(t.session, organization)
	lost := a.model.chance(a.lose)
	if lost {
		t.lost++
		t.session.tainted = t.session.tainted || t.lost > 2
	}
	slow := a.slow
	a.mu.Unlock()
	if lost {
		return nil, &Outage{Err: io.EOF}
	}
	if pause(ctx, slow); ctx.Err() != nil {
		return nil, &Outage{Err: ctx.Err()}
	}
	return answer, nil
}

func (a *modelAuthKit) delay() time.Duration {
	return 5*time.Millisecond + a.model.upTo(50*time.Millisecond)
}

func (m *model) chance(p float64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rng.Float64() < p
}

func (m *model) upTo(d time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Duration(m.rng.Int64N(int64(d)) + 1)
}

func (m *model) pick(n int) int { return int(m.upTo(time.Duration(n))) - 1 }

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Errorf("%s: "+format, append([]any{m.name}, args...)...)
}

// bad reports whether something is wrong, or was until lately.
func (m *model) bad() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.faulty || !m.lastBad.IsZero() && time.Since(m.lastBad) < 20*time.Second
}

func (m *model) setFault(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faulty, m.lastBad = on, time.Now()
}

func newModel(t *testing.T, name string, rng *rand.Rand, ctx context.Context) *model {
	m := &model{t: t, name: name, rng: rng, server: replicatest.NewServer(nil)}
	m.authKit = &modelAuthKit{model: m, tokens: map[string]*modelToken{}}
	cookies, err := seal.NewCookie(seal.FormatIron, "0123456789abcdefghijklmnopqrstuv")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 + rng.IntN(2) {
		r := &modelReplica{conn: m.server.Connect()}
		skew := time.Duration(rng.IntN(240)-120) * time.Second
		r.Manager, err = New(Config{
			Cookie: cookie.Config{Name: "s"}, Seal: cookies, Tokens: &token.Verifier{ClientID: "client"}, AuthKit: m.authKit,
			Store: r.conn, Bus: r.conn, Passwords: []string{"0123456789abcdefghijklmnopqrstuv"},
			Now: func() time.Time { return time.Now().Add(skew) },
		})
		if err != nil {
			t.Fatal(err)
		}
		m.replicas = append(m.replicas, r)
		m.running.Go(func() { r.Run(ctx) })
	}
	return m
}

// verify is Manager.Verify without the signature, and with the right clock for the expiry.
func (r *modelReplica) verify(ctx context.Context, sealed string, ahead bool) (*resolved, error) {
	o, err := r.open(r.newSealed(sealed))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, askerWait, errRefreshSlow)
	defer cancel()
	for range maxRounds {
		s, err := r.resolve(ctx, o, true)
		if err != nil {
			return nil, err
		}
		if time.Now().Before(s.session.claims.ExpiresAt) {
			if s.session != o && ahead {
				r.carry(ctx, s)
			}
			return s, nil
		}
		if _, err := r.refresher.refresh(ctx, s.refreshRequest()); err != nil {
			return nil, err
		}
	}
	return nil, &Outage{Err: errAlwaysChanging}
}

// browser is somebody with a session, who stores new cookies or misses them.
func (m *model) browser(ctx context.Context, s *modelSession, stores float64) {
	m.authKit.mu.Lock()
	response := m.authKit.issue(s, "")
	m.authKit.mu.Unlock()
	r := m.replicas[m.pick(len(m.replicas))]
	jar, _, err := r.SignIn(response)
	if err != nil {
		m.fail("sign-in: %v", err)
		return
	}
	var requests sync.WaitGroup
	defer requests.Wait()
	var mu sync.Mutex
	for ctx.Err() == nil {
		pause(ctx, m.upTo(3*time.Second))
		mu.Lock()
		sent := jar
		mu.Unlock()
		burst := 1 + m.pick(4)
		for range burst {
			requests.Go(func() {
				if next := m.request(ctx, s, sent); next != "" && m.chance(stores) {
					mu.Lock()
					jar = next
					mu.Unlock()
				}
			})
		}
		if s.ended.IsZero() && m.chance(0.02) {
			m.end(ctx, s, sent)
		}
	}
}

// request is one of the browser's. It returns the cookie that the answer carries.
func (m *model) request(ctx context.Context, s *modelSession, sent string) (next string) {
	r, begin := m.replicas[m.pick(len(m.replicas))], time.Now()
	wasBad := m.bad()
	m.authKit.mu.Lock()
	ended, tainted := s.ended, s.tainted
	m.authKit.mu.Unlock()
	v, err := r.verify(ctx, sent, true)
	if ctx.Err() != nil {
		return ""
	}
	m.mu.Lock()
	m.answers++
	m.mu.Unlock()
	if waited := time.Since(begin); waited > 6*time.Second {
		m.fail("waited %s", waited)
	}
	bad := wasBad || m.bad()
	switch {
	case err == nil && v.session.claims.SessionID != s.id:
		m.fail("%s: got another's session %s", s.id, v.session.claims.SessionID)
	case err == nil && !ended.IsZero() && begin.Sub(ended) > time.Second && !bad:
		m.fail("%s: 200 %s after its end", s.id, begin.Sub(ended))
	case errors.Is(err, ErrEnded) && ended.IsZero() && !tainted:
		m.authKit.mu.Lock()
		endedNow := !s.ended.IsZero() || s.tainted
		m.authKit.mu.Unlock()
		if !endedNow && !errors.Is(err, ErrSuperseded) {
			m.fail("%s: a good session got %v", s.id, err)
		}
	case err != nil && !errors.Is(err, ErrEnded) && !errors.Is(err, ErrSuperseded) && !bad:
		m.fail("%s: got %v though nothing is wrong", s.id, err)
	}
	if err == nil && v.session.sealed != sent {
		return v.session.sealed
	}
	return ""
}

func (m *model) end(ctx context.Context, s *modelSession, sent string) {
	r := m.replicas[m.pick(len(m.replicas))]
	o, err := r.open(r.newSealed(sent))
	if err != nil {
		m.fail("%v", err)
		return
	}
	m.authKit.mu.Lock()
	s.ended = time.Now()
	m.authKit.mu.Unlock()
	r.end(ctx, o)
}

// faults makes something go wrong now and then.
func (m *model) faults(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, m.upTo(15*time.Second))
		lasts := m.upTo(8 * time.Second)
		m.setFault(true)
		conn := m.replicas[m.pick(len(m.replicas))].conn
		switch m.pick(12) {
		case 0:
			m.server.Set(replicatest.Faults{Down: true})
		case 1:
			m.server.Set(replicatest.Faults{Full: true})
		case 2:
			m.server.Restore(nil)
		case 3:
			snapshot := m.server.Snapshot()
			pause(ctx, lasts)
			m.server.Restore(snapshot)
		case 4:
			m.server.Set(replicatest.Faults{BusDown: true})
		case 5:
			m.server.Set(replicatest.Faults{LoseOne: func() bool { return rand.Float64() < 0.3 }})
		case 6:
			m.server.Set(replicatest.Faults{LoseAnswer: func() bool { return rand.Float64() < 0.3 }})
		case 7:
			m.server.Set(replicatest.Faults{Delay: 200 * time.Millisecond})
		case 8:
			m.server.Set(replicatest.Faults{Delay: 300 * time.Millisecond})
		case 9:
			conn.Cut(true, m.chance(0.5))
		case 10:
			m.authKit.set(0.4, 0)
		case 11:
			m.authKit.set(0, 4*time.Second)
		}
		pause(ctx, lasts)
		m.server.Set(replicatest.Faults{})
		conn.Cut(false, false)
		m.authKit.set(0, 0)
		m.setFault(false)
	}
}

func (a *modelAuthKit) set(lose float64, slow time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lose, a.slow = lose, slow
}

func TestModel(t *testing.T) {
	t.Parallel()
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	answers, begin := 0, time.Now()
	for run := range *modelRuns {
		name := fmt.Sprintf("seed %d (-model.seed %d -model.runs 1)", seed+uint64(run), seed+uint64(run))
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed+uint64(run), 1))
			ctx, cancel := context.WithCancel(t.Context())
			m := newModel(t, name, rng, ctx)
			pause(ctx, 2*time.Second) // they have heard each other
			limited, done := context.WithTimeout(ctx, 45*time.Second)
			var all sync.WaitGroup
			if run%4 != 0 {
				all.Go(func() { m.faults(limited) })
			}
			for i, stores := range []float64{1, 0.5, 0} {
				all.Go(func() { m.browser(limited, &modelSession{id: fmt.Sprint("session_", i)}, stores) })
			}
			all.Wait()
			done()
			for _, r := range m.replicas {
				r.Stop()
				r.refresher.running.Wait()
			}
			cancel()
			m.running.Wait()
			answers += m.answers
		})
		if t.Failed() {
			break
		}
	}
	t.Logf("%d runs from seed %d, %d answers, %s", *modelRuns, seed, answers, time.Since(begin).Round(time.Millisecond))
	var _ replica.Store = (*replicatest.Conn)(nil)
}
