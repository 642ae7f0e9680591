package policyfile

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// The tests of this file use real files and run in synctest's bubbles, where time
// passes when everybody waits. Files get the bubble's time, so that two writes never
// fall into one tick of a real clock by accident.

func TestFileReloads(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
	}{
		{"edited in place", func(t *testing.T, path string) { write(t, path, one("after")) }},
		{"edited in place, as long as before", func(t *testing.T, path string) { write(t, path, one("after!")) }},
		{"renamed over", func(t *testing.T, path string) {
			write(t, path+".new", one("after"))
			must(t, os.Rename(path+".new", path))
		}},
		{"renamed over by one with the same size and time", func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			write(t, path+".new", one("after!"))
			stamp(t, path+".new", info.ModTime())
			must(t, os.Rename(path+".new", path))
		}},
		{"truncated and written again at once", func(t *testing.T, path string) {
			must(t, os.Truncate(path, 0))
			write(t, path, one("after"))
		}},
		{"removed and made again", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			write(t, path, one("after"))
		}},
		{"replaced by a link", func(t *testing.T, path string) {
			write(t, path+".target", one("after"))
			must(t, os.Remove(path))
			must(t, os.Symlink(path+".target", path))
		}},
		{"given a time in the past", func(t *testing.T, path string) {
			write(t, path, one("after"))
			stamp(t, path, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				pass(10 * time.Second)
				tt.change(t, w.Path)
				pass(time.Second)
				w.want(t, "at the first poll", "before", false)
				pass(time.Second)
				if got := strings.TrimSuffix(w.Current().Rules()[0].Name, "!"); got != "after" || w.Err() != nil {
					t.Errorf("at the second poll: got rule %q, Err %v, want after, nil", got, w.Err())
				}
				pass(time.Hour)
				log := w.wantLog(t, "an hour later", logReloaded)
				if log[0].Rules != 1 {
					t.Errorf("got %d rules in the log, want 1", log[0].Rules)
				}
				if ok, bad := w.metric(t, "authkit_forward_auth_policy_reloads_total", "ok"), w.metric(t, "authkit_forward_auth_policy_reloads_total", "error"); ok != 1 || bad != 0 {
					t.Errorf("got policy_reloads_total %v ok, %v error, want 1, 0", ok, bad)
				}
			})
		})
	}
}

// As the kubelet does it: the file links into ..data, which links to a directory
// that is replaced by another one.
func TestFileKubernetes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mount := t.TempDir()
		directory := func(name, text string) {
			must(t, os.Mkdir(filepath.Join(mount, name), 0o700))
			write(t, filepath.Join(mount, name, "policy.yaml"), text)
		}
		swap := func(to string) {
			must(t, os.Symlink(to, filepath.Join(mount, "..data_tmp")))
			must(t, os.Rename(filepath.Join(mount, "..data_tmp"), filepath.Join(mount, "..data")))
		}
		directory("..2026_01_01", one("before"))
		swap("..2026_01_01")
		must(t, os.Symlink(filepath.Join("..data", "policy.yaml"), filepath.Join(mount, "policy.yaml")))
		w := watch(t, filepath.Join(mount, "policy.yaml"))
		pass(10 * time.Second)
		w.want(t, "before the swap", "before", false)

		directory("..2026_01_02", one("after!")) // as long as the other one
		swap("..2026_01_02")
		must(t, os.RemoveAll(filepath.Join(mount, "..2026_01_01")))
		pass(2 * time.Second)
		w.want(t, "after the swap", "after!", false)
		w.wantLog(t, "after the swap", logReloaded)
	})
}

// A file that is half written may be a good policy that lets too many in.
func TestFileHalfWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		pass(10 * time.Second)
		for _, text := range []string{"", "default: authenticated\n", one("half"), one("half") + "    paths: [/]\n"} {
			write(t, w.Path, text)
			pass(time.Second)
			w.want(t, "while it is written", "before", false)
		}
		write(t, w.Path, one("whole"))
		pass(2 * time.Second)
		w.want(t, "once it is written", "whole", false)
		w.wantLog(t, "in the end", logReloaded)
	})
}

func TestFileNeverSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		pass(10 * time.Second)
		for range 59 {
			write(t, w.Path, one("after"))
			pass(time.Second)
		}
		w.want(t, "after 59 s", "before", false)
		write(t, w.Path, one("after"))
		pass(time.Second)
		w.want(t, "after 60 s", "before", true)
		log := w.wantLog(t, "after 60 s", logBad)
		if want := "the file never stays the same for two seconds: write it elsewhere and rename it"; len(log[0].Problems) != 1 || log[0].Problems[0] != want {
			t.Errorf("got problems %q, want %q", log[0].Problems, want)
		}
		pass(time.Second)
		w.want(t, "once it has settled", "after", false)
		w.wantLog(t, "once it has settled", logReloaded)
	})
}

// A file that is written within one tick of its clock looks as before.
func TestFileWrittenInTheTickThatItWasLoadedIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		write(t, path, one("before"))
		tick := time.Now()
		w := watch(t, path)
		write(t, path, one("after!"))
		stamp(t, path, tick)
		pass(2 * time.Second)
		w.want(t, "at the second poll", "after!", false)

		pass(10 * time.Second)
		write(t, path, one("signal"))
		tick = time.Now()
		w.signal()
		w.want(t, "at the signal", "signal", false)
		write(t, path, one("again!"))
		stamp(t, path, tick)
		pass(2 * time.Second)
		w.want(t, "two polls after the signal", "again!", false)
	})
}

