package emulator

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// calls counts the calls of every endpoint, and lets faults answer some of them.
type calls struct {
	endpoints []string        // what calls are named after
	stopped   <-chan struct{} // ends delays

	lock    sync.Mutex // guards everything below
	counts  map[string]int
	faulted map[string]int
	faults  []Fault
}

// endpoint is a handler whose calls are named after name.
func (c *calls) endpoint(name string, handle http.HandlerFunc) http.HandlerFunc {
	c.endpoints = append(c.endpoints, name)
	return func(w http.ResponseWriter, r *http.Request) {
		c.count(name)
		c.serve(name, w, r, handle)
	}
}

func (c *calls) count(name string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.counts[name]++
}

// Calls says how often each endpoint was called, by name, whether a fault answered or not:
//
//	authorize, authorize.submit, jwks
//	authenticate, and of its calls each grant again: authenticate.authorization_code,
//	authenticate.refresh_token, authenticate.organization_selection
//	sessions.list, sessions.revoke, sessions.logout
//	users.delete, organizations.delete, memberships.list, memberships.update,
//	memberships.deactivate, memberships.reactivate, memberships.delete
//	redirect_uris.list, redirect_uris.create, redirect_uris.delete
//	webhook_endpoints.list, webhook_endpoints.create, webhook_endpoints.update, webhook_endpoints.delete
//	api_keys.validate, api_keys.create, api_keys.list, api_keys.delete
//	connect.token, connect.jwks, connect.metadata, connect.register, connect.authorize, connect.authorize.submit,
//	connect.introspection, connect.device_authorization, connect.device
//	resources.list, resources.create, resources.default, resources.delete
//
// An endpoint that was never called has no entry.
func (c *calls) Calls() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.counts)
}

// Faulted says how many of the calls met a fault, under the names of Calls. A grant's call
// counts as the grant's alone.
func (c *calls) Faulted() map[string]int {
	c.lock.Lock()
	defer c.lock.Unlock()
	return maps.Clone(c.faulted)
}

// useFault takes the fault of a call, if there is one.
func (c *calls) useFault(name string) (Fault, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	i := slices.IndexFunc(c.faults, func(f Fault) bool { return f.concerns(name) })
	if i < 0 {
		return Fault{}, false
	}
	c.faulted[name]++
	f := c.faults[i]
	if f.Calls == 1 {
		c.faults = slices.Delete(c.faults, i, i+1)
	} else if f.Calls > 1 {
		c.faults[i].Calls--
	}
	return f, true
}

// serve answers a call, or lets a fault do so.
func (c *calls) serve(name string, w http.ResponseWriter, r *http.Request, handle http.HandlerFunc) {
	f, ok := c.useFault(name)
	if !ok {
		handle(w, r)
		return
	}
	// A server notices only past the body's end that the client is gone.
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := kept{header: http.Header{}}
	if f.Processed {
		handle(&answer, r)
	}
	if !c.wait(r, f.Delay) || f.Drop {
		panic(http.ErrAbortHandler)
	}
	switch {
	case f.Status != 0:
		f.write(w)
	case f.Processed:
		answer.send(w)
	default:
		handle(w, r)
	}
}

// wait is false if the client is gone or the emulator closed before the time is over.
func (c *calls) wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-c.stopped:
	}
	return false
}

// kept is an answer that is not sent yet, or never.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

func (k *kept) send(w http.ResponseWriter) {
	k.WriteHeader(http.StatusOK)
	for name, values := range k.header {
		w.Header()[name] = values
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body.Bytes())
}
