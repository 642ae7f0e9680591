package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := start(t, files, jobs)
	request := w.authorizeURL()

	_, _, page := w.do(http.MethodGet, request, "", "")
	if !strings.Contains(page, `value="`+zoe+`"`) || !strings.Contains(page, "let Tool in") {
		t.Errorf("first page: got %s, want the users", page)
	}
	_, page, _ = w.submit(request, "email", zoe)
	for _, want := range []string{"Allow Tool?", "<b>" + files + "</b>", "<li>files:read</li>", "http://127.0.0.1:8123"} {
		if !strings.Contains(page, want) {
			t.Errorf("consent: got no %q in %s", want, page)
		}
	}
	to, _, status := w.submit(request, "email", zoe, "allow", "1")
	if status != http.StatusSeeOther || !strings.HasPrefix(to.String(), callback+"?") || to.Query().Get("state") != "st" || to.Query().Has("iss") {
		t.Fatalf("got %d %v, want the way back with state", status, to)
	}
	_, answer := w.exchange(to.Query().Get("code"))
	if answer["token_type"] != "bearer" || answer["expires_in"] != 300.0 || answer["scope"] != "files:read offline_access" || answer["refresh_token"] == "" || answer["id_token"] != nil {
		t.Errorf("got %v", answer)
	}
	claims := w.claims(answer["access_token"])
	for name, want := range map[string]any{
		"iss": w.url, "aud": files, "client_id": w.id, "scope": "files:read offline_access", "org_id": "org_01JSSZ5AWSH8VHTPRE95B9EE0Z",
		"iat": 1772366400.0, "exp": 1772366700.0,
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	sid, _ := claims["sid"].(string)
	if sub, _ := claims["sub"].(string); !strings.HasPrefix(sub, "user_") || !strings.HasPrefix(sid, "app_consent_") {
		t.Errorf("got sub %v and sid %v, want a user and a consent", claims["sub"], claims["sid"])
	}
	// The consent is remembered, for no more than it was given for.
	if to, _, _ := w.submit(request, "email", zoe); to == nil || to.Query().Get("code") == "" {
		t.Errorf("a second time: got %v, want a code at once", to)
	}
	for name, changes := range map[string][]string{
		"more scopes": {"scope", "files:read files:write"}, "another resource": {"resource", jobs}, "prompt": {"prompt", "login consent"},
	} {
		if to, page, _ := w.submit(w.authorizeURL(changes...), "email", zoe); to != nil || !strings.Contains(page, "Allow Tool?") {
			t.Errorf("%s: got %v %s, want the consent page", name, to, page)
		}
	}
	if again := w.claims(w.signIn(zoe, "scope", "files:write")["access_token"]); again["sid"] != sid || again["scope"] != "files:write" {
		t.Errorf("more scopes: got %v, want them, by the same consent", again)
	}
}

func TestOrganizations(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	_, page, _ := w.submit(w.authorizeURL(), "email", sam)
	if !strings.Contains(page, "Choose an organization") {
		t.Fatalf("got %s, want the organizations", page)
	}
	const globex = "org_01JBGJ09TQM83XSSSS6YS3C4DW"
	to, _, _ := w.submit(w.authorizeURL(), "email", sam, "organization_id", globex, "allow", "1")
	_, answer := w.exchange(to.Query().Get("code"))
	if got := w.claims(answer["access_token"])["org_id"]; got != globex {
		t.Errorf("got %v, want the chosen one", got)
	}
	if got := w.claims(w.signIn(paula)["access_token"])["org_id"]; got != nil {
		t.Errorf("a user without any: got %v, want none", got)
	}
	if _, page, _ := w.submit(w.authorizeURL(), "email", sam, "organization_id", "org_other", "allow", "1"); !strings.Contains(page, "Choose an organization") {
		t.Errorf("somebody else's: got %s, want the organizations", page)
	}
}

