package command

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// goal returns at which size of the heap garbage is collected next.
func goal() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// It isn't parallel: how garbage is collected is the process's.
func TestCollectLess(t *testing.T) {
	const floor = 112 << 20 // 80 MB and 40 percent of that
	tests := []struct {
		name    string
		environ map[string]string
		held    bool
	}{
		{"as it comes", nil, true},
		{"GOGC is the operator's", map[string]string{"GOGC": "100"}, false},
		{"GOMEMLIMIT too", map[string]string{"GOMEMLIMIT": "100MiB"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			release := collectLess(tt.environ)
			held := goal() >= floor
			release()
			if held != tt.held {
				t.Errorf("held: got %t, want %t", held, tt.held)
			}
			if after := goal(); after >= floor {
				t.Errorf("after release: got a goal of %d bytes, want less than %d", after, floor)
			}
		})
	}
}
