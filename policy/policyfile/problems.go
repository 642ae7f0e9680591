package policyfile

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is what is wrong at a line of a policy, and what to write instead.
type Problem struct {
	Line int
	Text string
}

// Problems are all that is wrong with a policy, in the order of their lines.
type Problems []Problem

// maxProblems is how many problems are kept, and shownProblems how many are shown.
const (
	maxProblems   = 1000
	shownProblems = 50
)

// Error has one line a problem: "line 7: …".
func (p Problems) Error() string {
	var b strings.Builder
	for i, problem := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == shownProblems {
			b.WriteString("and more")
			break
		}
		fmt.Fprintf(&b, "line %d: %s", problem.Line, problem.Text)
	}
	return b.String()
}

func (d *decoder) report(line int, format string, args ...any) {
	if len(d.problems) == maxProblems {
		return
	}
	d.problems = append(d.problems, Problem{Line: line, Text: fmt.Sprintf(format, args...)})
}

// err returns the problems as an error, nil where there are none.
func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return d.problems.inOrder()
}

// inOrder sorts the problems by their lines.
func (p Problems) inOrder() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	return p
}
