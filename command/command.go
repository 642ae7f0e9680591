package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// process is what a subcommand has of the process that it runs in.
type process struct {
	environ        map[string]string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// subcommand is one thing that the program does.
type subcommand struct {
	name  string
	about string // its line in the usage
	run   func(ctx context.Context, p process, args []string) error
}

// subcommands are in the order of the usage. The first is what happens without one.
func subcommands() []subcommand {
	return []subcommand{
		{"serve", "run the service (what happens without a subcommand); see docs/configuration.md", serve},
		{"demo", "emulator, service, gateway and a protected page on this machine", runDemo},
		{"emulator", "an in-memory AuthKit for development and tests", runEmulator},
		{"policy", "try a policy file: what becomes of a request and why, its own tests, its JSON Schema", runPolicy},
		{"setup", "from an API key to a protected app: registers it at WorkOS, writes .env, prints the gateway's configuration", runSetup},
		{"snippet", "a gateway's configuration for your own hosts: snippet nginx -app https://app.example.com -upstream app:8080", printSnippet},
		{"doctor", "examine a deployment from outside and say what to change: doctor https://app.example.com/; exit 1 where something is wrong", runDoctor},
		{"config", "print the effective configuration, without secrets; exit 1 on a problem", printConfig},
		{"healthcheck", "ask a running service for /healthz; exit 1 unless it is well", healthcheck},
		{"version", "print name, version and commit", printVersion},
	}
}

// Run is the program without its process. The error is flag.ErrHelp where help was
// asked for, and ErrNotAllowed where a policy check says no; both are printed already.
func Run(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) error {
	p := process{environ, os.Stdin, stdout, stderr}
	name, args := subcommandOf(args)
	if name == "help" {
		_, err := io.WriteString(stdout, usage())
		return err
	}
	for _, c := range subcommands() {
		if c.name == name {
			return c.run(ctx, p, args)
		}
	}
	return fmt.Errorf("unknown subcommand %q\n\n%s", name, usage())
}

// subcommandOf takes the subcommand off the arguments. Flags before it are what every
// program has: help and version.
func subcommandOf(args []string) (string, []string) {
	if len(args) == 0 {
		return subcommands()[0].name, nil
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) > 1 {
			return args[1], []string{"--help"}
		}
		return "help", nil
	case "-v", "-version", "--version":
		return "version", args[1:]
	}
	return args[0], args[1:]
}

func usage() string {
	var b strings.Builder
	b.WriteString("authkit-forward-auth: sign-in with WorkOS AuthKit for any app behind a gateway\n\n")
	for _, c := range subcommands() {
		fmt.Fprintf(&b, "  %-11s  %s\n", c.name, c.about)
	}
	b.WriteString("\nEach of them has --help.\n")
	return b.String()
}

// parse reads the flags of a subcommand, after which no argument may follow. The error is
// flag.ErrHelp where help was asked for, which is then printed.
func (p process) parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard) // errors are printed once, by main
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		p.printHelp(flags)
		return err
	case err != nil:
		return fmt.Errorf("%s: %w: try --help", flags.Name(), err)
	case flags.NArg() > 0:
		hint := "try --help"
		if _, err := os.Stat(flags.Arg(0)); err == nil && flags.Lookup("policy") != nil {
			hint = "write -policy " + flags.Arg(0)
		}
		return fmt.Errorf("%s: unknown argument %q: %s", flags.Name(), flags.Arg(0), hint)
	}
	return nil
}

func (p process) printHelp(flags *flag.FlagSet) {
	fmt.Fprintf(p.stdout, "authkit-forward-auth %s", flags.Name())
	for _, c := range subcommands() {
		if c.name == flags.Name() {
			fmt.Fprintf(p.stdout, ": %s", c.about)
		}
	}
	fmt.Fprint(p.stdout, "\n\n")
	flags.SetOutput(p.stdout)
	flags.PrintDefaults()
}
