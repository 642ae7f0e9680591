package cookie

import (
	"net/http"
	"strings"
)

// Hide returns the value of a Cookie header with the request's cookies but for the
// session's, and those whose name also is to be hidden. The others stay byte for byte, in
// their order; several lines are joined. Empty where none is left.
func (c Config) Hide(request http.Header, also func(name string) bool) string {
	var kept []string
	for _, line := range request["Cookie"] {
		if others := c.hideIn(line, also); others != "" {
			kept = append(kept, others)
		}
	}
	return strings.Join(kept, "; ")
}

// hideIn hides cookies of one line.
func (c Config) hideIn(line string, also func(name string) bool) string {
	var kept []string
	for pair := range strings.SplitSeq(line, ";") {
		name, _, _ := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if _, own := c.index(name); !own && !also(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Trim(strings.Join(kept, ";"), " \t")
}
