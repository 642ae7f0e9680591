package emulator

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// endpoint is one that is registered. Those of Config get every event.
type endpoint struct {
	queue chan []byte

	mu         sync.Mutex // guards what follows
	registered endpointJSON
	every      bool
	stats      Deliveries
}

func newEndpoint(url, secret string, events []string, now time.Time) *endpoint {
	return &endpoint{
		queue: make(chan []byte, maxQueued),
		stats: Deliveries{URL: url},
		registered: endpointJSON{
			Object: "webhook_endpoint", ID: newID("we_", now), URL: url, Secret: secret, Status: statusEnabled, Events: events,
			CreatedAt: timestamp(now), UpdatedAt: timestamp(now),
		},
	}
}

// all are the endpoints that there are now.
func (w *webhooks) all() []*endpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.endpoints)
}

func (w *webhooks) list() []endpointJSON {
	var list []endpointJSON
	for _, to := range w.all() {
		list = append(list, to.json())
	}
	return list
}

// register adds an endpoint. A URL that has one is refused.
func (w *webhooks) register(url string, events []string, now time.Time) (endpointJSON, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, to := range w.endpoints {
		if to.json().URL == url {
			return endpointJSON{}, codeError(http.StatusConflict, "duplicate_endpoint", "There is an endpoint for this URL.")
		}
	}
	if len(w.endpoints) >= maxEndpoints {
		return endpointJSON{}, unprocessable("There are too many webhook endpoints.")
	}
	to := newEndpoint(url, newSecret(), events, now)
	w.endpoints = append(w.endpoints, to)
	w.run(to)
	return to.json(), nil
}

// change sets the fields that are given.
func (w *webhooks) change(id string, f endpointFields, now time.Time) (endpointJSON, error) {
	for _, to := range w.all() {
		if to.json().ID != id {
			continue
		}
		to.mu.Lock()
		if f.URL != nil {
			to.registered.URL = *f.URL
		}
		if f.Status != nil {
			to.registered.Status = *f.Status
		}
		if f.Events != nil {
			to.registered.Events, to.every = *f.Events, false
		}
		to.registered.UpdatedAt = timestamp(now)
		to.mu.Unlock()
		return to.json(), nil
	}
	return endpointJSON{}, notFound("Webhook Endpoint")
}

// remove takes an endpoint away. What waits for it is never sent.
func (w *webhooks) remove(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.endpoints, func(to *endpoint) bool { return to.json().ID == id })
	if i < 0 {
		return notFound("Webhook Endpoint")
	}
	w.endpoints = slices.Delete(w.endpoints, i, i+1)
	return nil
}

func (to *endpoint) json() endpointJSON {
	to.mu.Lock()
	defer to.mu.Unlock()
	return to.registered
}

// wants reports whether an event goes to the endpoint.
func (to *endpoint) wants(name string) bool {
	to.mu.Lock()
	defer to.mu.Unlock()
	return to.registered.Status == statusEnabled && (to.every || slices.Contains(to.registered.Events, name))
}
