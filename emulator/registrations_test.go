package emulator

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const (
	redirectURIsPath = "/user_management/redirect_uris"
	endpointsPath    = "/webhook_endpoints"
)

func TestRegisterRedirectURI(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	const added = "https://app.example.com/_auth/callback"
	authorize := "/user_management/authorize?response_type=code&provider=authkit&client_id=" + testClient + "&redirect_uri=" + url.QueryEscape(added)
	if got := e.ask(t, "GET", authorize, ""); got.status != 400 {
		t.Fatalf("before: got %d, want 400", got.status)
	}

	made := e.ask(t, "POST", redirectURIsPath, `{"uri":"`+added+`"}`)
	u := decode(t, made.body)
	if made.status != 201 || u["object"] != "redirect_uri" || u["uri"] != added || u["default"] != false || !strings.HasPrefix(u["id"].(string), "redir_01") {
		t.Fatalf("got %d %s, want the redirect URI", made.status, made.body)
	}
	if got := e.ask(t, "GET", authorize, ""); got.status != 200 {
		t.Errorf("registered: got %d, want the page", got.status)
	}
	e.want(t, "POST", redirectURIsPath, `{"uri":"`+added+`"}`, 422, `{"message":"The redirect URI already exists."}`)
	for _, bad := range []string{"", "/callback", "https://", "https://app.example.com/#x"} {
		e.want(t, "POST", redirectURIsPath, `{"uri":"`+bad+`"}`, 400, `{"message":"The redirect URI is invalid."}`)
	}
	if got, want := e.RedirectURIs(), []string{testRedirect, "http://localhost:3000/callback?app=1", added}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	if got := e.ask(t, "DELETE", redirectURIsPath+"/"+u["id"].(string), ""); got.status != 204 {
		t.Errorf("delete: got %d, want 204", got.status)
	}
	if got := e.ask(t, "GET", authorize, ""); got.status != 400 {
		t.Errorf("deleted: got %d, want 400", got.status)
	}
}

func TestRegistrationPages(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for i := range 5 {
		e.ask(t, "POST", redirectURIsPath, fmt.Sprintf(`{"uri":"https://app%d.example.com/callback"}`, i))
	}
	var all []string
	after := ""
	for range 4 {
		page := decode(t, e.ask(t, "GET", redirectURIsPath+"?limit=3&after="+after, "").body)
		for _, item := range page["data"].([]any) {
			all = append(all, item.(map[string]any)["uri"].(string))
		}
		next, more := page["list_metadata"].(map[string]any)["after"].(string)
		if !more {
			break
		}
		after = next
	}
	if !slices.Equal(all, e.RedirectURIs()) || len(all) != 7 {
		t.Errorf("got %q, want all seven once", all)
	}
	if got := e.ask(t, "GET", redirectURIsPath+"?limit=101", ""); got.status != 422 {
		t.Errorf("limit 101: got %d, want 422", got.status)
	}
}

func TestRegisterWebhookEndpoint(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, nil)
	body := `{"endpoint_url":"` + target + `","events":["user.deleted","role.updated"]}`

	made := e.ask(t, "POST", endpointsPath, body)
	endpoint := decode(t, made.body)
	if made.status != 201 || endpoint["endpoint_url"] != target || endpoint["status"] != "enabled" || !strings.HasPrefix(endpoint["id"].(string), "we_01") {
		t.Fatalf("got %d %s, want the endpoint", made.status, made.body)
	}
	at := endpointsPath + "/" + endpoint["id"].(string)
	emit := func(name string) {
		t.Helper()
		e.want(t, "POST", "/_emulator/events", `{"event":"`+name+`","data":{}}`, 200, `{}`)
	}
	emit("user.updated") // isn't sent
	emit("user.deleted")
	got := <-events
	if decode(t, got.body)["event"] != "user.deleted" {
		t.Errorf("got %s, want user.deleted alone", got.body)
	}
	stamp, _, _ := strings.Cut(strings.TrimPrefix(got.signature, "t="), ",")
	if want := sign([]byte(endpoint["secret"].(string)), e.clock.Now(), []byte(got.body)); got.signature != want {
		t.Errorf("signed at %s: got %s, want it signed with the endpoint's own secret", stamp, got.signature)
	}

	e.want(t, "POST", endpointsPath, body, 409, `{"code":"duplicate_endpoint","message":"There is an endpoint for this URL."}`)
	e.want(t, "POST", endpointsPath, `{"endpoint_url":"ftp://x","events":["user.deleted"]}`, 422, `{"code":"invalid_url","message":"The endpoint URL is invalid."}`)
	e.want(t, "PATCH", at, `{"events":["user.delete"]}`, 422,
		`{"code":"invalid_request_parameters","errors":[{"code":"unknown_event_type","message":"Unknown event type: user.delete"}],"message":"The request is invalid."}`)
	if got := e.ask(t, "PATCH", endpointsPath+"/we_01", `{"status":"enabled"}`); got.status != 404 {
		t.Errorf("unknown endpoint: got %d, want 404", got.status)
	}

	e.ask(t, "PATCH", at, `{"events":["user.updated"]}`)
	emit("user.deleted") // isn't sent any more
	emit("user.updated")
	wantEvent(t, events, "user.updated")
	e.ask(t, "PATCH", at, `{"status":"disabled"}`)
	emit("user.updated") // isn't sent
	e.ask(t, "PATCH", at, `{"status":"enabled","events":["user.created"]}`)
	emit("user.created")
	wantEvent(t, events, "user.created")

	if got := e.ask(t, "DELETE", at, ""); got.status != 204 {
		t.Errorf("delete: got %d, want 204", got.status)
	}
	if list := decode(t, e.ask(t, "GET", endpointsPath, "").body)["data"].([]any); len(list) != 0 {
		t.Errorf("deleted: got %v, want none", list)
	}
}

func TestRegistrationsNeedTheKey(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	for _, path := range []string{redirectURIsPath, endpointsPath} {
		for _, method := range []string{"GET", "POST"} {
			req, err := http.NewRequest(method, e.url+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer sk_other")
			if got := e.do(t, req); got.status != 401 {
				t.Errorf("%s %s: got %d, want 401", method, path, got.status)
			}
		}
	}
}
