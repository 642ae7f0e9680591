package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/spelling"
)

// Misspelt lists the variables of the environment that nothing reads and that are near one
// that is read, a line each. It never has a value. Others are another program's.
func Misspelt(environ map[string]string) []string {
	known := names()
	var lines []string
	for name := range environ {
		if slices.Contains(known, name) {
			continue
		}
		if meant := meant(name, known); meant != "" {
			lines = append(lines, fmt.Sprintf("%s is not read: did you mean %s?", name, meant))
		}
	}
	slices.Sort(lines)
	return lines
}

// names are all variables that are read, under every name.
func names() []string {
	var all []string
	for _, v := range variables() {
		all = append(all, v.name)
		if v.other != "" {
			all = append(all, v.other)
		}
		if v.secret {
			all = append(all, v.name+"_FILE")
		}
	}
	return all
}

// meant is the variable that a name is a slip of, or empty. A name that begins as one of ours
// may be further off than another, such as TRUSTED_PROXY.
func meant(name string, known []string) string {
	upper := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if long := "WORKOS_" + upper; strings.HasPrefix(upper, "COOKIE_") && slices.Contains(known, long) {
		return long
	}
	return spelling.Nearest(upper, known, func(k string) int {
		first, _, compound := strings.Cut(k, "_")
		if compound && strings.HasPrefix(upper, first+"_") {
			return min(len(k)/4, 4)
		}
		return len(k) / 7
	})
}