// An error that the client gets back, with its state.
func TestAuthorizeErrors(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	for name, row := range map[string]struct {
		changes []string
		want    string
	}{
		"no code_challenge":         {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"the plain method":          {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"no method":                 {[]string{"code_challenge_method", ""}, "invalid_request"},
		"a short code_challenge":    {[]string{"code_challenge", "abc"}, "invalid_request"},
		"another response type":     {[]string{"response_type", "token"}, "unsupported_response_type"},
		"another response mode":     {[]string{"response_mode", "fragment"}, "invalid_request"},
		"a malformed scope":         {[]string{"scope", `a"b`}, "invalid_scope"},
		"a sign-in without pages":   {[]string{"prompt", "none"}, "login_required"},
		"a resource nobody knows":   {[]string{"resource", "https://other.example.com"}, "invalid_target"},
		"the resource with a slash": {[]string{"resource", files + "/"}, "invalid_target"},
	} {
		response, _, _ := w.do(http.MethodGet, w.authorizeURL(row.changes...), "", "")
		to, err := response.Location()
		if err != nil || !strings.HasPrefix(to.String(), callback+"?") || to.Query().Get("error") != row.want || to.Query().Get("state") != "st" {
			t.Errorf("%s: got %v, want %s", name, to, row.want)
		}
	}
	response, _, _ := w.do(http.MethodGet, w.authorizeURL()+"&resource="+url.QueryEscape(files), "", "")
	if to, err := response.Location(); err != nil || to.Query().Get("error") != "invalid_target" {
		t.Errorf("a repeated resource: got %v, want invalid_target", to)
	}
	if to, _, _ := w.submit(w.authorizeURL(), "cancel", "1"); to == nil || to.Query().Get("error") != "access_denied" {
		t.Errorf("cancel: got %v, want access_denied", to)
	}
	w.set(`{"authorization_response_iss_parameter":true}`)
	if to, _, _ := w.submit(w.authorizeURL(), "cancel", "1"); to.Query().Get("iss") != w.url {
		t.Errorf("with iss: got %v", to)
	}
}

// Nobody is sent to a redirect URI that the client hasn't registered.
func TestRedirectURIs(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	several := w.register(`{"redirect_uris":["https://app.example.com/cb","cursor://anysphere.cursor/cb","http://localhost/cb","http://[::1]:3/cb"],"token_endpoint_auth_method":"none"}`)
	id, _ := several["client_id"].(string)
	for uri, want := range map[string]bool{
		"https://app.example.com/cb":                   true,
		"cursor://anysphere.cursor/cb":                 true,
		"http://localhost:45123/cb":                    true, // RFC 8252, 7.3: any port
		"http://[::1]:45123/cb":                        true,
		"http://localhost:45123/other":                 false,
		"http://localhost:45123/cb?x=1":                false,
		"http://localhost.evil.example:45123/cb":       false,
		"http://evil.example@localhost:45123/cb":       false,
		"http://127.0.0.1:45123/cb":                    false, // another spelling of another URI
		"https://app.example.com:8443/cb":              false,
		"https://app.example.com/cb/":                  false,
		"https://app.example.com/cb#x":                 false,
		"https://evil.example/cb":                      false,
		"HTTPS://app.example.com/cb":                   false,
		"http://localhost:45123/cb\r\nSet-Cookie: a=b": false,
		"": false, // several to choose from
	} {
		response, _, page := w.do(http.MethodGet, w.authorizeURL("client_id", id, "redirect_uri", uri), "", "")
		if shown := response.StatusCode == 200; shown != want || !shown && response.Header.Get("Location") != "" {
			t.Errorf("%q: got %d %s, want it known: %t", uri, response.StatusCode, page, want)
		}
	}
	if response, _, _ := w.do(http.MethodGet, w.authorizeURL("client_id", "client_other"), "", ""); response.StatusCode != 400 {
		t.Errorf("another client: got %d, want 400", response.StatusCode)
	}
	repeated := w.authorizeURL() + "&client_id=" + url.QueryEscape(w.id)
	if response, _, _ := w.do(http.MethodGet, repeated, "", ""); response.StatusCode != 400 {
		t.Errorf("a repeated parameter: got %d, want 400", response.StatusCode)
	}
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	w := start(t)
	for name, row := range map[string]struct{ metadata, want string }{
		"no redirect URI":        {`{}`, "invalid_redirect_uri"},
		"http elsewhere":         {`{"redirect_uris":["http://app.example.com/cb"]}`, "invalid_redirect_uri"},
		"a fragment":             {`{"redirect_uris":["https://app.example.com/cb#x"]}`, "invalid_redirect_uri"},
		"a script":               {`{"redirect_uris":["javascript:alert(1)"]}`, "invalid_redirect_uri"},
		"a path alone":           {`{"redirect_uris":["/cb"]}`, "invalid_redirect_uri"},
		"an unknown grant":       {`{"redirect_uris":["https://a.example/cb"],"grant_types":["password"]}`, "invalid_client_metadata"},
		"an unknown method":      {`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}`, "invalid_client_metadata"},
		"the implicit response":  {`{"redirect_uris":["https://a.example/cb"],"response_types":["token"]}`, "invalid_client_metadata"},
		"no JSON":                {`x`, "invalid_client_metadata"},
		"a client for a command": {`{"grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"token_endpoint_auth_method":"none"}`, ""},
	} {
		response, answer, _ := w.do(http.MethodPost, "/oauth2/register", "application/json", row.metadata)
		if got, _ := answer["error"].(string); got != row.want || (response.StatusCode == 201) != (row.want == "") {
			t.Errorf("%s: got %d %v, want %q", name, response.StatusCode, answer, row.want)
		}
	}
	confidential := w.register(`{"redirect_uris":["` + callback + `"]}`)
	if confidential["token_endpoint_auth_method"] != "client_secret_basic" || confidential["client_secret"] == nil || confidential["client_secret_expires_at"] != 0.0 {
		t.Errorf("got %v, want a secret that doesn't expire", confidential)
	}
	_, metadata, _ := w.do(http.MethodGet, "/.well-known/oauth-authorization-server", "", "")
	if metadata["registration_endpoint"] != w.url+"/oauth2/register" || metadata["client_id_metadata_document_supported"] != nil {
		t.Errorf("got %v, want registration, and no documents", metadata)
	}
	w.set(`{"dynamic_registration":false,"client_id_metadata_documents":true}`)
	_, metadata, _ = w.do(http.MethodGet, "/.well-known/openid-configuration", "", "")
	if metadata["registration_endpoint"] != nil || metadata["client_id_metadata_document_supported"] != true {
		t.Errorf("got %v, want documents, and no registration", metadata)
	}
	if response, _, _ := w.do(http.MethodPost, "/oauth2/register", "application/json", `{"redirect_uris":["`+callback+`"]}`); response.StatusCode != 404 {
		t.Errorf("switched off: got %d, want 404", response.StatusCode)
	}
}

// A client whose id is the URL of its metadata.
func TestDocuments(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	const id = "https://tool.example.com/client.json"
	document := `{"client_id":"` + id + `","client_name":"Documented","redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"none"}`
	if status, text := w.control(http.MethodPost, "/_emulator/oauth/documents", document); status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	if response, _, _ := w.do(http.MethodGet, w.authorizeURL("client_id", id), "", ""); response.StatusCode != 400 {
		t.Errorf("switched off: got %d, want 400", response.StatusCode)
	}
	w.set(`{"client_id_metadata_documents":true}`)
	w.id = id
	if got := w.claims(w.signIn(zoe)["access_token"])["client_id"]; got != id {
		t.Errorf("got %v, want the document's URL", got)
	}
	for name, bad := range map[string]string{
		"http": strings.ReplaceAll(document, "https://tool", "http://tool"), "no path": strings.ReplaceAll(document, "/client.json", ""),
		"a secret": strings.ReplaceAll(document, `"none"`, `"client_secret_basic"`), "no JSON": "{",
		"a redirect URI elsewhere by http": strings.ReplaceAll(document, callback, "http://tool.example.com/cb"),
	} {
		if status, text := w.control(http.MethodPost, "/_emulator/oauth/documents", bad); status != 400 {
			t.Errorf("%s: got %d %s, want 400", name, status, text)
		}
	}
}
