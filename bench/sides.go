//go:build linux

package main

import (
	"context"
	"crypto/sha1" // an htpasswd file's
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// side is one of the servers that are compared.
type side struct {
	name    string
	server  *process
	client  client
	request []byte
	// firstSight is a session of which each request has a cookie of its own.
	firstSight []byte
	used       []float64 // microseconds a request, of each round
}

// The headers of a question about a fetch, as Traefik and nginx send it with
// the configuration in examples/.
const (
	browser = "Accept: application/json\nAccept-Encoding: gzip, br\nAccept-Language: en\nReferer: http://localhost:3000/reports\n" +
		"Sec-Fetch-Dest: empty\nSec-Fetch-Mode: cors\nSec-Fetch-Site: same-origin\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\n"
	forwardAuth = "GET /verify/forward-auth HTTP/1.1\nHost: authkit:9000\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: localhost:3000\n" +
		"X-Forwarded-Method: GET\nX-Forwarded-Port: 3000\nX-Forwarded-Proto: http\nX-Forwarded-Server: gateway\n" +
		"X-Forwarded-Uri: /api/reports?year=2026&page=2\nX-Real-Ip: 192.0.2.7\n" + browser
	authRequest = "GET /verify/auth-request HTTP/1.1\nHost: authkit\nX-Original-Method: GET\n" +
		"X-Original-URL: http://localhost:3000/api/reports?year=2026&page=2\nX-Forwarded-For: 192.0.2.7\n" +
		"X-Request-Id: 0f5b1ac37a4c4c4ebc1f8a4d7e9b2c55\n" + browser
	oauth2Proxy = "GET /oauth2/auth HTTP/1.1\nHost: localhost:3000\nX-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: localhost:3000\n" +
		"X-Forwarded-Method: GET\nX-Forwarded-Port: 3000\nX-Forwarded-Proto: http\nX-Forwarded-Server: gateway\n" +
		"X-Forwarded-Uri: /api/reports?year=2026&page=2\nX-Real-Ip: 192.0.2.7\n" + browser
)

func request(head, cookies string) []byte {
	return []byte(strings.ReplaceAll(head+"Cookie: "+cookies+"\n\n", "\n", "\r\n"))
}

// bench starts the sides. folder has the programs and files that they need.
type bench struct {
	folder  string
	only    *regexp.Regexp // which sides
	other   string         // another build of the service, or empty
	authKit *authKit
	sides   []*side
	headers map[string]string // that a 200 of the service has
}

// startAll builds and starts every side.
func (b *bench) startAll(ctx context.Context) error {
	plain, plainErr := b.authKit.signIn("Zoe", 20)
	unicode, unicodeErr := b.authKit.signIn("Zoë", 20)
	chunked, chunkedErr := b.authKit.signIn("Zoe", 4600)
	two, twoErr := b.authKit.signIn("Zoe", 1700)
	if err := errors.Join(plainErr, unicodeErr, chunkedErr, twoErr); err != nil {
		return err
	}
	rules, err := manyRules(b.folder)
	if err != nil {
		return err
	}
	forAuth := request(forwardAuth, plain.cookie)
	askRequest := request(authRequest, plain.cookie)
	service := filepath.Join(b.folder, "authkit-forward-auth")
	for _, s := range []struct {
		side
		program   string
		variables []string
	}{
		{side{name: "forward-auth", request: forAuth}, service, nil}, // first: bare sets its headers
		{side{name: "bare", request: forAuth}, "", nil},
		{side{name: "auth-request", request: askRequest}, service, nil},
		{side{name: "bare, auth-request", request: askRequest}, "", nil},
		{side{name: "10,000 rules", request: forAuth}, service, []string{"POLICY_FILE=" + rules}},
		{side{name: "every decision logged", request: forAuth}, service, []string{"DECISION_LOG=all"}},
		{side{name: "with an assertion", request: forAuth}, service, []string{"IDENTITY_HEADERS=default,assertion"}},
		{side{name: "name outside ASCII", request: request(forwardAuth, unicode.cookie)}, service, nil},
		{side{name: "chunked session", request: request(forwardAuth, chunked.cookie)}, service, nil},
		{side{name: "bare, chunked session", request: request(forwardAuth, chunked.cookie)}, "", nil},
		{side{name: "session in two cookies", request: request(forwardAuth, two.cookie)}, service, nil},
		{side{name: "bare, session in two cookies", request: request(forwardAuth, two.cookie)}, "", nil},
		{side{name: "first sight", request: forAuth, firstSight: plain.plaintext}, service, nil},
		{side{name: "other", request: forAuth}, b.other, nil},
	} {
		wanted := b.headers == nil || b.only.MatchString(s.name)
		if s.name == "other" {
			wanted = b.other != ""
		}
		if !wanted {
			continue
		}
		var err error
		if s.program == "" {
			s.server, err = b.bare(ctx)
		} else {
			s.server, err = start(ctx, b.authKit.environ(s.variables...), s.program, "serve")
		}
		if err != nil {
			return err
		}
		if err := b.add(ctx, &s.side); err != nil {
			return err
		}
	}
	return b.oauth2Proxy(ctx)
}

func (b *bench) bare(ctx context.Context) (*process, error) {
	headers, err := json.Marshal(b.headers)
	if err != nil {
		return nil, err
	}
	return start(ctx, nil, filepath.Join(b.folder, "bare"), "ADDRESS", string(headers))
}

// oauth2Proxy is there where its program is found. Its session is a cookie without
// tokens, by a user of an htpasswd file; it logs nothing.
func (b *bench) oauth2Proxy(ctx context.Context) error {
	program, err := exec.LookPath("oauth2-proxy")
	if err != nil || !b.only.MatchString("oauth2-proxy") {
		return nil
	}
	sum := sha1.Sum([]byte(password))
	users := filepath.Join(b.folder, "htpasswd")
	if err := os.WriteFile(users, []byte("zoe@acme.example:{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n"), 0o600); err != nil {
		return err
	}
	server, err := start(ctx, nil, program, "--http-address=ADDRESS", "--provider=github", "--client-id=bench", "--client-secret=bench",
		"--cookie-secret="+password, "--cookie-secure=false", "--email-domain=*", "--htpasswd-file="+users, "--reverse-proxy=true",
		"--set-xauthrequest=true", "--upstream=static://200", "--redirect-url=http://localhost:3000/oauth2/callback",
		"--request-logging=false", "--auth-logging=false", "--standard-logging=false")
	if err != nil {
		return err
	}
	first, err := connect(ctx, server.address, 1)
	if err != nil {
		return err
	}
	defer first[0].Close()
	form := url.Values{"username": {"zoe@acme.example"}, "password": {password}}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.PostForm("http://"+server.address+"/oauth2/sign_in", form)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	var cookies []string
	for _, c := range response.Cookies() {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return b.add(ctx, &side{name: "oauth2-proxy", server: server, request: request(oauth2Proxy, strings.Join(cookies, "; "))})
}

const connections = 16

// add waits until a side answers, and keeps the headers of the first answer of all.
func (b *bench) add(ctx context.Context, s *side) (err error) {
	if s.client, err = connect(ctx, s.server.address, connections); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	var answer []byte
	for range 100 {
		if answer, err = exchange(s.client[0], s.request); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond) // the service has no key set yet
		if s.client[0], err = new(net.Dialer).DialContext(ctx, "tcp", s.server.address); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	// A connection without a request is closed after five seconds, and the other sides take longer to start.
	if err := s.client.send(slices.Repeat([][]byte{s.request}, len(s.client))); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if b.headers == nil {
		b.headers = map[string]string{}
		for line := range strings.Lines(string(answer)) {
			name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
			if ok && name != "Date" && name != "Content-Length" {
				b.headers[name] = strings.TrimSpace(value)
			}
		}
	}
	b.sides = append(b.sides, s)
	return nil
}

// manyRules writes a policy whose last but one rule is for the benchmark's request.
func manyRules(folder string) (path string, err error) {
	var text strings.Builder
	text.WriteString("default: deny\nrules:\n")
	for i := range 9_998 {
		fmt.Fprintf(&text, "  - {name: rule %d, paths: [/area/%d/**, /api/area/*/%d], require: {roles: [r%d]}}\n", i, i, i, i)
	}
	text.WriteString("  - {name: API, paths: [/api/**], require: {roles: [owner, admin], permissions: [reports:read]}}\n")
	text.WriteString("  - {name: rest, paths: [/rest/**]}\n")
	path = filepath.Join(folder, "policy.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}
