package command

import (
	"context"
	"fmt"
	"io"
)

const usage = `authkit-forward-auth: sign-in with WorkOS AuthKit for any app behind a gateway

  serve        run the service (what happens without a subcommand); see docs/configuration.md
  demo         emulator, service, gateway and a protected page on this machine
  emulator     an in-memory AuthKit for development and tests
  policy       try a policy file: what becomes of a request and why, its own tests, its JSON Schema
  config       print the effective configuration, without secrets; exit 1 on a problem
  healthcheck  ask a running service for /healthz; exit 1 unless it is well
  version      print the version

demo, emulator, policy and healthcheck have flags: try -h.
`

// Run is the program without its process. The error is flag.ErrHelp where help was
// asked for, and ErrNotAllowed where a policy check says no; both are printed already.
func Run(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) error {
	command, args := subcommand(args)
	switch command {
	case "serve", "config", "version", "help":
		if len(args) > 0 {
			return fmt.Errorf("%s: unknown argument %q: it takes none", command, args[0])
		}
	}
	switch command {
	case "serve":
		return serve(ctx, environ, stderr)
	case "demo":
		return runDemo(ctx, args, stdout, stderr)
	case "emulator":
		return runEmulator(ctx, args, stdout, stderr)
	case "policy":
		return runPolicy(args, environ, stdout, stderr)
	case "config":
		return printConfig(environ, stdout)
	case "healthcheck":
		return healthcheck(ctx, args, environ, stderr)
	case "version":
		_, err := fmt.Fprintln(stdout, version())
		return err
	case "help":
		_, err := io.WriteString(stdout, usage)
		return err
	}
	return fmt.Errorf("unknown subcommand %q\n\n%s", command, usage)
}

func subcommand(args []string) (string, []string) {
	if len(args) == 0 {
		return "serve", nil
	}
	if args[0] == "-h" || args[0] == "--help" {
		return "help", nil
	}
	return args[0], args[1:]
}
