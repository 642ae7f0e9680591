package policy

import "testing"

func TestCanonicalEmail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ address, email, domain string }{
		{"Ann.O'x+y@Company.com", "ann.o'x+y@company.com", "company.com"},
		{"\u00c4nn@company.com", "\u00c4nn@company.com", "company.com"},
		{"a@B\u00dccher.example", "a@xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"\u212a@company.com", "\u212a@company.com", "company.com"}, // the Kelvin sign is no k

		{"", "", ""},
		{"company.com", "", ""},
		{"@company.com", "", ""},
		{"a@", "", ""},
		{"attacker@evil.com@company.com", "", ""}, // A7
		{"a@company.com\n@x", "", ""},
		{"a@company.com\n", "", ""},
		{"a\x00@company.com", "", ""},
		{"a b@company.com", "", ""},
		{"a\u00a0b@company.com", "", ""},
		{"a@company.com ", "", ""},
		{" a@company.com", "", ""},
		{"a@ company.com", "", ""},
		{"a@company.com.", "", ""},
		{"a@.company.com", "", ""},
		{"a@company..com", "", ""},
		{"a@company.com:25", "", ""},
		{"a@[::1]", "", ""},
		{"a@company.com,b", "", ""},
		{`"a@evil.com"@company.com`, "", ""},
		{`"a"@company.com`, "", ""},
		{"<a@company.com>", "", ""},
		{"x,a@company.com", "", ""},
		{"a(comment)@company.com", "", ""},
		{"a\xff@company.com", "", ""},
		{"a\uff20evil.com@company.com", "a\uff20evil.com@company.com", "company.com"}, // a full-width @ is none
	} {
		email, domain := canonicalEmail(tt.address)
		if email != tt.email || domain != tt.domain {
			t.Errorf("%q: got %q, %q, want %q, %q", tt.address, email, domain, tt.email, tt.domain)
		}
	}
}
