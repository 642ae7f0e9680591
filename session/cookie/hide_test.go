package cookie

import (
	"net/http"
	"strings"
	"testing"
)

func TestHide(t *testing.T) {
	t.Parallel()
	c := Config{Name: "wos-session"}
	flow := func(name string) bool { return strings.HasPrefix(name, "authkit-") }
	tests := []struct {
		name  string
		lines []string
		want  string
	}{
		{"no cookie", nil, ""},
		{"the session alone", []string{"wos-session=Fe26.2*x"}, ""},
		{"the session between others", []string{"a=1; wos-session=x; b=2"}, "a=1; b=2"},
		{"the session in front", []string{"wos-session=x; b=2"}, "b=2"},
		{"the session at the end", []string{"a=1; wos-session=x"}, "a=1"},
		{"twice", []string{"wos-session=x; a=1; wos-session=y"}, "a=1"},
		{"chunks", []string{"wos-session=k1.2.x; a=1; wos-session.1=k1.2.y; wos-session.7=z"}, "a=1"},
		{"no chunks of ours", []string{"wos-session.8=x; wos-session.01=y; wos-session2=z; Wos-Session=a; x-wos-session=b"}, "wos-session.8=x; wos-session.01=y; wos-session2=z; Wos-Session=a; x-wos-session=b"},
		{"the flow's", []string{"authkit-state-1=x; a=1"}, "a=1"},
		{"several lines", []string{"a=1; wos-session=x", "wos-session=y", "b=2"}, "a=1; b=2"},
		{"without spaces", []string{"a=1;wos-session=x;b=2"}, "a=1;b=2"},
		{"spaces around the name", []string{"a=1;  wos-session =x; b=2"}, "a=1; b=2"},
		{"without a value", []string{"wos-session; a"}, "a"},
		{"bytes of a neighbour", []string{"a=\xffé\"; wos-session=x; b==%zz=,\\ ; c=\" x \""}, "a=\xffé\"; b==%zz=,\\ ; c=\" x \""},
		{"empty pairs", []string{";; wos-session=x;"}, ";;"},
		{"the name in a value", []string{"a=wos-session=x; b=2"}, "a=wos-session=x; b=2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := c.Hide(http.Header{"Cookie": tt.lines}, flow); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Every cookie that Read would take for a session is hidden, however it is spelt.
func FuzzHide(f *testing.F) {
	f.Add("a=1; wos-session=x", "wos-session.1=y")
	f.Add(" wos-session =x;;=", "\twos-session\t=x")
	f.Fuzz(func(t *testing.T, first, second string) {
		c := Config{Name: "wos-session"}
		hidden := c.Hide(http.Header{"Cookie": {first, second}}, func(string) bool { return false })
		if c.Present(http.Header{"Cookie": {hidden}}) {
			t.Errorf("%q and %q: got %q, want no session cookie in it", first, second, hidden)
		}
	})
}
