package emulator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	maxFaults     = 100
	maxFaultCalls = 1_000_000
	maxFaultBody  = 32 << 10
	maxFaultDelay = 10 * time.Minute
)

// Fault makes calls go wrong. The order of what happens to a call:
//
//	Processed  the call is processed, and its answer put aside
//	Delay      wait
//	Drop       the connection ends without an answer
//	Status     this is the answer
//	neither    the call is answered as ever, late
type Fault struct {
	// Endpoint is one of the names of Calls. A name stands for those below it too: authenticate for
	// every grant, sessions for sessions.revoke; * is every endpoint. Required.
	Endpoint string

	Calls     int           // how many calls it is for; 0: all until it is cleared
	Delay     time.Duration // before anything is answered
	Drop      bool          // no answer: [http.ErrAbortHandler], with which net/http closes the connection
	Processed bool          // the call takes effect all the same: a refresh token is spent

	Status      int    // 200 to 599
	Body        string // with Status
	ContentType string // of Body; empty: application/json
	RetryAfter  string // with Status: seconds or a date, sent as it is
}

func (f Fault) check(endpoints []string) error {
	var problems []error
	wrong := func(is bool, what string) {
		if is {
			problems = append(problems, errors.New("emulator: fault: "+what))
		}
	}
	known := slices.ContainsFunc(endpoints, f.concerns)
	wrong(!known, fmt.Sprintf("unknown endpoint %.64q", f.Endpoint))
	wrong(f.Calls < 0 || f.Calls > maxFaultCalls, "calls: must be 0 to 1000000")
	wrong(f.Delay < 0 || f.Delay > maxFaultDelay, "delay: must be 0 to 10m")
	wrong(f.Status != 0 && (f.Status < 200 || f.Status > 599), "status: must be 200 to 599")
	wrong(len(f.Body)+len(f.ContentType)+len(f.RetryAfter) > maxFaultBody, "body and headers: more than 32 KB")
	wrong(f.Drop && f.Status != 0, "a dropped connection has no status")
	wrong(f.Status == 0 && f.Body+f.ContentType+f.RetryAfter != "", "body, content type and Retry-After need a status")
	wrong(f.Status == 0 && !f.Drop && f.Delay == 0, "one of status, drop and delay must be set")
	return errors.Join(problems...)
}

// concerns says whether the fault is for calls of that name.
func (f Fault) concerns(name string) bool {
	return f.Endpoint == "*" || f.Endpoint == name || f.Endpoint != "" && strings.HasPrefix(name, f.Endpoint+".")
}

// AddFault adds a fault behind those that there are. Of several that are for one call, the first
// applies; one that is used up is gone.
func (e *Emulator) AddFault(f Fault) error {
	if err := f.check(e.endpoints); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.faults) >= maxFaults {
		return fmt.Errorf("emulator: fault: there are %d already", maxFaults)
	}
	e.faults = append(e.faults, f)
	return nil
}

// Faults lists the faults, each with the calls that it still has.
func (e *Emulator) Faults() []Fault {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.faults)
}

// ClearFaults removes the faults that were added for the endpoint, or all if it is empty.
func (e *Emulator) ClearFaults(endpoint string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = slices.DeleteFunc(e.faults, func(f Fault) bool { return endpoint == "" || f.Endpoint == endpoint })
}

// useFault takes the fault of a call, if there is one.
func (e *Emulator) useFault(name string) (Fault, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.faults, func(f Fault) bool { return f.concerns(name) })
	if i < 0 {
		return Fault{}, false
	}
	e.faulted[name]++
	f := e.faults[i]
	if f.Calls == 1 {
		e.faults = slices.Delete(e.faults, i, i+1)
	} else if f.Calls > 1 {
		e.faults[i].Calls--
	}
	return f, true
}

// serve answers a call, or lets a fault do so.
func (e *Emulator) serve(name string, w http.ResponseWriter, r *http.Request, handle http.HandlerFunc) {
	f, ok := e.useFault(name)
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
	if !e.wait(r, f.Delay) || f.Drop {
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
func (e *Emulator) wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-e.stopped:
	}
	return false
}

func (f Fault) write(w http.ResponseWriter) {
	contentType := f.ContentType
	if contentType == "" {
		contentType = "application/json; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
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
