package authkit

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// checkNoAnswer fails unless err is an outage without a status that has the cause.
func checkNoAnswer(t *testing.T, err error, is error) {
	t.Helper()
	var outage *session.Outage
	if !errors.As(err, &outage) || outage.Status != 0 || outage.Refused || outage.Err == nil {
		t.Fatalf("got %#v, want an outage without an answer", err)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("got %v, want one that is %v", err, is)
	}
	checkNoSecret(t, err)
}

func TestServerIsDown(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c := &Client{APIKey: "sk_test_secret", BaseURL: &url.URL{Scheme: "http", Host: listener.Addr().String()}}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := call(t, c)
			checkNoAnswer(t, err, nil)
		})
	}
}

func TestServerHangsUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		start string
	}{
		{"before the answer", ""},
		{"within the answer", `{"access_token":"token_secret",`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.start != "" {
					io.WriteString(w, tt.start)
					w.(http.Flusher).Flush()
				}
				panic(http.ErrAbortHandler)
			})
			_, err := calls["refresh"](t, c)
			checkNoAnswer(t, err, nil)
		})
	}
}

func TestServerNeverAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		start string
	}{
		{"nothing comes", ""},
		{"the answer stops halfway", `{"access_token":"token_secret",`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			over := make(chan struct{})
			called := make(chan struct{}, 2)
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				if tt.start != "" {
					io.WriteString(w, tt.start)
					w.(http.Flusher).Flush()
				}
				called <- struct{}{}
				<-over
			})
			t.Cleanup(func() { close(over) }) // before the server closes

			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-called; cancel() }()
			_, err := c.Refresh(ctx, "token_secret", "")
			checkNoAnswer(t, err, context.Canceled)

			c.HTTPClient = &http.Client{Timeout: 10 * time.Millisecond}
			_, err = c.Refresh(t.Context(), "token_secret", "")
			checkNoAnswer(t, err, context.DeadlineExceeded)
		})
	}
}

func TestAnswerIsBounded(t *testing.T) {
	t.Parallel()
	const answer = `{"access_token":"a","refresh_token":"r","user":{"id":"user_1"}}`
	tests := []struct {
		name string
		size int
		ok   bool
	}{
		{"1 MiB", 1 << 20, true},
		{"a byte more", 1<<20 + 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, answer+strings.Repeat(" ", tt.size-len(answer)))
			})
			got, err := c.Refresh(t.Context(), "token_secret", "")
			if !tt.ok {
				checkNoAnswer(t, err, errTooLarge)
			} else if err != nil || len(got) != tt.size {
				t.Errorf("got %d bytes, %v, want %d", len(got), err, tt.size)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				http.Redirect(w, r, "/elsewhere", status)
			})
			_, err := calls["refresh"](t, c)
			var outage *session.Outage
			if !errors.As(err, &outage) || outage.Status != status || !outage.Refused || requests.Load() != 1 {
				t.Errorf("got %#v after %d requests, want a refusal after 1", err, requests.Load())
			}
		})
	}
}

// net/http sends some requests again by itself on a connection that was in use
// before. A refresh token must not be among them.
func TestRequestIsSentOnce(t *testing.T) {
	t.Parallel()
	t.Run("HTTP/1", func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if requests.Add(1) > 1 {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, `{"access_token":"a","refresh_token":"r","user":{"id":"user_1"}}`)
		})
		c.HTTPClient = &http.Client{Transport: &http.Transport{}}
		if _, err := calls["refresh"](t, c); err != nil {
			t.Fatal(err)
		}
		_, err := calls["refresh"](t, c)
		checkNoAnswer(t, err, nil)
		if got := requests.Load(); got != 2 {
			t.Errorf("got %d requests, want 2", got)
		}
	})
	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		requests := make(chan int, 1)
		go func() { requests <- resetHTTP2(listener) }()

		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		c := &Client{
			BaseURL:    &url.URL{Scheme: "http", Host: listener.Addr().String()},
			HTTPClient: &http.Client{Transport: transport},
		}
		_, err = calls["refresh"](t, c)
		checkNoAnswer(t, err, nil)
		listener.Close()
		transport.CloseIdleConnections()
		if got := <-requests; got != 1 {
			t.Errorf("got %d requests, want 1", got)
		}
	})
}

// resetHTTP2 answers HTTP/2 connections: a request whose body has come is reset
// with PROTOCOL_ERROR. It ends with the second request or with the listener, and
// returns how many came.
func resetHTTP2(listener net.Listener) (requests int) {
	defer listener.Close()
	for requests < 2 {
		conn, err := listener.Accept()
		if err != nil {
			return requests
		}
		if resetRequest(conn) {
			requests++
		}
		conn.Close()
	}
	return requests
}

// resetRequest reads conn up to a request's last byte and resets that request. It
// reports false if none comes.
func resetRequest(conn net.Conn) bool {
	// Frames of RFC 9113: a length of 3 bytes, type, flags, a stream id of 4 bytes.
	const data, reset, settings, endStream, ack = 0, 3, 4, 1, 1
	_, _ = io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	_, _ = conn.Write([]byte{0, 0, 0, settings, 0, 0, 0, 0, 0})
	for {
		var head [9]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return false
		}
		_, _ = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:4])>>8))
		switch kind, flags := head[3], head[4]; {
		case kind == settings && flags&ack == 0:
			_, _ = conn.Write([]byte{0, 0, 0, settings, ack, 0, 0, 0, 0})
		case kind == data && flags&endStream != 0:
			_, _ = conn.Write([]byte{0, 0, 4, reset, 0, head[5], head[6], head[7], head[8], 0, 0, 0, 1})
			return true
		}
	}
}
