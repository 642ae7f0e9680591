package oauth_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

func TestCodeExchange(t *testing.T) {
	t.Parallel()
	w := start(t, files, jobs)
	other, _ := w.register(`{"redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"none"}`)["client_id"].(string)
	for name, row := range map[string]struct {
		changes []string
		want    string
	}{
		"no verifier":          {[]string{"code_verifier", ""}, "invalid_grant"},
		"another verifier":     {[]string{"code_verifier", "x" + verifier}, "invalid_grant"},
		"no redirect URI":      {[]string{"redirect_uri", ""}, "invalid_grant"},
		"another redirect URI": {[]string{"redirect_uri", callback + "/"}, "invalid_grant"},
		"another client":       {[]string{"client_id", other}, "invalid_grant"},
		"an unknown client":    {[]string{"client_id", "client_other"}, "invalid_client"},
		"a secret":             {[]string{"client_secret", "x"}, "invalid_client"},
		"another resource":     {[]string{"resource", jobs}, "invalid_target"},
		"an unknown resource":  {[]string{"resource", files + "/"}, "invalid_target"},
		"another code":         {[]string{"code", "x"}, "invalid_grant"},
		"no code":              {[]string{"code", ""}, "invalid_request"},
		"another grant":        {[]string{"grant_type", "password"}, "unsupported_grant_type"},
	} {
		status, answer := w.exchange(w.code(zoe), row.changes...)
		w.wantError(name, row.want, status, answer)
	}
	code := w.code(zoe)
	status, answer := w.exchange(code, "resource", files)
	if status != 200 {
		t.Fatalf("got %d %v, want tokens", status, answer)
	}
	// The second time may be a thief's: what the first one brought ends (RFC 6749, 4.1.2).
	status, again := w.exchange(code)
	w.wantError("a code again", "invalid_grant", status, again)
	status, again = w.refresh(answer["refresh_token"])
	w.wantError("its refresh token", "invalid_grant", status, again)

	late := w.code(zoe)
	w.advance(10 * time.Minute)
	status, again = w.exchange(late)
	w.wantError("a code after ten minutes", "invalid_grant", status, again)
}