func TestFileTouched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		pass(10 * time.Second)
		policy := w.Current()
		stamp(t, w.Path, time.Now())
		pass(10 * time.Second)
		w.wantLog(t, "touched")
		if w.Current() != policy {
			t.Error("got another policy, want the one that was in force")
		}
		if got := w.metric(t, "authkit_forward_auth_policy_reloads_total", "ok"); got != 0 {
			t.Errorf("got policy_reloads_total %v ok, want 0", got)
		}
	})
}

func TestFileSignal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		pass(10 * time.Second)
		w.signal()
		w.wantLog(t, "a signal without a change", logReloaded)
		write(t, w.Path, one("after"))
		w.signal()
		w.want(t, "at the signal", "after", false)
		w.wantLog(t, "at the signal", logReloaded)
		write(t, w.Path, "no policy")
		w.signal()
		w.want(t, "a signal with a bad file", "after", true)
		w.wantLog(t, "a signal with a bad file", logBad)
		w.signal()
		w.wantLog(t, "another signal", logBad)
		pass(10 * time.Second)
		w.wantLog(t, "the polls after it")
	})
}

// Between two polls a signal reads another file, which then goes away again.
func TestFileSignalThenAsBefore(t *testing.T) {
	t.Parallel()
	for _, text := range []string{one("after"), "no policy"} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t)
			pass(10 * time.Second)
			must(t, os.Rename(w.Path, w.Path+".old"))
			write(t, w.Path, text)
			w.signal()
			must(t, os.Rename(w.Path+".old", w.Path))
			pass(2 * time.Second)
			w.want(t, "as before", "before", false)
		})
	}
}

// The file comes to rest as a poll has read it before.
func TestFileNeverSettlesThenAsBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		pass(10 * time.Second)
		write(t, w.Path+".other", one("after"))
		must(t, os.Rename(w.Path, w.Path+".old"))
		for i := range 60 {
			_ = os.Remove(w.Path)
			must(t, os.Symlink([]string{w.Path + ".other", w.Path + ".old"}[i%2], w.Path))
			pass(time.Second)
		}
		w.want(t, "after 60 s", "before", true)
		pass(2 * time.Second)
		w.want(t, "once it has settled", "before", false)
	})
}

// The second state of the file is met between the look at it and the end of reading.
func TestFileChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		before := stateOf(w.Path)
		pass(time.Second)
		for name, change := range map[string]func(){
			"longer":   func() { write(t, w.Path, one("longer than before")) },
			"shorter":  func() { write(t, w.Path, one("b")) },
			"as long":  func() { write(t, w.Path, one("after!")) },
			"replaced": func() { must(t, os.Rename(w.Path, w.Path+".old")); write(t, w.Path, one("before")) },
			"touched":  func() { stamp(t, w.Path, time.Now()) },
		} {
			change()
			if text, err := before.text(w.Path); err != errChanging || text != nil {
				t.Errorf("%s: got %q, %v, want errChanging", name, text, err)
			}
			if w.reload(before, true) {
				t.Errorf("%s: got a reload, want none", name)
			}
			w.want(t, name, "before", false)
			w.wantLog(t, name, logWritten)
		}
	})
}

func TestFileMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		want := `
# HELP authkit_forward_auth_policy_reloads_total Times that a changed policy file was read, by result (ok, error).
# TYPE authkit_forward_auth_policy_reloads_total counter
authkit_forward_auth_policy_reloads_total{result="error"} 0
authkit_forward_auth_policy_reloads_total{result="ok"} 0
# HELP authkit_forward_auth_policy_rules Rules of the policy in force, without its default.
# TYPE authkit_forward_auth_policy_rules gauge
authkit_forward_auth_policy_rules 1
# HELP authkit_forward_auth_policy_stale 1 while the policy file can't be used and the policy before it is in force.
# TYPE authkit_forward_auth_policy_stale gauge
authkit_forward_auth_policy_stale 0
`
		if err := testutil.GatherAndCompare(w.registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		write(t, w.Path, one("a")+"  - name: b\n    hosts: [b.example.com]\n")
		w.signal()
		if got := w.metric(t, "authkit_forward_auth_policy_rules", ""); got != 1 {
			t.Errorf("got policy_rules %v with a rule behind one that always matches, want 1: the file is bad", got)
		}
		write(t, w.Path, "rules:\n  - {name: a, hosts: [a.example.com]}\n  - {name: b, hosts: [b.example.com]}\n")
		w.signal()
		if got := w.metric(t, "authkit_forward_auth_policy_rules", ""); got != 2 {
			t.Errorf("got policy_rules %v, want 2", got)
		}
	})
}

// For the race detector: readers while it is reloaded.
func TestFileReaders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	must(t, os.WriteFile(path, []byte(one("even")), 0o600))
	f := &File{Path: path}
	must(t, f.Load())
	hangup, done := make(chan os.Signal), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx, hangup) })
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				match := f.Current().Match(policy.Request{Method: "GET", Host: "app.example.com", Path: "/"})
				if name := match.Rule.Name; name != "even" && name != "odd" {
					t.Errorf("got rule %q, want even or odd", name)
					return
				}
				if err := f.Err(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		for _, name := range []string{"odd", "even"} {
			must(t, os.WriteFile(path+".new", []byte(one(name)), 0o600))
			must(t, os.Rename(path+".new", path))
			hangup <- os.Interrupt
		}
	}
	close(done)
	stop()
	wg.Wait()
}
