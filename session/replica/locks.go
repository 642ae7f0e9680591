package replica

import (
	"sync"

	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
)

// keyLocks keep two changes of one record from being made at the same time.
type keyLocks struct {
	mu   sync.Mutex
	held map[family.Key]*keyLock
}

type keyLock struct {
	free  chan struct{} // holds one value while nobody has the lock
	users int
}

func (l *keyLocks) lock(key family.Key) (unlock func()) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[family.Key]*keyLock{}
	}
	k := l.held[key]
	if k == nil {
		k = &keyLock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.held[key] = k
	}
	k.users++
	l.mu.Unlock()
	<-k.free
	return func() {
		k.free <- struct{}{}
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, key)
		}
	}
}