func TestConfidentialClient(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	made := w.register(`{"redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"client_secret_post"}`)
	w.id, _ = made["client_id"].(string)
	clientSecret, _ := made["client_secret"].(string)
	status, answer := w.exchange(w.code(zoe))
	w.wantError("no secret", "invalid_client", status, answer)
	if status, answer = w.exchange(w.code(zoe), "client_secret", clientSecret); status != 200 {
		t.Errorf("got %d %v, want tokens", status, answer)
	}
	// It may leave PKCE out, but not bring a verifier that nothing compares.
	code := w.code(zoe, "code_challenge", "", "code_challenge_method", "")
	status, answer = w.exchange(code, "client_secret", clientSecret)
	w.wantError("a verifier without a challenge", "invalid_grant", status, answer)
	if status, answer = w.exchange(code, "client_secret", clientSecret, "code_verifier", ""); status != 200 {
		t.Errorf("without PKCE: got %d %v, want tokens", status, answer)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	w := start(t, files, jobs)
	first := w.signIn(zoe)
	other, _ := w.register(`{"redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"none"}`)["client_id"].(string)

	for name, row := range map[string]struct {
		changes []string
		want    string
	}{
		"another client's":    {[]string{"client_id", other}, "invalid_grant"},
		"a wider scope":       {[]string{"scope", "files:read files:write"}, "invalid_scope"},
		"another resource":    {[]string{"resource", jobs}, "invalid_target"},
		"no refresh token":    {[]string{"refresh_token", ""}, "invalid_grant"},
		"another one":         {[]string{"refresh_token", "x"}, "invalid_grant"},
		"the access token":    {[]string{"refresh_token", first["access_token"].(string)}, "invalid_grant"},
		"an unknown resource": {[]string{"resource", "https://other.example.com"}, "invalid_target"},
	} {
		status, answer := w.refresh(first["refresh_token"], row.changes...)
		w.wantError(name, row.want, status, answer) // and none of these has spent it
	}
	status, narrow := w.refresh(first["refresh_token"], "scope", "files:read", "resource", files)
	if claims := w.claims(narrow["access_token"]); status != 200 || claims["scope"] != "files:read" || claims["aud"] != files {
		t.Errorf("narrowed: got %d %v", status, claims)
	}
	status, answer := w.refresh(first["refresh_token"])
	w.wantError("a spent one", "invalid_grant", status, answer)
	// Narrowing is for one access token.
	status, full := w.refresh(narrow["refresh_token"])
	if status != 200 || full["scope"] != "files:read offline_access" {
		t.Errorf("the next one: got %d %v, want all scopes", status, full)
	}
	if without := w.signIn(zoe, "scope", "files:read"); without["refresh_token"] != nil {
		t.Errorf("without offline_access: got %v, want no refresh token", without)
	}
	if err := w.e.DeleteUser(w.claims(full["access_token"])["sub"].(string)); err != nil {
		t.Fatal(err)
	}
	status, answer = w.refresh(full["refresh_token"])
	w.wantError("a deleted user's", "invalid_grant", status, answer)
}

func TestRevokedConsent(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	tokens := w.signIn(zoe)
	sid := w.claims(tokens["access_token"])["sid"].(string)
	if !active(w, tokens["access_token"]) || !active(w, tokens["refresh_token"]) {
		t.Error("got inactive tokens, want them active")
	}
	if status, text := w.control(http.MethodDelete, "/_emulator/oauth/consents/"+sid, ""); status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	status, answer := w.refresh(tokens["refresh_token"])
	w.wantError("its refresh token", "invalid_grant", status, answer)
	if active(w, tokens["access_token"]) {
		t.Error("got an active token, want it inactive")
	}
	if to, _, _ := w.submit(w.authorizeURL(), "email", zoe); to != nil {
		t.Errorf("got %v, want the user asked again", to)
	}
	if again := w.claims(w.signIn(zoe)["access_token"])["sid"]; again == sid {
		t.Error("got the same consent, want a new one")
	}
	if status, _ := w.control(http.MethodDelete, "/_emulator/oauth/consents/"+sid, ""); status != 404 {
		t.Errorf("revoked again: got %d, want 404", status)
	}
}

// Who is no longer a member has no more tokens for the organization.
func TestMembershipThatIsGone(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	tokens := w.signIn(zoe)
	_, list, _ := w.do(http.MethodGet, "/user_management/organization_memberships?organization_id=org_01JSSZ5AWSH8VHTPRE95B9EE0Z", "", "", "Authorization", "Bearer "+apiKey)
	data, _ := list["data"].([]any)
	for _, item := range data {
		if m, _ := item.(map[string]any); m["user_id"] == w.claims(tokens["access_token"])["sub"] {
			w.control(http.MethodDelete, "/user_management/organization_memberships/"+m["id"].(string), "")
		}
	}
	status, answer := w.refresh(tokens["refresh_token"])
	w.wantError("its refresh token", "invalid_grant", status, answer)
	if active(w, tokens["access_token"]) || active(w, tokens["refresh_token"]) {
		t.Error("got active tokens, want them inactive")
	}
}

// A JWT template gives no scope and no organization.
func TestTemplateSaysNoScope(t *testing.T) {
	t.Parallel()
	w := startWith(t, emulator.Config{
		Users:     []emulator.User{{ID: "user_01EVE", Email: "eve@example.com", Claims: map[string]any{"level": 7, "scope": "admin:all"}}},
		Resources: []string{files},
	})
	claims := w.claims(w.signIn("eve@example.com", "scope", "")["access_token"])
	if claims["scope"] != nil || claims["org_id"] != nil || claims["level"] != 7.0 {
		t.Errorf("got %v, want the template's claim, no scope and no organization", claims)
	}
}

// introspect asks as an application of the environment.
func introspect(w *world, form url.Values) (int, map[string]any) {
	response, answer, _ := w.do(http.MethodPost, "/oauth2/introspection", "application/x-www-form-urlencoded", form.Encode())
	return response.StatusCode, answer
}

func active(w *world, token any) bool {
	text, _ := token.(string)
	_, answer := introspect(w, url.Values{"client_id": {warehouse}, "client_secret": {secret}, "token": {text}})
	is, _ := answer["active"].(bool)
	return is
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	tokens := w.signIn(zoe, "scope", "files:read openid")
	_, answer := introspect(w, url.Values{"client_id": {warehouse}, "client_secret": {secret}, "token": {tokens["access_token"].(string)}})
	if answer["active"] != true || answer["aud"] != files || answer["client_id"] != w.id || answer["scope"] != "files:read openid" {
		t.Errorf("got %v", answer)
	}
	_, machine := w.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {warehouse}, "client_secret": {secret}})
	if !active(w, machine["access_token"]) {
		t.Error("a machine's token: got inactive, want active")
	}
	for name, token := range map[string]any{"an ID token": tokens["id_token"], "none": "x", "a forged one": tokens["access_token"].(string) + "A"} {
		if active(w, token) {
			t.Errorf("%s: got active", name)
		}
	}
	for name, form := range map[string]url.Values{
		"a public client": {"client_id": {w.id}, "token": {"x"}}, "no client": {"token": {"x"}},
		"a wrong secret": {"client_id": {warehouse}, "client_secret": {"x"}, "token": {"x"}},
	} {
		if status, answer := introspect(w, form); status != 401 || answer["error"] != "invalid_client" {
			t.Errorf("%s: got %d %v, want invalid_client", name, status, answer)
		}
	}
	w.advance(5 * time.Minute)
	if active(w, tokens["access_token"]) {
		t.Error("an expired one: got active")
	}
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	tokens := w.signIn(zoe, "scope", "openid email profile", "nonce", "n-1")
	claims := w.claims(tokens["id_token"])
	if claims["aud"] != w.id || claims["nonce"] != "n-1" || claims["email"] != zoe || claims["client_id"] != nil || claims["sid"] != nil || claims["scope"] != nil {
		t.Errorf("got %v", claims)
	}
}

