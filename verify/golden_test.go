package verify

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGolden tells the stories of testdata/*.txt. testdata/README says how to read
// and write them.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		stories, err := parseStories(string(text))
		if err != nil {
			t.Fatalf("%s:%v", file, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			for _, s := range stories {
				t.Run(s.title, func(t *testing.T) {
					t.Parallel()
					stage := newStage(t, s.settings)
					for _, step := range s.steps {
						stage.play(step)
					}
				})
			}
		})
	}
}
