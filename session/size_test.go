package session_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// A session that nearly fills a cookie, or needs several, is logged with what made
// it large. COOKIE_SLIM leaves out what nobody needs.
func TestLargeSessions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		metadata int // bytes
		slim     bool
		cookies  int
		want     []string // in the log; none: no line
	}{
		{"ordinary", 10, false, 1, nil},
		{"nearly full", 1440, false, 1, []string{"nearly fills a cookie", `"user.metadata":14`}},
		{"several cookies", 3000, false, 2, []string{"needs several cookies", `"user.metadata":30`, `"access_token":`}},
		{"several cookies, slim", 3000, true, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *options) {
				o.session.Slim = tt.slim
				o.emulator.Users = []emulator.User{{
					ID: "user_01LARGE", Email: "large@example.com", FirstName: "Lara", LastName: "Large",
					ProfilePictureURL: "https://example.com/lara.png", Metadata: map[string]string{"notes": strings.Repeat("m", tt.metadata)},
				}}
			})
			sealed := w.signIn(t, "large@example.com", "")
			lines, err := w.Cookie.SetLines(sealed, http.Header{})
			if err != nil || len(lines) != tt.cookies {
				t.Errorf("got %d cookies of %d bytes, %v, want %d", len(lines), len(sealed), err, tt.cookies)
			}
			for _, want := range tt.want {
				if !strings.Contains(w.log.String(), want) {
					t.Errorf("got log %s, want %s", w.log, want)
				}
			}
			if tt.want == nil && strings.Contains(w.log.String(), "large_fields") {
				t.Errorf("got log %s, want no warning", w.log)
			}
			v := w.valid(t, sealed)
			if v.Identity.Name != "Lara Large" || v.Identity.Email != "large@example.com" {
				t.Errorf("got %+v, want what the identity headers need", v.Identity)
			}
			if tt.slim {
				w.clock.advance(time.Hour)
				if plaintext, err := w.Seal.Unseal(w.refreshed(t, sealed)); err != nil || strings.Contains(string(plaintext), "mmm") || strings.Contains(string(plaintext), "lara.png") {
					t.Errorf("got %.100s, %v, want a slim session after a refresh, too", plaintext, err)
				}
			}
		})
	}
}
