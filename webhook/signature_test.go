package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestHeaderForms(t *testing.T) {
	t.Parallel()
	body := vectors(t)[1].Body
	const (
		at    = "t=1795431781550"
		v1    = "v1=" + revokedMAC
		other = "v1=4d057e0223c431d19ff9d85f39901f4572d9facb071e599f6faa8ef9e90aeab6"
	)
	for _, test := range []struct {
		name, header string
		status       int
	}{
		{"as WorkOS sends it", at + ", " + v1, 200},
		{"no space", at + "," + v1, 200},
		{"reversed", v1 + "," + at, 200},
		{"spaces everywhere", "  t = 1795431781550 ,\t v1 = " + revokedMAC + "  ", 200},
		{"upper-case hex", at + ", v1=" + strings.ToUpper(revokedMAC), 200},
		{"unknown parts", "v0=x, " + at + ", , x, =, v2=" + revokedMAC + ", " + v1, 200},
		{"several v1, the last fits", at + ", " + other + ", " + v1, 200},
		{"several v1, the first fits", at + ", " + v1 + ", " + other, 200},
		{"a v1 that isn't hex", at + ", v1=zz, " + v1, 200},
		{"several v1, none fits", at + ", " + other + ", " + other, 401},
		{"a v1 cut short", at + ", v1=" + revokedMAC[:62], 401},
		{"a v1 with more", at + ", " + v1 + "00", 401},
		{"an empty v1", at + ", v1=", 401},
		{"another t", "t=1795431781551, " + v1, 401},
		{"t with a zero in front", "t=01795431781550, " + v1, 401},
		{"only in v2", at + ", v2=" + revokedMAC, 400},
		{"empty", "", 400},
		{"comma", ",", 400},
		{"words", "a, b", 400},
		{"no v1", at, 400},
		{"no t", v1, 400},
		{"an odd number of digits", at + ", v1=" + revokedMAC[1:], 400},
		{"two t", at + ", " + at + ", " + v1, 400},
		{"negative", "t=-1795431781550, " + v1, 400},
		{"plus", "t=+1795431781550, " + v1, 400},
		{"fraction", "t=1795431781550.0, " + v1, 400},
		{"the largest t", "t=9223372036854775807, " + v1, 401},
		{"larger", "t=9223372036854775808, " + v1, 400},
		{"1,024 bytes", at + ", " + v1 + strings.Repeat(",", 1024-len(at+", "+v1)), 200},
		{"1,025 bytes", at + ", " + v1 + strings.Repeat(",", 1025-len(at+", "+v1)), 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(time.UnixMilli(1795431781550))
			if got := w.post(t, test.header, strings.NewReader(body)).Code; got != test.status {
				t.Errorf("got %d, want %d", got, test.status)
			}
		})
	}
}

// A proxy may split a header at its comma.
func TestHeaderSplit(t *testing.T) {
	t.Parallel()
	w, answer := newWorld(time.UnixMilli(1795431781550)), httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(vectors(t)[1].Body))
	r.Header["Workos-Signature"] = []string{"t=1795431781550", "v1=" + revokedMAC}
	if w.ServeHTTP(answer, r); answer.Code != 200 {
		t.Errorf("got %d, want 200", answer.Code)
	}
}

// F16: a proxy repeats the header, or adds one of another secret's; each line is
// whole, and one that fits is enough.
func TestHeaderLines(t *testing.T) {
	t.Parallel()
	const (
		good  = "t=1795431781550, v1=" + revokedMAC
		other = "t=1795431781551, v1=4d057e0223c431d19ff9d85f39901f4572d9facb071e599f6faa8ef9e90aeab6"
		old   = "t=1795431000000, v1=" + revokedMAC
	)
	for _, test := range []struct {
		name   string
		lines  []string
		status int
	}{
		{"twice the same", []string{good, good}, 200},
		{"another secret's first", []string{other, good}, 200},
		{"another secret's last", []string{good, other}, 200},
		{"an old one first", []string{old, good}, 200},
		{"one that is none", []string{"x", good}, 200},
		{"neither fits", []string{other, other}, 401},
		{"one's time with the other's signature", []string{"t=1795431781550, v1=00", "t=1795431781551, v1=" + revokedMAC}, 401},
		{"both old", []string{old, old}, 401},
		{"four", []string{other, other, other, good}, 200},
		{"five", []string{good, good, good, good, good}, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, answer := newWorld(time.UnixMilli(1795431781550)), httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(vectors(t)[1].Body))
			r.Header["Workos-Signature"] = test.lines
			if w.ServeHTTP(answer, r); answer.Code != test.status || (answer.Code == 200) != (len(w.revoked) == 1) {
				t.Errorf("got %d, revoked %v, want %d", answer.Code, w.revoked, test.status)
			}
		})
	}
}

// Well signed with the farthest times that the header can hold.
func TestFarTimes(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"0", "9223372036854775807", "9223372036854"} {
		w := newWorld(noon)
		if got := w.post(t, "t="+at+", v1="+sign(secret, at, "{}"), strings.NewReader("{}")).Code; got != 401 {
			t.Errorf("%s: got %d, want 401", at, got)
		}
	}
}

// FuzzSignature: a header in which the HMAC isn't is refused, and nothing panics.
func FuzzSignature(f *testing.F) {
	body := vectors(f)[1].Body
	for _, seed := range []string{
		"t=1795431781550, v1=" + revokedMAC, "v1=" + revokedMAC + ",t=1795431781550", ",", "a, b", "", "t=", "v1=", "t=1,t=2,v1=00", "t=-1, v1=" + revokedMAC,
		"t=1795431812,v1=ac539afae5c87e8160f64c555478a6d1ef3c9ef7471d85d6e7aa93e4610333e0", "t=1795431781550, v1=" + revokedMAC[:63], "\x00=\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		w := newWorld(time.UnixMilli(1795431781550))
		status := w.post(t, header, strings.NewReader(body)).Code
		genuine := strings.Contains(strings.ToLower(header), revokedMAC) && strings.Contains(header, "1795431781550")
		if (status == 200) != (len(w.revoked) == 1) || status == 200 && !genuine || status != 200 && status != 400 && status != 401 {
			t.Errorf("%q: got %d, revoked %v", header, status, w.revoked)
		}
	})
}
