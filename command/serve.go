package command

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/server"
)

func serve(ctx context.Context, environ map[string]string, stderr io.Writer) error {
	config, err := config.Parse(environ)
	if err != nil {
		return fmt.Errorf("the configuration has problems:\n%w", err)
	}
	log := zerolog.New(stderr).Level(config.LogLevel).With().Timestamp().Logger()
	s, err := server.New(config, log)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func printConfig(environ map[string]string, stdout io.Writer) error {
	config, err := config.Parse(environ)
	if err != nil {
		return fmt.Errorf("the configuration has problems:\n%w", err)
	}
	_, err = io.WriteString(stdout, config.String())
	return err
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision := ""
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = " " + setting.Value
		}
	}
	return info.Main.Version + revision + " " + info.GoVersion
}
