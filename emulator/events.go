package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

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

// SendEvent sends an event of any name to the webhook URLs. The data is a JSON object; it is sent as it is,
// and changes nothing in the emulator.
func (e *Emulator) SendEvent(name string, data json.RawMessage) error {
	if name == "" || len(name) > maxEventName {
		return fmt.Errorf("emulator: event: must have a name of %d bytes at most", maxEventName)
	}
	if len(data) > maxBody || !json.Valid(data) || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return errors.New("emulator: event: data must be a JSON object of 64 KB at most")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.emit(name, data)
	return nil
}

// emit queues an event. The caller holds the lock, so that events go in the order of what
// they tell.
func (e *Emulator) emit(name string, data any) {
	if len(e.config.WebhookURLs) == 0 {
		return
	}
	now := e.now()
	body, err := json.Marshal(eventJSON{
		Object: "event", ID: newID("event_", now), Event: name, Data: data, CreatedAt: timestamp(now),
		Context: map[string]string{"client_id": e.config.ClientID},
	})
	if err != nil {
		panic(err) // it is made of our own types and valid JSON
	}
	e.webhooks.send(body)
}
