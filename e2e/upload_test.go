package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An upload is let in or refused by its session, whatever its size and however it is sent: nobody but the
// location that it is for measures it.
func TestUploads(t *testing.T) {
	t.Parallel()
	for _, g := range []gateway{
		{"nginx", "nginx", localhost, func(t *testing.T, at addresses) {
			startNginxEdited(t, at, func(dir string) {
				replace(t, dir, "localhost.conf", "include authkit/protect.conf;", "client_max_body_size 100m; include authkit/protect.conf;")
				replace(t, dir, "localhost.conf", "auth_request _authkit/verify/role", "client_max_body_size 100m; auth_request _authkit/verify/role")
			})
		}},
		{"nginx over HTTP 2", "nginx", publicOrigin, func(t *testing.T, at addresses) {
			startNginxWithTLSEdited(t, at, func(dir string) {
				replace(t, dir, "app.example.com.conf", "include authkit/protect.conf;", "client_max_body_size 100m; include authkit/protect.conf;")
				replace(t, dir, "app.example.com.conf", "auth_request _authkit/verify/role", "client_max_body_size 100m; auth_request _authkit/verify/role")
			})
		}},
		{"traefik", "traefik", localhost, startTraefik},
		{"caddy", "caddy", localhost, startCaddy},
		{"haproxy", "haproxy", localhost, startHAProxy},
		{"envoy", "envoy", localhost, startEnvoy},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, g)
			resets := g.profile != "nginx" // they close the connection while the client still sends
			member, nobody := newBrowser(t), newBrowser(t)
			if g.name == "nginx over HTTP 2" {
				member.client.Transport = http2Client(t, s.at.gateway).Transport
				nobody.client.Transport = member.client.Transport
			}
			member.setSession(s.origin, s.sealedSession(t, paula))
			for _, size := range []int{1<<20 + 1, 20 << 20} {
				file := strings.Repeat("x", size)
				form := &bytes.Buffer{}
				writer := multipart.NewWriter(form)
				part, err := writer.CreateFormFile("file", "photo.jpg")
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(part, file)
				_ = writer.Close()
				for _, test := range []struct {
					name, method string
					header       http.Header
					body         func() io.Reader
				}{
					{"with a length", http.MethodPost, nil, func() io.Reader { return strings.NewReader(file) }},
					{"in chunks", http.MethodPost, nil, func() io.Reader { return io.MultiReader(strings.NewReader(file)) }},
					{"as a form", http.MethodPost, http.Header{"Content-Type": {writer.FormDataContentType()}}, func() io.Reader { return bytes.NewReader(form.Bytes()) }},
					{"when asked to continue", http.MethodPut, http.Header{"Expect": {"100-continue"}}, func() io.Reader { return strings.NewReader(file) }},
				} {
					t.Run(fmt.Sprintf("%d bytes %s", size, test.name), func(t *testing.T) {
						status, got := member.upload(t, test.method, s.origin+"/upload", test.header, test.body())
						if status != http.StatusOK || got < size {
							t.Errorf("got status %d and %d bytes at the app, want 200 and all", status, got)
						}
						before := s.app.requests.Load()
						if status, _ := nobody.upload(t, test.method, s.origin+"/upload", test.header, test.body()); status != http.StatusUnauthorized && (status != 0 || !resets) {
							t.Errorf("without a session: got status %d, want 401", status)
						}
						if status, _ := member.upload(t, test.method, s.origin+"/admin/upload", test.header, test.body()); status != http.StatusForbidden && (status != 0 || !resets) {
							t.Errorf("where admins may: got status %d, want 403", status)
						}
						if got := s.app.requests.Load() - before; got != 0 {
							t.Errorf("got %d requests at the app, want none", got)
						}
					})
				}
			}
		})
	}
}

// upload returns the answer's status and length. The status is 0 where the connection ended before it came.
func (b *browser) upload(t *testing.T, method, target string, header http.Header, body io.Reader) (status, size int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = fetchHeaders()
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := b.client.Do(request)
	if err != nil {
		return 0, 0
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Errorf("upload: read the answer: %v", err)
	}
	return response.StatusCode, len(text)
}

// A visitor who isn't signed in gets the answer without having sent the file: it doesn't go to the gateway's disk first.
func TestNginxAnswersAnUploadEarly(t *testing.T) {
	t.Parallel()
	s := newStack(t, gateways()[0])
	for _, framing := range []string{"Content-Length: 900000", "Transfer-Encoding: chunked"} {
		conn, err := net.Dial("tcp", s.at.gateway)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(startTimeout)); err != nil {
			t.Fatal(err)
		}
		chunk := strings.Repeat("x", 1000)
		if strings.HasPrefix(framing, "Transfer") {
			chunk = "3e8\r\n" + chunk + "\r\n"
		}
		if _, err := io.WriteString(conn, "POST /upload HTTP/1.1\r\nHost: localhost:"+portOf(t, s.at.gateway)+"\r\n"+framing+"\r\n\r\n"+chunk); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", framing, err)
		}
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got status %d, want 401", framing, response.StatusCode)
		}
	}
}
