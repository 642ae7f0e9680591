package server

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const workloadPolicy = `
default: authenticated
issuers:
  - {name: github, issuer: "GITHUB", audience: "https://app.example.com"}
  - {name: cluster, issuer: "CLUSTER", audience: "https://app.example.com"}
rules:
  - name: deploys
    paths: [/deploy]
    credentials: [bearer]
    require:
      issuer: github
      claims: {repository: [acme/app], ref: [refs/heads/main]}
  - name: jobs
    paths: [/jobs]
    credentials: [bearer]
    require: {issuer: cluster, claims: {sub: ["system:serviceaccount:shop:reports"]}}
  - name: tokens
    paths: [/tokens]
    credentials: [bearer, cookie]
  - name: admin
    paths: [/admin]
    credentials: [bearer]
    require: {roles: [admin]}
`

// workloads is a server whose policy knows two issuers.
type workloads struct {
	*world
	github, cluster *issuer
	file            string
}

// newWorkloads makes a world in which GitHub signs with RS256, as it does, and a cluster with ES256.
func newWorkloads(t *testing.T, pairs ...string) *workloads {
	t.Helper()
	w := &workloads{file: filepath.Join(t.TempDir(), "policy.yaml")}
	w.github = newIssuer(t, rsaKey(t), map[string]any{
		"sub": "repo:acme/app:ref:refs/heads/main", "repository": "acme/app", "ref": "refs/heads/main", "run_attempt": "1", "job_workflow_ref": "acme/app/.github/workflows/deploy.yml@refs/heads/main",
	})
	w.cluster = newIssuer(t, ecKey(t), map[string]any{
		"sub": "system:serviceaccount:shop:reports", "aud": []string{ours},
		"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "reports"}},
	})
	w.write(t, workloadPolicy)
	w.world = newWorld(t, append([]string{"POLICY_FILE", w.file, "GATEWAY", "traefik", "BEARER_ISSUERS", "AUTHKIT", "AUTHKIT_DOMAIN", "AUTHKIT"}, pairs...)...).ready(t)
	return w
}

func (w *workloads) write(t *testing.T, text string) {
	t.Helper()
	text = strings.NewReplacer("GITHUB", w.github.url, "CLUSTER", w.cluster.url).Replace(text)
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// want presents a token twice, the second time to what may be remembered.
func (w *workloads) want(t *testing.T, name, path, token string, status int, reason string) http.Header {
	t.Helper()
	var header http.Header
	for range 2 {
		var gotStatus int
		var gotReason string
		gotStatus, gotReason, header = w.request(t, path, "Authorization: Bearer "+token)
		if gotStatus != status || gotReason != reason {
			t.Errorf("%s: got %d %s, want %d %s", name, gotStatus, gotReason, status, reason)
		}
	}
	return header
}

// A token passes at a rule that names its issuer, by its own claims, and says where it is from.
func TestWorkloads(t *testing.T) {
	t.Parallel()
	w := newWorkloads(t)
	header := w.want(t, "GitHub", "/deploy", w.github.token(t, nil), 200, "")
	if user, client := header.Get("X-Auth-Request-User"), header.Get("X-Auth-Request-Client"); user != "github:repo:acme/app:ref:refs/heads/main" || client != "github" {
		t.Errorf("GitHub: got user %q client %q, want both to name it", user, client)
	}
	header = w.want(t, "cluster", "/jobs", w.cluster.token(t, nil), 200, "")
	if user := header.Get("X-Auth-Request-User"); user != "cluster:system:serviceaccount:shop:reports" {
		t.Errorf("cluster: got user %q", user)
	}
	w.want(t, "another repository", "/deploy", w.github.token(t, map[string]any{"repository": "acme/other"}), 403, "forbidden")
	w.want(t, "another branch", "/deploy", w.github.token(t, map[string]any{"ref": "refs/heads/x"}), 403, "forbidden")
	w.want(t, "without the claim", "/deploy", w.github.token(t, map[string]any{"repository": nil}), 403, "forbidden")
	w.want(t, "the claim as an object", "/deploy", w.github.token(t, map[string]any{"repository": map[string]any{"acme/app": true}}), 403, "forbidden")
	w.want(t, "another service account", "/jobs", w.cluster.token(t, map[string]any{"sub": "system:serviceaccount:shop:web"}), 403, "forbidden")
	for _, i := range []*issuer{w.github, w.cluster} {
		if metadata, keys := i.count("/.well-known/openid-configuration"), i.count("/keys"); metadata != 1 || keys != 1 {
			t.Errorf("got %d requests for metadata and %d for keys, want one each", metadata, keys)
		}
	}
}

// Nothing that such a token says becomes part of who AuthKit's users are.
func TestWorkloadClaimsStayTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorkloads(t, "IDENTITY_CLAIMS", "department:X-Auth-Request-Department", "IDENTITY_HEADERS", "default,access-token")
	header := w.want(t, "with AuthKit's claims", "/deploy", w.github.token(t, map[string]any{
		"email": "ceo@acme.example", "email_verified": true, "name": "CEO", "role": "admin", "roles": []string{"admin"}, "org_id": acmeID, "permissions": []string{"reports:write"},
		"entitlements": []string{"sso"}, "feature_flags": []string{"beta"}, "scope": "files:write", "sid": "session_01X", "act": map[string]any{"sub": "support@acme.example"},
		"client_id": "client_01ABC", "department": "board", "auth_time": 1,
	}), 200, "")
	for name := range header {
		if name = http.CanonicalHeaderKey(name); !strings.HasPrefix(name, "X-Auth-Request-") || name == "X-Auth-Request-User" || name == "X-Auth-Request-Client" {
			continue
		}
		if value := header.Get(name); value != "" {
			t.Errorf("got %s: %s, want it empty", name, value)
		}
	}
	if _, there := header["X-Auth-Request-Department"]; !there {
		t.Error("got no X-Auth-Request-Department, want it empty so that the gateway overwrites a client's")
	}
	// A claim of another JSON type than AuthKit's own is none of our business.
	w.want(t, "roles as a text", "/deploy", w.github.token(t, map[string]any{"roles": "admin", "act": "x", "sid": 1, "email_verified": "true"}), 200, "")
	// And a sub like one of AuthKit's is somebody else.
	header = w.want(t, "a user's id as sub", "/deploy", w.github.token(t, map[string]any{"sub": "user_01JE28JT97KB6CQ643DZVMXXQK"}), 200, "")
	if got := header.Get("X-Auth-Request-User"); got != "github:user_01JE28JT97KB6CQ643DZVMXXQK" {
		t.Errorf("got user %q, want the prefix", got)
	}
}

