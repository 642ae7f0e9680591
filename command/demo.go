package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/demo"
)

// runDemo runs the demo until ctx ends.
func runDemo(ctx context.Context, p process, args []string) error {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	options := demo.Options{}
	flags.IntVar(&options.GatewayPort, "gateway-port", 3000, "port of the gateway, 0 for any free one")
	flags.IntVar(&options.ServicePort, "service-port", 9000, "port of the service, 0 for any free one")
	flags.IntVar(&options.EmulatorPort, "emulator-port", 4100, "port of the AuthKit emulator, 0 for any free one")
	flags.DurationVar(&options.AccessTokenLifetime, "access-token-lifetime", 5*time.Minute, "after which a session is refreshed")
	flags.StringVar(&options.PolicyFile, "policy", "", "`file` that says who may open which page, in place of the demo's own policy")
	appOnly := flags.String("app-only", "", "serve only the protected page, at this `address`, for a gateway of your own that nobody can get around")
	flow := flags.String("flow-url", "", "with -app-only: `URL` below which the sign-in flow is, such as https://auth.example.com (default /_auth of the page's host)")
	asJSON := flags.Bool("json", false, "print the addresses as one JSON object")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	options.Log = newLog(p.stderr, "text", zerolog.InfoLevel)
	if *appOnly != "" && options.PolicyFile != "" {
		return errors.New("demo: -policy is for the service, which -app-only leaves out: give one of them")
	}
	if *flow != "" && (*appOnly == "" || !strings.HasPrefix(*flow, "http://") && !strings.HasPrefix(*flow, "https://")) {
		return errors.New("demo: -flow-url: a URL such as https://auth.example.com, with -app-only: the demo itself has its flow at /_auth")
	}
	if *appOnly != "" {
		if *flow != "" {
			*flow = strings.TrimSuffix(*flow, "/") + "/"
		}
		return runDemoApp(ctx, *appOnly, *flow, options.Log, p.stdout)
	}
	return demo.Run(ctx, options, func(a demo.Addresses) error {
		if *asJSON {
			e := json.NewEncoder(p.stdout)
			e.SetEscapeHTML(false)
			return e.Encode(a)
		}
		return printDemo(p.stdout, a)
	})
}

// runDemoApp runs nothing but the demo's app until ctx ends.
func runDemoApp(ctx context.Context, address, flow string, log zerolog.Logger, stdout io.Writer) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("demo: -app-only: %w", err)
	}
	fmt.Fprintf(stdout, "protected page on %s: it believes the identity headers of whoever asks\n", l.Addr())
	return demo.ServeApp(ctx, l, flow, log)
}

// printDemo says where to go, who can sign in, what to try, and how to stop.
func printDemo(stdout io.Writer, a demo.Addresses) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nOpen %s and sign in, without a password, as\n\n", a.URL)
	for _, u := range a.Users {
		fmt.Fprintf(w, "  %s\t%s\n", u.Email, u)
	}
	fmt.Fprintf(w, "  any other address\ta new user without an organization\n\n")
	for _, p := range a.Pages {
		fmt.Fprintf(w, "  %s\tneeds %s\n", p.URL, p.Needs)
	}
	fmt.Fprintf(w, "\nThis file says who may open which page; edit it while the demo runs:\n\n  %s\n\n", a.Policy)
	fmt.Fprintf(w, "A program brings an API key:\n\n")
	for _, c := range a.Commands {
		fmt.Fprintf(w, "  # %s\n  %s\n", c.Answer, c.Line)
	}
	fmt.Fprintf(w, "\n  gateway\t%s\tprotects the pages\n", a.Gateway)
	fmt.Fprintf(w, "  service\t%s\tis asked about every request\n", a.Service)
	fmt.Fprintf(w, "  AuthKit emulator\t%s\thosts the sign-in page\n\n", a.Emulator)
	fmt.Fprintf(w, "Stop with Ctrl+C.\n\n")
	return w.Flush()
}
