package webhook

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Deliveries of a real emulator, at their time.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	all := vectors(t)
	for _, test := range []struct {
		name    string
		vector  vector
		now     time.Time
		status  int
		revoked []session.Revocation
		seen    string
	}{
		{"session.created concerns nobody", all[0], time.UnixMilli(1795431781600), 200, nil, "other ignored"},
		{"session.revoked", all[1], time.UnixMilli(1795431781600), 200, []session.Revocation{{
			Subject: "user_01ALICE", SessionID: "session_01M8415N3KGHFS0E5RKS5WE0M7",
			At: time.Date(2026, 11, 23, 11, 3, 1, 550_000_000, time.UTC),
		}}, "session.revoked ok"},
		{"0.14.0: user.updated, t in seconds", all[2], time.Unix(1795431812, 0), 401, nil, "other too_old"},
		{"0.14.0: session.created, t in seconds", all[3], time.Unix(1795431812, 0), 401, nil, "other too_old"},
		{"0.14.0: session.revoked, t in seconds", all[4], time.Unix(1795431812, 0), 401, nil, "other too_old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(test.now)
			if got := w.post(t, test.vector.Header, strings.NewReader(test.vector.Body)).Code; got != test.status {
				t.Errorf("status: got %d, want %d", got, test.status)
			}
			if !slices.Equal(w.revoked, test.revoked) {
				t.Errorf("revoked: got %+v, want %+v", w.revoked, test.revoked)
			}
			if !slices.Equal(w.seen, []string{test.seen}) {
				t.Errorf("seen: got %q, want %q", w.seen, test.seen)
			}
		})
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	revoked := vectors(t)[1]
	w := newWorld(time.UnixMilli(1795431781600))
	for range 2 {
		if got := w.post(t, revoked.Header, strings.NewReader(revoked.Body)).Code; got != 200 {
			t.Errorf("status: got %d, want 200", got)
		}
	}
	if len(w.revoked) != 2 || w.revoked[0] != w.revoked[1] {
		t.Errorf("revoked: got %+v, want the same twice", w.revoked)
	}
}

