package e2e

import (
	"net/http"
	"path/filepath"
	"testing"
)

// A rule about single tools of an MCP server decides behind each gateway: each hands the headers on that say what a request calls.
func TestToolRules(t *testing.T) {
	t.Parallel()
	eachGateway(t, func(t *testing.T, g gateway) {
		s := newSite(t, g)
		s.startAuthKit(t)
		policy := filepath.Join(t.TempDir(), "policy.yaml")
		writeFile(t, policy, []byte(`default: authenticated
rules:
  - {name: writes, hosts: [localhost], paths: [/mcp], credentials: [cookie], mcp: {tools: [write_*]}, require: {roles: [nobody-has-it]}}
  - {name: rest, hosts: [localhost], paths: [/mcp], credentials: [cookie]}
`))
		s.open(t, g, "POLICY_FILE="+policy)
		b := newBrowser(t)
		b.signIn(s.origin+"/", zoe)
		call := func(version, method, name string) answer {
			t.Helper()
			h := http.Header{"Accept": {"application/json, text/event-stream"}, "Content-Type": {"application/json"}}
			for header, value := range map[string]string{"MCP-Protocol-Version": version, "Mcp-Method": method, "Mcp-Name": name} {
				if value != "" {
					h.Set(header, value)
				}
			}
			return b.send(http.MethodPost, s.origin+"/mcp", h, `{"jsonrpc":"2.0","id":1}`)
		}
		const now = "2026-07-28"
		if a := call(now, "tools/call", "read_file"); a.Status != http.StatusOK {
			t.Errorf("another tool: got %d %s, want 200", a.Status, a.Body)
		} else if seen := b.seen(a).Header; seen.Get("Mcp-Name") != "read_file" || seen.Get("Mcp-Method") != "tools/call" || seen.Get("Mcp-Protocol-Version") != now {
			t.Errorf("the app got %v, want the client's headers", seen)
		}
		wantReason(t, call(now, "tools/call", "write_file"), http.StatusForbidden, "forbidden")
		wantReason(t, call(now, "tools/call", "=?base64?d3JpdGVfZmlsZQ==?="), http.StatusForbidden, "forbidden")
		wantReason(t, call("", "", ""), http.StatusBadRequest, "mcp_version")
		wantReason(t, call("2025-11-25", "tools/call", "read_file"), http.StatusBadRequest, "mcp_version")
		hidden := http.Header{"Mcp-Protocol-Version": {now}, "Mcp-Method": {"tools/call"}, "Mcp-Name": {"read_file"}, "Connection": {"MCP-Protocol-Version"}}
		// The stand-in for Envoy takes such headers from the app alone; Envoy itself may not.
		if a := b.send(http.MethodPost, s.origin+"/mcp", hidden, "{}"); g.name != "envoy-http" && a.Status == http.StatusOK && b.seen(a).Header.Get("Mcp-Protocol-Version") == "" {
			t.Errorf("a version that the gateway takes away: got %d, and the app doesn't get it", a.Status)
		}
		wantReason(t, call(now, "tools/call", ""), http.StatusBadRequest, "bad_request")
	})
}
