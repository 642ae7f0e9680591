package session_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

func TestParseVectors(t *testing.T) {
	t.Parallel()
	f := readFixture(t)
	for _, v := range everyVector(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			accessToken, impersonator := f.Valid, "admin@foocorp.com"
			switch v.name {
			case "authkit-nextjs-expired-jwt":
				accessToken, impersonator = f.Expired, ""
			case "ruby-6-null-impersonator":
				impersonator = ""
				v.Plaintext = bytes.Replace(v.Plaintext, []byte(`,
  "impersonator": "null"`), nil, 1)
			}
			s, err := session.Parse(v.unseal(t))
			if err != nil {
				t.Fatal(err)
			}
			if want := (session.User{ID: "user_01VECTORS", Email: "zoë@example.com", EmailVerified: true, Name: "Zoë Ünïcode"}); s.User != want {
				t.Errorf("got user %+v, want %+v", s.User, want)
			}
			if s.RefreshToken != "rt_01VECTORS_refresh_token" || s.AccessToken != accessToken || s.Impersonator != impersonator {
				t.Errorf("got refresh token %q, impersonator %q, access token %.40q…", s.RefreshToken, s.Impersonator, s.AccessToken)
			}
			resealed, err := s.JSONFor(v.format())
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, resealed, v.Plaintext)
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, plaintext string
		want            session.User
		impersonator    string
	}{
		{"id alone", `{"accessToken":"a","user":{"id":"user_1"}}`, session.User{ID: "user_1"}, ""},
		{"first name alone", `{"accessToken":"a","user":{"id":"user_1","firstName":"Ada","lastName":null}}`, session.User{ID: "user_1", Name: "Ada"}, ""},
		{"last name alone", `{"accessToken":"a","user":{"id":"user_1","lastName":"Lovelace"}}`, session.User{ID: "user_1", Name: "Lovelace"}, ""},
		{"null name", `{"accessToken":"a","user":{"id":"user_1","name":null,"firstName":"Ada","lastName":"L."}}`, session.User{ID: "user_1", Name: "Ada L."}, ""},
		{"name before its parts", `{"accessToken":"a","user":{"id":"user_1","name":"Countess","firstName":"Ada"}}`, session.User{ID: "user_1", Name: "Countess"}, ""},
		{"Kotlin's names", `{"accessToken":"a","user":{"id":"user_1","first_name":"Ada","last_name":"L."}}`, session.User{ID: "user_1", Name: "Ada L."}, ""},
		{"email of another type", `{"accessToken":"a","user":{"id":"user_1","email":7,"name":[]}}`, session.User{ID: "user_1"}, ""},
		{"null impersonator", `{"accessToken":"a","user":{"id":"user_1"},"impersonator":null}`, session.User{ID: "user_1"}, ""},
		{"impersonator without a reason", `{"accessToken":"a","user":{"id":"user_1"},"impersonator":{"email":"it@example.com","reason":null}}`, session.User{ID: "user_1"}, "it@example.com"},
		{"no impersonator, as Ruby wrote it", `{"accessToken":"a","user":{"id":"user_1"},"impersonator":"null"}`, session.User{ID: "user_1"}, ""},
		{"snake case", `{"access_token":"a","user":{"id":"user_1","email":"a@example.com","first_name":"Ada","last_name":null},"impersonator":{"email":"it@example.com"}}`,
			session.User{ID: "user_1", Email: "a@example.com", Name: "Ada"}, "it@example.com"},
		{"names in both cases, snake case", `{"access_token":"a","user":{"id":"user_1","firstName":"B","first_name":"A"}}`, session.User{ID: "user_1", Name: "A"}, ""},
		{"names in both cases, camelCase", `{"accessToken":"a","user":{"id":"user_1","firstName":"B","first_name":"A"}}`, session.User{ID: "user_1", Name: "B"}, ""},
		{"escapes", `{"accessToken":"\u0061","user":{"id":"user_1","email":"a\"b","name":"Zo\u00eb"}}`, session.User{ID: "user_1", Email: `a"b`, Name: "Zoë"}, ""},
		{"bytes that are no UTF-8", "{\"accessToken\":\"a\",\"user\":{\"id\":\"user_1\",\"name\":\"\xff\"}}", session.User{ID: "user_1", Name: "\ufffd"}, ""},
		{"null refresh token", `{"accessToken":"a","refreshToken":null,"user":{"id":"user_1"}}`, session.User{ID: "user_1"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(tt.plaintext))
			if err != nil {
				t.Fatal(err)
			}
			if s.User != tt.want || s.Impersonator != tt.impersonator || s.AccessToken != "a" || s.RefreshToken != "" {
				t.Errorf("got %+v, want user %+v, impersonator %q", *s, tt.want, tt.impersonator)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, plaintext string }{
		{"nothing", ``},
		{"null", `null`},
		{"list", `[]`},
		{"text", `"secret"`},
		{"empty", `{}`},
		{"cut", `{"accessToken":"secret","user":{"id":"user_1"`},
		{"something behind it", `{"accessToken":"secret","user":{"id":"user_1"}}{}`},
		{"no access token", `{"user":{"id":"user_1"}}`},
		{"null access token", `{"accessToken":null,"user":{"id":"user_1"}}`},
		{"access token of another type", `{"accessToken":["secret"],"user":{"id":"user_1"}}`},
		{"snake case: access token of another type", `{"access_token":["secret"],"user":{"id":"user_1"}}`},
		{"snake case: no user", `{"access_token":"secret","refresh_token":"secret"}`},
		{"snake case: wrapped", `{"data":{"access_token":"secret","user":{"id":"user_1"}},"expires_at":4102444800}`},
		{"tokens in different cases", `{"accessToken":null,"access_token":"secret","user":{"id":"user_1"}}`},
		{"refresh token of another type", `{"accessToken":"secret","refreshToken":{},"user":{"id":"user_1"}}`},
		{"no user", `{"accessToken":"secret"}`},
		{"null user", `{"accessToken":"secret","user":null}`},
		{"user of another type", `{"accessToken":"secret","user":"user_1"}`},
		{"user without id", `{"accessToken":"secret","user":{"email":"a@example.com"}}`},
		{"id in another case", `{"accessToken":"secret","user":{"ID":"user_1"}}`},
		{"null id", `{"accessToken":"secret","user":{"id":null}}`},
		{"id of another type", `{"accessToken":"secret","user":{"id":1}}`},
		{"impersonator's email of another type", `{"accessToken":"secret","user":{"id":"user_1"},"impersonator":{"email":1}}`},
		{"impersonator of another type", `{"accessToken":"secret","user":{"id":"user_1"},"impersonator":"it@example.com"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(tt.plaintext))
			if err == nil || s != nil {
				t.Fatalf("got %v, %v, want an error", s, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want nothing of the session in it", err)
			}
		})
	}
}

func TestFromResponse(t *testing.T) {
	t.Parallel()
	const response = `{"access_token":"a","refresh_token":"r","organization_id":null,"authentication_method":"SSO",
		"sealed_session":"s","oauth_tokens":{"access_token":"google"},"authkit_new_field":1,
		"impersonator":{"email":"it@example.com","reason":null,"session_note":"<b>"},
		"user":{"object":"user","id":"user_1","email":"a&b@example.com","name":null,"first_name":"Ren\u00e9e","last_name":null,"last_sign_in_at":null,
			"metadata":{"cost_center":"a<b","n":9007199254740993,"deep":{"null_here":null}},"brand_new_field":[{"snake_case":1.50}]}}`
	const want = `{"accessToken":"a","authenticationMethod":"SSO",` +
		`"impersonator":{"email":"it@example.com","reason":null,"sessionNote":"<b>"},"organizationId":null,"refreshToken":"r",` +
		`"user":{"brandNewField":[{"snake_case":1.50}],"email":"a&b@example.com","firstName":"Ren\u00e9e","id":"user_1","lastName":null,` +
		`"lastSignInAt":null,"metadata":{"cost_center":"a<b","n":9007199254740993,"deep":{"null_here":null}},"name":null,"object":"user"}}`
	s, err := session.FromResponse([]byte(response))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.JSONFor(seal.FormatIron)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	if s.User.Name != "Renée" || s.Impersonator != "it@example.com" {
		t.Errorf("got name %q, impersonator %q, want Renée and it@example.com", s.User.Name, s.Impersonator)
	}
}

func TestRefreshed(t *testing.T) {
	t.Parallel()
	const old = `{"accessToken":"a1","refreshToken":"r1","user":{"id":"user_1","firstName":"Ada","metadata":{}},` +
		`"headers":{},"customField":{"x":[null,1.0,"<&>"]},"impersonator":{"email":"it@example.com","reason":null},"organizationId":"org_1"}`
	tests := []struct{ name, response, want string }{
		{"tokens alone", `{"access_token":"a2","refresh_token":"r2"}`,
			`{"accessToken":"a2","customField":{"x":[null,1.0,"<&>"]},"headers":{},"impersonator":{"email":"it@example.com","reason":null},` +
				`"organizationId":"org_1","refreshToken":"r2","user":{"id":"user_1","firstName":"Ada","metadata":{}}}`},
		{"user and organization", `{"access_token":"a2","refresh_token":"r2","organization_id":"org_2","user":{"id":"user_1","first_name":null},"impersonator":null}`,
			`{"accessToken":"a2","customField":{"x":[null,1.0,"<&>"]},"headers":{},"impersonator":null,` +
				`"organizationId":"org_2","refreshToken":"r2","user":{"firstName":null,"id":"user_1"}}`},
		{"refresh token that stays", `{"access_token":"a2"}`,
			`{"accessToken":"a2","customField":{"x":[null,1.0,"<&>"]},"headers":{},"impersonator":{"email":"it@example.com","reason":null},` +
				`"organizationId":"org_1","refreshToken":"r1","user":{"id":"user_1","firstName":"Ada","metadata":{}}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(old))
			if err != nil {
				t.Fatal(err)
			}
			next, err := s.Refreshed([]byte(tt.response))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := next.JSONFor(seal.FormatIron); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
			if s.AccessToken != "a1" || s.RefreshToken != "r1" {
				t.Errorf("got tokens %s and %s in the session before, want a1 and r1", s.AccessToken, s.RefreshToken)
			}
		})
	}
}

