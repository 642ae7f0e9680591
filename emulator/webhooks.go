package emulator

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	maxWebhookURLs  = 10
	maxEndpoints    = 100
	maxQueued       = 1000                   // events that wait, for each URL
	webhookAttempts = 6                      // of each event, over half a minute
	webhookBackOff  = 200 * time.Millisecond // after the first attempt; three times as long after each further one
	webhookTimeout  = 10 * time.Second
)

// webhooks sends events to every endpoint, each on its own and in order. An event is sent again until the
// answer is a 2xx, so it may arrive twice; it is lost after the last attempt, or if too many wait.
type webhooks struct {
	now     func() time.Time // goes into the signature
	client  *http.Client
	running sync.WaitGroup

	mu        sync.Mutex // guards what follows
	endpoints []*endpoint
	run       func(to *endpoint) // sends its events; nil before start
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
	w := &webhooks{now: now, client: &http.Client{
		Transport: &http.Transport{},
		Timeout:   webhookTimeout,
		// A redirect is no 2xx.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, url := range urls {
		to := newEndpoint(url, secret, eventTypes(), now())
		to.every = true
		w.endpoints = append(w.endpoints, to)
	}
	return w
}

// start sends until ctx ends; wait waits for that.
func (w *webhooks) start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run = func(to *endpoint) {
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
	for _, to := range w.endpoints {
		w.run(to)
	}
}

func (w *webhooks) wait() {
	w.running.Wait()
	w.client.CloseIdleConnections()
}

// send queues an event for every endpoint that wants it, and never blocks.
func (w *webhooks) send(name string, body []byte) {
	for _, to := range w.all() {
		if !to.wants(name) {
			continue
		}
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
		at := to.json()
		err := w.post(ctx, at.URL, at.Secret, body)
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
func (w *webhooks) post(ctx context.Context, url, secret string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "authkit-emulator")
	req.Header.Set("WorkOS-Signature", sign([]byte(secret), w.now(), body))
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
func (e *environment) Deliveries() []Deliveries {
	list := []Deliveries{}
	for _, to := range e.webhooks.all() {
		to.note(func(d *Deliveries) { list = append(list, *d) })
	}
	return list
}

const maxEventName = 256 // bytes

// eventJSON is the API's event, as webhooks carry it.
type eventJSON struct {
	Object    string            `json:"object"`
	ID        string            `json:"id"`
	Event     string            `json:"event"`
	Data      any               `json:"data"`
	CreatedAt string            `json:"created_at"`
	Context   map[string]string `json:"context"`
}

// emit queues an event. The caller holds the lock, so that events go in the order of what
// they tell.
func (e *environment) emit(name string, data any) {
	now := e.now()
	body, err := json.Marshal(eventJSON{
		Object: "event", ID: newID("event_", now), Event: name, Data: data, CreatedAt: timestamp(now),
		Context: map[string]string{"client_id": e.config.ClientID},
	})
	if err != nil {
		panic(err) // it is made of our own types and valid JSON
	}
	e.webhooks.send(name, body)
}

// postEvent answers POST /_emulator/events: an event of any name goes to the webhook URLs. Its data is a JSON
// object; it is sent as it is, and changes nothing in the emulator.
func (e *environment) postEvent(_ *http.Request, body []byte) (any, error) {
	var event struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := strictly(body, &event); err != nil {
		return nil, err
	}
	if event.Event == "" || len(event.Event) > maxEventName {
		return nil, fmt.Errorf("emulator: event: must have a name of %d bytes at most", maxEventName)
	}
	if !bytes.HasPrefix(event.Data, []byte("{")) {
		return nil, errors.New("emulator: event: data must be a JSON object")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(event.Event, event.Data)
	return struct{}{}, nil
}
