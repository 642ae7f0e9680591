package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const (
	secret = "whsec_test"
	// The HMAC of "1795431781550." and the second delivery in testdata.
	revokedMAC = "8b2996bfd023a0d420a8449f2e8bb149ab09f593b77f43ecf13d1a4284f5efa2"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// world is a Handler with what it was seen to do.
type world struct {
	*Handler
	log     bytes.Buffer
	revoked []session.Revocation
	seen    []string
	fail    error
}

func newWorld(now time.Time) *world {
	w := &world{}
	w.Handler = &Handler{
		Secret: secret, Sessions: w, Log: zerolog.New(&w.log), Now: func() time.Time { return now },
		Observe: func(event, result string) { w.seen = append(w.seen, event+" "+result) },
	}
	return w
}

func (w *world) Revoke(_ context.Context, r session.Revocation) error {
	w.revoked = append(w.revoked, r)
	return w.fail
}

func (w *world) post(t *testing.T, header string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", body)
	if header != "" {
		r.Header.Set("WorkOS-Signature", header)
	}
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer
}

// sign does what WorkOS does.
func sign(key, t, body string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t + "." + body))
	return hex.EncodeToString(mac.Sum(nil))
}

// signed is a header as WorkOS sends it.
func signed(at time.Time, body string) string {
	t := strconv.FormatInt(at.UnixMilli(), 10)
	return "t=" + t + ", v1=" + sign(secret, t, body)
}

// deliver posts a body that was signed now, and says the status.
func (w *world) deliver(t *testing.T, body string) int {
	t.Helper()
	return w.post(t, signed(w.Now(), body), strings.NewReader(body)).Code
}

// lines are the log's lines.
func (w *world) lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for decoder := json.NewDecoder(bytes.NewReader(w.log.Bytes())); decoder.More(); {
		var line map[string]any
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

type vector struct{ Producer, Header, Body, Event string }

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 5 {
		t.Fatalf("got %d vectors, want 5", len(all))
	}
	return all
}
