package session

import (
	"context"
	"slices"
	"time"
)

const (
	catchUp    = 10 * time.Second // after an outage of the store, until every replica has told what it knows
	overlap    = time.Minute      // what a store may have lost in a failover is told again
	tellEvery  = 2 * time.Second  // another try where telling went wrong
	maxChanges = 256              // of roles and permissions
)

// message is what the replicas tell each other at once. Whoever misses it learns
// the same from the store: each replica looks everything up again after a gap.
type message struct {
	Cookie []byte  `json:"c,omitempty"` // hash of a cookie whose session was refreshed
	Marks  changes `json:"m,omitempty"`
}

// busName stands in messages where values have their key.
const busName = "bus"

func (s *shared) announce(ctx context.Context, m message) error {
	return s.bus.Publish(ctx, s.seal(busName, m))
}

// Run keeps this replica and the others informed of each other until ctx ends.
// Without a Store there is nothing to do.
func (m *Manager) Run(ctx context.Context) {
	s := m.shared
	if s.store == nil {
		return
	}
	s.lost() // so far
	wake := make(chan struct{}, 1)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		s.bus.Listen(ctx, m.receive, func(emptied bool) {
			m.missed(ctx, emptied)
			select {
			case wake <- struct{}{}:
			default:
			}
		}, s.lost)
	}()
	defer func() { <-listening }()
	retry := time.NewTicker(tellEvery)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-retry.C:
		}
		s.tell(ctx)
	}
}

// lost notes that this replica doesn't hear the others, nor what became of the store.
func (s *shared) lost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

func (m *Manager) receive(sealed []byte) {
	var told message
	if err := m.shared.unseal(busName, sealed, &told); err != nil {
		m.shared.garbage(err)
		return
	}
	if len(told.Cookie) == len(valueHash{}) {
		m.remembered.Invalidate(valueHash(told.Cookie))
	}
	for _, c := range told.Marks {
		m.marks.set(c.Whom, c.Mark, time.Time{})
	}
}

// missed forgets what may be out of date after messages were lost: every cookie
// is looked up in the store again.
func (m *Manager) missed(ctx context.Context, emptied bool) {
	s := m.shared
	now := s.now()
	s.mu.Lock()
	s.deaf, s.uncertain, s.missed = false, now.Add(catchUp), now
	s.allUntold = s.allUntold || emptied
	if since := now.Add(-overlap); s.untold.IsZero() || since.Before(s.untold) {
		s.untold = since
	}
	s.mu.Unlock()
	if emptied {
		s.metrics.emptied.Inc()
		s.log.Error().Msg("the store has lost its values: what this replica remembers is written again; a browser with a cookie from before a refresh that no replica remembers has to sign in")
	}
	values, err := s.store.Load(ctx, s.ttl, marksKey)
	if err == nil {
		for _, all := range unsealed[changes](s, []string{marksKey}, values) {
			for _, c := range all {
				m.marks.set(c.Whom, c.Mark, time.Time{})
			}
		}
	}
	s.looked.InvalidateAll()
	m.remembered.InvalidateAll()
}

// missedAt is until when messages may have been missed; zero if none ever were.
func (s *shared) missedAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.missed
}

// change is a mark with whom it concerns.
type change struct {
	Whom markKey `json:"w"`
	Mark mark    `json:"m"`
}

type changes []change

// merge keeps the latest.
func (c changes) merge(other changes) changes {
	byKey := make(map[markKey]mark, len(c)+len(other))
	for _, one := range append(append(changes{}, c...), other...) {
		byKey[one.Whom] = one.Mark.merge(byKey[one.Whom])
	}
	merged := make(changes, 0, len(byKey))
	for whom, k := range byKey {
		merged = append(merged, change{whom, k})
	}
	slices.SortFunc(merged, func(a, b change) int { return a.Mark.Arrived.Compare(b.Mark.Arrived) })
	return merged[max(0, len(merged)-maxChanges):]
}
