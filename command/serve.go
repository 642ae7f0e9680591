package command

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/server"
)

func serve(ctx context.Context, p process, args []string) error {
	c, err := p.config("serve", args)
	if err != nil {
		return err
	}
	log := newLog(p.stderr, c.LogFormat, c.LogLevel)
	b := readBuild()
	log.Info().Str("event", "start").Str("version", b.version).Str("commit", b.commit).Str("go", b.goVersion).Msg("authkit-forward-auth")
	for _, line := range config.Misspelt(p.environ) {
		log.Warn().Str("event", "start").Msg(line)
	}
	release := collectLess(p.environ)
	defer release()
	s, err := server.New(c, log)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// config reads the configuration of a subcommand that has no flags.
func (p process) config(name string, args []string) (*config.Config, error) {
	if err := p.parse(flag.NewFlagSet(name, flag.ContinueOnError), args); err != nil {
		return nil, err
	}
	c, err := config.Parse(p.environ)
	if err == nil {
		return c, nil
	}
	for _, line := range config.Misspelt(p.environ) {
		err = errors.Join(err, errors.New(line))
	}
	return nil, fmt.Errorf("the configuration has problems:\n%w", err)
}
