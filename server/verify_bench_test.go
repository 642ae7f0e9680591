//go:build unix

package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"
)

// clientProcess makes this test binary the benchmark's client.
const clientProcess = "AUTHKIT_BENCHMARK_CLIENT"

// benchmarkHeader is what Traefik asks with for a browser's fetch.
const benchmarkHeader = "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Host: localhost:3000\nX-Forwarded-Method: GET\nX-Forwarded-Port: 3000\n" +
	"X-Forwarded-Proto: http\nX-Forwarded-Server: gateway\nX-Forwarded-Uri: /api/reports?year=2026&page=2\nX-Real-Ip: 192.0.2.7\n" +
	"Accept: application/json\nAccept-Encoding: gzip, br\nAccept-Language: en\nReferer: http://localhost:3000/reports\n" +
	"Sec-Fetch-Dest: empty\nSec-Fetch-Mode: cors\nSec-Fetch-Site: same-origin\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\n"

// benchmarkWorld is a Server with somebody signed in, by a cookie of about 2 KB.
func benchmarkWorld(b *testing.B, log io.Writer, settings ...string) (w *world, cookie string) {
	b.Helper()
	w = newWorld(b, settings...).ready(b)
	w.verify.Log = zerolog.New(log)
	response, err := w.authKit.SignIn("zoe@acme.example", "")
	if err != nil {
		b.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(response, &fields); err != nil {
		b.Fatal(err)
	}
	user, _ := fields["user"].(map[string]any)
	maps.DeleteFunc(user, func(name string, _ any) bool { return name != "id" && name != "email" && name != "first_name" })
	for padding := ""; len(cookie) < 2040; padding += "x" {
		user["padding"] = padding
		if response, err = json.Marshal(fields); err != nil {
			b.Fatal(err)
		}
		if cookie, _, err = w.sessions.SignIn(response); err != nil {
			b.Fatal(err)
		}
	}
	return w, "Cookie: wos-session=" + cookie
}

// bare sets the headers of a 200 of ours with Set, and does nothing else.
func bare(like http.Header) http.Handler {
	type pair struct{ name, value string }
	var pairs []pair
	for name, values := range like {
		pairs = append(pairs, pair{name, values[0]})
	}
	r := chi.NewRouter()
	r.Get("/verify/forward-auth", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for _, p := range pairs {
			h.Set(p.name, p.value)
		}
		w.WriteHeader(http.StatusOK)
	})
	return r
}

// BenchmarkVerifyServer compares the server's CPU for one request with a remembered
// session with that of a bare chi handler that sets the same headers: both on an
// http.Server with the same limits, over keep-alive connections on loopback, in
// turns. The client is a process of its own, so that all CPU of this one is the
// server's: reading the request, deciding, writing, and collecting garbage.
//
//	bare-us, verify-us, log-us, policy-us   CPU of one request; log: with DECISION_LOG=all, to
//	                                        /dev/null; policy: with 10,000 rules
//	ratio, log-ratio, policy-ratio          to bare; DESIGN asks for 1.10, with the log for 1.25 at most
func BenchmarkVerifyServer(b *testing.B) {
	w, cookie := benchmarkWorld(b, io.Discard)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	logged, loggedCookie := benchmarkWorld(b, null, "DECISION_LOG", "all")
	governed, governedCookie := benchmarkWorld(b, io.Discard, "POLICY_FILE", manyRules(b))
	answer := ask(b, w.Handler(), "GET", "/verify/forward-auth", benchmarkHeader+cookie)
	if answer.Code != 200 {
		b.Fatalf("got %d %v, want 200", answer.Code, answer.Header())
	}
	client := startClient(b)
	const requests = 3000
	sides := []*side{
		{name: "bare", handler: bare(answer.Header()), cookie: cookie},
		{name: "verify", handler: w.Handler(), cookie: cookie},
		{name: "log", handler: logged.Handler(), cookie: loggedCookie},
		{name: "policy", handler: governed.Handler(), cookie: governedCookie},
	}
	for _, s := range sides {
		s.listen(b, w.Server)
		client.send(b, s.order(500)) // sessions remembered, connections open
	}
	rounds := 0
	for b.Loop() {
		for _, s := range sides {
			runtime.GC()
			before := cpu(b)
			client.send(b, s.order(requests))
			s.used += cpu(b) - before
		}
		rounds++
	}
	for _, s := range sides {
		b.ReportMetric(float64(s.used.Nanoseconds())/1e3/float64(rounds*requests), s.name+"-us")
	}
	b.ReportMetric(float64(sides[1].used)/float64(sides[0].used), "ratio")
	b.ReportMetric(float64(sides[2].used)/float64(sides[0].used), "log-ratio")
	b.ReportMetric(float64(sides[3].used)/float64(sides[0].used), "policy-ratio")
	b.ReportMetric(float64(len(cookie)), "cookie-bytes")
}

