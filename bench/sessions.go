//go:build linux

package main

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/cookie"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

const (
	clientID    = "client_01BENCH"
	apiKey      = "sk_test_a1b2c3d4e5"
	password    = "kY3vQ0xWm7RzT9pLc2NfHs8JdGb5UaEo"
	redirectURI = "http://localhost:3000/_auth/callback"
)

// authKit is AuthKit's emulator, which this process serves, and seals sessions.
type authKit struct {
	emulator *emulator.Emulator
	url      *url.URL
	seal     *seal.Cookie
}

func startAuthKit(ctx context.Context) (*authKit, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &authKit{url: &url.URL{Scheme: "http", Host: l.Addr().String()}}
	a.emulator, err = emulator.New(emulator.Config{
		BaseURL: a.url, ClientID: clientID, APIKey: apiKey, RedirectURIs: []string{redirectURI},
		AccessTokenLifetime: 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	if a.seal, err = seal.NewCookie(seal.FormatIron, password); err != nil {
		return nil, err
	}
	go func() { _ = http.Serve(l, a.emulator) }()
	return a, nil
}

// environ is the service's, with what else is given.
func (a *authKit) environ(more ...string) []string {
	return append([]string{
		"WORKOS_API_KEY=" + apiKey, "WORKOS_CLIENT_ID=" + clientID, "WORKOS_COOKIE_PASSWORD=" + password,
		"WORKOS_REDIRECT_URI=" + redirectURI, "WORKOS_API_HTTPS=false",
		"WORKOS_API_HOSTNAME=" + a.url.Hostname(), "WORKOS_API_PORT=" + a.url.Port(), "LISTEN_ADDR=ADDRESS",
	}, more...)
}

// sealed is a session, and the Cookie header's value that it has in a browser.
type sealed struct {
	plaintext []byte
	cookie    string
}

// signIn returns a new session of a user with that first name. padding makes it larger.
func (a *authKit) signIn(firstName string, padding int) (s sealed, err error) {
	response, err := a.emulator.SignIn("zoe@acme.example", "")
	if err != nil {
		return s, err
	}
	var fields map[string]any
	if err := json.Unmarshal(response, &fields); err != nil {
		return s, err
	}
	user, _ := fields["user"].(map[string]any)
	maps.DeleteFunc(user, func(name string, _ any) bool { return name != "id" && name != "email" })
	user["first_name"], user["last_name"] = firstName, "Adams"
	user["metadata"] = map[string]string{"padding": strings.Repeat("x", padding)}
	if response, err = json.Marshal(fields); err != nil {
		return s, err
	}
	of, err := session.FromResponse(response)
	if err != nil {
		return s, err
	}
	if s.plaintext, err = of.JSONFor(seal.FormatIron); err != nil {
		return s, err
	}
	s.cookie, err = a.cookieOf(s.plaintext)
	return s, err
}

// cookieOf seals a session and returns the Cookie header's value. Each call makes another one.
func (a *authKit) cookieOf(plaintext []byte) (string, error) {
	sealed, err := a.seal.Seal(plaintext)
	if err != nil {
		return "", err
	}
	lines, err := cookie.Config{Name: "wos-session"}.SetLines(sealed, nil)
	if err != nil {
		return "", err
	}
	for i, line := range lines {
		lines[i], _, _ = strings.Cut(line, ";")
	}
	return strings.Join(lines, "; "), nil
}
