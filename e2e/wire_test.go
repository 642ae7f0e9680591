package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
)

// recorder is an app that takes any request line and keeps it as it is. A server of net/http
// would refuse some.
type recorder struct {
	address string
	mu      sync.Mutex
	got     []received
}

// received is what the recorder got of a request.
type received struct {
	method, target, host, user string
}

func startRecorder(t *testing.T) *recorder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{address: listener.Addr().String()}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go r.serve(conn)
		}
	}()
	return r
}

func (r *recorder) serve(conn net.Conn) {
	defer conn.Close()
	reader := textproto.NewReader(bufio.NewReader(conn))
	line, err := reader.ReadLine()
	if err != nil {
		return
	}
	header, err := reader.ReadMIMEHeader()
	if err != nil {
		return
	}
	method, rest, _ := strings.Cut(line, " ")
	target := strings.TrimSuffix(strings.TrimSuffix(rest, " HTTP/1.1"), " HTTP/1.0")
	r.mu.Lock()
	r.got = append(r.got, received{method, target, header.Get("Host"), header.Get("X-Auth-Request-User")})
	r.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

// taken returns what has come since the last time.
func (r *recorder) taken() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// wire sends the bytes of a request and returns the answer's status and reason, 0 where there is none.
func wire(t *testing.T, address, request string) (status int, reason string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, ""
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, ""
	}
	_ = response.Body.Close()
	return response.StatusCode, response.Header.Get("X-Auth-Reason")
}

// sealedSession is a session as an app's SDK makes it.
func (s *stack) sealedSession(t *testing.T, email string) string {
	t.Helper()
	made, err := session.FromResponse(s.authenticate(t, map[string]string{"grant_type": "authorization_code", "code": s.code(t, email)}))
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := made.JSONFor(seal.FormatIron)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := seal.Iron{Passwords: []string{cookiePassword}}.Seal(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// readings are the paths for which apps take a request's target: as it is, but for escaped letters (RFC
// 3986, 6.2.2.2); decoded once, with dots resolved and slashes merged; the same with backslashes as
// slashes, without path parameters, up to an encoded # or NUL; decoded twice.
func readings(target string) []string {
	raw, _, _ := strings.Cut(target, "?")
	once := decode(raw)
	var parameters []string
	for segment := range strings.SplitSeq(raw, "/") {
		name, _, _ := strings.Cut(segment, ";")
		parameters = append(parameters, decode(name))
	}
	beforeHash, _, _ := strings.Cut(once, "#")
	beforeQuestion, _, _ := strings.Cut(once, "?")
	beforeSemicolon, _, _ := strings.Cut(raw, ";")
	withoutAuthority := once
	if rest, ok := strings.CutPrefix(strings.ReplaceAll(raw, `\`, "/"), "//"); ok { // as URL parsers read it
		_, rest, _ = strings.Cut(rest, "/")
		withoutAuthority = decode("/" + rest)
	}
	beforeNUL, _, _ := strings.Cut(once, "\x00")
	all := []string{escapedLetter.ReplaceAllStringFunc(raw, decode)}
	for _, p := range []string{once, strings.Join(parameters, "/"), beforeHash, beforeQuestion, decode(beforeSemicolon), withoutAuthority, beforeNUL, decode(once)} {
		all = append(all, path.Clean("/"+p), path.Clean("/"+strings.ReplaceAll(p, `\`, "/")))
	}
	return all
}

var escapedLetter = regexp.MustCompile(`%(4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9Aa])`)

func decode(p string) string {
	decoded, err := url.PathUnescape(p)
	if err != nil {
		return p
	}
	return decoded
}
