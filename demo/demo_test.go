package demo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// start runs a demo on free ports until the test ends.
func start(t *testing.T, o Options) Addresses {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o.Log = zerolog.Nop()
	ready, ended := make(chan Addresses, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, o, func(a Addresses) error { ready <- a; return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	select {
	case a := <-ready:
		return a
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
		return Addresses{}
	}
}

func TestAccessTokenLifetime(t *testing.T) {
	t.Parallel()
	a := start(t, Options{AccessTokenLifetime: 90 * time.Second})
	token := accessToken(t, a, "paula@example.com")
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want an access token", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Iat, Exp int }
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Exp-claims.Iat != 90 {
		t.Errorf("got an access token of %d s, want 90", claims.Exp-claims.Iat)
	}
}

// accessToken is that of a session of its own.
func accessToken(t *testing.T, a Addresses, email string) string {
	t.Helper()
	b := newBrowser(t)
	authorize := a.Emulator + "/user_management/authorize?" + url.Values{
		"client_id": {"client_demo"}, "response_type": {"code"}, "provider": {"authkit"},
		"redirect_uri": {a.Gateway + "/_auth/callback"}, "login_hint": {email},
	}.Encode()
	callback, err := url.Parse(b.redirect(b.open(authorize, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	exchanged := b.send(http.MethodPost, a.Emulator+"/user_management/authenticate", h, url.Values{
		"client_id": {"client_demo"}, "client_secret": {"sk_test_demo"},
		"grant_type": {"authorization_code"}, "code": {callback.Query().Get("code")},
	}.Encode())
	var session struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(exchanged.body), &session); err != nil {
		t.Fatal(err)
	}
	return session.AccessToken
}

func TestBothLoopbackAddressesAndNoOther(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	var ports []string
	for _, raw := range []string{a.Gateway, a.Service, a.Emulator} {
		u, err := url.Parse(raw)
		if err != nil || u.Hostname() != "localhost" {
			t.Fatalf("got address %q, want one of localhost", raw)
		}
		ports = append(ports, u.Port())
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		prefix, ok := address.(*net.IPNet)
		if !ok || prefix.IP.IsLinkLocalUnicast() {
			continue
		}
		ip := prefix.IP
		for _, port := range ports {
			dialer := net.Dialer{Timeout: 5 * time.Second}
			conn, err := dialer.DialContext(t.Context(), "tcp", net.JoinHostPort(ip.String(), port))
			if err == nil {
				_ = conn.Close()
			}
			if reached := err == nil; reached != (ip.Equal(net.IPv4(127, 0, 0, 1)) || ip.Equal(net.IPv6loopback)) {
				t.Errorf("%s port %s: reached %v, want only 127.0.0.1 and ::1 to be reached", ip, port, reached)
			}
		}
	}
}

func TestListenersAreLoopbackOnly(t *testing.T) {
	t.Parallel()
	l, err := listenAll(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for _, one := range []net.Listener{l.emulator, l.service, l.app, l.gateway} {
		all := []net.Listener{one}
		if j, ok := one.(*joined); ok {
			all = j.listeners
		}
		for _, single := range all {
			if address, ok := single.Addr().(*net.TCPAddr); !ok || !address.IP.IsLoopback() {
				t.Errorf("listens on %s, want a loopback address", single.Addr())
			}
		}
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, address, flag string
		options             func(port int) Options
	}{
		{"gateway", "127.0.0.1:0", "-gateway-port", func(p int) Options { return Options{GatewayPort: p} }},
		{"service", "127.0.0.1:0", "-service-port", func(p int) Options { return Options{ServicePort: p} }},
		{"emulator", "127.0.0.1:0", "-emulator-port", func(p int) Options { return Options{EmulatorPort: p} }},
		{"taken on [::1] only", "[::1]:0", "-gateway-port", func(p int) Options { return Options{GatewayPort: p} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", tt.address)
			if err != nil && strings.HasPrefix(tt.address, "[::1]") {
				t.Skip("this machine has no IPv6, so nothing can take its port:", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			err = Run(t.Context(), tt.options(portOf(taken)), func(Addresses) error {
				t.Error("got ready, want an error")
				return errors.New("stop")
			})
			if err == nil || !strings.Contains(err.Error(), tt.flag) || !strings.Contains(err.Error(), strconv.Itoa(portOf(taken))) {
				t.Errorf("got %v, want an error that names %s and the port", err, tt.flag)
			}
		})
	}
}

// Listeners that were opened before the problem are closed again.
func TestBadOptions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		options Options
		want    string
	}{
		{"port that is none", Options{GatewayPort: 70000}, "choose another port with -gateway-port"},
		{"lifetime below a second", Options{AccessTokenLifetime: time.Millisecond}, "AccessTokenLifetime: must be a second or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Run(t.Context(), tt.options, func(Addresses) error { return errors.New("got ready") })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

// Not parallel: another demo of these tests might take the port.
func TestStopLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var port, file string
	err := Run(ctx, Options{Log: zerolog.Nop()}, func(a Addresses) error {
		file = a.Policy
		got, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(got), "# The demo's policy.") {
			t.Errorf("got %s, %v, want the policy with its comments", got, err)
		}
		_, port, _ = strings.Cut(strings.TrimPrefix(a.Gateway, "http://"), ":")
		cancel()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of %s: got %v, want none", file, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	again, err := listen(t.Context(), number)
	if err != nil {
		t.Fatalf("the port is still in use: %v", err)
	}
	_ = again.Close()
}

func TestServeAllStopsTheLastFirst(t *testing.T) {
	t.Parallel()
	var stopped []string // written one after the other
	until := func(name string) part {
		return part{name, func(ctx context.Context) error {
			<-ctx.Done()
			stopped = append(stopped, name)
			return nil
		}}
	}
	broken := errors.New("broken")
	err := serveAll(t.Context(), []part{
		until("first"), until("second"),
		{"third", func(context.Context) error { return broken }},
		until("fourth"),
	})
	if !errors.Is(err, broken) || err.Error() != "demo: third: broken" {
		t.Errorf("got %v, want demo: third: broken", err)
	}
	if want := []string{"fourth", "second", "first"}; !slices.Equal(stopped, want) {
		t.Errorf("got stopped %v, want %v", stopped, want)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	want := []string{
		"Paula Winter, no organization",
		"Zoë Ångström, at Acme, Inc.",
		"Sam Rivera, Jr., chooses: Acme, Inc. or Globex",
		"Iris Okafor, impersonated by support@example.com",
	}
	for i, u := range users() {
		if u.String() != want[i] {
			t.Errorf("got %q, want %q", u, want[i])
		}
	}
}
