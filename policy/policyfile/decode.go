package policyfile

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/spelling"
)

// maxValues bounds the strings that a policy holds once its aliases are followed.
const maxValues = 250_000

// decoder reads YAML nodes strictly. It goes on after a problem, so that all of them
// come out at once. "where" names the position for people, such as `rule "admin": hosts`.
type decoder struct {
	problems Problems
	warnings Problems
	values   int // strings read so far
	issuers  []*declared
}

// text is a string of the file and its line.
type text struct {
	value string
	line  int
}

// follow returns the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// mapping returns the values of a mapping that has no other keys than these.
func (d *decoder) mapping(n *yaml.Node, where string, keys ...string) map[string]*yaml.Node {
	n = follow(n)
	if n.Kind != yaml.MappingNode {
		d.report(n.Line, "%s must be a mapping with the keys %s", where, strings.Join(keys, ", "))
		return nil
	}
	values := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := follow(n.Content[i]), follow(n.Content[i+1])
		switch {
		case !slices.Contains(keys, key.Value) || key.Kind != yaml.ScalarNode:
			d.unknownKey(n.Content[i].Line, key.Value, where, keys)
		case values[key.Value] != nil:
			d.report(n.Content[i].Line, "%s has the key %s twice: keep one", where, key.Value)
		case value.Kind == yaml.ScalarNode && value.Tag == "!!null":
			d.report(n.Content[i].Line, "%s: %s has no value: write one, or leave the key out", where, key.Value)
			values[key.Value] = value
		default:
			values[key.Value] = value
		}
	}
	for key, value := range values {
		if value.Tag == "!!null" {
			delete(values, key)
		}
	}
	return values
}

func (d *decoder) unknownKey(line int, key, where string, keys []string) {
	if near := nearest(key, keys); near != "" {
		d.report(line, "%s has the unknown key %s: write %s", where, policy.Quote(key), near)
		return
	}
	d.report(line, "%s has the unknown key %s: the keys are %s", where, policy.Quote(key), strings.Join(keys, ", "))
}

// string returns a string that isn't empty, "" after a problem.
func (d *decoder) string(n *yaml.Node, where string) string {
	n = follow(n)
	d.values++
	switch {
	case n.Kind != yaml.ScalarNode:
		d.report(n.Line, "%s must be a string, not a list or a mapping", where)
	case n.Tag != "!!str" && strings.HasPrefix(n.Tag, "!!"):
		d.report(n.Line, "%s must be a string: write it in quotes: %q", where, policy.Shorten(n.Value))
	case n.Tag != "!!str":
		d.report(n.Line, "%s must be a string: leave out its tag %s", where, policy.Quote(n.Tag))
	case n.Value == "":
		d.report(n.Line, "%s must not be an empty string: leave it out", where)
	case d.values > maxValues:
		d.report(n.Line, "the policy has more than %d values, those of aliases counted: make it smaller", maxValues)
	default:
		return n.Value
	}
	return ""
}

// strings returns a list of different strings that isn't empty.
func (d *decoder) strings(n *yaml.Node, where string) []text {
	n = follow(n)
	switch {
	case n.Kind == yaml.ScalarNode:
		d.report(n.Line, "%s must be a list: write [%s]", where, policy.Shorten(n.Value))
		return nil
	case n.Kind != yaml.SequenceNode:
		d.report(n.Line, "%s must be a list of strings", where)
		return nil
	case len(n.Content) == 0:
		d.report(n.Line, "%s must not be an empty list: leave it out", where)
		return nil
	}
	var list []text
	for _, item := range n.Content {
		if d.values > maxValues {
			break // said already
		}
		if value := d.string(item, where); value != "" {
			list = append(list, text{value, item.Line})
		}
	}
	return d.distinct(list, where)
}

// distinct reports the values that a list has twice, and leaves them out.
func (d *decoder) distinct(list []text, where string) []text {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(t text) bool {
		if seen[t.value] {
			d.report(t.line, "%s has %s twice: keep one", where, policy.Quote(t.value))
			return true
		}
		seen[t.value] = true
		return false
	})
}

// word returns one of the words, "" after a problem.
func (d *decoder) word(n *yaml.Node, where string, words ...string) string {
	n = follow(n)
	if n.Kind == yaml.ScalarNode && slices.Contains(words, n.Value) {
		return n.Value
	}
	d.report(n.Line, "%s must be %s", where, strings.Join(words, " or "))
	return ""
}

// boolean returns false after a problem.
func (d *decoder) boolean(n *yaml.Node, where string) bool {
	n = follow(n)
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		d.report(n.Line, "%s must be true or false, without quotes", where)
		return false
	}
	return strings.EqualFold(n.Value, "true")
}

// duration returns 0 after a problem.
func (d *decoder) duration(n *yaml.Node, where string, least time.Duration) time.Duration {
	n = follow(n)
	duration, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || err != nil:
		d.report(n.Line, "%s must be a duration such as 90s, 15m or 12h", where)
		return 0
	case duration < least:
		d.report(n.Line, "%s must be at least %s", where, least)
		return 0
	}
	return duration
}

// nearest returns the key that differs from a mistyped one by a letter or two, or in
// dashes for underscores. Empty where none does.
func nearest(mistyped string, keys []string) string {
	mistyped = strings.ReplaceAll(strings.ToLower(mistyped), "-", "_")
	if len(mistyped) < 3 || len(mistyped) > 30 {
		return ""
	}
	return spelling.Nearest(mistyped, keys, func(key string) int { return 1 + len(key)/8 })
}
