package command

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/server"
)

func serve(ctx context.Context, p process, args []string) error {
	c, err := p.config("serve", args)
	if err != nil {
		return err
	}
	log := zerolog.New(p.stderr).Level(c.LogLevel).With().Timestamp().Logger()
	b := readBuild()
	log.Info().Str("version", b.version).Str("commit", b.commit).Str("go", b.goVersion).Msg("authkit-forward-auth starts")
	s, err := server.New(c, log)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func printConfig(_ context.Context, p process, args []string) error {
	c, err := p.config("config", args)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, c.String())
	return err
}

// config reads the configuration of a subcommand that has no flags.
func (p process) config(name string, args []string) (*config.Config, error) {
	if err := p.parse(flag.NewFlagSet(name, flag.ContinueOnError), args); err != nil {
		return nil, err
	}
	c, err := config.Parse(p.environ)
	if err != nil {
		return nil, fmt.Errorf("the configuration has problems:\n%w", err)
	}
	return c, nil
}