func TestWorkloadAttacks(t *testing.T) {
	t.Parallel()
	w := newWorkloads(t)
	github, cluster := w.github, w.cluster
	asGitHub := map[string]any{"iss": github.url, "sub": github.claims["sub"], "repository": "acme/app", "ref": "refs/heads/main"}
	stranger := newIssuer(t, rsaKey(t), github.claims)
	payload := github.payload(t, nil)
	for _, tt := range []struct{ name, path, token string }{
		{"of one issuer at the rule of the other", "/jobs", github.token(t, map[string]any{"sub": cluster.claims["sub"]})},
		{"of the other at the rule of the one", "/deploy", cluster.token(t, map[string]any{"repository": "acme/app", "ref": "refs/heads/main"})},
		{"of an issuer that nobody named", "/deploy", stranger.token(t, nil)},
		{"of the other issuer's key, with the one's iss", "/deploy", cluster.token(t, asGitHub)},
		{"of a stranger's key under the same kid", "/deploy", signedBy(t, stranger.key, github.kid, payload)},
		{"alg none", "/deploy", unsigned(github.kid, payload)},
		{"HS256 with the public key", "/deploy", signedBy(t, publicPEM(t, github.key), github.kid, payload)},
		{"RS512 with the right key", "/deploy", signedAs(t, jose.RS512, github.key, github.kid, payload)},
		{"PS256 with the right key", "/deploy", signedAs(t, jose.PS256, github.key, github.kid, payload)},
		{"ES256 under the id of an RSA key", "/deploy", signedBy(t, ecKey(t), github.kid, payload)},
		{"RS256 under the id of an EC key", "/jobs", signedBy(t, rsaKey(t), cluster.kid, cluster.payload(t, nil))},
		{"without a key id", "/deploy", signedBy(t, github.key, "", payload)},
		{"iss with a slash at its end", "/deploy", github.token(t, map[string]any{"iss": github.url + "/"})},
		{"iss in capital letters", "/deploy", github.token(t, map[string]any{"iss": strings.ToUpper(github.url)})},
		{"without iss", "/deploy", github.token(t, map[string]any{"iss": nil})},
		{"for another audience", "/deploy", github.token(t, map[string]any{"aud": "https://other.example.com"})},
		{"for the audience with a slash", "/deploy", github.token(t, map[string]any{"aud": ours + "/"})},
		{"without audience", "/deploy", github.token(t, map[string]any{"aud": nil})},
		{"expired", "/deploy", github.token(t, map[string]any{"exp": 1_700_000_000})},
		{"without expiry", "/deploy", github.token(t, map[string]any{"exp": nil})},
		{"not valid yet", "/deploy", github.token(t, map[string]any{"nbf": 4_000_000_000})},
		{"without sub", "/deploy", github.token(t, map[string]any{"sub": nil})},
		{"sub as a list", "/deploy", github.token(t, map[string]any{"sub": []string{"repo:acme/app"}})},
		{"a long sub", "/deploy", github.token(t, map[string]any{"sub": strings.Repeat("x", 2000)})},
		{"sub with a line end", "/deploy", github.token(t, map[string]any{"sub": "repo\r\nX-Admin: 1"})},
		{"a session's at an issuer's rule", "/deploy", w.accessToken(t, zoe, "")},
		{"a machine's at an issuer's rule", "/deploy", w.connectToken(t, nil)},
		{"a machine's with the claims", "/deploy", w.connectToken(t, map[string]any{"repository": "acme/app", "ref": "refs/heads/main", "aud": ours})},
		{"AuthKit's with the issuer's iss", "/deploy", w.connectToken(t, asGitHub)},
		{"at a rule without issuer", "/tokens", github.token(t, nil)},
		{"at a rule for roles", "/admin", github.token(t, map[string]any{"roles": []string{"admin"}, "role": "admin"})},
		{"that calls itself AuthKit's", "/tokens", github.token(t, map[string]any{"iss": w.config.BearerIssuers[0], "aud": "client_01ABC"})},
		{"that calls itself a session's", "/tokens", github.token(t, map[string]any{"client_id": "client_01ABC", "sub": "user_01X", "sid": "session_01X"})},
	} {
		want := "bad_credential"
		status := 401
		if tt.path == "/tokens" && tt.name != "that calls itself AuthKit's" && tt.name != "that calls itself a session's" { // may be the app's own: the cookie decides, and there is none
			want = "no_session"
		}
		w.want(t, tt.name, tt.path, tt.token, status, want)
	}
	// A session doesn't help, and neither do two tokens.
	cookie := "Cookie: wos-session=" + w.signIn(t, paula, 0)
	if status, reason, _ := w.request(t, "/deploy", cookie); status != 401 || reason != "no_credential" {
		t.Errorf("a session's cookie: got %d %s, want 401 no_credential", status, reason)
	}
	two := "Authorization: Bearer " + github.token(t, nil) + "\nAuthorization: Bearer " + w.accessToken(t, zoe, "")
	if status, _, _ := w.request(t, "/deploy", two); status != 400 {
		t.Errorf("two tokens: got %d, want 400", status)
	}
	w.want(t, "and a good one", "/deploy", github.token(t, nil), 200, "")
	if strings.Contains(w.log.String(), strings.Split(github.token(t, nil), ".")[1][:40]) {
		t.Error("got a token's claims in the log")
	}
}

