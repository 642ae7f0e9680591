package command

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/snippet"
)

// texts is a flag that may be there several times.
type texts []string

func (t *texts) String() string { return strings.Join(*t, " ") }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

// printSnippet prints a gateway's configuration for the operator's own hosts, or writes its files.
func printSnippet(_ context.Context, p process, args []string) error {
	gateway := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		gateway, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("snippet", flag.ContinueOnError)
	o := deploymentFlags(flags)
	out := flags.String("out", "", "write the files into this `directory` instead; files that are there are never overwritten")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	if gateway == "" {
		return fmt.Errorf("snippet: for which gateway? Write snippet GATEWAY -app …: one of %s", strings.Join(snippet.Gateways(), ", "))
	}
	d, err := snippet.New(*o)
	if err != nil {
		return fmt.Errorf("snippet: -%w", err)
	}
	c, err := snippet.Render(gateway, d)
	if err != nil {
		return fmt.Errorf("snippet: %w", err)
	}
	if err := p.handOut(c.Files, *out); err != nil {
		return fmt.Errorf("snippet: -out: %w", err)
	}
	_, err = fmt.Fprint(p.stdout, c.Notes())
	return err
}

// deploymentFlags are those that say what is protected.
func deploymentFlags(flags *flag.FlagSet) *snippet.Options {
	var o snippet.Options
	flags.Var((*texts)(&o.Apps), "app", "`URL` of an app, such as https://app.example.com; several times for several")
	flags.Var((*texts)(&o.Upstreams), "upstream", "`host:port` where the app listens, one for each -app")
	flags.StringVar(&o.Auth, "auth", "", "`URL` below which the sign-in flow is, such as https://auth.example.com; not given: /_auth of the app")
	flags.StringVar(&o.Service, "service", "auth:9000", "`host:port` where authkit-forward-auth listens")
	flags.StringVar(&o.Domain, "domain", "", "`domain` of the session cookie, such as example.com; not given: the narrowest that has all hosts")
	flags.Var((*texts)(&o.Require), "require", "`requirements` as role=admin,owner for all, or /admin?role=admin,owner below a path; several times for several")
	flags.Var((*texts)(&o.Public), "public", "a `path` that anybody may see, such as /favicon.ico; several times for several")
	flags.Var((*texts)(&o.Claims), "claim", "a `claim` of a JWT template that apps get as a header, such as department:X-Auth-Request-Department; several times for several")
	flags.StringVar(&o.Namespace, "namespace", "default", "Kubernetes `namespace` of the service and the apps")
	return &o
}

// handOut prints files, or writes them into a directory and prints where they are.
func (p process) handOut(files []snippet.File, directory string) error {
	if directory == "" {
		for _, f := range files {
			fmt.Fprintf(p.stdout, "==> %s\n%s\n", f.Name, f.Text)
		}
		return nil
	}
	if err := writeFiles(directory, files); err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintln(p.stdout, filepath.Join(directory, f.Name))
	}
	fmt.Fprintln(p.stdout)
	return nil
}

// unwritten is an error where one of the files is in a directory already.
func unwritten(directory string, files []snippet.File) error {
	for _, f := range files {
		path := filepath.Join(directory, f.Name)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already, and nothing is written: choose another directory", path)
		}
	}
	return nil
}

// writeFiles writes files into a directory, none of which is there yet.
func writeFiles(directory string, files []snippet.File) error {
	if err := unwritten(directory, files); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(directory, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = file.WriteString(f.Text)
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}
