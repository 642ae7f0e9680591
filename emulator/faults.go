package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	Endpoint string `json:"endpoint"`

	Calls     int           `json:"calls,omitempty"`     // how many calls it is for; 0: all until it is cleared
	Delay     time.Duration `json:"-"`                   // before anything is answered; in JSON "delay", such as "1m30s"
	Drop      bool          `json:"drop,omitempty"`      // no answer: [http.ErrAbortHandler], with which net/http closes the connection
	Processed bool          `json:"processed,omitempty"` // the call takes effect all the same: a refresh token is spent

	Status      int    `json:"status,omitempty"`       // 200 to 599
	Body        string `json:"body,omitempty"`         // with Status
	ContentType string `json:"content_type,omitempty"` // of Body; empty: application/json
	RetryAfter  string `json:"retry_after,omitempty"`  // with Status: seconds or a date, sent as it is
}

// MarshalJSON writes the delay as text.
func (f Fault) MarshalJSON() ([]byte, error) {
	type plain Fault
	return json.Marshal(struct {
		plain
		Delay duration `json:"delay,omitempty"`
	}{plain(f), duration(f.Delay)})
}

// UnmarshalJSON refuses what no fault has.
func (f *Fault) UnmarshalJSON(text []byte) error {
	type plain Fault
	return strictly(text, &struct {
		*plain
		Delay *duration `json:"delay"`
	}{(*plain)(f), (*duration)(&f.Delay)})
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

// concerns reports whether the fault is for calls of that name.
func (f Fault) concerns(name string) bool {
	return f.Endpoint == "*" || f.Endpoint == name || f.Endpoint != "" && strings.HasPrefix(name, f.Endpoint+".")
}

// AddFault adds a fault behind those that there are. Of several that are for one call, the first
// applies; one that is used up is gone.
func (c *calls) AddFault(f Fault) error {
	if err := f.check(c.endpoints); err != nil {
		return err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if len(c.faults) >= maxFaults {
		return fmt.Errorf("emulator: fault: there are %d already", maxFaults)
	}
	c.faults = append(c.faults, f)
	return nil
}

// ClearFaults removes the faults that were added for the endpoint, or all if it is empty.
func (c *calls) ClearFaults(endpoint string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.faults = slices.DeleteFunc(c.faults, func(f Fault) bool { return endpoint == "" || f.Endpoint == endpoint })
}

// listFaults answers with each fault, with the calls that it still has, and with how many calls met one.
func (c *calls) listFaults(*http.Request, []byte) (any, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return struct {
		Faults []Fault        `json:"faults"`
		Calls  map[string]int `json:"calls"`
	}{append([]Fault{}, c.faults...), maps.Clone(c.faulted)}, nil
}

func (c *calls) postFault(r *http.Request, body []byte) (any, error) {
	var f Fault
	if err := strictly(body, &f); err != nil {
		return nil, err
	}
	if err := c.AddFault(f); err != nil {
		return nil, err
	}
	return c.listFaults(r, nil)
}

func (c *calls) deleteFaults(r *http.Request, _ []byte) (any, error) {
	c.ClearFaults(r.URL.Query().Get("endpoint"))
	return c.listFaults(r, nil)
}
