package session_test

import (
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// AuthKit's answer is sealed with the fields that each SDK seals.
func TestFromResponseAsEachSDKSeals(t *testing.T) {
	t.Parallel()
	for format, file := range map[seal.Format]string{
		seal.FormatIron: "node-10.9.0", seal.FormatGo: "go-10.1.1", seal.FormatRuby: "ruby-10.2.1",
		seal.FormatPython: "python-10.2.0", seal.FormatPHP: "php-9.0.0",
	} {
		var v vector
		readJSON(t, "seal/testdata/vectors/"+file+".json", &v)
		s, err := session.FromResponse(readFixture(t).Response)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.JSONFor(format)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, got, v.Plaintext)
	}
}

func TestJSONFor(t *testing.T) {
	t.Parallel()
	const (
		node = `{"accessToken":"a","authenticationMethod":"SSO","customField":{"x_y":1,"xY":2},"impersonator":{"email":"it@example.com","sessionNote":"<b>"},` +
			`"oauthTokens":{"accessToken":"google"},"organizationId":"org_1","refreshToken":"r",` +
			`"user":{"email":"a&b@example.com","firstName":"Ren\u00e9e","id":"user_1","metadata":{"cost_center":"x","costCenter":"y"},"profilePictureUrl":null}}`
		ruby = `{"access_token":"a","authentication_method":"SSO","custom_field":{"x_y":1,"xY":2},"impersonator":{"email":"it@example.com","session_note":"<b>"},` +
			`"oauth_tokens":{"accessToken":"google"},"organization_id":"org_1","refresh_token":"r",` +
			`"user":{"email":"a&b@example.com","first_name":"Ren\u00e9e","id":"user_1","metadata":{"cost_center":"x","costCenter":"y"},"profile_picture_url":null}}`
		kotlin     = `{"accessToken":"a","user":{"id":"user_1","first_name":"Ada"}}`
		kotlinRuby = `{"access_token":"a","user":{"first_name":"Ada","id":"user_1"}}`
		odd        = `{"accessToken":"a","user":{"id":"user_1","x_Y":1,"Üni":2},"x":null,"x_Y":3}`
		oddRuby    = `{"access_token":"a","user":{"id":"user_1","x_Y":1,"Üni":2},"x":null,"x_Y":3}`
		ruby2      = `{"access_token":"a","user":{"id":"user_1","address_2":"x","_x":1,"a__b":2},"address_2":3}`
		ruby2Node  = `{"accessToken":"a","address_2":3,"user":{"_x":1,"a__b":2,"address_2":"x","id":"user_1"}}`
	)
	tests := []struct {
		name, from string
		format     seal.Format
		want       string
	}{
		{"iron stays", node, seal.FormatIron, node},
		{"iron to ruby", node, seal.FormatRuby, ruby},
		{"iron to go", node, seal.FormatGo, ruby},
		{"iron to python", node, seal.FormatPython, ruby},
		{"iron to php", node, seal.FormatPHP, ruby},
		{"ruby stays", ruby, seal.FormatRuby, ruby},
		{"ruby to iron", ruby, seal.FormatIron, node},
		{"Kotlin's mix stays in iron", kotlin, seal.FormatIron, kotlin},
		{"Kotlin's mix to ruby", kotlin, seal.FormatRuby, kotlinRuby},
		{"names that could not be turned back stay", odd, seal.FormatRuby, oddRuby},
		{"and on the way to iron", ruby2, seal.FormatIron, ruby2Node},
		{"a field that has the name already", `{"accessToken":"a","access_token":"b","user":{"id":"user_1"}}`, seal.FormatRuby,
			`{"access_token":"a","user":{"id":"user_1"}}`},
		{"no impersonator, as Ruby 6 wrote it", `{"access_token":"a","impersonator":"null","user":{"id":"user_1"}}`, seal.FormatRuby,
			`{"access_token":"a","user":{"id":"user_1"}}`},
		{"no impersonator, as Python 5 wrote it", `{"access_token":"a","impersonator":null,"user":{"id":"user_1"}}`, seal.FormatPython,
			`{"access_token":"a","impersonator":null,"user":{"id":"user_1"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(tt.from))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.JSONFor(tt.format); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestFromResponseForRuby(t *testing.T) {
	t.Parallel()
	const response = `{"access_token":"a","refresh_token":"r","organization_id":"org_1","authentication_method":"SSO","impersonator":null,
		"oauth_tokens":{"access_token":"google"},"user":{"id":"user_1","address_2":"x","metadata":{"costCenter":"a<b"},"first_name":"Ren\u00e9e"}}`
	const want = `{"access_token":"a","refresh_token":"r","user":{"id":"user_1","address_2":"x","metadata":{"costCenter":"a<b"},"first_name":"Ren\u00e9e"}}`
	s, err := session.FromResponse([]byte(response))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.JSONFor(seal.FormatRuby); err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestRefreshedInSnakeCase(t *testing.T) {
	t.Parallel()
	const response = `{"access_token":"a2","refresh_token":"r2","organization_id":"org_2","authentication_method":"SSO","impersonator":null,
		"oauth_tokens":null,"user":{"id":"user_1","first_name":"Ada"}}`
	tests := []struct {
		name, old string
		format    seal.Format
		want      string
	}{
		{"tokens and user alone", `{"access_token":"a1","refresh_token":"r1","user":{"id":"user_1"}}`, seal.FormatGo,
			`{"access_token":"a2","refresh_token":"r2","user":{"id":"user_1","first_name":"Ada"}}`},
		{"unknown fields", `{"access_token":"a1","refresh_token":"r1","user":{"id":"user_1"},"custom_field":{"x":[1.0]}}`, seal.FormatPHP,
			`{"access_token":"a2","custom_field":{"x":[1.0]},"refresh_token":"r2","user":{"id":"user_1","first_name":"Ada"}}`},
		{"Python 5's whole response", `{"access_token":"a1","refresh_token":"r1","user":{"id":"user_1"},"organization_id":"org_1","impersonator":{"email":"it@example.com"},"authentication_method":null}`, seal.FormatPython,
			`{"access_token":"a2","authentication_method":"SSO","impersonator":null,"organization_id":"org_2","refresh_token":"r2","user":{"id":"user_1","first_name":"Ada"}}`},
		{"Ruby 6's missing impersonator", `{"access_token":"a1","refresh_token":"r1","user":{"id":"user_1"},"impersonator":"null"}`, seal.FormatRuby,
			`{"access_token":"a2","refresh_token":"r2","user":{"id":"user_1","first_name":"Ada"}}`},
		{"a Node.js app's cookie", `{"accessToken":"a1","refreshToken":"r1","user":{"id":"user_1","firstName":"A."}}`, seal.FormatRuby,
			`{"access_token":"a2","authentication_method":"SSO","impersonator":null,"organization_id":"org_2","refresh_token":"r2","user":{"first_name":"Ada","id":"user_1"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(tt.old))
			if err != nil {
				t.Fatal(err)
			}
			next, err := s.Refreshed([]byte(response))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := next.JSONFor(tt.format); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
			if s.AccessToken != "a1" || next.AccessToken != "a2" || next.RefreshToken != "r2" || next.User.Name != "Ada" || next.Impersonator != "" {
				t.Errorf("got %+v after %+v", *next, *s)
			}
		})
	}
}