func TestTokenExchange(t *testing.T) {
	t.Parallel()
	w := start(t, files, jobs)
	tokens := w.signIn(zoe, "scope", "files:read files:write openid")
	exchange := func(subject any, changes ...string) (int, map[string]any) {
		text, _ := subject.(string)
		return w.token(url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "client_id": {warehouse}, "client_secret": {secret},
			"subject_token": {text}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "resource": {jobs}, "scope": {"files:read"},
		}, changes...)
	}
	status, answer := exchange(tokens["access_token"])
	if status != 200 || answer["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" {
		t.Fatalf("got %d %v", status, answer)
	}
	before, claims := w.claims(tokens["access_token"]), w.claims(answer["access_token"])
	act, _ := claims["act"].(map[string]any)
	if claims["sub"] != before["sub"] || claims["sid"] != before["sid"] || claims["aud"] != jobs || claims["client_id"] != warehouse || claims["scope"] != "files:read" || act["sub"] != warehouse {
		t.Errorf("got %v, want the user's token for the application", claims)
	}
	_, twice := exchange(answer["access_token"])
	act, _ = w.claims(twice["access_token"])["act"].(map[string]any)
	if inner, _ := act["act"].(map[string]any); inner["sub"] != warehouse {
		t.Errorf("exchanged twice: got %v, want the chain of actors", act)
	}
	_, machine := w.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {warehouse}, "client_secret": {secret}})
	for name, row := range map[string]struct {
		subject any
		changes []string
		want    string
	}{
		"a wider scope":       {tokens["access_token"], []string{"scope", "files:delete"}, "invalid_scope"},
		"an ID token":         {tokens["id_token"], nil, "invalid_grant"},
		"a machine's":         {machine["access_token"], nil, "invalid_grant"},
		"a forged one":        {"x.y.z", nil, "invalid_grant"},
		"another type":        {tokens["access_token"], []string{"subject_token_type", "urn:ietf:params:oauth:token-type:id_token"}, "invalid_request"},
		"a refresh token":     {tokens["access_token"], []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"another actor":       {tokens["access_token"], []string{"actor_token", "x"}, "invalid_request"},
		"an audience":         {tokens["access_token"], []string{"audience", "other"}, "invalid_target"},
		"a public client":     {tokens["access_token"], []string{"client_id", w.id, "client_secret", ""}, "unauthorized_client"},
		"no secret":           {tokens["access_token"], []string{"client_secret", ""}, "invalid_client"},
		"an unknown resource": {tokens["access_token"], []string{"resource", "https://other.example.com"}, "invalid_target"},
	} {
		status, answer := exchange(row.subject, row.changes...)
		w.wantError(name, row.want, status, answer)
	}
	w.advance(5 * time.Minute)
	status, answer = exchange(tokens["access_token"])
	w.wantError("an expired one", "invalid_grant", status, answer)
}

