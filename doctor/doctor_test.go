package doctor_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/demo"
	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
)

// examine runs doctor, and returns its findings by their check.
func examine(t *testing.T, o doctor.Options) map[string][]doctor.Finding {
	t.Helper()
	found := map[string][]doctor.Finding{}
	failed := false
	got, err := doctor.Run(t.Context(), o, func(f doctor.Finding) {
		found[f.Check] = append(found[f.Check], f)
		failed = failed || f.Result == doctor.Fail
	})
	if err != nil || got != failed {
		t.Errorf("got %t, %v, want %t", got, err, failed)
	}
	return found
}

func TestOnDemo(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	started, ended := make(chan demo.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, demo.Options{Log: zerolog.Nop()}, func(a demo.Addresses) error { started <- a; return nil })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var a demo.Addresses
	select {
	case a = <-started:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}

	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; !answersOK(t, a.Service+"/readyz"); tries++ { // it has AuthKit's key set soon
		if tries == 3000 {
			t.Fatal("the service isn't ready")
		}
		<-tick.C
	}

	found := examine(t, doctor.Options{URL: a.URL, Service: a.Service})
	for _, check := range []string{"service", "trusted", "page", "return", "long", "sign-in", "cookies", "authkit", "callback", "flow", "script", "form", "websocket", "host", "forged", "query", "methods", "paths", "large", "endpoints"} {
		if fs := found[check]; len(fs) != 1 || fs[0].Result != doctor.OK {
			t.Errorf("%s: got %v, want ok", check, fs)
		}
	}

	// A session that isn't one.
	found = examine(t, doctor.Options{URL: a.URL, Cookie: "wos-session=nothing"})
	if fs := found["signed-in"]; len(fs) != 1 || fs[0].Result != doctor.Fail || !strings.Contains(fs[0].Change, "sign in anew") {
		t.Errorf("no session: got %v, want FAIL", fs)
	}

	// The emulator in place of the service.
	found = examine(t, doctor.Options{URL: a.URL, Service: a.Emulator})
	if fs := found["service"]; len(fs) != 1 || fs[0].Result != doctor.Fail || !strings.Contains(fs[0].Change, "LISTEN_ADDR") {
		t.Errorf("another service: got %v, want FAIL", fs)
	}
}

func answersOK(t *testing.T, url string) bool {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Answers of deployments that aren't protected, or not by this service.
func TestPage(t *testing.T) {
	t.Parallel()
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		change  string
	}{
		"open":                     {answer(200), "nginx: include authkit/protect.conf;"},
		"the app's own sign-in":    {answer(302, "Location", "/session/new"), "traefik: the middleware authkit"},
		"no such page":             {answer(404), "nginx: include authkit/protect.conf;"},
		"no redirect":              {answer(401), "error_page 401 = @authkit_sign_in;"},
		"the service is away":      {answer(502), "whether the service runs"},
		"nginx, service away":      {answer(500, "Server", "nginx/1.27"), "nginx: server auth:9000; in upstream authkit"},
		"untrusted":                {answer(403, "X-Auth-Reason", "untrusted_proxy"), "TRUSTED_PROXIES"},
		"another gateway's header": {answer(400, "X-Auth-Reason", "bad_request", "Server", "Caddy"), "caddy: GATEWAY=caddy"},
		"another host":             {answer(403, "X-Auth-Reason", "wrong_host"), "WORKOS_COOKIE_DOMAIN"},
		"a rule for nobody":        {answer(403, "X-Auth-Reason", "forbidden"), "under the request id"},
		"AuthKit at once":          {answer(302, "Location", "https://api.workos.com/user_management/authorize?client_id=x&redirect_uri=y"), "reach the browser whole"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.handler)
			t.Cleanup(server.Close)
			fs := examine(t, doctor.Options{URL: server.URL})["page"]
			if len(fs) != 1 || fs[0].Result != doctor.Fail || !strings.Contains(fs[0].Change, test.change) {
				t.Errorf("got %v, want FAIL with %q", fs, test.change)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		t.Parallel()
		fs := examine(t, doctor.Options{URL: "http://127.0.0.1:1/"})["page"]
		if len(fs) != 1 || fs[0].Result != doctor.Fail || !strings.Contains(fs[0].About, "nothing answers") {
			t.Errorf("got %v, want FAIL", fs)
		}
	})
}

