package session

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
)

// verifiedOf is a session of an ordinary user, with strings of its own.
func verifiedOf(i int) *Verified {
	text := func(format string) string { return fmt.Sprintf(format, i) }
	now := time.Now()
	return &Verified{
		Identity: identity.Identity{
			Subject: text("user_01JE28JT97KB6CQ643D%07d"), Email: text("somebody.%07d@example.com"), Name: text("Somebody Called %07d"),
			SessionID: text("session_01JE28JT97KB6CQ643D%07d"), OrganizationID: text("org_01JE28JT97KB6CQ643D%07d"), Role: "member",
			Roles:       []string{text("member-%d"), text("billing-%d")},
			Permissions: []string{text("reports:read-%d"), text("reports:write-%d"), text("users:read-%d")},
		},
		line: lineKey{text("user_01JE28JT97KB6CQ643D%07d"), text("session_01JE28JT97KB6CQ643D%07d")}, issued: now, expires: now.Add(time.Hour), renewAt: now,
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory puts a million distinct sessions into the memories and says what
// those that stay take. DESIGN 8: 100,000 remembered sessions in 100 MB.
func BenchmarkMemory(b *testing.B) {
	const million = 1_000_000
	hash := func(i int) (h [32]byte) {
		binary.BigEndian.PutUint64(h[:], uint64(i)*0x9E3779B97F4A7C15)
		return h
	}
	sealed := make([]byte, 2000)
	b.Run("remembered", func(b *testing.B) {
		for range b.N {
			m, err := New(Config{})
			if err != nil {
				b.Fatal(err)
			}
			before := heap()
			for i := range million {
				m.remembered.Set(valueHash(hash(i)), verifiedOf(i))
			}
			m.remembered.CleanUp()
			report(b, heap()-before, m.remembered.EstimatedSize())
			runtime.KeepAlive(m)
		}
	})
	b.Run("rotations", func(b *testing.B) {
		for range b.N {
			r := newRotations(time.Hour)
			now := time.Now()
			before := heap()
			for i := range million {
				r.record(rotation{
					line: verifiedOf(i).line, spent: hash(2 * i), next: hash(2*i + 1), sealed: string(sealed), issued: now,
				}, now, now)
			}
			r.turns.CleanUp()
			r.lines.CleanUp()
			report(b, heap()-before, r.lines.EstimatedSize())
			runtime.KeepAlive(r)
		}
	})
}

func report(b *testing.B, bytes uint64, kept int) {
	b.ReportMetric(float64(bytes)/1e6, "MB")
	b.ReportMetric(float64(kept), "kept")
	b.ReportMetric(float64(bytes)/float64(max(1, kept)), "B/session")
}
