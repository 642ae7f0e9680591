package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSnippet(t *testing.T) {
	t.Parallel()
	args := []string{"snippet", "caddy", "-app", "https://app.example.com", "-upstream", "app:8080"}
	stdout, _, err := runs(t, nil, args...)
	for _, want := range []string{"==> Caddyfile\n", "\napp.example.com {\n", "==> authkit.caddy\n", "\nGATEWAY=caddy\n", "curl -si"} {
		if err != nil || !strings.Contains(stdout, want) {
			t.Errorf("got %v and no %q in\n%s", err, want, stdout)
		}
	}

	dir := filepath.Join(t.TempDir(), "new")
	stdout, _, err = runs(t, nil, append(args, "-out", dir)...)
	if err != nil || !strings.HasPrefix(stdout, filepath.Join(dir, "Caddyfile")+"\n"+filepath.Join(dir, "authkit.caddy")+"\n\n==> the service") {
		t.Errorf("got %v,\n%s", err, stdout)
	}
	if err := os.Remove(filepath.Join(dir, "Caddyfile")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runs(t, nil, append(args, "-out", dir)...); err == nil || !strings.Contains(err.Error(), "authkit.caddy is there already, and nothing is written") {
		t.Errorf("a file is there: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "Caddyfile")); err == nil {
		t.Error("a file is there: got another one written, want none")
	}
}

func TestSnippetMistakes(t *testing.T) {
	t.Parallel()
	app := []string{"-app", "https://app.example.com", "-upstream", "app:8080"}
	for want, args := range map[string][]string{
		"for which gateway?":           app,
		`no gateway "apache": use one`: append([]string{"apache"}, app...),
		"-app: which one?":             {"nginx"},
		"-upstream: 0 for 1 apps":      {"nginx", "-app", "https://app.example.com"},
		"snippet: unknown argument":    append([]string{"nginx", "caddy"}, app...),
	} {
		if stdout, _, err := runs(t, nil, append([]string{"snippet"}, args...)...); err == nil || !strings.Contains(err.Error(), want) || stdout != "" {
			t.Errorf("%v: got %v, stdout %q, want …%s… alone", args, err, stdout, want)
		}
	}
}
