package session

import (
	"context"
	"sync"
)

const maxCalls = 64 // calls to AuthKit at one time

// slots bound the calls to AuthKit. Who has called already, and doesn't know the outcome,
// goes before all others: the token may be spent, and AuthKit's grace is short.
type slots struct {
	mu      sync.Mutex
	free    int
	urgent  []chan struct{}
	waiting []chan struct{}
}

// acquire waits for a slot. It reports false where ctx ends before.
func (s *slots) acquire(ctx context.Context, urgent bool) bool {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return true
	}
	ready := make(chan struct{}, 1)
	queue := &s.waiting
	if urgent {
		queue = &s.urgent
	}
	*queue = append(*queue, ready)
	s.mu.Unlock()
	select {
	case <-ready:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	for i, other := range *queue {
		if other == ready {
			*queue = append((*queue)[:i], (*queue)[i+1:]...)
			s.mu.Unlock()
			return false
		}
	}
	s.mu.Unlock()
	s.release() // it was given in the same moment
	return false
}

// tryAcquire takes a slot that is free.
func (s *slots) tryAcquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&s.urgent, &s.waiting} {
		if len(*queue) > 0 {
			(*queue)[0] <- struct{}{}
			*queue = (*queue)[1:]
			return
		}
	}
	s.free++
}
