package verify

import (
	"net/netip"
	"testing"
)

func TestTrustedPeers(t *testing.T) {
	t.Parallel()
	list := Peers{Prefixes: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("203.0.113.7/32"),
	}}
	sockets := Peers{Unix: true}
	tests := []struct {
		name  string
		peers Peers
		peer  string
		want  bool
	}{
		{"loopback", list, "127.0.0.1:50000", true},
		{"IPv6 loopback", list, "[::1]:50000", true},
		{"private", list, "10.255.0.1:1", true},
		{"IPv4-mapped", list, "[::ffff:10.0.0.1]:50000", true},
		{"IPv4-mapped in hex", list, "[::ffff:a00:1]:50000", true},
		{"IPv4-mapped, not listed", list, "[::ffff:203.0.113.8]:50000", false},
		{"link-local with a zone", list, "[fe80::1%eth0]:50000", true},
		{"zone of another address", list, "[2001:db8::1%eth0]:50000", false},
		{"one address", list, "203.0.113.7:443", true},
		{"its neighbour", list, "203.0.113.8:443", false},
		{"a public address", list, "8.8.8.8:443", false},
		{"IPv4-compatible is not mapped", list, "[::10.0.0.1]:443", false},
		{"NAT64 is not mapped", list, "[64:ff9b::10.0.0.1]:443", false},
		{"no port", list, "127.0.0.1", false},
		{"a name", list, "localhost:80", false},
		{"nothing", list, "", false},
		{"a socket that isn't listed", list, "@", false},
		{"a socket", sockets, "@", true},
		{"a socket without a name", sockets, "", true},
		{"a socket with a path", sockets, "/run/gateway.sock", true},
		{"sockets alone", sockets, "127.0.0.1:50000", false},
		{"rubbish is no socket", sockets, "127.0.0.1", false},
		{"nobody is listed", Peers{}, "127.0.0.1:50000", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, nil)
			s.handler.Peers, s.peer, s.sessions.state = tt.peers, tt.peer, "good"
			want := 403
			if tt.want {
				want = 200
			}
			w := s.ask("GET", "/verify/forward-auth", headerOf(t, forwardedReports))
			if w.Code != want {
				t.Errorf("%s: got status %d, want %d", tt.peer, w.Code, want)
			}
			if got := w.Header().Get("X-Auth-Reason"); !tt.want && got != "untrusted_proxy" {
				t.Errorf("%s: X-Auth-Reason: got %q, want untrusted_proxy", tt.peer, got)
			}
		})
	}
}

// A client that comes through a trusted gateway doesn't become another peer by what
// it says of itself.
func TestForwardedForIsNoPeer(t *testing.T) {
	t.Parallel()
	s := newStage(t, map[string]string{"peer": "203.0.113.9:4711"})
	s.sessions.state = "good"
	h := headerOf(t, forwardedReports+"X-Forwarded-For: 127.0.0.1\nX-Real-IP: 127.0.0.1\nForwarded: for=127.0.0.1")
	if w := s.ask("GET", "/verify/forward-auth", h); w.Code != 403 {
		t.Errorf("got status %d, want 403", w.Code)
	}
}
