package verify

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// story is one golden case: settings, and requests with the answers they get.
type story struct {
	title    string
	settings map[string]string
	steps    []*step
}

type step struct {
	line     int // where it begins, in its file
	later    time.Duration
	session  string // empty: as before
	method   string
	endpoint string
	header   http.Header

	status   int
	kind     string // what the body is: page, framed page, problem or empty
	identity string // whose identity headers a 200 has
	answer   http.Header
	body     []string // fragments
	noBody   []string // fragments that must not be there
	log      []field
}

type field struct{ name, value string }

var (
	requestLine = regexp.MustCompile(`^([A-Z]+) (/verify[^ ]*)$`)
	statusLine  = regexp.MustCompile(`^([1-5][0-9][0-9])(?: (page|framed page|problem))?$`)
)

// parseStories reads a file of testdata, as testdata/README describes it. Its
// errors begin with the line.
func parseStories(text string) ([]*story, error) {
	var p parser
	for i, line := range strings.Split(text, "\n") {
		if err := p.read(i+1, line); err != nil {
			return nil, fmt.Errorf("%d: %q: %w", i+1, line, err)
		}
	}
	return p.stories, nil
}

type parser struct {
	stories []*story
	step    *step
	asked   bool // the request line was read
	status  bool // the status line was read
}

func (p *parser) read(number int, line string) error {
	title, isStory := strings.CutPrefix(line, "=== ")
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case isStory:
		p.stories = append(p.stories, &story{title: title, settings: map[string]string{}})
		p.begin(&step{line: number})
		return nil
	case p.step == nil:
		return fmt.Errorf("before the first title")
	case strings.HasPrefix(line, "--- "):
		again := *p.step
		p.begin(&step{line: number, method: again.method, endpoint: again.endpoint, header: again.header})
		return nil
	case p.status:
		return p.answer(line)
	}
	if m := statusLine.FindStringSubmatch(line); m != nil {
		p.status = true
		p.step.status, _ = strconv.Atoi(m[1])
		p.step.kind, p.step.answer = m[2], http.Header{}
		return nil
	}
	return p.request(line)
}

func (p *parser) begin(s *step) {
	last := p.stories[len(p.stories)-1]
	last.steps = append(last.steps, s)
	p.step, p.asked, p.status = s, false, false
}

func (p *parser) request(line string) error {
	if m := requestLine.FindStringSubmatch(line); m != nil {
		p.step.method, p.step.endpoint, p.step.header = m[1], m[2], http.Header{}
		p.asked = true
		return nil
	}
	f, err := parseField(line)
	switch {
	case err != nil:
		return err
	case p.asked: // as net/http would: canonical where the name is a token
		p.step.header.Add(f.name, f.value)
	case f.name == "session":
		p.step.session = f.value
	case f.name == "later":
		p.step.later, err = time.ParseDuration(f.value)
	default:
		p.stories[len(p.stories)-1].settings[f.name] = f.value
	}
	return err
}

func (p *parser) answer(line string) error {
	f, err := parseField(line)
	name, logged := strings.CutPrefix(f.name, "log ")
	switch {
	case err != nil:
		return err
	case logged:
		p.step.log = append(p.step.log, field{name, f.value})
	case f.name == "identity":
		p.step.identity = f.value
	case f.name == "no body":
		p.step.noBody = append(p.step.noBody, f.value)
	case f.name == "body":
		p.step.body = append(p.step.body, f.value)
	default:
		p.step.answer.Add(f.name, f.value)
	}
	return nil
}

// parseField reads "name: value". A value in quotes is a Go string, for bytes that
// a line can't show.
func parseField(line string) (field, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return field{}, fmt.Errorf("want name: value")
	}
	value = strings.TrimSpace(value)
	if unquoted, err := strconv.Unquote(value); err == nil {
		value = unquoted
	}
	return field{name, value}, nil
}

// match compares with a value in which … stands for any text.
func match(pattern, value string) bool {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(pattern), "…", ".*")
	return regexp.MustCompile("(?s)^" + quoted + "$").MatchString(value)
}
