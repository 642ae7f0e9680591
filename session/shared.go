package session

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

const (
	lookEvery = time.Second // the store is asked again about a token that isn't remembered
	marksKey  = "changes"
)

// shared is the Manager's side of a Store: what the replicas tell each other of
// turns, lines and marks. Each replica has what it knows in memory, too, and goes
// on with that where the store can't be asked; what it could not tell meanwhile it
// tells later.
//
//	t<hash of refresh token>   turn
//	l<hash of user and sid>    line
//	m<hash of whom it is about> mark
//	changes                    marks of roles and permissions
//
// Values are sealed, and say which key they belong to. Keys are keyed hashes; those
// under a previous password are read, never written.
type shared struct {
	store     Store // nil: this process is alone, and every method does nothing
	bus       Bus
	box       *seal.Box
	keys      [][]byte // one a password
	ttl       time.Duration
	rotations *rotations
	marks     *marks
	metrics   *metrics
	flight    singleflight.Group
	looked    *otter.Cache[tokenHash, time.Time] // when the store was asked about a token
	log       zerolog.Logger
	now       func() time.Time

	mu          sync.Mutex
	untold      time.Time // since when something isn't told; zero: all is
	allUntold   bool      // the store was emptied
	failing     bool      // the last write failed
	deaf        bool      // the Bus doesn't listen, though it should
	uncertain   time.Time // until when another replica may know something that it couldn't tell
	missed      time.Time // until when messages may have been missed
	garbageSeen time.Time
}

func newShared(c Config, r *rotations, k *marks, counts *metrics) (*shared, error) {
	s := &shared{store: c.Store, bus: c.Bus, ttl: c.RotationTTL, rotations: r, marks: k, metrics: counts, log: c.Log, now: c.Now}
	if s.store == nil {
		return s, nil
	}
	box, err := seal.NewBox("session store", c.Passwords...)
	if err != nil {
		return nil, fmt.Errorf("session: store: %w", err)
	}
	s.box = box
	for _, password := range c.Passwords {
		s.keys = append(s.keys, seal.MACKey("session store", password))
	}
	s.looked = otter.Must(&otter.Options[tokenHash, time.Time]{MaximumSize: 100_000})
	return s, nil
}

// name is the key of something that data names, under each password.
func (s *shared) names(kind byte, data ...string) []string {
	names := make([]string, len(s.keys))
	for i, key := range s.keys {
		h := hmac.New(sha256.New, key)
		h.Write([]byte{kind})
		for _, part := range data {
			fmt.Fprintf(h, "%d:%s", len(part), part)
		}
		names[i] = string(kind) + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
	}
	return names
}

func (s *shared) turnNames(hash tokenHash) []string { return s.names('t', string(hash[:])) }
func (s *shared) lineNames(key lineKey) []string    { return s.names('l', key.Subject, key.SID) }
func (s *shared) markNames(key markKey) []string {
	data := []string{key.Subject, key.SID, key.Organization}
	if key.APIKey != "" {
		data = append(data, key.APIKey)
	}
	return s.names('m', data...)
}

// look merges what the store knows about a session into the memory, once in a
// second. It returns false if nobody can tell now whether there is more to know.
func (s *shared) look(ctx context.Context, o *opened, key lineKey, id *identity.Identity, force bool) bool {
	if s.store == nil {
		return true
	}
	now := s.now()
	if at, ok := s.looked.GetIfPresent(o.token); ok && !force && now.Sub(at) < lookEvery {
		return s.certain()
	}
	if force { // what an earlier look finds is no answer
		return s.load(ctx, o, key, id, now)
	}
	found, _, _ := s.flight.Do(string(o.token[:]), func() (any, error) {
		return s.load(context.WithoutCancel(ctx), o, key, id, now), nil
	})
	return found.(bool)
}

// load does the looking, once for all who look at the same time.
func (s *shared) load(ctx context.Context, o *opened, key lineKey, id *identity.Identity, now time.Time) bool {
	about := []markKey{{Subject: key.Subject, SID: key.SID}}
	for k := range keysOf(id, false) {
		about = append(about, k)
	}
	names := append(s.turnNames(o.token), s.lineNames(key)...)
	for _, k := range about {
		names = append(names, s.markNames(k)...)
	}
	values, err := s.store.Load(ctx, s.ttl, names...)
	if err != nil {
		return false
	}
	s.looked.Set(o.token, now)
	each := len(s.keys)
	part := func(i int) ([]string, [][]byte) { return names[i*each : (i+1)*each], values[i*each : (i+1)*each] }
	turnNames, turnValues := part(0)
	for _, t := range unsealed[turn](s, turnNames, turnValues) {
		s.rotations.learnTurn(o.token, t)
		if t.Line != key && !s.lookLine(ctx, t.Line) { // a JWT template has changed the sid
			return false
		}
	}
	lineNames, lineValues := part(1)
	for _, l := range unsealed[line](s, lineNames, lineValues) {
		s.rotations.learnLine(key, l)
	}
	for i, k := range about {
		names, values := part(2 + i)
		for _, m := range unsealed[mark](s, names, values) {
			s.marks.set(k, m, time.Time{})
		}
	}
	return s.certain()
}

func (s *shared) lookLine(ctx context.Context, key lineKey) bool {
	names := s.lineNames(key)
	values, err := s.store.Load(ctx, s.ttl, names...)
	if err != nil {
		return false
	}
	for _, l := range unsealed[line](s, names, values) {
		s.rotations.learnLine(key, l)
	}
	return true
}

func (s *shared) certain() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.deaf && !s.now().Before(s.uncertain)
}

// unsealed opens values. One that doesn't open, or is another key's, is as good as
// none.
func unsealed[T any](s *shared, names []string, values [][]byte) []T {
	var all []T
	for i, value := range values {
		if value == nil {
			continue
		}
		var v T
		if err := s.unseal(names[i], value, &v); err != nil {
			s.garbage(err)
			continue
		}
		all = append(all, v)
	}
	return all
}

func (s *shared) unseal(name string, value []byte, into any) error {
	plaintext, err := s.box.Open(string(value))
	if err != nil {
		return err
	}
	mine, found := bytes.CutPrefix(plaintext, []byte(name+"\n"))
	if !found {
		return errors.New("value of another key")
	}
	return json.Unmarshal(mine, into)
}

func (s *shared) seal(name string, v any) []byte {
	plaintext, err := encode(v)
	if err != nil { // of types that always encode
		panic(err)
	}
	return []byte(s.box.Seal(append([]byte(name+"\n"), plaintext...)))
}

// garbage reports values that can't be used, once a minute.
func (s *shared) garbage(err error) {
	s.metrics.garbage.Inc()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); now.Sub(s.garbageSeen) >= time.Minute {
		s.garbageSeen = now
		s.log.Warn().Err(err).Msg("the store holds a value that isn't ours; it is ignored: does something else write to these keys?")
	}
}
