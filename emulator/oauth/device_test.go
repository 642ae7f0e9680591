package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// device asks for a code as a command line does.
func (w *world) device(changes ...string) map[string]any {
	w.t.Helper()
	form := values(url.Values{"client_id": {w.id}, "scope": {"files:read offline_access"}, "resource": {files}}, changes...)
	_, answer, _ := w.do(http.MethodPost, "/oauth2/device_authorization", "application/x-www-form-urlencoded", form.Encode())
	return answer
}

func (w *world) poll(code any) (int, map[string]any) {
	w.t.Helper()
	text, _ := code.(string)
	return w.token(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {w.id}, "device_code": {text}})
}

func TestDevice(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	d := w.device()
	if d["verification_uri"] != w.url+"/oauth2/device" || d["expires_in"] != 300.0 || d["interval"] != 5.0 {
		t.Errorf("got %v", d)
	}
	status, answer := w.poll(d["device_code"])
	w.wantError("before the user", "authorization_pending", status, answer)
	status, answer = w.poll(d["device_code"])
	w.wantError("at once again", "slow_down", status, answer)
	w.advance(6 * time.Second)
	status, answer = w.poll(d["device_code"])
	w.wantError("after the interval of before", "slow_down", status, answer)
	w.advance(15 * time.Second)
	status, answer = w.poll(d["device_code"])
	w.wantError("after the longer one", "authorization_pending", status, answer)

	userCode := d["user_code"].(string)
	_, _, page := w.do(http.MethodGet, d["verification_uri_complete"].(string), "", "")
	if !strings.Contains(page, `value="`+userCode+`"`) || strings.Contains(page, zoe) {
		t.Errorf("first page: got %s, want the code to be compared", page)
	}
	typed := strings.ToLower(strings.ReplaceAll(userCode, "-", ""))
	_, page, _ = w.submit("/oauth2/device", "user_code", typed)
	if !strings.Contains(page, `value="`+zoe+`"`) {
		t.Errorf("second page: got %s, want the users", page)
	}
	_, page, _ = w.submit("/oauth2/device", "user_code", userCode, "email", zoe)
	if !strings.Contains(page, "<b>"+userCode+"</b>") || !strings.Contains(page, "<li>files:read</li>") {
		t.Errorf("third page: got %s, want the consent", page)
	}
	if _, page, status := w.submit("/oauth2/device", "user_code", userCode, "email", zoe, "allow", "1"); status != 200 || !strings.Contains(page, "Signed in") {
		t.Errorf("got %d %s", status, page)
	}
	status, answer = w.poll(d["device_code"])
	if claims := w.claims(answer["access_token"]); status != 200 || claims["aud"] != files || claims["client_id"] != w.id || answer["refresh_token"] == nil {
		t.Errorf("got %d %v, want tokens", status, answer)
	}
	status, answer = w.poll(d["device_code"])
	w.wantError("once more", "expired_token", status, answer)
	if _, page, status := w.submit("/oauth2/device", "user_code", userCode, "email", zoe); status != 400 {
		t.Errorf("the code again: got %d %s, want 400", status, page)
	}
}

func TestDeviceDenied(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	d := w.device()
	w.submit("/oauth2/device", "user_code", d["user_code"].(string), "cancel", "1")
	status, answer := w.poll(d["device_code"])
	w.wantError("denied", "access_denied", status, answer)

	late := w.device()
	w.advance(5 * time.Minute)
	status, answer = w.poll(late["device_code"])
	w.wantError("after five minutes", "expired_token", status, answer)

	other := w.device()
	w.id, _ = w.register(`{"redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"none"}`)["client_id"].(string)
	status, answer = w.poll(other["device_code"])
	w.wantError("another client's", "expired_token", status, answer)

	for name, row := range map[string]struct {
		changes []string
		want    string
	}{
		"an unknown client":   {[]string{"client_id", "x"}, "invalid_client"},
		"an unknown resource": {[]string{"resource", "https://other.example.com"}, "invalid_target"},
		"a malformed scope":   {[]string{"scope", `"`}, "invalid_scope"},
	} {
		if got := w.device(row.changes...); got["error"] != row.want || got["device_code"] != nil {
			t.Errorf("%s: got %v, want %s", name, got, row.want)
		}
	}
}

// A link with a code in it signs nobody in by itself, whoever is remembered (RFC 8628, 5.4).
func TestDeviceAlwaysAsks(t *testing.T) {
	t.Parallel()
	w := start(t, files)
	w.signIn(zoe) // the consent is there
	d := w.device()
	if response, _, page := w.do(http.MethodGet, d["verification_uri_complete"].(string)+"&email="+zoe+"&allow=1", "", ""); response.StatusCode != 200 || strings.Contains(page, "Signed in") {
		t.Errorf("a GET: got %s, want nothing done", page)
	}
	if _, page, _ := w.submit("/oauth2/device", "user_code", d["user_code"].(string), "email", zoe); !strings.Contains(page, "Allow Tool?") {
		t.Errorf("got %s, want the consent page", page)
	}
	status, answer := w.poll(d["device_code"])
	w.wantError("nobody has allowed it", "authorization_pending", status, answer)
}
