package emulator

import (
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// word is one of a shell command: runs of plain, single-quoted and double-quoted characters.
var word = regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`)

// words splits a command as a shell does. Only what docs/emulator.md needs: no escapes, variables by name.
func words(line string, variables map[string]string) []string {
	var list []string
	for _, w := range word.FindAllString(line, -1) {
		quoted := strings.HasPrefix(w, "'")
		w = strings.Trim(w, `'"`)
		if !quoted {
			w = os.Expand(w, func(name string) string { return variables[name] })
		}
		list = append(list, w)
	}
	return list
}

// curl makes the request of a command.
func curl(t *testing.T, words []string) *http.Request {
	t.Helper()
	method, target, body, header := "", "", "", http.Header{}
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-X":
			i++
			method = words[i]
		case "-H":
			i++
			name, value, _ := strings.Cut(words[i], ": ")
			header.Set(name, value)
		case "-d":
			i++
			body = words[i]
			if method == "" {
				method = http.MethodPost
			}
			if header.Get("Content-Type") == "" {
				header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
			}
		default:
			target = words[i]
		}
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	return req
}

// Every command of docs/emulator.md works, in the order in which they stand there, and it
// has all of the endpoints and the names of calls.
func TestDocs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "docs", "emulator.md"))
	if err != nil {
		t.Fatal(err)
	}
	docs := string(raw)
	target, _ := receiver(t)
	e := start(t, func(c *Config) {
		c.ClientID, c.APIKey = "client_emulator", "sk_test_emulator"
		c.WebhookURLs, c.WebhookSecret = []string{target}, testSecret
	})
	docs = strings.ReplaceAll(docs, "E=http://localhost:4100\n", "E="+e.url+"\n")
	variables, commands := map[string]string{}, 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(docs, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if name, value, ok := strings.Cut(line, "="); ok && !strings.Contains(name, " ") {
				variables[name] = strings.Trim(value, `"`)
				continue
			}
			w := words(line, variables)
			if w[0] != "curl" {
				t.Fatalf("not a curl command: %s", line)
			}
			if got := e.do(t, curl(t, w)); got.status/100 != 2 {
				t.Errorf("%s: got %d %s, want 2xx", line, got.status, got.body)
			}
			commands++
		}
	}
	if commands < 30 {
		t.Errorf("got %d commands, want those of the file", commands)
	}
	e.wantDocumented(t, docs)
}

func (e *testServer) wantDocumented(t *testing.T, docs string) {
	t.Helper()
	for _, name := range e.endpoints {
		if !strings.Contains(docs, "`"+name+"`") {
			t.Errorf("the docs lack the endpoint %s", name)
		}
	}
	err := chi.Walk(e.handler.(chi.Router), func(_, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		own := strings.HasPrefix(route, "/_emulator/")
		fixed, _, _ := strings.Cut(route, "{")
		if own && !strings.Contains(docs, "$E"+fixed) {
			t.Errorf("the docs lack %s", route)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls := slices.Collect(maps.Keys(e.Calls())); len(calls) < 8 {
		t.Errorf("got calls of %v, want those that the docs make", calls)
	}
}
