package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

const dora = "dora@example.com"

// templateUser has claims of a JWT template.
func templateUser() emulator.User {
	return emulator.User{ID: "user_01K0E2EDORA", Email: dora, Claims: map[string]any{"department": "sales", "teams": []string{"a,b", "d\u00fc"}, "level": 7}}
}

// Claims of a JWT template reach the app as headers, nobody can make them up, and a policy asks for them.
func TestIdentityClaims(t *testing.T) {
	t.Parallel()
	claims := []string{"department:X-Auth-Request-Department", "teams:X-Auth-Request-Teams", "level:X-Auth-Request-Level"}
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte(`default: authenticated
rules:
  - {name: sales, paths: [/sales/**], require: {claims: {department: [sales, support]}}}
  - {name: legal, paths: [/legal/**], require: {claims: {department: [legal]}}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, snippets("-claim", claims[0], "-claim", claims[1], "-claim", claims[2]), func(t *testing.T, g gateway) {
		s := newStack(t, g, "IDENTITY_CLAIMS="+claims[0]+","+claims[1]+","+claims[2], "POLICY_FILE="+policy)
		member, other := newBrowser(t), newBrowser(t)
		a := member.signIn(s.origin+"/sales/2026", dora)
		if a.Status != http.StatusOK {
			t.Fatalf("got %d, want the page: %s", a.Status, a.Body)
		}
		for name, want := range map[string]string{"X-Auth-Request-Department": "sales", "X-Auth-Request-Teams": "a%2Cb,d%C3%BC", "X-Auth-Request-Level": "7"} {
			if got := member.seen(a).Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		wantReason(t, member.fetch(http.MethodGet, s.origin+"/legal/x", ""), http.StatusForbidden, "forbidden")

		other.signIn(s.origin+"/", zoe)
		wantReason(t, other.fetch(http.MethodGet, s.origin+"/sales/x", ""), http.StatusForbidden, "forbidden")
		forged := fetchHeaders()
		for _, name := range []string{"X-Auth-Request-Department", "X_Auth_Request_Department", "X.Auth.Request.Department"} {
			forged[name] = []string{"sales"}
		}
		seen := other.seen(other.send(http.MethodGet, s.origin+"/x", forged, ""))
		for name, values := range seen.Header {
			if slices.Contains(values, "sales") {
				t.Errorf("got %s: %q at the app, want none of a client's", name, values)
			}
		}
		for _, f := range s.examine(t, g, true, "-identity", "X-Auth-Request-Department") {
			if f.Result == doctor.Fail {
				t.Errorf("got %s", f)
			}
		}
	})
}
