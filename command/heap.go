package command

import (
	"runtime"
	"runtime/debug"
)

// Go collects garbage when the heap has doubled, and at 4 MB at the earliest. A service
// that remembers a few sessions has 1 MB alive: it would collect every few hundred
// requests, for a fifth of its CPU. So serve holds a slice that counts as alive and takes
// no memory, because nothing touches it, and collects when the heap has grown by 40
// percent: by 32 MB and two fifths of what really lives. docs/performance.md says what that costs.
const (
	heapFloor   = 80 << 20
	heapPercent = 40
)

// collectLess holds the floor until release is called. Where the operator has set how
// garbage is collected, it does nothing.
func collectLess(environ map[string]string) (release func()) {
	if environ["GOGC"] != "" || environ["GOMEMLIMIT"] != "" {
		return func() {}
	}
	floor := make([]byte, heapFloor)
	before := debug.SetGCPercent(heapPercent)
	return func() {
		debug.SetGCPercent(before)
		runtime.KeepAlive(floor)
	}
}
