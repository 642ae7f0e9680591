package session

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/keyedhash"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/family"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// verifiedOf is a session of an ordinary user; a hundred kinds of them have the same roles.
func verifiedOf(i int) *Verified {
	text := func(format string) string { return fmt.Sprintf(format, i) }
	now := time.Now()
	v := &Verified{
		Identity: identity.Identity{
			Subject: text("user_01JE28JT97KB6CQ643D%07d"), Email: text("somebody.%07d@example.com"), Name: text("Somebody Called %07d"),
			SessionID: text("session_01JE28JT97KB6CQ643D%07d"), OrganizationID: text("org_01JE28JT97KB6CQ643D%07d"), Role: "member",
			Roles:       []string{fmt.Sprint("member-", i%100), "billing"},
			Permissions: []string{"reports:read", "reports:write", fmt.Sprint("users:read-", i%100)},
		},
		issued: micros(now), expires: micros(now.Add(time.Hour)), renewAt: micros(now),
	}
	return v
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMemory says what sessions that were seen take, all memories counted. DESIGN 8:
// 100,000 in 100 MB of live heap. And what a million leave: the memories are bounded.
func BenchmarkMemory(b *testing.B) {
	for _, count := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			for range b.N {
				m, err := New(Config{Tokens: &token.Verifier{}})
				if err != nil {
					b.Fatal(err)
				}
				before := heap()
				for i := range count {
					m.see(i)
				}
				remembered := m.remembered.(*otter.Cache[keyedhash.Value, *Verified])
				remembered.CleanUp()
				report(b, heap()-before, remembered.EstimatedSize())
				runtime.KeepAlive(m)
			}
		})
	}
}

// see does what Verify does with a good session that it sees for the first time.
func (m *Manager) see(i int) {
	v := verifiedOf(i)
	m.lists.compact(&v.Identity)
	v.token = family.HashToken(fmt.Sprint("token", i))
	key := family.KeyOf("client", v.Identity.Subject, v.Identity.SessionID)
	v.copy, _, _ = m.records.Lookup(context.Background(), key, false)
	v.record = m.records.Seen(context.Background(), key, func(r *record) bool { return r.Bring(v.token, m.records.Now()) })
	m.remembered.Set(m.hasher.Of("", fmt.Sprint("cookie", i)), v)
}

func report(b *testing.B, bytes uint64, kept int) {
	b.ReportMetric(float64(bytes)/1e6, "MB")
	b.ReportMetric(float64(kept), "kept")
	b.ReportMetric(float64(bytes)/float64(max(1, kept)), "B/session")
}
