package demo

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"
)

// stopLimit is for requests under way at a stop. Browsers keep connections open
// that they have not used yet, so it is short.
const stopLimit = 2 * time.Second

// part is something that serves until its context ends.
type part struct {
	name  string
	serve func(context.Context) error
}

// serveAll runs all parts until ctx ends or one of them does. It then stops them
// one after the other, the last one first: a part may need those before it until
// its own end.
func serveAll(ctx context.Context, parts []part) error {
	ended := make(chan struct{}, len(parts))
	var stops []func() error
	for _, p := range parts {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		result := make(chan error, 1)
		go func() {
			result <- p.serve(own)
			ended <- struct{}{}
		}()
		stops = append(stops, func() error {
			cancel()
			if err := <-result; err != nil {
				return fmt.Errorf("demo: %s: %w", p.name, err)
			}
			return nil
		})
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	var err error
	for _, stop := range slices.Backward(stops) {
		err = errors.Join(err, stop())
	}
	return err
}

// serveHTTP is the part's function for a handler of the demo's own.
func serveHTTP(l net.Listener, h http.Handler, log zerolog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		s := &http.Server{
			Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 180 * time.Second,
			MaxHeaderBytes: 64 << 10, ErrorLog: stdlog.New(log, "", 0),
		}
		failed := make(chan error, 1)
		go func() { failed <- s.Serve(l) }()
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
		limit, done := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer done()
		if err := s.Shutdown(limit); err != nil {
			return s.Close()
		}
		return nil
	}
}
