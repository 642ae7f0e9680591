package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// lock keeps the other replicas from refreshing with a token. Where it can't be had,
// nothing does, and AuthKit's grace window has to; what the others did with the token
// they then couldn't write either.
func (s *shared) lock(ctx context.Context, hash tokenHash) (release func(), locked bool) {
	if s.store == nil {
		return func() {}, true
	}
	var held []func()
	release = func() {
		for _, one := range slices.Backward(held) {
			one()
		}
	}
	// Replicas that change the password at different moments have one of the names in common.
	for _, name := range slices.Sorted(slices.Values(s.turnNames(hash))) {
		one, err := s.store.Lock(ctx, name)
		if err != nil {
			if ctx.Err() == nil { // else another replica has it for too long, and the store is well
				_ = s.note(err, s.now())
			}
			return release, false
		}
		held = append(held, one)
	}
	return release, true
}

// saveRotation tells the others what a refresh brought: the session first, so that
// it isn't lost if this process dies now.
func (s *shared) saveRotation(ctx context.Context, o rotation, cookie valueHash) {
	if s.store == nil {
		return
	}
	now := s.now()
	_ = errors.Join(s.saveLine(ctx, o.line, now), s.saveTurn(ctx, o.next, now), s.saveTurn(ctx, o.spent, now)) // noted
	s.note(s.announce(ctx, message{Cookie: cookie[:]}), now)
}

func (s *shared) saveTurn(ctx context.Context, hash tokenHash, now time.Time) error {
	t, ok := s.rotations.turns.GetEntryQuietly(hash)
	if s.store == nil || !ok {
		return nil
	}
	return s.note(save(ctx, s, s.turnNames(hash)[0], t.Value, turn.merge), now)
}

// saveLineOf saves the line of a turn.
func (s *shared) saveLineOf(ctx context.Context, hash tokenHash) {
	if t, ok := s.rotations.turns.GetEntryQuietly(hash); ok {
		_ = s.saveLine(ctx, t.Value.Line, s.now()) // noted
	}
}

func (s *shared) saveLine(ctx context.Context, key lineKey, now time.Time) error {
	l, ok := s.rotations.lines.GetEntryQuietly(key)
	if s.store == nil || !ok {
		return nil
	}
	return s.note(save(ctx, s, s.lineNames(key)[0], l.Value, line.merge), now)
}

// saveMark tells the others of a sign-out or a revocation.
func (s *shared) saveMark(ctx context.Context, key markKey, now time.Time) error {
	k, ok := s.marks.byKey.GetEntryQuietly(key)
	if s.store == nil || !ok {
		return nil
	}
	var err error
	if key.broad() {
		err = save(ctx, s, marksKey, changes{{key, k.Value}}, changes.merge)
	} else {
		err = save(ctx, s, s.markNames(key)[0], k.Value, mark.merge)
	}
	if err == nil {
		err = s.announce(ctx, message{Marks: changes{{key, k.Value}}})
	}
	return s.note(err, now)
}

// save merges a value into the store's.
func save[T any](ctx context.Context, s *shared, name string, ours T, merge func(T, T) T) error {
	return s.store.Update(ctx, name, s.ttl, func(old []byte) []byte {
		merged := ours
		for _, theirs := range unsealed[T](s, []string{name}, [][]byte{old}) {
			merged = merge(ours, theirs)
		}
		return s.seal(name, merged)
	})
}

// tell writes what could not be written when it happened.
func (s *shared) tell(ctx context.Context) {
	s.mu.Lock()
	since, all := s.untold, s.allUntold
	s.untold, s.allUntold = time.Time{}, false
	s.mu.Unlock()
	if since.IsZero() {
		return
	}
	s.mu.Lock()
	s.failing = false
	s.mu.Unlock()
	if err := s.tellSince(ctx, since, all); err != nil {
		s.mu.Lock()
		s.allUntold = s.allUntold || all
		s.mu.Unlock()
		_ = s.note(err, since)
	}
}

// Untold reports whether something could not be written to the Store yet. It is tried
// again every 2 s.
func (m *Manager) Untold() bool {
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	return m.shared.failing
}

func (s *shared) tellSince(ctx context.Context, since time.Time, all bool) error {
	due := func(changed time.Time) bool { return all || !changed.Before(since) }
	now := s.now()
	for key, l := range s.rotations.lines.All() {
		if due(l.changed) {
			if err := s.saveLine(ctx, key, now); err != nil {
				return err
			}
		}
	}
	for hash, t := range s.rotations.turns.All() {
		if due(t.changed) {
			if err := s.saveTurn(ctx, hash, now); err != nil {
				return err
			}
		}
	}
	for key, k := range s.marks.byKey.All() {
		if due(k.changed) {
			if err := s.saveMark(ctx, key, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// note remembers since when something isn't told.
func (s *shared) note(err error, now time.Time) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = true
	s.uncertain = later(s.uncertain, s.now().Add(catchUp)) // the others may be no better off
	if s.untold.IsZero() || now.Before(s.untold) {
		s.untold = now
	}
	return fmt.Errorf("session: the other replicas can't be told: %w", err)
}