func TestAudience(t *testing.T) {
	t.Parallel()
	none := start(t)
	if got := none.claims(none.signIn(zoe)["access_token"])["aud"]; got != environment {
		t.Errorf("no resource is registered: got %v, want the environment's client id, whatever is asked for", got)
	}
	w := start(t, files, jobs)
	if got := w.claims(w.signIn(zoe, "resource", "")["access_token"])["aud"]; got != files {
		t.Errorf("nothing is asked for: got %v, want the default", got)
	}
	if got := w.claims(w.signIn(zoe, "resource", jobs)["access_token"])["aud"]; got != jobs {
		t.Errorf("got %v, want what was asked for", got)
	}
	w.set(`{"ignore_unknown_resources":true}`)
	if got := w.claims(w.signIn(zoe, "resource", "https://other.example.com")["access_token"])["aud"]; got != files {
		t.Errorf("an unknown one, ignored: got %v, want the default", got)
	}
}

func TestResourceEndpoints(t *testing.T) {
	t.Parallel()
	const at = "/user_management/authkit_oauth_resources"
	w := start(t)
	first, second := w.resource(files), w.resource(jobs)
	if first["default"] != true || second["default"] != false || first["object"] != "authkit_oauth_resource" {
		t.Errorf("got %v and %v, want the first one as default", first, second)
	}
	for body, want := range map[string]int{`{"uri":"` + files + `"}`: 422, `{"uri":"x"}`: 400, `{}`: 400, `{`: 400, `{"uri":"https://a.example/#b"}`: 400} {
		if status, text := w.control(http.MethodPost, at, body); status != want {
			t.Errorf("%s: got %d %s, want %d", body, status, text, want)
		}
	}
	if status, text := w.control(http.MethodPut, at+"/"+second["id"].(string)+"/default", ""); status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	if got := w.claims(w.signIn(zoe, "resource", "")["access_token"])["aud"]; got != jobs {
		t.Errorf("the new default: got %v, want it", got)
	}
	if status, _ := w.control(http.MethodDelete, at+"/"+second["id"].(string), ""); status != 204 {
		t.Errorf("got %d, want 204", status)
	}
	_, answer, _ := w.do(http.MethodGet, at, "", "", "Authorization", "Bearer "+apiKey)
	if data, _ := answer["data"].([]any); len(data) != 1 {
		t.Errorf("got %v, want one", answer)
	}
	if response, _, _ := w.do(http.MethodGet, at, "", ""); response.StatusCode != 401 {
		t.Errorf("without the key: got %d, want 401", response.StatusCode)
	}
}

func (w *world) resource(uri string) map[string]any {
	w.t.Helper()
	_, made, _ := w.do(http.MethodPost, "/user_management/authkit_oauth_resources", "application/json", `{"uri":"`+uri+`"}`, "Authorization", "Bearer "+apiKey)
	return made
}