// The clock that judges sessions is the service's; the gateway may be another machine.
func TestClocks(t *testing.T) {
	t.Parallel()
	telling := func(skew time.Duration) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
			if r.URL.Path == "/readyz" {
				io.WriteString(w, "ready")
				return
			}
			http.Redirect(w, r, "/_auth/login?rd=x", http.StatusSeeOther)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	for name, test := range map[string]struct {
		page, service time.Duration
		want          []doctor.Result
	}{
		"right":            {0, 0, []doctor.Result{doctor.OK}},
		"the gateway's":    {-time.Hour, 0, []doctor.Result{doctor.Warn}},
		"the service's":    {0, time.Hour, []doctor.Result{doctor.OK, doctor.Warn}},
		"both, by an hour": {time.Hour, time.Hour, []doctor.Result{doctor.Warn, doctor.Warn}},
	} {
		var got []doctor.Result
		for _, f := range examine(t, doctor.Options{URL: telling(test.page), Service: telling(test.service)})["clock"] {
			got = append(got, f.Result)
			if f.Result == doctor.Warn && !strings.Contains(f.About, "its clock and this machine's differ by ") {
				t.Errorf("%s: got %q", name, f.About)
			}
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

// A certificate that browsers refuse is told, the rest is examined, and the session isn't sent.
func TestCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Cookie"), "secret") {
			t.Errorf("got the session in %s", r.Header.Get("Cookie"))
		}
		w.Header().Set("X-Auth-Reason", "no_session")
		w.Header().Set("Cache-Control", "private, no-store")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // that doctor refuses the certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	found := examine(t, doctor.Options{URL: server.URL, Cookie: "wos-session=secret", Echo: "/"})
	if fs := found["certificate"]; len(fs) == 0 || fs[0].Result != doctor.Fail {
		t.Errorf("got %v, want FAIL", fs)
	}
	if fs := found["signed-in"]; len(fs) != 1 || fs[0].Result != doctor.Skip {
		t.Errorf("got %v, want it skipped", fs)
	}
	if len(found["script"]) != 1 {
		t.Errorf("got %v, want the rest examined", found)
	}
}

// The app's own cookies are none of the session's; the session's are known by their name or their length.
func TestCookiesOfTheApp(t *testing.T) {
	t.Parallel()
	sealed := strings.Repeat("s", 600)
	for name, test := range map[string]struct {
		cookie, set, again string // the operator's, what the page sets for it, and what a script's answer does
		want               doctor.Result
	}{
		"the app's":                           {"wos-session=a; app=1", "app=2; HttpOnly", "", doctor.Skip},
		"the session's":                       {"wos-session=a", "wos-session=b; HttpOnly; SameSite=Lax", "wos-session=b; HttpOnly; SameSite=Lax", doctor.OK},
		"the session's, of another name":      {"sid=" + sealed, "sid=b; HttpOnly; SameSite=None", "sid=b; HttpOnly; SameSite=None", doctor.OK},
		"the session's, without SameSite":     {"wos-session=a", "wos-session=b; HttpOnly", "", doctor.Fail},
		"the session's, readable for scripts": {"sid=" + sealed, "sid=b; SameSite=Lax", "", doctor.Fail},
		"a chunk of the session's":            {"sid=" + sealed + "; sid.1=x", "sid.1=b; HttpOnly; SameSite=Lax", "sid.1=b; HttpOnly; SameSite=Lax", doctor.OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var origin string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Header.Get("Cookie") == "":
					w.Header().Set("X-Auth-Reason", "no_session")
					w.Header().Set("Cache-Control", "no-store")
					w.Header().Set("Location", "/_auth/login?rd="+url.QueryEscape(origin+r.URL.RequestURI()))
					w.WriteHeader(http.StatusSeeOther)
				case r.Header.Get("Sec-Fetch-Mode") == "navigate":
					w.Header().Set("Set-Cookie", test.set)
				case test.again != "":
					w.Header().Set("Set-Cookie", test.again)
				}
			}))
			t.Cleanup(server.Close)
			origin = server.URL
			fs := examine(t, doctor.Options{URL: origin, Cookie: test.cookie})["new-cookie"]
			if len(fs) != 1 || fs[0].Result != test.want {
				t.Errorf("got %v, want %s", fs, test.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]doctor.Options{
		"is no page's URL":            {URL: "app.example.com"},
		"write https://app":           {URL: "ftp://app.example.com/"},
		"is none of traefik":          {URL: "https://app.example.com/", Gateway: "apache"},
		"give -cookie too":            {URL: "https://app.example.com/", Echo: "/headers"},
		"write /headers":              {URL: "https://app.example.com/", Echo: "headers", Cookie: "a=b"},
		"a name and a value":          {URL: "https://app.example.com/", Cookie: "abc"},
		"holds what no Cookie header": {URL: "https://app.example.com/", Cookie: "a=b\r\nX: y"},
		"-service":                    {URL: "https://app.example.com/", Service: "localhost:9000"},
		"-upstream":                   {URL: "https://app.example.com/", Upstream: "/x"},
	} {
		if _, err := doctor.Run(t.Context(), o, func(f doctor.Finding) { t.Errorf("got %s", f) }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestFindingIsOneLine(t *testing.T) {
	t.Parallel()
	f := doctor.Finding{Check: "page", Result: doctor.Fail, Sent: "GET /", Got: "200", About: "everybody gets in", Change: "nginx: x"}
	if got, want := fmt.Sprint(f), "FAIL  page          GET / -> 200: everybody gets in. Change: nginx: x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
