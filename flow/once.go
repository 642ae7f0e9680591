package flow

import (
	"crypto/sha256"
	"sync"
	"time"
)

// onceList remembers which values have been used, each for as long as it would be
// good (stateLife), and the newest of them where there are too many. It is this process's own:
// another replica would take a value once more, which AuthKit refuses, as a code is
// good once.
type onceList struct {
	mu    sync.Mutex
	until map[[32]byte]time.Time
	order [][32]byte // the oldest first
}

const maxUsed = 100_000

// used reports whether a value has been used.
func (l *onceList) used(value string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return now.Before(l.until[sha256.Sum256([]byte(value))])
}

// use marks a value as used. It reports false where it was already.
func (l *onceList) use(value string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := sha256.Sum256([]byte(value))
	if now.Before(l.until[hash]) {
		return false
	}
	if l.until == nil {
		l.until = make(map[[32]byte]time.Time)
	}
	for len(l.order) > 0 && (len(l.order) >= maxUsed || !now.Before(l.until[l.order[0]])) {
		delete(l.until, l.order[0])
		l.order = l.order[1:]
	}
	l.until[hash] = now.Add(stateLife)
	l.order = append(l.order, hash)
	return true
}
