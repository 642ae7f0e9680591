package command

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(open.Close)

	stdout, _, err := runs(t, nil, "doctor", open.URL, "-gateway", "caddy")
	if err == nil || !strings.Contains(err.Error(), "something has to be changed") || !strings.Contains(stdout, `Change: caddy: import authkit ""`) {
		t.Errorf("got %v,\n%s", err, stdout)
	}

	stdout, _, err = runs(t, nil, "doctor", open.URL, "-json", "-while-down")
	var f doctor.Finding
	if unread := json.Unmarshal([]byte(stdout), &f); err == nil || unread != nil || f.Check != "down" || f.Result != doctor.Fail {
		t.Errorf("got %v, %v, %s", err, unread, stdout)
	}

	for want, args := range map[string][]string{
		"of which deployment?": {"doctor"},
		"is no page's URL":     {"doctor", "localhost:3000"},
		"is none of traefik":   {"doctor", open.URL, "-gateway", "apache"},
		"unknown argument":     {"doctor", open.URL, "twice"},
	} {
		if _, _, err := runs(t, nil, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}

// The session's cookie need not be on the command line.
func TestDoctorCookieVariable(t *testing.T) {
	t.Parallel()
	if _, _, err := runs(t, map[string]string{"DOCTOR_COOKIE": "nothing"}, "doctor", "http://127.0.0.1:1/"); err == nil || !strings.Contains(err.Error(), "a name and a value") {
		t.Errorf("got %v, want the variable read", err)
	}
}