// An old event that WorkOS delivers anew, days later, bears its own time.
func TestLateDelivery(t *testing.T) {
	t.Parallel()
	w := newWorld(noon)
	if got := w.deliver(t, `{"event":"user.deleted","data":{"id":"user_1"},"created_at":"2026-11-20T08:00:00.000Z"}`); got != 200 {
		t.Errorf("status: got %d, want 200", got)
	}
	if want := (session.Revocation{Subject: "user_1", At: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}); !slices.Equal(w.revoked, []session.Revocation{want}) {
		t.Errorf("revoked: got %+v, want %+v", w.revoked, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	const body = `{"event":"user.deleted","data":{"id":"user_private"},"created_at":"2026-11-23T12:00:00Z"}`
	for _, test := range []struct {
		name   string
		header string
		body   string
		status int
		seen   string
		says   string
	}{
		{"no signature", "", body, 400, "other malformed", "is it WorkOS"},
		{"another secret", "t=1795435200000, v1=" + sign("whsec_other", "1795435200000", body), body, 401, "other bad_signature", "WORKOS_WEBHOOK_SECRET"},
		{"another body", signed(noon, body), body + " ", 401, "other bad_signature", "WORKOS_WEBHOOK_SECRET"},
		{"too old", signed(noon.Add(-181*time.Second), body), body, 401, "other too_old", "clock"},
		{"too far ahead", signed(noon.Add(181*time.Second), body), body, 401, "other too_old", "clock"},
		{"seconds, well signed", "t=1795435200,v1=" + sign(secret, "1795435200", body), body, 401, "other too_old", "signed at 1970-01-21T"},
		{"no JSON", signed(noon, "hello"), "hello", 400, "other malformed", "not an event"},
		{"empty", signed(noon, ""), "", 400, "other malformed", "not an event"},
		{"no id", signed(noon, `{"event":"user.deleted","data":{}}`), `{"event":"user.deleted","data":{}}`, 400, "user.deleted malformed", "whom it concerns"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(noon)
			if got := w.post(t, test.header, strings.NewReader(test.body)).Code; got != test.status {
				t.Errorf("status: got %d, want %d", got, test.status)
			}
			if len(w.revoked) > 0 {
				t.Errorf("revoked %+v", w.revoked)
			}
			if !slices.Equal(w.seen, []string{test.seen}) {
				t.Errorf("seen: got %q, want %q", w.seen, test.seen)
			}
			lines := w.lines(t)
			if len(lines) != 1 || lines[0]["level"] != "warn" || !strings.Contains(fmt.Sprint(lines[0]["error"]), test.says) {
				t.Errorf("log: got %v, want one warning that says %q", lines, test.says)
			}
			if log := w.log.String(); strings.Contains(log, secret) || strings.Contains(log, "user_private") {
				t.Errorf("the log tells too much: %s", log)
			}
		})
	}
}

func TestToleranceEnds(t *testing.T) {
	t.Parallel()
	const body = `{"event":"user.deleted","data":{"id":"user_1"}}`
	for _, offset := range []time.Duration{-180 * time.Second, 180 * time.Second} {
		w := newWorld(noon)
		if got := w.post(t, signed(noon.Add(offset), body), strings.NewReader(body)).Code; got != 200 {
			t.Errorf("%v: got %d, want 200", offset, got)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "PUT", "OPTIONS"} {
		w, answer := newWorld(noon), httptest.NewRecorder()
		w.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, "/webhooks", nil))
		if answer.Code != 405 || answer.Header().Get("Allow") != http.MethodPost || len(w.revoked) > 0 {
			t.Errorf("%s: got %d, Allow %q, revoked %v", method, answer.Code, answer.Header().Get("Allow"), w.revoked)
		}
	}
}

// Without a secret, a signature with the empty key would fit.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	const body = `{"event":"user.deleted","data":{"id":"user_1"}}`
	w := newWorld(noon)
	w.Secret = ""
	if got := w.post(t, "t=1795435200000, v1="+sign("", "1795435200000", body), strings.NewReader(body)).Code; got != 401 || len(w.revoked) > 0 {
		t.Errorf("got %d, revoked %v; want 401, nothing", got, w.revoked)
	}
}

func TestRevokeFails(t *testing.T) {
	t.Parallel()
	w := newWorld(noon)
	w.fail = errors.New("store: unreachable")
	if got := w.deliver(t, `{"id":"evt_1","event":"user.deleted","data":{"id":"user_1"},"created_at":"2026-11-23T12:00:00Z"}`); got != 503 {
		t.Errorf("status: got %d, want 503", got)
	}
	if !slices.Equal(w.seen, []string{"user.deleted failed"}) {
		t.Errorf("seen: got %q", w.seen)
	}
	lines := w.lines(t)
	if len(lines) != 1 || lines[0]["level"] != "error" || lines[0]["error"] != "store: unreachable" || lines[0]["id"] != "evt_1" {
		t.Errorf("log: got %v", lines)
	}
}

