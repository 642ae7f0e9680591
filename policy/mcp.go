package policy

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// MCP tells requests to one MCP server apart by what they call. It is safe only in front of a server that compares the headers with
// the body, as the protocol asks for from 2026-07-28 on.
type MCP struct {
	// Tools are names of tools (and of resources and prompts, with Methods), in which a * stands for anything; none: every one.
	Tools []string
	// Methods are JSON-RPC's, in which a * stands for anything. None: tools/call where there are Tools, else every one.
	Methods []string
	// Origins that a request may have in its Origin header; none: every one. They don't choose the rule.
	Origins []string
	// AllowsLegacy: the rule is passed over for requests of older protocol versions, which nothing is known of. Else they are denied.
	AllowsLegacy bool
}

// The MCP methods whose subject is named in a header, too.
const (
	callTool     = "tools/call"
	readResource = "resources/read"
	promptsGet   = "prompts/get"
)

const (
	maxToolRules  = 1000 // of a policy; they are looked at one by one
	maxMCPPattern = 200  // bytes
)

// selects reports whether the rule is for some calls only.
func (m *MCP) selects() bool { return m != nil && len(m.Tools)+len(m.Methods) > 0 }

// matches reports whether the rule is for a call.
func (m *MCP) matches(q *call) bool {
	return m.matchesName(q) && m.matchesMethod(func(pattern string) bool { return wild(pattern, q.method) })
}

// matchesInAnyCase reports whether the rule would be for a call whose method were spelt in another case.
func (m *MCP) matchesInAnyCase(q *call) bool {
	return m.matchesName(q) && m.matchesMethod(func(pattern string) bool { return wild(strings.ToLower(pattern), strings.ToLower(q.method)) })
}

func (m *MCP) matchesMethod(is func(pattern string) bool) bool {
	if len(m.Methods) == 0 {
		return is(callTool)
	}
	return slices.ContainsFunc(m.Methods, is)
}

func (m *MCP) matchesName(q *call) bool {
	return len(m.Tools) == 0 || q.name != "" && slices.ContainsFunc(m.Tools, func(pattern string) bool { return wild(pattern, q.name) })
}

// AllowsOrigins reports whether a request with these Origin headers may pass. Without any it comes from no browser.
func (m *MCP) AllowsOrigins(origins []string) bool {
	if m == nil || len(m.Origins) == 0 {
		return true
	}
	return !slices.ContainsFunc(origins, func(origin string) bool { return !slices.Contains(m.Origins, origin) })
}

// wild reports whether a text is a pattern's, in which each * stands for any bytes, or none.
func wild(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}

// mcp checks a rule's mcp.
func (c *checker) mcp(r *Rule) {
	m := r.MCP
	if m == nil {
		return
	}
	c.mcpPatterns("mcp: tools", m.Tools)
	c.mcpPatterns("mcp: methods", m.Methods)
	for i, text := range m.Origins {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != text || strings.ToLower(text) != text {
			c.report("mcp: origins", i, "%s: mcp: origins: %s is no origin: write one such as https://inspector.example.com", c.where, Quote(text))
		}
	}
	switch {
	case !m.selects() && len(m.Origins) == 0:
		c.report("mcp", -1, "%s: mcp: write tools, methods or origins", c.where)
	case m.AllowsLegacy && !m.selects():
		c.report("mcp", -1, "%s: mcp: legacy is about tools and methods, and there are none: leave it out", c.where)
	}
	if m.selects() {
		c.toolRules++
	}
	if c.toolRules == maxToolRules+1 {
		c.report("mcp", -1, "%s: mcp: the policy has more than %d rules with tools or methods: write fewer, with *", c.where, maxToolRules)
	}
}

func (c *checker) mcpPatterns(field string, patterns []string) {
	for i, text := range patterns {
		switch {
		case text == "" || len(text) > maxMCPPattern || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			c.report(field, i, "%s: %s: %s is no name: write one such as write_file, or write_*", c.where, field, Quote(text))
		case slices.Contains(patterns[:i], text):
			c.report(field, i, "%s: %s has %s twice: keep one", c.where, field, Quote(text))
		}
	}
}
