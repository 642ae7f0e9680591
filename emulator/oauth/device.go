package oauth

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	deviceLifetime = 5 * time.Minute
	deviceInterval = 5 * time.Second // between a device's questions
)

// device is a command line that waits for its user.
type device struct {
	client   *client
	userCode string
	scopes   []string
	audience string
	asked    time.Time
	interval time.Duration
	consent  *consent
	denied   bool
}

// DeviceAuthorization answers POST /oauth2/device_authorization (RFC 8628, 3.1).
func (s *Server) DeviceAuthorization(w http.ResponseWriter, r *http.Request) {
	d, code, err := s.newDevice(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	at := s.URL("oauth2/device")
	writeJSON(w, http.StatusOK, map[string]any{
		"device_code": code, "user_code": d.userCode, "verification_uri": at,
		"verification_uri_complete": at + "?user_code=" + url.QueryEscape(d.userCode),
		"expires_in":                int(deviceLifetime.Seconds()), "interval": int(deviceInterval.Seconds()),
	})
}

func (s *Server) newDevice(w http.ResponseWriter, r *http.Request) (*device, string, error) {
	f, err := form(w, r)
	if err != nil {
		return nil, "", err
	}
	c, err := s.authenticate(r, f)
	if err != nil {
		return nil, "", err
	}
	scope := f.Get("scope")
	if scope != "" && !scopeFormat.MatchString(scope) {
		return nil, "", refuse("invalid_scope", "The scope is malformed.")
	}
	d := &device{client: c, userCode: newUserCode(), scopes: scopesOf(scope), interval: deviceInterval}
	if d.audience, err = s.audience(f.Get("resource")); err != nil {
		return nil, "", err
	}
	code := newID("")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices.Put(code, d)
	return d, code, nil
}

// newUserCode has no vowels and no digits, so that it makes no words and is typed without doubt (RFC 8628, 6.1).
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	var code strings.Builder
	for i, b := range random {
		if i == 4 {
			code.WriteByte('-')
		}
		code.WriteByte(letters[int(b)%len(letters)])
	}
	return code.String()
}

// deviceOf finds the device that waits for a code, however it was typed.
func (s *Server) deviceOf(userCode string) *device {
	plain := func(code string) string { return strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(code)), "-", "") }
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.devices.All()
	i := slices.IndexFunc(all, func(d *device) bool { return plain(d.userCode) == plain(userCode) && d.consent == nil && !d.denied })
	if i < 0 {
		return nil
	}
	return all[i]
}

// Device answers /oauth2/device: the code, then who signs in, then the consent. A link that has the code in it is compared by the user
// on the last page.
func (s *Server) Device(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.Page(w, http.StatusBadRequest, "Can't sign in", "The form is malformed.", "")
		return
	}
	action := strings.TrimPrefix(s.URL("oauth2/device"), s.Issuer)
	code := r.Form.Get("user_code")
	if code == "" || r.Method != http.MethodPost {
		s.page(w, http.StatusOK, "Sign a device in", "Compare the code with the one on your device.", "code", formData{Action: action, Code: code})
		return
	}
	d := s.deviceOf(code)
	if d == nil {
		s.page(w, http.StatusBadRequest, "Sign a device in", "No device waits for this code: it is wrong, used, or older than five minutes.", "code", formData{Action: action})
		return
	}
	if r.PostForm.Has("cancel") {
		s.mu.Lock()
		d.denied = true
		s.mu.Unlock()
		s.Page(w, http.StatusOK, "Not signed in", "The device gets nothing. You can close this page.", "")
		return
	}
	p := prompt{action: action, client: d.client.display(), scopes: d.scopes, audience: d.audience, code: d.userCode}
	choice := choiceOf(r.PostForm)
	user, organizationID, shown := s.ask(w, p, choice)
	if shown {
		return
	}
	if !choice.allows { // always asked: nothing says that the device is the user's
		s.askConsent(w, p, user, organizationID)
		return
	}
	given, _ := s.consentTo(d.client, user, organizationID, d.scopes, d.audience, true, true)
	s.mu.Lock()
	d.consent = given
	s.mu.Unlock()
	s.Page(w, http.StatusOK, "Signed in", "Your device goes on by itself. You can close this page.", "")
}

// grantDevice answers a device that waits. One that asks more often than it was told has to wait longer (RFC 8628, 3.5).
func (s *Server) grantDevice(c *client, f url.Values) (*answer, error) {
	code := f.Get("device_code")
	s.mu.Lock()
	d, ok := s.devices.Get(code)
	if !ok || d.client.id != c.id {
		s.mu.Unlock()
		return nil, refuse("expired_token", "The device code is not valid, or no longer.")
	}
	now := s.Clock()
	early := !d.asked.IsZero() && now.Sub(d.asked) < d.interval
	d.asked = now
	given, denied := d.consent, d.denied
	switch {
	case denied || given != nil:
		s.devices.Take(code)
	case early:
		d.interval += deviceInterval
	}
	s.mu.Unlock()
	switch {
	case denied:
		return nil, refuse("access_denied", "The user said no.")
	case given != nil:
		return s.issue(&refreshToken{client: d.client, consent: given, scopes: d.scopes, audience: d.audience}, d.scopes, "")
	case early:
		return nil, refuse("slow_down", "The device asks too often.")
	}
	return nil, refuse("authorization_pending", "The user hasn't answered yet.")
}