// A sign-in's session that is refreshed before it was ever parsed is sealed as one that was.
func TestRefreshedFromResponse(t *testing.T) {
	t.Parallel()
	s, err := session.FromResponse([]byte(`{"access_token":"a1","refresh_token":"r1","organization_id":"org_1","user":{"id":"user_1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Refreshed([]byte(`{"access_token":"a2","refresh_token":"r2","organization_id":"org_2"}`))
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[seal.Format]string{
		seal.FormatIron: `{"accessToken":"a2","organizationId":"org_2","refreshToken":"r2","user":{"id":"user_1"}}`,
		seal.FormatRuby: `{"access_token":"a2","refresh_token":"r2","user":{"id":"user_1"}}`,
	} {
		if got, err := next.JSONFor(format); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v\nwant %s", format, got, err, want)
		}
	}
}

func TestSlim(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, from, want string }{
		{"camelCase", `{"accessToken":"a","refreshToken":"r","organizationId":null,"impersonator":{"email":"it@example.com","reason":"why"},
			"authenticationMethod":"SSO","oauthTokens":{"accessToken":"google"},"headers":{},
			"user":{"object":"user","id":"user_1","email":"a@example.com","emailVerified":true,"name":null,"firstName":"Ada","lastName":"L.",
			"profilePictureUrl":"https://example.com","lastSignInAt":"2026","locale":"en","createdAt":"2025","updatedAt":"2026","externalId":"x","metadata":{"a":"b"}}}`,
			`{"accessToken":"a","authenticationMethod":"SSO","impersonator":{"email":"it@example.com","reason":"why"},"organizationId":null,"refreshToken":"r",` +
				`"user":{"createdAt":"2025","email":"a@example.com","emailVerified":true,"firstName":"Ada","id":"user_1","lastName":"L.","name":null,"object":"user","updatedAt":"2026"}}`},
		{"snake_case in a session of Kotlin's", `{"accessToken":"a","refreshToken":"r","user":{"id":"user_1","first_name":"Ada","email_verified":true,"metadata":{}}}`,
			`{"accessToken":"a","refreshToken":"r","user":{"email_verified":true,"first_name":"Ada","id":"user_1"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := session.Parse([]byte(tt.from))
			if err != nil {
				t.Fatal(err)
			}
			slim := s.Slim()
			if got, err := slim.JSONFor(seal.FormatIron); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
			if slim.User != s.User || slim.Impersonator != s.Impersonator || slim.AccessToken != "a" || slim.RefreshToken != "r" {
				t.Errorf("got %+v, want what the identity headers need of %+v", *slim, *s)
			}
			whole, err := s.JSONFor(seal.FormatIron)
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, whole, []byte(tt.from))
		})
	}
}

func TestSlimFromResponse(t *testing.T) {
	t.Parallel()
	s, err := session.FromResponse(readFixture(t).Response)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Slim().JSONFor(seal.FormatPython)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, got, []byte(`{"access_token":"`+readFixture(t).Valid+`","refresh_token":"rt_01VECTORS_refresh_token",
		"impersonator":{"email":"admin@foocorp.com","reason":"Investigating \"an issue\""},
		"user":{"object":"user","id":"user_01VECTORS","email":"zoë@example.com","email_verified":true,"name":"Zoë Ünïcode",
		"first_name":"Zoë","last_name":"Ünïcode","created_at":"2026-01-15T12:00:00.000Z","updated_at":"2026-01-15T12:00:00.000Z"}}`))
}
