package e2e

import (
	"crypto/tls"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The sign-in flow on a host of its own, for two apps.
func TestFlowOnItsOwnHost(t *testing.T) {
	t.Parallel()
	for _, g := range []gateway{
		{"nginx", "nginx", publicOrigin, startNginxWithAuthHost},
		{"traefik", "traefik", publicOrigin, startTraefikWithAuthHost},
		{"caddy", "caddy", publicOrigin, startCaddyWithAuthHost},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, g)
			host := func(name string) string { return "https://" + name + ".example.com:" + portOf(t, s.at.gateway) }
			app, wiki, auth := s.origin, host("wiki"), host("auth")
			s.flow = auth
			s.startAuthKit(t)
			s.open(t, g, "WORKOS_COOKIE_DOMAIN=example.com", "DEFAULT_RETURN_URL="+app+"/", "LOGOUT_RETURN_URL=")
			b, nobody := newBrowser(t), newBrowser(t)
			trustGateway(b, s.at.gateway)
			trustGateway(nobody, s.at.gateway)

			a := b.signIn(app+deepLink, zoe)
			if got := b.seen(a); a.URL.String() != app+deepLink || got.Header.Get("X-Auth-Request-User") != zoeID {
				t.Errorf("after sign-in: got %s, want %s", a.URL, app+deepLink)
			}
			if a := b.open(wiki + deepLink); len(a.Before) > 0 || b.seen(a).Header.Get("X-Auth-Request-User") != zoeID {
				t.Errorf("the other app: got %s, want it at once", trail(a.Before))
			}
			for _, path := range []string{"/login", "/sign-up", "/callback", "/switch", "/logout", "/webhooks", "/_auth/login", "/verify"} {
				for _, origin := range []string{app, wiki} {
					if got := b.seen(b.open(origin + path)).URI; got != path {
						t.Errorf("%s%s: the app got %s", origin, path, got)
					}
					wantReason(t, nobody.fetch(http.MethodGet, origin+path, ""), http.StatusUnauthorized, "no_session")
				}
			}
			wantSpoofed := fetchHeaders()
			wantSpoofed.Set("X-Auth-Request-Email", "mallory")
			if got := b.seen(b.send(http.MethodGet, wiki+"/", wantSpoofed, "")).Header.Get("X-Auth-Request-Email"); got != zoe {
				t.Errorf("a client's own X-Auth-Request-Email: the app got %q, want %q", got, zoe)
			}
			for path, want := range map[string]int{"/": http.StatusFound, "/verify": http.StatusNotFound, "/verify/sign-in": http.StatusNotFound, "/healthz": http.StatusNotFound, "/login/x": http.StatusNotFound} {
				a := b.send(http.MethodGet, auth+path, documentHeaders(), "")
				if a.Status != want {
					t.Errorf("%s%s: got status %d, want %d", auth, path, a.Status, want)
				}
				if want == http.StatusFound && a.Header.Get("Location") != "https://app.example.com/" {
					t.Errorf("%s: got Location %q, want the app", auth, a.Header.Get("Location"))
				}
			}
			b.open(auth + "/logout")
			wantReason(t, b.fetch(http.MethodGet, app+"/", ""), http.StatusUnauthorized, "no_session")
			wantReason(t, b.fetch(http.MethodGet, wiki+"/", ""), http.StatusUnauthorized, "no_session")
			if a := b.signIn(auth+"/login", paula); a.URL.String() != app+"/" {
				t.Errorf("a sign-in without a page to go back to: got %s, want DEFAULT_RETURN_URL", a.URL)
			}
		})
	}
}

func startNginxWithAuthHost(t *testing.T, at addresses) {
	t.Helper()
	dir := copyExample(t, "nginx")
	certificate, key := selfSigned(t)
	replace(t, dir, "authkit/http.conf", "server auth:9000;", "server "+at.service+";")
	replace(t, dir, "nginx.conf", "include localhost.conf;", "include auth.example.com.conf;")
	replace(t, dir, "auth.example.com.conf", "server app:8080;", "server "+at.app+";")
	replace(t, dir, "auth.example.com.conf", "server wiki:8080;", "server "+at.app+";")
	replace(t, dir, "auth.example.com.conf", "listen 443 ", "listen "+at.gateway+" ")
	replace(t, dir, "auth.example.com.conf", "listen 80;", "listen "+freeAddress(t)+";")
	replace(t, dir, "auth.example.com.conf", "/etc/nginx/tls/example.com.crt", certificate)
	replace(t, dir, "auth.example.com.conf", "/etc/nginx/tls/example.com.key", key)
	runNginx(t, dir, at.gateway)
}

func startTraefikWithAuthHost(t *testing.T, at addresses) {
	t.Helper()
	dir := copyExample(t, "traefik")
	replace(t, dir, "traefik.yml", `":3000"`, `"`+at.gateway+`"`)
	replace(t, dir, "traefik.yml", "      # Many an app", "      tls: {}\n      # Many an app")
	replace(t, dir, "traefik.yml", "/etc/traefik/dynamic.yml", filepath.Join(dir, "auth.example.com.yml"))
	replace(t, dir, "traefik.yml", "providers:", "providers:\n  providersThrottleDuration: 10ms")
	for from, to := range map[string]string{"auth:9000": at.service, "app:8080": at.app, "wiki:8080": at.app} {
		replace(t, dir, "auth.example.com.yml", "http://"+from, "http://"+to)
	}
	traefik := program(t, append(cachedTraefik(t), "traefik")...)
	p := start(t, at.gateway, exec.Command(traefik, "--configFile="+filepath.Join(dir, "traefik.yml")))
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	p.await(t, "its routers", func() bool {
		request := httpGet(t, "https://"+at.gateway+"/")
		request.Host = "auth.example.com"
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusFound
	})
}

func startCaddyWithAuthHost(t *testing.T, at addresses) {
	t.Helper()
	dir := copyExample(t, "caddy")
	certificate, key := selfSigned(t)
	host, port, _ := strings.Cut(at.gateway, ":")
	const file = "auth.example.com.caddy"
	replace(t, dir, file, "admin off", "admin off\n\tauto_https off")
	for _, name := range []string{"auth", "app", "wiki"} {
		replace(t, dir, file, "\n"+name+".example.com {", "\nhttps://"+name+".example.com:"+port+" {\n\tbind "+host+"\n\ttls "+certificate+" "+key)
	}
	for from, to := range map[string]string{"auth:9000": at.service, "app:8080": at.app, "wiki:8080": at.app} {
		replace(t, dir, file, from, to)
	}
	replace(t, dir, "authkit.caddy", "auth:9000", at.service)
	runCaddy(t, dir, file, at.gateway)
}
