package emulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	maxWebhookURLs  = 10
	maxQueued       = 1000                   // events that wait, for each URL
	webhookAttempts = 6                      // of each event, over half a minute
	webhookBackOff  = 200 * time.Millisecond // after the first attempt; three times as long after each further one
	webhookTimeout  = 10 * time.Second
)

// webhooks sends events to every URL, each on its own and in order. An event is sent again until the
// answer is a 2xx, so it may arrive twice; it is lost after the last attempt, or if too many wait.
type webhooks struct {
	secret    []byte
	now       func() time.Time // goes into the signature
	client    *http.Client
	endpoints []*endpoint
	running   sync.WaitGroup
}

type endpoint struct {
	url   string
	queue chan []byte

	mu    sync.Mutex // guards what follows
	stats Deliveries
}

// Deliveries is what became of the events for one webhook URL.
type Deliveries struct {
	URL       string `json:"url"`
	Delivered int    `json:"delivered"` // events answered with a 2xx
	Failed    int    `json:"failed"`    // attempts that weren't
	Lost      int    `json:"lost"`      // events given up
	LastError string `json:"last_error,omitempty"`
}

func newWebhooks(urls []string, secret string, now func() time.Time) *webhooks {
	w := &webhooks{secret: []byte(secret), now: now, client: &http.Client{
		Transport: &http.Transport{},
		Timeout:   webhookTimeout,
		// A redirect is no 2xx.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, url := range urls {
		w.endpoints = append(w.endpoints, &endpoint{url: url, queue: make(chan []byte, maxQueued), stats: Deliveries{URL: url}})
	}
	return w
}

// start sends until ctx ends; wait waits for that.
func (w *webhooks) start(ctx context.Context) {
	for _, to := range w.endpoints {
		w.running.Go(func() {
			for {
				select {
				case body := <-to.queue:
					w.deliver(ctx, to, body)
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

func (w *webhooks) wait() {
	w.running.Wait()
	w.client.CloseIdleConnections()
}

// send queues an event for every URL, and never blocks.
func (w *webhooks) send(body []byte) {
	for _, to := range w.endpoints {
		select {
		case to.queue <- body:
		default:
			to.note(func(d *Deliveries) { d.Lost++; d.LastError = "too many events wait" })
		}
	}
}

func (w *webhooks) deliver(ctx context.Context, to *endpoint, body []byte) {
	pause := webhookBackOff
	for attempt := 1; ; attempt++ {
		err := w.post(ctx, to.url, body)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			to.note(func(d *Deliveries) { d.Delivered++ })
			return
		}
		to.note(func(d *Deliveries) { d.Failed++; d.LastError = err.Error() })
		if attempt == webhookAttempts {
			to.note(func(d *Deliveries) { d.Lost++ })
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		pause *= 3
	}
}

// post sends an event once, signed anew: a signature is good for three minutes.
func (w *webhooks) post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "authkit-emulator")
	req.Header.Set("WorkOS-Signature", sign(w.secret, w.now(), body))
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody)) // so that the connection is used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// sign makes the WorkOS-Signature header: the time in milliseconds, and the HMAC of time and body.
func sign(secret []byte, now time.Time, body []byte) string {
	t := strconv.FormatInt(now.UnixMilli(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ", v1=" + hex.EncodeToString(mac.Sum(nil))
}

func (to *endpoint) note(what func(*Deliveries)) {
	to.mu.Lock()
	defer to.mu.Unlock()
	what(&to.stats)
}

// Deliveries says for each webhook URL what became of its events.
func (e *Emulator) Deliveries() []Deliveries {
	list := []Deliveries{}
	for _, to := range e.webhooks.endpoints {
		to.note(func(d *Deliveries) { list = append(list, *d) })
	}
	return list
}
