package flow

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

func TestSessionCookieLiterally(t *testing.T) {
	t.Parallel()
	t.Run("one host", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		b := w.browser(t)
		a := b.get(b.begin(login, paula))
		line := a.cookie("wos-session=")
		if !strings.HasPrefix(line, "wos-session=Fe26.2*1*") ||
			!strings.HasSuffix(line, "~2; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("got %q", line)
		}
		if n := len(a.header["Set-Cookie"]); n != 3 { // the state's is expired, session, attempts
			t.Errorf("got %d cookies, want 3: %q", n, a.header["Set-Cookie"])
		}
	})
	t.Run("a domain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, ownHost())
		b := w.browser(t)
		line := b.get(b.begin("https://auth.example.com/login", paula)).cookie("wos-session=")
		if !strings.HasSuffix(line, "~2; Path=/; Domain=example.com; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax") {
			t.Errorf("got %q", line)
		}
		for _, address := range []string{"https://app.example.com/", "https://auth.example.com/x"} {
			if got := b.get(address).body; got != "hello paula@example.com" {
				t.Errorf("%s: got %q", address, got)
			}
		}
	})
}

// The cookie holds the same as WorkOS's SDKs put there: every key of the user and
// the impersonator in camelCase, nulls kept.
func TestSessionIsSealedAsTheSDKsDo(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, email, want string }{
		{"a user without anything", "new@example.com", `{
			"accessToken": "A", "refreshToken": "R", "organizationId": null, "authenticationMethod": "Password",
			"user": {
				"object": "user", "id": "ID", "email": "new@example.com", "emailVerified": true,
				"firstName": null, "lastName": null, "name": null, "profilePictureUrl": null, "locale": null, "externalId": null,
				"lastSignInAt": "2026-01-02T15:04:05.000Z", "createdAt": "2026-01-02T15:04:05.000Z",
				"updatedAt": "2026-01-02T15:04:05.000Z", "metadata": {}
			}}`},
		{"a user with everything", zoe, `{
			"accessToken": "A", "refreshToken": "R", "organizationId": "org_01JSSZ5AWSH8VHTPRE95B9EE0Z",
			"authenticationMethod": "Password",
			"user": {
				"object": "user", "id": "ID", "email": "zoe@acme.example", "emailVerified": true,
				"firstName": "Zoë", "lastName": "Ångström", "name": "Zoë Ångström",
				"profilePictureUrl": "https://images.example.com/zoe.png", "locale": "sv-SE", "externalId": "employee-7",
				"lastSignInAt": "2026-01-02T15:04:05.000Z", "createdAt": "2026-01-02T15:04:05.000Z",
				"updatedAt": "2026-01-02T15:04:05.000Z", "metadata": {"department": "Research, Lund"}
			}}`},
		{"impersonation", iris, `{
			"accessToken": "A", "refreshToken": "R", "organizationId": "org_01JSSZ5AWSH8VHTPRE95B9EE0Z",
			"authenticationMethod": "Impersonation",
			"impersonator": {"email": "support@example.com", "reason": "Ticket 4711: \"export is empty\""},
			"user": {
				"object": "user", "id": "ID", "email": "iris@acme.example", "emailVerified": true,
				"firstName": "Iris", "lastName": "Okafor", "name": "Iris Okafor",
				"profilePictureUrl": null, "locale": null, "externalId": null,
				"lastSignInAt": "2026-01-02T15:04:05.000Z", "createdAt": "2026-01-02T15:04:05.000Z",
				"updatedAt": "2026-01-02T15:04:05.000Z", "metadata": {}
			}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			var response struct {
				AccessToken  string `json:"access_token"`
				RefreshToken string `json:"refresh_token"`
				User         struct{ ID string }
			}
			w.breakAuthKit(func(rw http.ResponseWriter, r *http.Request) {
				recorder := httptest.NewRecorder()
				w.authkit.ServeHTTP(recorder, r)
				if r.URL.Path == "/user_management/authenticate" {
					if err := json.Unmarshal(recorder.Body.Bytes(), &response); err != nil {
						t.Error(err)
					}
				}
				replay(rw, recorder)
			})
			b := w.browser(t)
			b.visit(app+"/", tt.email)
			want := strings.NewReplacer(`"A"`, `"`+response.AccessToken+`"`, `"R"`, `"`+response.RefreshToken+`"`,
				`"ID"`, `"`+response.User.ID+`"`).Replace(tt.want)
			if got := w.unsealed(t, b); !sameJSON(t, got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// Unknown fields reach the cookie as they came.
func TestUnknownFieldsAreSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	raw, err := w.authkit.SignIn(paula, "")
	if err != nil {
		t.Fatal(err)
	}
	var response map[string]any
	if err := json.Unmarshal(raw, &response); err != nil {
		t.Fatal(err)
	}
	response["sealed_session"] = "not for the cookie"
	response["user"].(map[string]any)["new_field"] = map[string]any{"nested_key": nil, "html": "<&>"}
	response["user"].(map[string]any)["metadata"] = map[string]any{"snake_case": "kept"}
	b := w.browser(t)
	callback := b.begin(login, paula)
	w.breakAuthKit(func(rw http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(rw).Encode(response) })
	if a := b.get(callback); a.location() != app+"/" {
		t.Fatalf("got status %d: %s", a.status, a.body)
	}
	var got struct {
		User   map[string]json.RawMessage
		Sealed any `json:"sealedSession"`
	}
	if err := json.Unmarshal([]byte(w.unsealed(t, b)), &got); err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, string(got.User["newField"]), `{"nested_key": null, "html": "<&>"}`) {
		t.Errorf("newField: got %s", got.User["newField"])
	}
	if !sameJSON(t, string(got.User["metadata"]), `{"snake_case": "kept"}`) {
		t.Errorf("metadata: got %s", got.User["metadata"])
	}
	if got.Sealed != nil {
		t.Errorf("the cookie has sealedSession %v", got.Sealed)
	}
}

// unsealed is the plaintext of the browser's session cookie.
func (w *world) unsealed(t *testing.T, b *browser) string {
	t.Helper()
	plaintext, err := w.iron.Unseal(b.sends(app + "/")["wos-session"])
	if err != nil {
		t.Fatal(err)
	}
	return string(plaintext)
}

func sameJSON(t *testing.T, got, want string) bool {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	return reflect.DeepEqual(g, w)
}

func replay(rw http.ResponseWriter, recorder *httptest.ResponseRecorder) {
	for name, values := range recorder.Header() {
		rw.Header()[name] = values
	}
	rw.WriteHeader(recorder.Code)
	_, _ = rw.Write(recorder.Body.Bytes())
}

func withMetadata(id, email string, bytes int) emulator.User {
	return emulator.User{ID: id, Email: email, Metadata: map[string]string{"notes": strings.Repeat("x", bytes)}}
}

// The next session may need fewer cookies than the last: E17.
func TestSessionShrinks(t *testing.T) {
	t.Parallel()
	s := ownHost()
	s.users = []emulator.User{withMetadata("user_large", "large@example.com", 6000)}
	w := newWorld(t, s)
	b := w.browser(t)
	large := b.get(b.begin("https://auth.example.com/login", "large@example.com"))
	for _, prefix := range []string{"wos-session=k1.3.", "wos-session.1=k1.3.", "wos-session.2=k1.3."} {
		if large.cookie(prefix) == "" {
			t.Errorf("no cookie %s", prefix)
		}
	}
	if got := b.get("https://app.example.com/").body; got != "hello large@example.com" {
		t.Fatalf("got %q", got)
	}
	small := b.get(b.begin("https://auth.example.com/login", paula))
	want := []string{
		"wos-session.1=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.2=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.1=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		"wos-session.2=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
	}
	for _, line := range want {
		if small.cookie(line) == "" {
			t.Errorf("no line %q in %q", line, small.header["Set-Cookie"])
		}
	}
	for name := range b.sends("https://app.example.com/") {
		if name != "wos-session" {
			t.Errorf("the browser still has %s", name)
		}
	}
	if got := b.get("https://app.example.com/").body; got != "hello paula@example.com" {
		t.Errorf("got %q", got)
	}
}

func TestSessionTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{users: []emulator.User{
		withMetadata("user_32", "32@example.com", 32_000), withMetadata("user_64", "64@example.com", 64_000),
	}})
	tests := []struct {
		email  string
		status int
		want   string
	}{
		{"32@example.com", 403, "Your session is too large"}, // for eight cookies
		{"64@example.com", 502, "Something went wrong"},      // for a seal
	}
	for _, tt := range tests {
		b := w.browser(t)
		a := b.get(b.begin(login+"?rd=/x", tt.email))
		if a.status != tt.status || !strings.Contains(a.body, tt.want) || a.cookie("wos-session") != "" ||
			a.link("Try again") != login+"?rd=https%3A%2F%2Fapp.example.com%2Fx" {
			t.Errorf("%s: got status %d, cookies %q: %s", tt.email, a.status, a.header["Set-Cookie"], a.body)
		}
	}
}
