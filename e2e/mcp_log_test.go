package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// requestLog is the order of requests as the gateway and AuthKit see them, one line each.
type requestLog struct {
	mu      sync.Mutex
	lines   []*string
	names   *strings.Replacer // this run's addresses
	expired map[string]string // tokens, and the ones that the gateway gets in their place
	tokens  []string          // that clients have sent
}

// add writes a line, which is complete once the answer's status is known.
func (l *requestLog) add(line string) *string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, &line)
	return &line
}

func (l *requestLog) answered(line *string, status int, challenge []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*line += fmt.Sprintf(" -> %d", status)
	for _, c := range challenge {
		*line += "\n    " + c
	}
}

// text is what was recorded so far, with no address of this run.
func (l *requestLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all strings.Builder
	for _, line := range l.lines {
		all.WriteString(*line + "\n")
	}
	return l.names.Replace(strings.TrimPrefix(all.String(), "\n"))
}

// section begins another step. Its name is a line of its own.
func (l *requestLog) section(name string) { l.add("\n# " + name) }

// last returns the lines since the last section began.
func (l *requestLog) last() string {
	text := l.text()
	return text[strings.LastIndex(text, "# "):]
}

// beforeGateway is what the clients take for the gateway: it hands every request on at once.
func (l *requestLog) beforeGateway(t *testing.T, address, gateway string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	type key struct{}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: gateway})
			p.Out.Host = p.In.Host
			p.Out.Header.Set("Authorization", l.token(p.In.Header.Get("Authorization")))
			if p.In.Header.Get("Authorization") == "" {
				p.Out.Header.Del("Authorization")
			}
		},
		ModifyResponse: func(response *http.Response) error {
			l.answered(response.Request.Context().Value(key{}).(*string), response.StatusCode, response.Header["Www-Authenticate"])
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }, // the client has gone
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		line := l.add(resourceLine(q))
		proxy.ServeHTTP(w, q.WithContext(context.WithValue(q.Context(), key{}, line)))
	})}}
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
}

// beforeAuthKit records what clients and the user's browser ask AuthKit for, but not the service.
func (l *requestLog) beforeAuthKit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		ofService := strings.HasPrefix(q.UserAgent(), "Go-http-client") && q.URL.Path != "/oauth2/authorize"
		if ofService || q.URL.Path == "/oauth2/authorize" && q.Method == http.MethodPost {
			next.ServeHTTP(w, q)
			return
		}
		line := l.add("AuthKit " + q.Method + " " + q.URL.Path + parametersOf(q))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, q)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		l.answered(line, answer.Code, nil)
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// resourceLine is a request to the gateway: the JSON-RPC method, and the headers that say it.
func resourceLine(q *http.Request) string {
	line := q.Method + " " + q.URL.Path
	var message struct{ Method string }
	if json.Unmarshal(peek(q), &message) == nil && message.Method != "" {
		line += " " + message.Method
	}
	for _, name := range []string{"MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"} {
		if value := q.Header.Get(name); value != "" {
			line += " " + name + "=" + value
		}
	}
	return line
}

// parametersOf are those that matter of a request to AuthKit.
func parametersOf(q *http.Request) string {
	all := q.URL.Query()
	if form, err := url.ParseQuery(string(peek(q))); err == nil && q.Header.Get("Content-Type") != "application/json" {
		for name, values := range form {
			all[name] = values
		}
	}
	var line string
	for _, name := range []string{"grant_type", "scope", "prompt", "resource"} {
		if all.Has(name) {
			line += fmt.Sprintf(" %s=%q", name, all.Get(name))
		}
	}
	return line
}

// peek reads a request's body and puts it back.
func peek(q *http.Request) []byte {
	body, _ := io.ReadAll(q.Body) // what is cut off isn't JSON
	q.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// token is what the gateway gets in the place of an Authorization header.
func (l *requestLog) token(header string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	token := strings.TrimPrefix(header, "Bearer ")
	if token != "" && !slices.Contains(l.tokens, token) {
		l.tokens = append(l.tokens, token)
	}
	return "Bearer " + cmp.Or(l.expired[token], token)
}

// reset forgets what was recorded.
func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines, l.tokens = nil, nil
}
