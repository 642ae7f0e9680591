package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit/emulator"
	"github.com/authkit-forward-auth/authkit-forward-auth/server"
)

// The emulated environment. Its key opens nothing else.
const (
	clientID = "client_demo"
	apiKey   = "sk_test_demo"

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
	Log                 zerolog.Logger // of the service and the gateway
}

// Addresses says where everything is, and who can sign in.
type Addresses struct {
	Gateway  string `json:"gateway"`
	Service  string `json:"service"`
	Emulator string `json:"emulator"`
	URL      string `json:"url"` // the protected page to open
	Users    []User `json:"users"`
}

// User is somebody who can sign in. Any other email address can, too.
type User struct {
	Email         string   `json:"email"`
	Name          string   `json:"name"`
	Organizations []string `json:"organizations"`          // by name; with more than one, the user chooses
	Impersonator  string   `json:"impersonator,omitempty"` // email address of who is really there
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
	authKit, err := newEmulator(addresses, o.AccessTokenLifetime)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	service, err := newService(addresses, portOf(l.emulator), o.Log)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	app, err := newApp()
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
		{"gateway", serveHTTP(l.gateway, gateway, o.Log)},
	})
}

// newEmulator knows the gateway's callback and the page after a sign-out.
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
	})
}

// newService is configured as an operator would do it for Traefik.
func newService(a Addresses, emulatorPort int, log zerolog.Logger) (*server.Server, error) {
	config, err := server.ParseConfig(map[string]string{
		"WORKOS_API_KEY":         apiKey,
		"WORKOS_CLIENT_ID":       clientID,
		"WORKOS_COOKIE_PASSWORD": rand.Text() + rand.Text(),
		"WORKOS_REDIRECT_URI":    redirectURI(a),
		"WORKOS_API_HOSTNAME":    "localhost",
		"WORKOS_API_HTTPS":       "false",
		"WORKOS_API_PORT":        strconv.Itoa(emulatorPort),
		"LOGOUT_RETURN_URL":      logoutReturnURL(a),
		"GATEWAY":                "traefik",
		"TRUSTED_PROXIES":        "127.0.0.1,::1",
	})
	if err != nil {
		return nil, err
	}
	return server.New(config, log)
}

func redirectURI(a Addresses) string     { return a.Gateway + flowPrefix + callback }
func logoutReturnURL(a Addresses) string { return a.Gateway + flowPrefix + "logout" }

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
	return Addresses{
		Gateway: gateway, Service: local(l.service), Emulator: local(l.emulator),
		URL: gateway + "/", Users: users(),
	}
}

// at is where the gateway reaches a part: at the very address, not by a name.
func at(l net.Listener) *url.URL { return &url.URL{Scheme: "http", Host: l.Addr().String()} }

func users() []User {
	seeded, organizations := emulator.Seed()
	names := map[string]string{}
	for _, o := range organizations {
		names[o.ID] = o.Name
	}
	list := make([]User, len(seeded))
	for i, u := range seeded {
		list[i] = User{Email: u.Email, Name: u.Name(), Organizations: []string{}}
		for _, m := range u.Memberships {
			list[i].Organizations = append(list[i].Organizations, names[m.OrganizationID])
		}
		if u.Impersonator != nil {
			list[i].Impersonator = u.Impersonator.Email
		}
	}
	return list
}

// String says in a few words what somebody is.
func (u User) String() string {
	text := u.Name
	switch {
	case u.Impersonator != "":
		text += ", impersonated by " + u.Impersonator
	case len(u.Organizations) == 0:
		text += ", no organization"
	case len(u.Organizations) == 1:
		text += ", at " + u.Organizations[0]
	default:
		text += ", chooses: " + strings.Join(u.Organizations, " or ")
	}
	return text
}
