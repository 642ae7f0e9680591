package server

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/authkit-forward-auth/authkit-forward-auth/extauthz"
)

// grpcCall calls a handler as gRPC does, and returns the answer's message and status.
func grpcCall(t *testing.T, h http.Handler, path string, message []byte) (answer, status string) {
	t.Helper()
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(string(body)))
	r.ProtoMajor, r.RemoteAddr = 2, "127.0.0.1:50000"
	r.Header.Set("Content-Type", "application/grpc")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String(), w.Result().Trailer.Get("Grpc-Status")
}

// checkMessage is a CheckRequest about GET http://localhost:3000/ with a cookie.
func checkMessage(cookie string) []byte {
	text := func(b []byte, field protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
	}
	header := text(text(nil, 1, "cookie"), 2, "wos-session="+cookie)
	request := text(text(text(text(nil, 2, "GET"), 3, string(header)), 4, "/"), 5, "localhost:3000")
	return text(nil, 1, string(text(nil, 4, string(text(nil, 2, string(request))))))
}

func TestExtAuthzOverGRPC(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{nil, {"VERIFY_ADDR", "127.0.0.1:9001"}} {
		w := newWorld(t, settings...).ready(t)
		h := w.Handler()
		if settings != nil {
			if answer, status := grpcCall(t, h, extauthz.CheckPath, checkMessage("")); status != "" {
				t.Errorf("at LISTEN_ADDR: got %q, %s, want 404", answer, status)
			}
			h = w.VerifyHandler()
		}
		if answer, status := grpcCall(t, h, extauthz.CheckPath, checkMessage("x")); status != "0" || !strings.Contains(answer, "bad_session") {
			t.Errorf("with a cookie that can't be read: got %q, status %s", answer, status)
		}
		answer, status := grpcCall(t, h, extauthz.CheckPath, checkMessage(w.signIn(t, paula, 0)))
		if status != "0" || !strings.Contains(answer, "x-auth-request-email\x12\x11paula@example.com") {
			t.Errorf("with a session: got %q, status %s", answer, status)
		}
		if answer, status := grpcCall(t, h, extauthz.HealthPath, nil); status != "0" || answer != "\x00\x00\x00\x00\x02\x08\x01" {
			t.Errorf("health: got %q, status %s", answer, status)
		}
		w.stopping.Store(true)
		if answer, status := grpcCall(t, h, extauthz.HealthPath, nil); status != "0" || answer != "\x00\x00\x00\x00\x02\x08\x02" {
			t.Errorf("health while it stops: got %q, status %s", answer, status)
		}
	}
}
