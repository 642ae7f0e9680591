package policy_test

import (
	. "github.com/authkit-forward-auth/authkit-forward-auth/policy"

	"fmt"
	"strings"
	"testing"
)

// 10,000 rules may cost 1 us more than 10.
func BenchmarkMatch(b *testing.B) {
	for _, shape := range []struct{ name, rule, host, path string }{
		{"hosts", "hosts: [h%d.example.com], paths: [/api/*/items/**]", "h7.example.com", "/api/v1/items/17/pictures"},
		{"paths", "hosts: [app.example.com], paths: [/api/r%d/**], methods: [GET]", "app.example.com", "/api/r7/items/17/pictures"},
		{"wildcards", "hosts: ['*.h%d.example.com'], paths: [/api/**, /static/*]", "a.b.h7.example.com", "/api/v1/items/17/pictures"},
		{"suffixes", "paths: [/api/**/r%d], ignore_case: true", "app.example.com", "/api/v1/items/17/r7"},
		{"methods", "paths: [/api/r%d], methods: [GET], require: {roles: [a]}", "app.example.com", "/api/other"},
	} {
		for _, rules := range []int{10, 10_000} {
			var file strings.Builder
			file.WriteString("default: authenticated\nrules:\n")
			for i := range rules {
				fmt.Fprintf(&file, "- {name: r%d, "+shape.rule+"}\n", i, i)
			}
			p := parsed(b, file.String())
			b.Run(fmt.Sprintf("%s/%d", shape.name, rules), func(b *testing.B) {
				b.ReportAllocs()
				q := Request{Method: "GET", Host: shape.host, Path: shape.path}
				for b.Loop() {
					if m := p.Match(q); m.Rule == nil {
						b.Fatal(m.Err)
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var file strings.Builder
	file.WriteString("rules:\n")
	for i := range 10_000 {
		fmt.Fprintf(&file, "- {name: r%d, hosts: [h%d.example.com], paths: [/api/%d/**, '/v1/*/%d'], require: {roles: [r%d]}}\n", i, i%100, i, i, i)
	}
	for b.Loop() {
		parsed(b, file.String())
	}
}

// A path as long as a header can be, through rules that stay in many places at once.
func BenchmarkMatchLongPath(b *testing.B) {
	p := parsed(b, "rules: [{name: a, paths: [/**/x/**/y/**/end, /**/y/x/**/end]}, {name: b, paths: ['/*/**/b']}]")
	for _, segments := range []int{16, 256} {
		b.Run(fmt.Sprint(segments), func(b *testing.B) {
			q := Request{Method: "GET", Host: "a.com", Path: strings.Repeat("/x/y", segments/2)}
			for b.Loop() {
				p.Match(q)
			}
		})
	}
}
