package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const docsIntro = `<!-- Generated from config/config.go: go test ./config -run TestConfigurationDocs -update -->

# Configuration

` + "`serve`" + ` is configured by environment variables alone and reads no ` + "`.env`" + ` file. The first table has the names
that the WorkOS SDKs use, so the ` + "`.env`" + ` of a Next.js app works unchanged. An empty variable counts as not set.

At start everything is checked, and all problems are listed together. ` + "`config`" + ` prints the effective configuration
without its secrets and exits 1 on a problem.

Every secret can come from a file instead: the variable ending in ` + "`_FILE`" + ` holds its path, and a line break at the file's
end is dropped. Both set is an error. One with a space or an invisible character at its beginning or end is refused.
`

// TestConfigurationDocs fails when docs/configuration.md is stale.
func TestConfigurationDocs(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "configuration.md")
	want := configurationDocs(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale: go test ./config -run TestConfigurationDocs -update", path)
	}
}

func configurationDocs(t *testing.T) string {
	t.Helper()
	comments := fieldComments(t)
	var workos, own strings.Builder
	for _, v := range variables() {
		if comments[v.field] == "" {
			t.Errorf("%s has no comment", v.field)
		}
		table := &own
		if strings.HasPrefix(v.name, "WORKOS_") {
			table = &workos
		}
		fmt.Fprintf(table, "| %s | %s | %s |\n", nameCell(v), defaultCell(v), strings.ReplaceAll(textCell(v, comments), "|", `\|`))
	}
	const head = "\n| variable | default | what it does |\n|---|---|---|\n"
	return docsIntro + "\n## WorkOS\n" + head + workos.String() + "\n## This service\n" + head + own.String()
}

func nameCell(v variable) string {
	cell := "`" + v.name + "`"
	if v.secret {
		cell += ", or a file: `" + v.name + "_FILE`"
	}
	if v.other != "" {
		cell += ", else `" + v.other + "`"
	}
	return cell
}

func defaultCell(v variable) string {
	switch {
	case v.required:
		return "**required**"
	case v.fallback == "":
		return ""
	default:
		return "`" + v.fallback + "`"
	}
}

func textCell(v variable, comments map[string]string) string {
	if v.choices == "" {
		return comments[v.field]
	}
	return comments[v.field] + " One of `" + strings.ReplaceAll(v.choices, ",", "`, `") + "`."
}

// fieldComments returns the comments of Config's fields, each as one line.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Config" {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			for _, name := range field.Names {
				comments[name.Name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
			}
		}
		return false
	})
	return comments
}
