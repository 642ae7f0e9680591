package command

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/README.md lists every document, and its links lead somewhere.
func TestDocsIndex(t *testing.T) {
	t.Parallel()
	docs := filepath.Join("..", "docs")
	text, err := os.ReadFile(filepath.Join(docs, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join(docs, link[1])); err != nil {
			t.Errorf("got a link to %s, want one to a file: %v", link[1], err)
		}
	}
	entries, err := os.ReadDir(docs)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "README.md" && strings.HasSuffix(name, ".md") && !strings.Contains(string(text), "("+name+")") {
			t.Errorf("docs/%s is not listed", name)
		}
	}
}
