package policyfile

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// one is a policy whose only rule has this name.
func one(name string) string { return "default: deny\nrules:\n  - name: " + name + "\n" }

// watched is a File that is running.
type watched struct {
	*File
	log      lines
	registry *prometheus.Registry
	hangup   chan os.Signal
}

// watch loads the file and runs. Half a second later it returns: between two polls.
func watch(t *testing.T, path string) *watched {
	t.Helper()
	w := &watched{registry: prometheus.NewRegistry(), hangup: make(chan os.Signal)}
	w.File = &File{Path: path, Log: zerolog.New(&w.log), Metrics: w.registry}
	if err := w.Load(); err != nil {
		t.Fatal(err)
	}
	w.log.take()
	go w.Run(t.Context(), w.hangup)
	pass(500 * time.Millisecond)
	return w
}

// pass lets time pass, and then everybody do what there is to do.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// signal sends one, and waits until the file has been read.
func (w *watched) signal() {
	w.hangup <- os.Interrupt
	synctest.Wait()
}

// want compares the rule in force and whether the file is it.
func (w *watched) want(t *testing.T, when, rule string, stale bool) {
	t.Helper()
	if got := w.Current().Rules()[0].Name; got != rule {
		t.Errorf("%s: got rule %q in force, want %q", when, got, rule)
	}
	if got := w.Err() != nil; got != stale {
		t.Errorf("%s: got Err %v, want one: %v", when, w.Err(), stale)
	}
	gauge := map[bool]float64{false: 0, true: 1}[stale]
	if got := w.metric(t, "authkit_forward_auth_policy_stale", ""); got != gauge {
		t.Errorf("%s: got policy_stale %v, want %v", when, got, gauge)
	}
}

// metric returns the value of a metric with that result.
func (w *watched) metric(t *testing.T, name, result string) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if result == "" {
				return m.GetGauge().GetValue()
			}
			if m.GetLabel()[0].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("got no metric %s %s", name, result)
	return 0
}

// lines are those of a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// line is one of them.
type line struct {
	Level, Event, File, Message string
	Rules                       int
	Problems                    []string
}

// take returns the lines since the last call, without those of level debug.
func (l *lines) take() []line {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []line
	for text := range strings.Lines(l.buf.String()) {
		var one line
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			panic(err)
		}
		if one.Level != "debug" {
			all = append(all, one)
		}
	}
	l.buf.Reset()
	return all
}

// wantLog compares levels and messages of the lines since the last call.
func (w *watched) wantLog(t *testing.T, when string, want ...string) []line {
	t.Helper()
	got := w.log.take()
	var short []string
	for _, line := range got {
		short = append(short, line.Level+": "+line.Message)
		if line.Event != "policy" || line.File != w.Path {
			t.Errorf("%s: got event %q, file %q, want policy, %s", when, line.Event, line.File, w.Path)
		}
	}
	if strings.Join(short, "\n") != strings.Join(want, "\n") {
		t.Fatalf("%s: got log %q, want %q", when, short, want)
	}
	return got
}

const (
	logReloaded = "info: policy reloaded"
	logBad      = "error: the policy file can't be used: the policy before it stays in force"
	logAgain    = "info: the policy file holds again what is in force"
	logWritten  = "info: the policy file is being written, and is read once it stays the same"
)

// write overwrites a file in place, as of the bubble's time.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stamp(t, path, time.Now())
}

func stamp(t *testing.T, path string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// must fails the test with an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start writes a policy whose rule is "before" and watches it.
func start(t *testing.T) *watched {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, one("before"))
	return watch(t, path)
}
