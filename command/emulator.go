package command

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// runEmulator serves an AuthKit for development until ctx ends.
func runEmulator(ctx context.Context, p process, args []string) error {
	flags := flag.NewFlagSet("emulator", flag.ContinueOnError)
	address := flags.String("addr", "127.0.0.1:4100", "where to listen")
	base := flags.String("base-url", "", "where browsers and the service reach it (default http://localhost:PORT)")
	config := emulator.Config{}
	flags.StringVar(&config.ClientID, "client-id", "client_emulator", "client ID")
	flags.StringVar(&config.APIKey, "api-key", "sk_test_emulator", "API key")
	flags.DurationVar(&config.AccessTokenLifetime, "access-token-lifetime", 5*time.Minute, "lifetime of access tokens")
	flags.DurationVar(&config.GraceWindow, "grace-window", 10*time.Second, "how long a spent refresh token still works")
	list := func(into *[]string) func(string) error {
		return func(value string) error { *into = append(*into, value); return nil }
	}
	flags.Func("redirect-uri", "registered redirect URI, may be repeated (default http://localhost:3000/_auth/callback)", list(&config.RedirectURIs))
	flags.Func("logout-return-url", "registered sign-out redirect, may be repeated (default http://localhost:3000/_auth/logout)", list(&config.LogoutReturnURLs))
	flags.Func("resource", "registered OAuth resource (MCP resource indicator), may be repeated; the first is the default", list(&config.Resources))
	flags.Func("requires", "`ORGANIZATION=STEP` for a switch to it, sso_required or mfa_enrollment; may be repeated", func(value string) error {
		return require(&config, value)
	})
	flags.Func("webhook-url", "where webhooks go, may be repeated: each gets every event", list(&config.WebhookURLs))
	flags.StringVar(&config.WebhookSecret, "webhook-secret", "", "signs the webhooks, as WORKOS_WEBHOOK_SECRET")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", *address)
	if err != nil {
		return fmt.Errorf("emulator: -addr: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String()) // another one than asked for, if that was 0
	if err != nil {
		return fmt.Errorf("emulator: -addr: %w", err)
	}
	config.BaseURL, err = url.Parse(cmp.Or(*base, "http://localhost:"+port))
	if err != nil {
		return fmt.Errorf("emulator: -base-url: %w", err)
	}
	if config.RedirectURIs == nil {
		config.RedirectURIs = []string{"http://localhost:3000/_auth/callback"}
	}
	if config.LogoutReturnURLs == nil {
		config.LogoutReturnURLs = []string{"http://localhost:3000/_auth/logout"}
	}
	e, err := emulator.New(config)
	if err != nil {
		return err
	}
	defer e.Close()
	fmt.Fprintf(p.stdout, "AuthKit emulator on %s\n", config.BaseURL)
	s := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stopped()
	if err := s.Serve(l); ctx.Err() == nil {
		return fmt.Errorf("emulator: %w", err)
	}
	return nil
}

// require has one of the seeded organizations require a step, by ORGANIZATION=STEP.
func require(config *emulator.Config, value string) error {
	if config.Organizations == nil {
		config.Users, config.Organizations = emulator.Seed()
	}
	id, step, _ := strings.Cut(value, "=")
	i := slices.IndexFunc(config.Organizations, func(o emulator.Organization) bool { return o.ID == id })
	if i < 0 || step == "" {
		return errors.New("must be ORGANIZATION=STEP, with the id of one that there is")
	}
	config.Organizations[i].Requires = step
	return nil
}
