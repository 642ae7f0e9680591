package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// duration is one in JSON, such as "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

type faultJSON struct {
	Endpoint    string   `json:"endpoint"`
	Calls       int      `json:"calls,omitempty"`
	Delay       duration `json:"delay,omitempty"`
	Drop        bool     `json:"drop,omitempty"`
	Processed   bool     `json:"processed,omitempty"`
	Status      int      `json:"status,omitempty"`
	Body        string   `json:"body,omitempty"`
	ContentType string   `json:"content_type,omitempty"`
	RetryAfter  string   `json:"retry_after,omitempty"`
}

func (f faultJSON) fault() Fault {
	return Fault{f.Endpoint, f.Calls, time.Duration(f.Delay), f.Drop, f.Processed, f.Status, f.Body, f.ContentType, f.RetryAfter}
}

func (f Fault) json() faultJSON {
	return faultJSON{f.Endpoint, f.Calls, duration(f.Delay), f.Drop, f.Processed, f.Status, f.Body, f.ContentType, f.RetryAfter}
}

type settingsJSON struct {
	AccessTokenLifetime duration `json:"access_token_lifetime"`
	GraceWindow         duration `json:"grace_window"`
	Issuer              string   `json:"issuer"`
	ClockSkew           duration `json:"clock_skew"`
}

func (s settingsJSON) settings() Settings {
	return Settings{time.Duration(s.AccessTokenLifetime), time.Duration(s.GraceWindow), s.Issuer, time.Duration(s.ClockSkew)}
}

func (s Settings) json() settingsJSON {
	return settingsJSON{duration(s.AccessTokenLifetime), duration(s.GraceWindow), s.Issuer, duration(s.ClockSkew)}
}

// control has the emulator's own endpoints. Faults don't reach them.
func (e *Emulator) control(r chi.Router) {
	route := func(method, path string, handle func(r *http.Request, body []byte) (any, error)) {
		r.MethodFunc(method, "/_emulator/"+path, e.withKey(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
			var answer any
			if err == nil {
				answer, err = handle(r, body)
			}
			if err != nil {
				writeError(w, badRequest(err))
				return
			}
			writeJSON(w, http.StatusOK, answer)
		}))
	}
	route(http.MethodGet, "faults", func(*http.Request, []byte) (any, error) { return e.listFaults(), nil })
	route(http.MethodPost, "faults", e.postFault)
	route(http.MethodDelete, "faults", func(r *http.Request, _ []byte) (any, error) {
		e.ClearFaults(r.URL.Query().Get("endpoint"))
		return e.listFaults(), nil
	})
	route(http.MethodGet, "settings", func(*http.Request, []byte) (any, error) { return e.Settings().json(), nil })
	route(http.MethodPatch, "settings", e.patchSettings)
	route(http.MethodPost, "keys/rotate", e.postRotation)
	route(http.MethodPost, "keys/publish", func(*http.Request, []byte) (any, error) { e.PublishKey(); return struct{}{}, nil })
	route(http.MethodPut, "roles/{slug}", e.putRole)
	route(http.MethodPost, "events", e.postEvent)
	route(http.MethodGet, "webhooks", func(*http.Request, []byte) (any, error) { return e.Deliveries(), nil })
}

// strictly reads a JSON object that has nothing but the fields of into.
func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more after the JSON object")
	}
	return nil
}

// badRequest says what is wrong with a request for a switch.
func badRequest(err error) error {
	var refused *apiError
	if errors.As(err, &refused) {
		return err
	}
	return codeError(http.StatusBadRequest, "invalid_request", err.Error())
}

type faultsJSON struct {
	Faults []faultJSON    `json:"faults"`
	Calls  map[string]int `json:"calls"` // that met one
}

func (e *Emulator) listFaults() faultsJSON {
	list := faultsJSON{Faults: []faultJSON{}, Calls: e.Faulted()}
	for _, f := range e.Faults() {
		list.Faults = append(list.Faults, f.json())
	}
	return list
}

func (e *Emulator) postFault(_ *http.Request, body []byte) (any, error) {
	var f faultJSON
	if err := strictly(body, &f); err != nil {
		return nil, err
	}
	if err := e.AddFault(f.fault()); err != nil {
		return nil, err
	}
	return e.listFaults(), nil
}

// patchSettings leaves what the body doesn't name.
func (e *Emulator) patchSettings(_ *http.Request, body []byte) (any, error) {
	var unreadable error
	err := e.Change(func(s *Settings) {
		changed := s.json()
		if unreadable = strictly(body, &changed); unreadable == nil {
			*s = changed.settings()
		}
	})
	return e.Settings().json(), errors.Join(unreadable, err)
}

func (e *Emulator) postRotation(_ *http.Request, body []byte) (any, error) {
	var rotation struct {
		DropOld bool `json:"drop_old"`
		HideNew bool `json:"hide_new"`
	}
	if err := strictly(body, &rotation); err != nil {
		return nil, err
	}
	kid, err := e.RotateKey(Rotation{DropOld: rotation.DropOld, HideNew: rotation.HideNew})
	return map[string]string{"kid": kid}, err
}

func (e *Emulator) putRole(r *http.Request, body []byte) (any, error) {
	var role struct {
		OrganizationID string   `json:"organization_id"`
		Permissions    []string `json:"permissions"`
	}
	if err := strictly(body, &role); err != nil {
		return nil, err
	}
	return struct{}{}, e.SetRole(role.OrganizationID, chi.URLParam(r, "slug"), role.Permissions)
}

func (e *Emulator) postEvent(_ *http.Request, body []byte) (any, error) {
	var event struct {
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if err := strictly(body, &event); err != nil {
		return nil, err
	}
	return struct{}{}, e.SendEvent(event.Event, event.Data)
}
