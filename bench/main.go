//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"text/tabwriter"
	"time"
)

// comparison is one line of the table. bound is DESIGN's, 0 where there is none.
type comparison struct {
	side, against string
	bound         float64
}

var comparisons = []comparison{
	{"forward-auth", "bare", 1.05},
	{"auth-request", "bare, auth-request", 1.05},
	{"10,000 rules", "bare", 1.05},
	{"name outside ASCII", "bare", 1.05},
	{"every decision logged", "bare", 1.15},
	{"with an assertion", "forward-auth", 0},
	{"forward-auth", "oauth2-proxy", 0.47},
	{"chunked session", "forward-auth", 1.4},
	{"chunked session", "bare, chunked session", 0},
	{"session in two cookies", "forward-auth", 1.4},
	{"session in two cookies", "bare, session in two cookies", 0},
	{"first sight", "bare", 0},
	{"forward-auth", "other", 0},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	rounds := flag.Int("rounds", 40, "how often each side has its turn")
	requests := flag.Int("requests", 8000, "requests of a turn")
	only := flag.String("only", "", "`pattern` of the sides; forward-auth is always there")
	other := flag.String("other", "", "another build of the service, as one more side")
	sessions := flag.Int("sessions", 0, "measure the memory that so many sessions take, and nothing else")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the servers
	if err := build(ctx, folder); err != nil {
		return err
	}
	b := &bench{folder: folder, only: pattern, other: *other}
	if b.authKit, err = startAuthKit(ctx); err != nil {
		return err
	}
	if *sessions > 0 {
		return b.memory(ctx, *sessions)
	}
	if err := b.startAll(ctx); err != nil {
		return err
	}
	for range *rounds {
		for _, i := range rand.Perm(len(b.sides)) {
			if err := b.turn(b.sides[i], *requests); err != nil {
				return fmt.Errorf("%s: %w", b.sides[i].name, err)
			}
		}
	}
	return b.print()
}

// build makes the programs of this module that are compared.
func build(ctx context.Context, folder string) error {
	const module = "github.com/authkit-forward-auth/authkit-forward-auth"
	for name, path := range map[string]string{"authkit-forward-auth": module, "bare": module + "/bench/bare"} {
		command := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, name), path)
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
	}
	return nil
}

// turn has a side answer so many requests, of which the first tenth doesn't count.
func (b *bench) turn(s *side, count int) error {
	warmUp, requests, err := b.requests(s, count)
	if err != nil {
		return err
	}
	if err := s.client.send(warmUp); err != nil {
		return err
	}
	before, err := s.server.cpu()
	if err != nil {
		return err
	}
	if err := s.client.send(requests); err != nil {
		return err
	}
	after, err := s.server.cpu()
	s.used = append(s.used, float64(after-before)/float64(time.Microsecond)/float64(len(requests)))
	return err
}

func (b *bench) requests(s *side, count int) (warmUp, requests [][]byte, err error) {
	if s.firstSight != nil {
		count /= 4 // they take longer, and each has to be sealed
	}
	for range count + count/10 {
		r := s.request
		if s.firstSight != nil {
			cookies, err := b.authKit.cookieOf(s.firstSight)
			if err != nil {
				return nil, nil, err
			}
			r = request(forwardAuth, cookies)
		}
		requests = append(requests, r)
	}
	return requests[:count/10], requests[count/10:], nil
}

func (b *bench) print() error {
	used := map[string][]float64{}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "side\tus CPU a request\tRSS in MB")
	for _, s := range b.sides {
		used[s.name] = s.used
		resident, err := s.server.resident()
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.0f\n", s.name, estimateOf(s.used).median, float64(resident)/1e6)
	}
	fmt.Fprintln(t, "\t\t\nside / against\tratio\t95 % interval\tbound")
	for _, c := range comparisons {
		if used[c.side] == nil || used[c.against] == nil {
			continue
		}
		r, bound := estimateOf(ratios(used[c.side], used[c.against])), "-"
		if c.bound != 0 {
			bound = fmt.Sprint(c.bound)
		}
		fmt.Fprintf(t, "%s / %s\t%.3f\t%.3f - %.3f\t%s\n", c.side, c.against, r.median, r.low, r.high, bound)
	}
	return t.Flush()
}