// Where the keys are unavailable, the answer is 503, and nobody else is asked.
func TestWorkloadDiscovery(t *testing.T) {
	t.Parallel()
	const metadata = "/.well-known/openid-configuration"
	for name, tt := range map[string]struct {
		change func(t *testing.T, w *workloads, elsewhere *issuer)
		log    string
	}{
		"redirected elsewhere": {func(_ *testing.T, w *workloads, elsewhere *issuer) {
			w.github.answer(metadata, http.RedirectHandler(elsewhere.url+metadata, http.StatusFound).ServeHTTP)
		}, "discovery: status 302"},
		"redirected on its own host": {func(_ *testing.T, w *workloads, _ *issuer) {
			w.github.answer("/new", w.github.answers[metadata])
			w.github.answer(metadata, http.RedirectHandler("/new", http.StatusFound).ServeHTTP)
		}, "discovery: status 302"},
		"oversized": {func(_ *testing.T, w *workloads, _ *issuer) {
			w.github.answer(metadata, asJSON(map[string]any{"issuer": w.github.url, "jwks_uri": w.github.url + "/keys", "x": strings.Repeat("x", 70_000)}))
		}, "over 64 KB"},
		"names another issuer": {func(_ *testing.T, w *workloads, elsewhere *issuer) {
			w.github.answer(metadata, asJSON(map[string]any{"issuer": elsewhere.url, "jwks_uri": elsewhere.url + "/keys"}))
		}, "it calls itself"},
		"names the issuer with a slash": {func(_ *testing.T, w *workloads, _ *issuer) {
			w.github.answer(metadata, asJSON(map[string]any{"issuer": w.github.url + "/", "jwks_uri": w.github.url + "/keys"}))
		}, "it calls itself"},
		"names no keys": {func(_ *testing.T, w *workloads, _ *issuer) {
			w.github.answer(metadata, asJSON(map[string]any{"issuer": w.github.url}))
		}, "no jwks_uri"},
		"keys of another host over http": {func(_ *testing.T, w *workloads, _ *issuer) {
			w.github.answer(metadata, asJSON(map[string]any{"issuer": w.github.url, "jwks_uri": "http://keys.example.com/keys"}))
		}, "is not https"},
		"keys redirected elsewhere": {func(_ *testing.T, w *workloads, elsewhere *issuer) {
			w.github.answer("/keys", http.RedirectHandler(elsewhere.url+"/keys", http.StatusFound).ServeHTTP)
		}, "key set: status 302"},
		"oversized keys": {func(_ *testing.T, w *workloads, _ *issuer) {
			w.github.answer("/keys", func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(make([]byte, 2<<20)) })
		}, "over 1024 KB"},
		"down": {func(_ *testing.T, w *workloads, _ *issuer) { w.github.answer(metadata, nil) }, "status 404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, elsewhere := newWorkloads(t), newIssuer(t, rsaKey(t), nil)
			tt.change(t, w, elsewhere)
			// Signed by whoever would have to be believed.
			w.want(t, "the issuer's", "/deploy", w.github.token(t, nil), 503, "unavailable")
			w.want(t, "elsewhere's", "/deploy", signedBy(t, elsewhere.key, elsewhere.kid, w.github.payload(t, nil)), 503, "unavailable")
			if elsewhere.count(metadata)+elsewhere.count("/keys") != 0 {
				t.Error("got a request elsewhere, want none")
			}
			if log := w.log.String(); !strings.Contains(log, tt.log) {
				t.Errorf("got log %s, want %q", log, tt.log)
			}
			w.want(t, "the other issuer", "/jobs", w.cluster.token(t, nil), 200, "")
		})
	}
}

