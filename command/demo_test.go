package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// stopAfter ends a context with the first write, so that a demo stops once it has said where it is.
type stopAfter struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopAfter) Write(p []byte) (int, error) {
	defer s.stop()
	return s.Buffer.Write(p)
}

// runOnce runs the demo on free ports until it has printed where it is.
func runOnce(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &stopAfter{stop: cancel}
	ports := []string{"-gateway-port=0", "-service-port=0", "-emulator-port=0"}
	if err := runDemo(ctx, process{stdout: out, stderr: io.Discard}, append(ports, args...)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestDemoJSON(t *testing.T) {
	t.Parallel()
	var got struct {
		Gateway, Service, Emulator, URL, Policy string
		Users                                   []struct{ Email, Name string }
		Pages                                   []struct{ Path, URL, Needs string }
		Commands                                []struct{ Line, Answer string }
	}
	out := runOnce(t, "--json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("stdout is not one JSON object: %v: %s", err, out)
	}
	local := regexp.MustCompile(`^http://localhost:[0-9]+$`)
	for _, address := range []string{got.Gateway, got.Service, got.Emulator} {
		if !local.MatchString(address) {
			t.Errorf("got address %q, want http://localhost:PORT", address)
		}
	}
	if got.URL != got.Gateway+"/" {
		t.Errorf("got url %q, want the gateway's root", got.URL)
	}
	if len(got.Users) != 4 || got.Users[0].Email != "paula@example.com" || got.Users[0].Name != "Paula Winter" {
		t.Errorf("got users %v, want four, Paula Winter first", got.Users)
	}
	if len(got.Pages) != 6 || got.Pages[2].URL != got.Gateway+"/admin" || got.Pages[2].Needs != "the role admin" {
		t.Errorf("got pages %v, want six, the third for the role admin", got.Pages)
	}
	curl := "curl -H 'X-API-Key: sk_emulator_acme_reports_T4Q9ZX7M2KWB' " + got.Gateway + "/api/reports"
	if len(got.Commands) != 3 || got.Commands[1].Line != curl {
		t.Errorf("got commands %v, want three, the second %s", got.Commands, curl)
	}
	if !strings.HasSuffix(got.Policy, "policy.yaml") {
		t.Errorf("got policy %q, want a file policy.yaml", got.Policy)
	}
}

func TestDemoSaysWhereAndWho(t *testing.T) {
	t.Parallel()
	out := runOnce(t)
	for _, want := range []string{
		"Open http://localhost:", "zoe@acme.example", "Zoë Ångström, at Acme, Inc.", "/globex", "needs the organization Globex",
		"  curl -H 'X-API-Key: sk_emulator_acme_reports_T4Q9ZX7M2KWB' http://localhost:", "edit it while the demo runs", "/policy.yaml\n",
		"Stop with Ctrl+C.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q: %s", want, out)
		}
	}
}

func TestDemoAppOnly(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stdout, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := runDemo(ctx, process{stdout: in, stderr: io.Discard}, []string{"-app-only", "127.0.0.1:0", "-flow-url", "https://auth.example.com"})
		_ = in.CloseWithError(err)
		ended <- err
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	rest, _ := strings.CutPrefix(line, "protected page on ")
	address, _, _ := strings.Cut(rest, ": ")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/reports", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Request-Name", "Paula Winter")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(page), "<h1>Hello, Paula Winter</h1>") {
		t.Errorf("got %s, %v, want a page that greets Paula Winter", page, err)
	}
	if !strings.Contains(string(page), `href="https://auth.example.com/logout"`) {
		t.Errorf("got %s, want a way to sign out where the flow is", page)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stop: got %v, want nil", err)
	}
}

func TestDemoRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		args       []string
	}{
		{"an argument", `unknown argument "now"`, []string{"now"}},
		{"an unknown flag", "not defined: -colour", []string{"-colour"}},
		{"an address that is none", "-app-only", []string{"-app-only=8080"}},
		{"a policy that is none", "POLICY_FILE: ", []string{"-gateway-port=0", "-service-port=0", "-emulator-port=0", "-policy=no-policy.yaml"}},
		{"a policy for the app alone", "-policy is for the service", []string{"-app-only=127.0.0.1:0", "-policy=policy.yaml"}},
		{"a flow of the demo's own", "-flow-url", []string{"-flow-url=https://auth.example.com"}},
		{"a flow that is none", "-flow-url", []string{"-app-only=127.0.0.1:0", "-flow-url=auth.example.com"}},
		{"a port that is none", "-emulator-port", []string{"-emulator-port=99999"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := runDemo(t.Context(), process{stdout: &out, stderr: io.Discard}, tt.args)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
			if out.Len() > 0 {
				t.Errorf("got output %q, want none", out.String())
			}
		})
	}
}

func TestDemoHelp(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if err := runDemo(t.Context(), process{stdout: &help, stderr: io.Discard}, []string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v, want flag.ErrHelp", err)
	}
	for _, want := range []string{"-gateway-port", "-service-port", "-emulator-port", "-access-token-lifetime", "-app-only", "-json", "-policy"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("the help lacks %s", want)
		}
	}
}
