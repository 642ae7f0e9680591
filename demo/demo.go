package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/server"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// The emulated environment. Its secrets open nothing else.
const (
	clientID      = "client_demo"
	apiKey        = "sk_test_demo"
	webhookSecret = "whsec_demo"

	graceWindow = 10 * time.Second
)

// flowPrefix is the path of the sign-in flow at the gateway.
const flowPrefix = "/_auth/"

// Options says how the demo runs. A port of 0 is any free one.
type Options struct {
	GatewayPort  int
	ServicePort  int
	EmulatorPort int

	AccessTokenLifetime time.Duration  // 0: the emulator's own, 5 minutes
	PolicyFile          string         // empty: a copy of the demo's own, for the time that it runs
	Log                 zerolog.Logger // of the service and the gateway
}

// Addresses says where everything is, and who can sign in.
type Addresses struct {
	Gateway  string `json:"gateway"`
	Service  string `json:"service"`
	Emulator string `json:"emulator"`
	URL      string `json:"url"` // the protected page to open
	Users    []User `json:"users"`

	Pages    []Page    `json:"pages"`
	Commands []Command `json:"commands"` // for an API key
	Policy   string    `json:"policy"`   // the file, read again when it changes
}

// Run starts everything and calls ready once, when connections are accepted. It
// serves until ctx ends or a part fails, and then stops all. An error about a
// port names the flag that changes it.
func Run(ctx context.Context, o Options, ready func(Addresses) error) error {
	l, err := listenAll(ctx, o)
	if err != nil {
		return err
	}
	defer l.close()
	addresses := l.addresses()
	if addresses.Policy = o.PolicyFile; o.PolicyFile == "" {
		file, remove, err := writePolicy()
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer remove()
		addresses.Policy = file
	}
	return serve(ctx, o, l, addresses, ready)
}

// serve puts the parts together, and serves.
func serve(ctx context.Context, o Options, l *listeners, addresses Addresses, ready func(Addresses) error) error {
	service, err := newService(addresses, portOf(l.emulator), o.Log)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	authKit, err := newEmulator(addresses, o.AccessTokenLifetime)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer authKit.Close()
	app, err := newApp(&pages{addresses.Pages, addresses.Commands, addresses.Policy}, flowPrefix)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	gateway := newGateway(at(l.service), at(l.app), o.Log)
	if err := ready(addresses); err != nil {
		return err
	}
	return serveAll(ctx, []part{
		{"emulator", serveHTTP(l.emulator, authKit, o.Log)},
		{"app", serveHTTP(l.app, app, o.Log)},
		{"service", func(ctx context.Context) error { return service.Serve(ctx, l.service) }},
		{"gateway", serveHTTP(l.gateway, byName(gateway), o.Log)},
	})
}

// newEmulator knows the gateway's callback, the page after a sign-out, and where the
// service hears of what has been revoked.
func newEmulator(a Addresses, accessTokenLifetime time.Duration) (*emulator.Emulator, error) {
	base, err := url.Parse(a.Emulator)
	if err != nil {
		return nil, err
	}
	return emulator.New(emulator.Config{
		BaseURL: base, ClientID: clientID, APIKey: apiKey,
		RedirectURIs:        []string{redirectURI(a)},
		LogoutReturnURLs:    []string{logoutReturnURL(a)},
		AccessTokenLifetime: accessTokenLifetime, GraceWindow: graceWindow,
		WebhookURLs: []string{a.Service + flowPrefix + site.Webhooks}, WebhookSecret: webhookSecret,
	})
}

// newService is configured as an operator would do it for Traefik.
func newService(a Addresses, emulatorPort int, log zerolog.Logger) (*server.Server, error) {
	config, err := config.Parse(map[string]string{
		"WORKOS_API_KEY":         apiKey,
		"WORKOS_CLIENT_ID":       clientID,
		"WORKOS_COOKIE_PASSWORD": rand.Text() + rand.Text(),
		"WORKOS_REDIRECT_URI":    redirectURI(a),
		"WORKOS_API_HOSTNAME":    "localhost",
		"WORKOS_API_HTTPS":       "false",
		"WORKOS_API_PORT":        strconv.Itoa(emulatorPort),
		"WORKOS_WEBHOOK_SECRET":  webhookSecret,
		"LOGOUT_RETURN_URL":      logoutReturnURL(a),
		"POLICY_FILE":            a.Policy,
		"EXPLAIN_DENIALS":        "true",
		"GATEWAY":                "traefik",
		"TRUSTED_PROXIES":        "127.0.0.1,::1",
	})
	if err != nil {
		return nil, err
	}
	return server.New(config, log)
}

func redirectURI(a Addresses) string     { return a.Gateway + flowPrefix + callback }
func logoutReturnURL(a Addresses) string { return a.Gateway + flowPrefix + site.Logout }

// listeners of all parts.
type listeners struct{ emulator, service, app, gateway net.Listener }

func listenAll(ctx context.Context, o Options) (*listeners, error) {
	l := &listeners{}
	for _, p := range []struct {
		name, flag string
		port       int
		into       *net.Listener
	}{
		{"emulator", "-emulator-port", o.EmulatorPort, &l.emulator},
		{"service", "-service-port", o.ServicePort, &l.service},
		{"gateway", "-gateway-port", o.GatewayPort, &l.gateway},
	} {
		made, err := listen(ctx, p.port)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("demo: the %s can't listen on port %d: %w; choose another port with %s (0: any free one)",
				p.name, p.port, err, p.flag)
		}
		*p.into = made
	}
	app, err := listen(ctx, 0) // only the gateway need know where
	if err != nil {
		l.close()
		return nil, fmt.Errorf("demo: app: %w", err)
	}
	l.app = app
	return l, nil
}

func (l *listeners) close() {
	for _, listener := range []net.Listener{l.emulator, l.service, l.app, l.gateway} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}

// addresses are localhost's, as that is the host of the cookies.
func (l *listeners) addresses() Addresses {
	local := func(l net.Listener) string { return "http://localhost:" + strconv.Itoa(portOf(l)) }
	gateway := local(l.gateway)
	a := Addresses{
		Gateway: gateway, Service: local(l.service), Emulator: local(l.emulator),
		URL: gateway + "/", Users: users(), Pages: allPages(gateway),
	}
	a.Commands = commands(a)
	return a
}

// at is where the gateway reaches a part: at the very address, not by a name.
func at(l net.Listener) *url.URL { return &url.URL{Scheme: "http", Host: l.Addr().String()} }
