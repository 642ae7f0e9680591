package command

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthcheck asks the service on this machine, at the port that it listens on.
func healthcheck(ctx context.Context, p process, args []string) error {
	flags := flag.NewFlagSet("healthcheck", flag.ContinueOnError)
	address := flags.String("addr", cmp.Or(p.environ["LISTEN_ADDR"], ":9000"), "address of the service, as LISTEN_ADDR")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	network, target := "tcp", *address
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		network, target = "unix", path
	}
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, target)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/healthz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s answers %s", *address, response.Status)
	}
	return nil
}
