package policyfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFileBad(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		want  string // in the log's only problem
	}{
		{"YAML that is none", func(t *testing.T, path string) { write(t, path, "rules: [\n") }, "line 2"},
		{"empty", func(t *testing.T, path string) { write(t, path, "") }, "empty"},
		{"an unknown key", func(t *testing.T, path string) { write(t, path, one("after")+"    path: [/]\n") }, "line 4"},
		{"a test of its own fails", func(t *testing.T, path string) {
			write(t, path, one("after")+"tests:\n  - name: root\n    request: GET https://app.example.com/\n    expect: allowed\n")
		}, "line 5"},
		{"missing", func(t *testing.T, path string) { must(t, os.Remove(path)) }, "no such file"},
		{"a dangling link", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Symlink("nowhere", path))
		}, "no such file"},
		{"a directory", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "not a regular file"},
		{"too large", func(t *testing.T, path string) {
			write(t, path, one("after")+strings.Repeat("# comment\n", 840_000))
		}, "more than 8 MB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				pass(10 * time.Second)
				tt.spoil(t, w.Path)
				pass(time.Second)
				w.want(t, "at the first poll", "before", false)
				pass(time.Second)
				w.want(t, "at the second poll", "before", true)
				log := w.wantLog(t, "at the second poll", logBad)
				if len(log) != 1 || len(log[0].Problems) != 1 || !strings.Contains(log[0].Problems[0], tt.want) {
					t.Errorf("got %+v, want one problem with %q", log, tt.want)
				}
				pass(59 * time.Second)
				w.wantLog(t, "within a minute")
				pass(time.Second)
				w.wantLog(t, "after a minute", logBad)
				pass(10 * time.Minute)
				w.wantLog(t, "after ten more", logBad, logBad, logBad, logBad, logBad, logBad, logBad, logBad, logBad, logBad)
				if got := w.metric(t, "authkit_forward_auth_policy_reloads_total", "error"); got != 1 {
					t.Errorf("got policy_reloads_total %v error, want 1", got)
				}

				must(t, os.RemoveAll(w.Path))
				write(t, w.Path, one("good"))
				pass(2 * time.Second)
				w.want(t, "good again", "good", false)
				w.wantLog(t, "good again", logReloaded)
			})
		})
	}
}

func TestFileBadThenAsBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		pass(10 * time.Second)
		write(t, w.Path, "no policy")
		pass(2 * time.Second)
		w.want(t, "bad", "before", true)
		w.wantLog(t, "bad", logBad)
		write(t, w.Path, "no policy") // another write of the same
		pass(2 * time.Second)
		w.wantLog(t, "the same again")
		write(t, w.Path, "rules: 1")
		pass(2 * time.Second)
		w.wantLog(t, "bad in another way", logBad)
		write(t, w.Path, one("before"))
		pass(2 * time.Second)
		w.want(t, "as before", "before", false)
		w.wantLog(t, "as before", logAgain)
	})
}

func TestFileLoadRefuses(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for name, text := range map[string]string{
		"bad.yaml":   "defaults: deny\nrules:\n  - {name: a, path: [/]}\n",
		"large.yaml": one("a") + strings.Repeat("# comment\n", 840_000),
		"tests.yaml": one("a") + "tests:\n  - name: root\n    request: GET https://app.example.com/\n    expect: allowed\n",
	} {
		must(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
	tests := []struct {
		name, file string
		want       []string
	}{
		{"missing", "none.yaml", []string{"policy: ", "none.yaml", "no such file"}},
		{"two problems", "bad.yaml", []string{"policy: ", "bad.yaml:", "\nline 1: ", "\nline 3: "}},
		{"too large", "large.yaml", []string{"policy: ", "large.yaml has more than 8 MB"}},
		{"a failing test", "tests.yaml", []string{"policy: ", "tests.yaml:", "\nline 5: "}},
		{"a directory", ".", []string{"policy: ", "is not a regular file"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &File{Path: filepath.Join(directory, tt.file)}
			err := f.Load()
			if err == nil || f.Current() != nil {
				t.Fatalf("got %v, %v, want an error and no policy", f.Current(), err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}
