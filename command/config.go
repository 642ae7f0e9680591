package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// printConfig prints every variable with its value, and as comments the effect they have together.
func printConfig(_ context.Context, p process, args []string) error {
	c, err := p.config("config", args)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s\n", c)
	protected, rules, err := c.Protection()
	if err != nil {
		return err
	}
	for _, note := range c.Summary(protected, rules) {
		fmt.Fprintf(p.stdout, "# %s\n", note.Text)
	}
	for _, line := range ruleLines(rules) {
		fmt.Fprintf(p.stdout, "#   %s\n", line)
	}
	for _, line := range config.Misspelt(p.environ) {
		fmt.Fprintln(p.stderr, line)
	}
	return nil
}

// ruleLines has a line for each rule of a policy, in their order.
func ruleLines(p *policy.Policy) []string {
	if p == nil {
		return nil
	}
	var lines []string
	for _, r := range slices.Concat(p.Rules(), []*policy.Rule{p.Default()}) {
		lines = append(lines, fmt.Sprintf("line %d, %q: %s: %s", r.Line, r.Name, requests(r), who(r)))
	}
	return lines
}

// requests are those that a rule is about.
func requests(r *policy.Rule) string {
	parts := []string{cmp.Or(strings.Join(r.Hosts, " "), "every host"), cmp.Or(strings.Join(r.Paths, " "), "every path")}
	if len(r.Methods) > 0 {
		parts = append(parts, strings.Join(r.Methods, " "))
	}
	if r.Name == policy.DefaultName {
		return "all else"
	}
	return strings.Join(parts, ", ")
}

// who may make them.
func who(r *policy.Rule) string {
	switch r.Access {
	case policy.Public:
		return "everybody"
	case policy.Nobody:
		return "nobody"
	}
	text := "by " + strings.ReplaceAll(fmt.Sprint(r.Credentials), " ", " or ")
	text = strings.NewReplacer("[", "", "]", "").Replace(text)
	if i := r.Require.Issuer; i != nil {
		text += "; tokens of " + i.Name + " (" + i.URL + ") for " + i.Audience
	}
	for _, l := range r.Require.Lists {
		if len(l.Any) > 0 {
			text += "; " + l.Name + ": " + strings.Join(l.Any, " or ")
		}
		if len(l.All) > 0 {
			text += "; " + l.Name + ": all of " + strings.Join(l.All, " ")
		}
	}
	if r.Require.MaxAuthAge > 0 {
		text += "; signed in within " + r.Require.MaxAuthAge.String()
	}
	if r.Require.Impersonation == "deny" {
		text += "; no impersonation"
	}
	if r.Resource != nil {
		text += "; tokens for " + r.Resource.URL
	}
	return text
}
