package authkit

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds an answer of AuthKit's. A real one has a few kilobytes.
const maxAnswer = 1 << 20

var errTooLarge = errors.New("answer of more than 1 MiB")

// recorder is the transport of one request. It keeps the answer as it came,
// before workos-go decodes it.
type recorder struct {
	next       http.RoundTripper
	status     int // 0 until an answer has arrived to its last byte
	retryAfter string
	body       []byte
}

// record returns an HTTP client for one request, and what records its answer.
func (c *Client) record() (*http.Client, *recorder) {
	hc := http.Client{Timeout: 10 * time.Second}
	if c.HTTPClient != nil {
		hc = *c.HTTPClient
	}
	r := &recorder{next: hc.Transport}
	if r.next == nil {
		r.next = http.DefaultTransport
	}
	hc.Transport = r
	// A redirect would carry the API key to another address.
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc, r
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	// Without GetBody nothing below can send the body twice. net/http would do so
	// over HTTP/2 when the stream is reset with PROTOCOL_ERROR, by when AuthKit may
	// have spent the code or the refresh token (golang/go#47635).
	req = req.WithContext(req.Context())
	req.GetBody = nil

	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errTooLarge
	}
	r.status, r.retryAfter, r.body = resp.StatusCode, resp.Header.Get("Retry-After"), body
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
