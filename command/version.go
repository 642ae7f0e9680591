package command

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"runtime/debug"
)

// The build sets these two where Go's own build information has no version or no commit:
//
//	go build -ldflags "-X github.com/authkit-forward-auth/authkit-forward-auth/command.version=v1.2.3"
var version, commit string

// build is what there is to know of a build.
type build struct{ version, commit, goVersion string }

func readBuild() build {
	b := build{version: version, commit: commit}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.version, b.goVersion = cmp.Or(b.version, info.Main.Version), info.GoVersion
	modified := ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			b.commit = cmp.Or(b.commit, setting.Value)
		case setting.Key == "vcs.modified" && setting.Value == "true":
			modified = ", modified"
		}
	}
	if b.commit != "" && commit == "" {
		b.commit += modified
	}
	return b
}

func printVersion(_ context.Context, p process, args []string) error {
	if err := p.parse(flag.NewFlagSet("version", flag.ContinueOnError), args); err != nil {
		return err
	}
	b := readBuild()
	_, err := fmt.Fprintf(p.stdout, "authkit-forward-auth %s (commit %s) %s\n",
		cmp.Or(b.version, "unknown"), cmp.Or(b.commit, "unknown"), b.goVersion)
	return err
}
