package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestPolicyIsEditedWhileTheDemoRuns(t *testing.T) {
	t.Parallel()
	a := start(t, Options{})
	b := newBrowser(t)
	if got := b.open(a.Gateway+"/public", nil); got.status != 200 {
		t.Fatalf("got status %d, want 200: %s", got.status, got.body)
	}
	edited := "default: deny\nrules:\n  - name: only the front page\n    paths: [/]\n    allow: public\n"
	if err := os.WriteFile(a.Policy, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the public page is denied", func() bool { return b.open(a.Gateway+"/public", nil).status == 403 })
	if got := b.open(a.URL, nil); got.status != 200 || !strings.Contains(got.text(), "You are not signed in.") {
		t.Errorf("the front page: got status %d, want 200 for nobody: %s", got.status, got.body)
	}
	if got := b.open(a.URL, nil).text(); !strings.Contains(got, "By its rule \u201conly the front page\u201d in line 3, in "+a.Policy) {
		t.Errorf("got no rule that decides now: %s", got)
	}
}

func TestPolicyOfAnother(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte("rules:\n  - name: all\n    allow: public\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, Options{PolicyFile: file})
	if a.Policy != file {
		t.Errorf("got policy %s, want %s", a.Policy, file)
	}
	got := newBrowser(t).open(a.Gateway+"/admin", nil)
	if got.status != 200 || !strings.Contains(got.text(), "By its rule \u201call\u201d in line 2, in "+file) {
		t.Errorf("got status %d, want 200 and a page that says which rule decides: %s", got.status, got.text())
	}
}

func TestBadPolicy(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("rules:\n  - name: all\n    alow: public\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, want string }{
		{"a mistake", bad, "bad.yaml, line 3: rule \"all\" has the unknown key \"alow\": write allow"},
		{"no file", bad + ".not", "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Run(t.Context(), Options{PolicyFile: tt.file, Log: zerolog.Nop()}, func(Addresses) error { return errors.New("got ready") })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}