// manyRules writes a policy whose last but one rule is for the benchmark's request.
func manyRules(b *testing.B) string {
	b.Helper()
	var text strings.Builder
	text.WriteString("default: deny\nrules:\n")
	for i := range 9_998 {
		fmt.Fprintf(&text, "  - {name: rule %d, paths: [/area/%d/**, /api/area/*/%d], require: {roles: [r%d]}}\n", i, i, i, i)
	}
	text.WriteString("  - {name: API, paths: [/api/**], require: {organizations: [" + acmeID + "], roles: [owner, admin], permissions: [reports:read]}}\n")
	text.WriteString("  - {name: rest, paths: [/rest/**]}\n")
	path := filepath.Join(b.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// side is one of the servers that are compared.
type side struct {
	name    string
	handler http.Handler
	cookie  string
	address string
	used    time.Duration
}

func (s *side) listen(b *testing.B, limits *Server) {
	b.Helper()
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := limits.httpServer(s.handler)
	b.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }()
	s.address = l.Addr().String()
}

func (s *side) order(count int) order {
	request := "GET /verify/forward-auth HTTP/1.1\nHost: " + s.address + "\n" + benchmarkHeader + s.cookie + "\n\n"
	return order{Address: s.address, Request: strings.ReplaceAll(request, "\n", "\r\n"), Count: count}
}

// cpu is what this process has used so far, in user and in kernel mode.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// order tells the client what to send, how often.
type order struct {
	Address, Request string
	Count            int
}

type client struct {
	orders  *json.Encoder
	answers *bufio.Scanner
}

func startClient(b *testing.B) *client {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.CommandContext(b.Context(), self, "-test.run=^TestBenchmarkClient$")
	command.Env = append(os.Environ(), clientProcess+"=1")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	return &client{orders: json.NewEncoder(in), answers: bufio.NewScanner(out)}
}

// send has an order carried out.
func (c *client) send(b *testing.B, o order) {
	b.Helper()
	if err := c.orders.Encode(o); err != nil {
		b.Fatal(err)
	}
	if !c.answers.Scan() || c.answers.Text() != "done" {
		b.Fatalf("client: %s, %v", c.answers.Text(), c.answers.Err())
	}
}

// TestBenchmarkClient is the client's process.
func TestBenchmarkClient(t *testing.T) {
	if os.Getenv(clientProcess) == "" {
		t.Skip("only for BenchmarkVerifyServer")
	}
	const connections = 16
	open := map[string][]net.Conn{}
	for orders := json.NewDecoder(os.Stdin); ; {
		var o order
		if orders.Decode(&o) != nil {
			return
		}
		for len(open[o.Address]) < connections {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", o.Address)
			if err != nil {
				t.Fatal(err)
			}
			open[o.Address] = append(open[o.Address], c)
		}
		var all sync.WaitGroup
		for _, c := range open[o.Address] {
			all.Go(func() {
				if err := repeat(c, o.Request, o.Count/connections); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		fmt.Println("done")
	}
}

// repeat sends a request again and again, and wants 200 without a body each time.
func repeat(c net.Conn, request string, count int) error {
	buffer := make([]byte, 16<<10)
	for range count {
		if _, err := io.WriteString(c, request); err != nil {
			return err
		}
		var answer []byte
		for !bytes.HasSuffix(answer, []byte("\r\n\r\n")) {
			n, err := c.Read(buffer[len(answer):])
			if err != nil {
				return err
			}
			answer = buffer[:len(answer)+n]
		}
		if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("got %s", answer)
		}
	}
	return nil
}

// answer is as little of a ResponseWriter as there can be.
type answer struct{ header http.Header }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(int)             {}

// BenchmarkVerify is the handler alone, from the routes on, with a remembered session.
// bare is the bare handler of BenchmarkVerifyServer.
func BenchmarkVerify(b *testing.B) {
	w, cookie := benchmarkWorld(b, io.Discard)
	logged, loggedCookie := benchmarkWorld(b, io.Discard, "DECISION_LOG", "all")
	like := ask(b, w.Handler(), "GET", "/verify/forward-auth", benchmarkHeader+cookie).Header()
	for _, bench := range []struct {
		name, cookie string
		handler      http.Handler
	}{
		{"bare", cookie, bare(like)}, {"verify", cookie, w.Handler()}, {"log", loggedCookie, logged.Handler()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), "GET", "/verify/forward-auth", nil)
			r.RemoteAddr = "127.0.0.1:50000"
			for line := range strings.Lines(benchmarkHeader + bench.cookie) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				r.Header.Set(name, value)
			}
			b.ReportAllocs()
			for b.Loop() {
				a := answer{http.Header{}}
				bench.handler.ServeHTTP(&a, r)
				if len(a.header["X-Auth-Request-User"]) != 1 {
					b.Fatalf("got %v", a.header)
				}
			}
		})
	}
}
