package policy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is what is wrong with a rule, and what to write instead.
type Problem struct {
	Rule  int    // its place, from 0
	Field string // as the policy file spells it, such as "require: roles: all"; empty: the whole rule
	Item  int    // of the field's list, from 0; -1: the whole field
	Text  string // names the rule and the field
}

// Problems are all that is wrong with the rules.
type Problems []Problem

// maxProblems is how many problems are kept.
const maxProblems = 1000

// Error has one line a problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Text
	}
	return "policy: " + strings.Join(lines, "\n")
}

// checker collects the problems of one rule after the other.
type checker struct {
	problems Problems
	number   int
	where    string // names the rule in the text of its problems

	resources map[string]*Resource // of the rules so far, by their URL
	toolRules int                  // so far, with tools or methods of an MCP server
}

// begin says which rule the problems to come are about.
func (c *checker) begin(number int, r *Rule) {
	c.number, c.where = number, RuleTitle(number, r.Name)
}

// RuleTitle names a rule in the text of its problems: by its name or its place.
func RuleTitle(number int, name string) string {
	if name == "" {
		return "rule " + strconv.Itoa(number+1)
	}
	return "rule " + Quote(name)
}

func (c *checker) report(field string, item int, format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, Problem{Rule: c.number, Field: field, Item: item, Text: fmt.Sprintf(format, args...)})
	}
}

// canonical brings a field's values into canonical form, each but once.
func (c *checker) canonical(field string, values []string, form func(text string) (canonical, problem string)) []string {
	var list []string
	seen := make(map[string]bool, len(values))
	for i, text := range values {
		value, problem := form(text)
		switch {
		case problem != "":
			c.report(field, i, "%s: %s: %s", c.where, field, problem)
		case seen[value]:
			c.report(field, i, "%s: %s has %s twice: keep one", c.where, field, Quote(value))
		default:
			seen[value] = true
			list = append(list, value)
		}
	}
	return list
}

// Quote shows a piece of a policy in a problem's text, on one line.
func Quote(s string) string { return strconv.Quote(Shorten(s)) }

// Shorten cuts a long piece of a policy for a problem's text.
func Shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