// A policy that is read again keeps the keys of the issuers that stay, and nothing of what tokens were remembered for.
func TestWorkloadsReload(t *testing.T) {
	t.Parallel()
	w := newWorkloads(t)
	ctx, cancel := context.WithCancel(t.Context())
	hangup := make(chan os.Signal, 1)
	var running sync.WaitGroup
	running.Go(func() { w.policy.Run(ctx, hangup) })
	defer running.Wait()
	defer cancel()
	reload := func(old, new string) {
		t.Helper()
		before := w.policy.Current()
		w.write(t, strings.ReplaceAll(workloadPolicy, old, new))
		hangup <- syscall.SIGHUP
		eventually(t, "the policy is read again", func() bool { return w.policy.Current() != before })
	}
	token := w.github.token(t, nil)
	w.want(t, "before", "/deploy", token, 200, "")
	reload(`"GITHUB", audience: "https://app.example.com"`, `"GITHUB", audience: "https://other.example.com"`)
	w.want(t, "another audience", "/deploy", token, 401, "bad_credential")
	w.want(t, "for the new one", "/deploy", w.github.token(t, map[string]any{"aud": "https://other.example.com"}), 200, "")
	reload("github", "actions")
	if got := w.want(t, "another name", "/deploy", token, 200, "").Get("X-Auth-Request-User"); got != "actions:repo:acme/app:ref:refs/heads/main" {
		t.Errorf("got user %q, want the new name", got)
	}
	if got := w.github.count("/keys"); got != 1 {
		t.Errorf("got %d requests for keys, want 1: they are the same issuer's", got)
	}
	next := newIssuer(t, ecKey(t), w.github.claims)
	reload("GITHUB", next.url)
	w.want(t, "the issuer before", "/deploy", token, 401, "bad_credential")
	w.want(t, "the new issuer", "/deploy", next.token(t, nil), 200, "")
}
