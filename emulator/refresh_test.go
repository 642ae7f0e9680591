package emulator

import (
	"sync"
	"testing"
	"time"
)

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	first := e.signIn(t, zoe, "")
	before := e.claims(t, first.AccessToken)
	e.clock.Advance(time.Hour)
	second, err := e.refresh(t, first.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	after := e.claims(t, second.AccessToken)
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || before["jti"] == after["jti"] {
		t.Error("got the old tokens, want new ones")
	}
	if before["sid"] != after["sid"] || after["org_id"] != acmeID || before["auth_time"] != after["auth_time"] {
		t.Errorf("got claims %v after %v, want the same session", after, before)
	}
	if after["iat"] != 1772370000.0 || after["exp"] != 1772370300.0 { // 13:00:00 and 5 minutes
		t.Errorf("got iat %v, exp %v, want 5 minutes from now", after["iat"], after["exp"])
	}
	if _, err := e.refresh(t, second.RefreshToken, ""); err != nil {
		t.Errorf("second refresh: %v", err)
	}
}

func TestGraceWindow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		window time.Duration
		wait   time.Duration
		works  bool
	}{
		{"off", 0, 0, false},
		{"at once", 10 * time.Second, 0, true},
		{"within", 10 * time.Second, 9 * time.Second, true},
		{"past", 10 * time.Second, 10 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, func(c *Config) { c.GraceWindow = tt.window })
			first := e.signIn(t, zoe, "")
			second, err := e.refresh(t, first.RefreshToken, "")
			if err != nil {
				t.Fatal(err)
			}
			e.clock.Advance(tt.wait)
			sibling, err := e.refresh(t, first.RefreshToken, "")
			if !tt.works {
				wantRefusal(t, err, 400, "invalid_grant", "Refresh token already exchanged.")
			} else if err != nil {
				t.Fatal(err)
			} else if sibling.RefreshToken == second.RefreshToken ||
				e.claims(t, sibling.AccessToken)["sid"] != e.claims(t, first.AccessToken)["sid"] {
				t.Error("got the same token or another session, want a further token of the same one")
			}
			if _, err := e.refresh(t, second.RefreshToken, ""); err != nil {
				t.Errorf("the first successor: %v", err)
			}
		})
	}
}

// The window is counted from the first exchange: using a spent token does not prolong it.
func TestGraceWindowDoesNotSlide(t *testing.T) {
	t.Parallel()
	e := start(t, func(c *Config) { c.GraceWindow = 10 * time.Second })
	token := e.signIn(t, zoe, "").RefreshToken
	for range 2 {
		if _, err := e.refresh(t, token, ""); err != nil {
			t.Fatal(err)
		}
		e.clock.Advance(6 * time.Second)
	}
	_, err := e.refresh(t, token, "")
	wantRefusal(t, err, 400, "invalid_grant", "Refresh token already exchanged.")
}

func TestParallelRefreshSpendsOnce(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	token := e.signIn(t, zoe, "").RefreshToken
	var mu sync.Mutex
	var worked int
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := e.refresh(t, token, ""); err == nil {
				mu.Lock()
				worked++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if worked != 1 {
		t.Errorf("got %d refreshes, want 1", worked)
	}
	if got := e.Calls()["authenticate.refresh_token"]; got != 8 {
		t.Errorf("got %d calls, want 8", got)
	}
}

func TestRefreshOrganization(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	tests := []struct {
		name, email, organization string
		asked                     string
		code                      string // refusal
		want                      any    // org_id, after this refresh and the next
	}{
		{"kept when not asked", sam, acmeID, "", "", acmeID},
		{"changed", sam, acmeID, globexID, "", globexID},
		{"the same", zoe, "", acmeID, "", acmeID},
		{"not a member", zoe, "", globexID, "organization_membership_not_found", acmeID},
		{"without any", paula, "", acmeID, "organization_membership_not_found", nil},
		{"unknown", zoe, "", "org_01STRANGE", "organization_not_found", acmeID},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token := e.signIn(t, tt.email, tt.organization).RefreshToken
			got, err := e.refresh(t, token, tt.asked)
			if tt.code != "" {
				wantRefusal(t, err, 400, tt.code, "")
				got, err = e.refresh(t, token, "") // the refusal has not spent it
			}
			for range 2 {
				if err != nil {
					t.Fatal(err)
				}
				if org := e.claims(t, got.AccessToken)["org_id"]; org != tt.want {
					t.Errorf("got org_id %v, want %v", org, tt.want)
				}
				got, err = e.refresh(t, got.RefreshToken, "")
			}
		})
	}
}

func TestSessionExpires(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	first := e.signIn(t, zoe, "")
	e.clock.Advance(30*24*time.Hour - time.Second)
	second, err := e.refresh(t, first.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	e.clock.Advance(time.Second)
	_, err = e.refresh(t, second.RefreshToken, "")
	wantRefusal(t, err, 400, "invalid_grant", "Session has already ended.")
}