// An answer without a new token is no refresh: the old token must not pass for one
// that was refreshed just now.
func TestRefreshedRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, response string }{
		{"nothing", ``},
		{"HTML", `<html>secret</html>`},
		{"null", `null`},
		{"empty", `{}`},
		{"an error", `{"error":"server_error","error_description":"secret"}`},
		{"no access token", `{"refresh_token":"secret","user":{"id":"user_1"}}`},
		{"null access token", `{"access_token":null,"refresh_token":"secret"}`},
		{"access token of another type", `{"access_token":{"secret":1},"refresh_token":"secret"}`},
		{"the old access token", `{"access_token":"a1","refresh_token":"secret"}`},
		{"empty refresh token", `{"access_token":"secret","refresh_token":""}`},
		{"null refresh token", `{"access_token":"secret","refresh_token":null}`},
		{"null user", `{"access_token":"secret","refresh_token":"r2","user":null}`},
		{"another user", `{"access_token":"secret","refresh_token":"r2","user":{"id":"user_2"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(`{"accessToken":"a1","refreshToken":"r1","user":{"id":"user_1"}}`))
			if err != nil {
				t.Fatal(err)
			}
			next, err := s.Refreshed([]byte(tt.response))
			if err == nil || next != nil {
				t.Fatalf("got %v, %v, want an error", next, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("got %q, want nothing of the answer in it", err)
			}
		})
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	var err error = &session.Outage{Status: 503, Code: "busy", Err: cause}
	if !errors.Is(err, session.ErrUnavailable) || !errors.Is(err, cause) || errors.Is(err, session.ErrEnded) {
		t.Errorf("got %v, want ErrUnavailable and the cause", err)
	}
	if errors.Is(&session.Outage{}, session.ErrBad) || !errors.Is(&session.Outage{}, session.ErrUnavailable) {
		t.Error("got another meaning without a cause, want ErrUnavailable")
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range everyVector(f) {
		f.Add(v.unseal(f))
	}
	f.Add([]byte(`{"accessToken":"a","user":{"id":"u","name":"<\u2028>","first_name":null},"":{"":[null]},"impersonator":{"EMAIL":"x"}}`))
	f.Add([]byte(`{"accessToken":"a","accessToken":"b","user":{"id":"u"},"user":{"id":"v"}}`))
	f.Add([]byte(`{"access_token":"a","user":{"id":"u","first_name":"A","firstName":"B"},"custom_field":1,"impersonator":null}`))
	f.Add([]byte(`{"access_token":"a","user":{"id":"u","first_name":"A","firstName":"B","first__name":"C"},"accesstoken":1,"refreshToken":2}`))
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		s, err := session.Parse(plaintext)
		if err != nil {
			return
		}
		if s.AccessToken == "" || s.User.ID == "" {
			t.Fatalf("got %+v, want an access token and a user", *s)
		}
		for _, format := range []seal.Format{seal.FormatIron, seal.FormatRuby} {
			resealed, err := s.JSONFor(format)
			if err != nil {
				t.Fatal(err)
			}
			again, err := session.Parse(resealed)
			if err != nil {
				t.Fatalf("resealed for %s: %v", format, err)
			}
			if again.AccessToken != s.AccessToken || again.RefreshToken != s.RefreshToken || again.User != s.User || again.Impersonator != s.Impersonator {
				t.Errorf("resealed for %s: got %+v, want %+v", format, *again, *s)
			}
		}
	})
}
