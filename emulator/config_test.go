package emulator

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	member := Membership{OrganizationID: acmeID, Roles: []string{"member"}}
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no base URL", func(c *Config) { c.BaseURL = nil }, "BaseURL"},
		{"base URL with a query", func(c *Config) { c.BaseURL = &url.URL{Scheme: "http", Host: "a", RawQuery: "b"} }, "BaseURL"},
		{"no client id", func(c *Config) { c.ClientID = "" }, "ClientID"},
		{"client id with a slash", func(c *Config) { c.ClientID = "a/b" }, "ClientID"},
		{"no API key", func(c *Config) { c.APIKey = "" }, "APIKey"},
		{"lifetime below a second", func(c *Config) { c.AccessTokenLifetime = time.Millisecond }, "AccessTokenLifetime"},
		{"negative grace window", func(c *Config) { c.GraceWindow = -1 }, "GraceWindow"},
		{"relative redirect URI", func(c *Config) { c.RedirectURIs = []string{"/callback"} }, `"/callback"`},
		{"redirect URI with a fragment", func(c *Config) { c.RedirectURIs = []string{"http://a/#"} }, `"http://a/#"`},
		{"return URL without host", func(c *Config) { c.LogoutReturnURLs = []string{"javascript:1"} }, `"javascript:1"`},
		{"webhooks without a secret", func(c *Config) { c.WebhookURLs = []string{"http://localhost:9000/"} }, "WebhookSecret"},
		{"webhook URL that isn't http", func(c *Config) { c.WebhookURLs, c.WebhookSecret = []string{"localhost:9000"}, "s" }, `"localhost:9000"`},
		{"too many webhook URLs", func(c *Config) { c.WebhookURLs, c.WebhookSecret = make([]string, 11), "s" }, "more than 10"},
		{"user without id", func(c *Config) { c.Users = []User{{Email: "a@b.example"}} }, "id or email"},
		{"same email twice", func(c *Config) {
			c.Users = []User{{ID: "1", Email: "a@b.example"}, {ID: "2", Email: "a@b.example"}}
		}, "a@b.example"},
		{"email in capitals", func(c *Config) { c.Users = []User{{ID: "1", Email: "A@b.example"}} }, "lower case"},
		{"unknown organization", func(c *Config) {
			c.Users = []User{{ID: "1", Email: "a@b.example", Memberships: []Membership{member}}}
		}, "known organization"},
		{"membership without a role", func(c *Config) {
			c.Organizations = []Organization{{ID: acmeID, Name: "Acme"}}
			c.Users = []User{{ID: "1", Email: "a@b.example", Memberships: []Membership{{OrganizationID: acmeID}}}}
		}, "a role"},
		{"an unknown step", func(c *Config) { c.Organizations = []Organization{{ID: acmeID, Requires: "sso"}} }, `requires "sso"`},
		{"one key for both issuers", func(c *Config) { c.SigningKey = must(signingKey()); c.ConnectSigningKey = c.SigningKey }, "ConnectSigningKey"},
		{"API key with a short value", func(c *Config) { c.APIKeys = []APIKey{{Value: "sk_short", OrganizationID: acmeID}} }, "16 to 256 bytes"},
		{"API key with another prefix", func(c *Config) { c.APIKeys = []APIKey{{Value: "key_" + acmeKey, OrganizationID: acmeID}} }, "begin with sk_"},
		{"API key twice", func(c *Config) {
			c.APIKeys = []APIKey{{Value: acmeKey, OrganizationID: acmeID}, {Value: acmeKey, OrganizationID: globexID}}
		}, "number 2: its value or id is another's"},
		{"API key of nobody", func(c *Config) { c.APIKeys = []APIKey{{Value: acmeKey}} }, "known organization"},
		{"API key of a user who is no member", func(c *Config) {
			c.APIKeys = []APIKey{{Value: acmeKey, OrganizationID: globexID, UserID: zoeID}}
		}, "active member"},
		{"too many API keys", func(c *Config) { c.APIKeys = make([]APIKey, 1001) }, "more than 1000"},
		{"application without a secret", func(c *Config) {
			c.Applications = []Application{{ClientID: "client_1", OrganizationID: acmeID}}
		}, `application "client_1"`},
		{"application with the environment's client ID", func(c *Config) {
			c.Applications = []Application{{ClientID: testClient, ClientSecret: "s", OrganizationID: acmeID}}
		}, "of its own"},
		{"application of nobody", func(c *Config) { c.Applications = []Application{{ClientID: "client_1", ClientSecret: "s"}} }, "known organization"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := Config{BaseURL: &url.URL{Scheme: "http", Host: "localhost:4100"}, ClientID: testClient, APIKey: testKey}
			tt.change(&config)
			_, err := New(config)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	for _, want := range []string{"BaseURL", "ClientID", "APIKey"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
