package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

const (
	stopLimit   = 20 * time.Second // for requests and refreshes under way at a stop
	headerLimit = 64 << 10
)

// Run listens and serves until ctx ends, then stops: not ready any more, requests
// under way finished, refreshes under way stored.
func (s *Server) Run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1) // reads the policy again; without one it does nothing
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for _, note := range s.config.Summary(s.sites, s.currentPolicy()) {
		level := zerolog.InfoLevel
		if note.Warn {
			level = zerolog.WarnLevel
		}
		s.log.WithLevel(level).Str("event", "start").Msg(note.Text)
	}
	main, err := s.listen(ctx, s.config.ListenAddr)
	if err != nil {
		return fmt.Errorf("server: LISTEN_ADDR: %w", err)
	}
	servers := map[net.Listener]*http.Server{main: s.httpServer(s.Handler())}
	for _, more := range []struct {
		name    string
		address config.Address
		handler http.Handler
	}{
		{"VERIFY_ADDR", s.config.VerifyAddr, s.VerifyHandler()},
		{"ADMIN_ADDR", s.config.AdminAddr, s.AdminHandler()},
	} {
		if more.address.Network == "" {
			continue
		}
		l, err := s.listen(ctx, more.address)
		if err != nil {
			for open := range servers {
				_ = open.Close()
			}
			return fmt.Errorf("server: %s: %w", more.name, err)
		}
		servers[l] = s.httpServer(more.handler)
	}
	return s.serve(ctx, servers, hangup)
}

// currentPolicy is nil without a policy.
func (s *Server) currentPolicy() *policy.Policy {
	if s.policy == nil {
		return nil
	}
	return s.policy.Current()
}

// Serve serves everything on one listener until ctx ends, as Run does.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, map[net.Listener]*http.Server{l: s.httpServer(s.Handler())}, nil)
}

func (s *Server) serve(ctx context.Context, servers map[net.Listener]*http.Server, hangup <-chan os.Signal) error {
	// The work in the background goes on until the last request was answered.
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	failed := make(chan error, len(servers))
	for l, server := range servers {
		s.log.Info().Str("address", l.Addr().String()).Msg("listening")
		go func() { failed <- server.Serve(l) }()
	}
	var background sync.WaitGroup
	background.Go(func() { s.warmUp(running) })
	background.Go(func() { s.sessions.Run(running) })
	if s.policy != nil {
		background.Go(func() { s.policy.Run(running, hangup) })
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	s.log.Info().Msg("stopping")
	if err == nil { // told to stop: gateways may need a while to notice
		select {
		case err = <-failed:
		case <-time.After(time.Duration(s.config.ShutdownDelay)):
		}
	}
	s.sessions.Stop()
	limit, done := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer done()
	for _, server := range servers {
		err = errors.Join(err, server.Shutdown(limit))
	}
	s.sessions.Wait()
	end()
	background.Wait()
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
	}
	return err
}

// httpServer has limits for everything that a client can drag out. It keeps idle
// connections longer than gateways do, so that these close them first.
func (s *Server) httpServer(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: protocols,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 180 * time.Second, MaxHeaderBytes: headerLimit,
		ErrorLog: stdlog.New(s.log, "", 0),
	}
}

func (s *Server) listen(ctx context.Context, a config.Address) (net.Listener, error) {
	if a.Network == "unix" {
		if err := removeSocket(a.Addr); err != nil {
			return nil, err
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, a.Network, a.Addr)
	if err != nil || a.Network != "unix" || s.config.SocketMode == 0 {
		return l, err
	}
	if err := os.Chmod(a.Addr, fs.FileMode(s.config.SocketMode)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("SOCKET_MODE: %w", err)
	}
	return l, nil
}

// removeSocket takes away the socket that a killed process left, and nothing else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil // listening says what is wrong
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = c.Close()
		return fmt.Errorf("%s is in use", path)
	}
	return os.Remove(path)
}