func TestAuditLine(t *testing.T) {
	t.Parallel()
	w := newWorld(noon)
	w.deliver(t, `{"id":"evt_1","event":"organization_membership.updated","data":{"user_id":"user_1","organization_id":"org_1","status":"active"}}`)
	const want = `{"level":"info","event":"webhook","result":"ok","type":"organization_membership.updated","id":"evt_1","subject":"user_1","organization":"org_1","message":"sessions to be refreshed"}` + "\n"
	if got := w.log.String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSecretPrintsRedacted(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprintf("%v %+v %#v %s %x", Secret("a"), Secret("b"), Secret("c"), Secret("d"), Secret("e")); got != "[redacted] [redacted] [redacted] [redacted] [redacted]" {
		t.Errorf("got %s", got)
	}
}

// counter is an endless body that counts what is read of it.
type counter struct{ read int }

func (c *counter) Read(p []byte) (int, error) {
	c.read += len(p)
	return len(p), nil
}

func TestHugeBody(t *testing.T) {
	t.Parallel()
	const limit = 65536
	body := &counter{}
	w := newWorld(noon)
	if got := w.post(t, signed(noon, ""), io.LimitReader(body, 10<<20)).Code; got != 413 {
		t.Errorf("status: got %d, want 413", got)
	}
	if body.read > limit+1 {
		t.Errorf("read %d bytes, want at most %d", body.read, limit+1)
	}
	if !slices.Equal(w.seen, []string{"other too_large"}) || len(w.lines(t)) != 1 {
		t.Errorf("seen: got %q, log %s", w.seen, &w.log)
	}

	w = newWorld(noon)
	if got := w.deliver(t, `{"event":"other"}`+strings.Repeat(" ", limit-17)); got != 200 {
		t.Errorf("64 KB: got %d, want 200", got)
	}
	if got := w.deliver(t, `{"event":"other"}`+strings.Repeat(" ", limit-16)); got != 413 {
		t.Errorf("64 KB and a byte: got %d, want 413", got)
	}
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBodyCutShort(t *testing.T) {
	t.Parallel()
	w := newWorld(noon)
	if got := w.post(t, signed(noon, ""), cut{}).Code; got != 400 {
		t.Errorf("got %d, want 400", got)
	}
}

// Attack 10: nothing is read for a request that can't be WorkOS's.
func TestBodyIsReadLast(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{
		"no signature": "", "malformed": "t=1", "too old": signed(noon.Add(-181*time.Second), ""), "too far ahead": signed(noon.Add(181*time.Second), ""),
	} {
		body := &counter{}
		w := newWorld(noon)
		if got := w.post(t, header, body).Code; got != 400 && got != 401 || body.read != 0 {
			t.Errorf("%s: got %d after %d bytes of the body, want none", name, got, body.read)
		}
	}
}

// slow is a body that doesn't come to its end before it is told to.
type slow struct {
	begun chan<- struct{}
	end   <-chan struct{}
}

func (s slow) Read([]byte) (int, error) {
	s.begun <- struct{}{}
	<-s.end
	return 0, io.EOF
}

func TestBodiesAreReadFewAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(noon)
		w.Observe, w.Log = nil, zerolog.Nop() // neither is for several at once
		begun, end := make(chan struct{}, 100), make(chan struct{})
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() { w.post(t, signed(noon, ""), slow{begun, end}) })
		}
		synctest.Wait()
		if len(begun) != 32 {
			t.Fatalf("got %d bodies being read, want 32", len(begun))
		}
		const body = `{"event":"user.deleted","data":{"id":"user_1"}}`
		from := time.Now()
		if got := w.deliver(t, body); got != 503 || time.Since(from) != 3*time.Second || len(w.revoked) != 0 {
			t.Errorf("got %d after %v, revoked %v, want 503 after 3 s", got, time.Since(from), w.revoked)
		}
		close(end)
		all.Wait()
		if got := w.deliver(t, body); got != 200 || len(w.revoked) != 1 {
			t.Errorf("afterwards: got %d, revoked %v", got, w.revoked)
		}
	})
}

// A body that doesn't arrive is given up, over a real connection, before the server's
// own limit.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	w := newWorld(noon)
	server := httptest.NewServer(w)
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /webhooks HTTP/1.1\r\nHost: a\r\nWorkOS-Signature: %s\r\nContent-Length: 100\r\n\r\n{", signed(noon, ""))
	if err := c.SetReadDeadline(time.Now().Add(9 * time.Second)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != 400 {
		t.Errorf("got %d, want 400", response.StatusCode)
	}
}
