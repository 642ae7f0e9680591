package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/workos/workos-go/v4/pkg/webhooks"
)

const testSecret = "whsec_test"

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// received is a webhook as it arrived.
type received struct{ signature, body string }

// receiver answers webhooks with the statuses given, then with 200.
func receiver(t *testing.T, statuses ...int) (target string, got <-chan received) {
	t.Helper()
	arrived := make(chan received, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s of %s, error %v, want JSON posted", r.Method, r.Header.Get("Content-Type"), err)
		}
		arrived <- received{r.Header.Get("WorkOS-Signature"), string(body)}
		if len(statuses) > 0 { // one worker for each URL: no two at a time
			w.WriteHeader(statuses[0])
			statuses = statuses[1:]
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, arrived
}

func withWebhooks(urls ...string) func(*Config) {
	return func(c *Config) { c.WebhookURLs, c.WebhookSecret = urls, testSecret }
}

// wantEvent waits for the next event, and gives its data.
func wantEvent(t *testing.T, from <-chan received, name string) map[string]any {
	t.Helper()
	got := decode(t, (<-from).body)
	if got["event"] != name {
		t.Fatalf("got event %v, want %s", got, name)
	}
	return got["data"].(map[string]any)
}

// wantNoMore has a last event arrive next: they come in order.
func (e *testServer) wantNoMore(t *testing.T, from <-chan received) {
	t.Helper()
	e.want(t, "POST", "/_emulator/events", `{"event":"test.last","data":{}}`, 200, `{}`)
	wantEvent(t, from, "test.last")
}

// The vector is a delivery of WorkOS's own emulator.
func TestSign(t *testing.T) {
	t.Parallel()
	const body = `{"id":"evt_01M8415N5E4T4V7XE200RPDFNF","event":"session.revoked","data":{"object":"session","user_id":"user_01ALICE","organization_id":"org_01EMUA","ip_address":null,"user_agent":"Python-urllib/3.11","auth_method":"oauth","status":"revoked","expires_at":"2026-12-23T11:03:01.491Z","ended_at":"2026-11-23T11:03:01.550Z","id":"session_01M8415N3KGHFS0E5RKS5WE0M7","created_at":"2026-11-23T11:03:01.491Z","updated_at":"2026-11-23T11:03:01.550Z"},"created_at":"2026-11-23T11:03:01.550Z"}`
	const want = "t=1795431781550, v1=8b2996bfd023a0d420a8449f2e8bb149ab09f593b77f43ecf13d1a4284f5efa2"
	if got := sign([]byte(testSecret), time.UnixMilli(1795431781550), []byte(body)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// WorkOS's client takes what arrives, from every URL.
func TestWebhook(t *testing.T) {
	t.Parallel()
	first, atFirst := receiver(t)
	second, atSecond := receiver(t)
	e := start(t, withWebhooks(first, second))
	session := e.signIn(t, iris, "")
	for _, from := range []<-chan received{atFirst, atSecond} {
		got := <-from
		client := sdk.NewClient(testSecret)
		client.SetNow(e.clock.Now)
		if body, err := client.ValidatePayload(got.signature, got.body); err != nil || body != got.body {
			t.Errorf("%v with signature %s", err, got.signature)
		}
		if !strings.HasPrefix(got.signature, "t=1772366400000, v1=") {
			t.Errorf("got signature %s, want the emulator's time", got.signature)
		}
		event := decode(t, got.body)
		sid := e.claims(t, session.AccessToken)["sid"].(string)
		if id, _ := event["id"].(string); !strings.HasPrefix(id, "event_01") {
			t.Errorf("got id %v", event["id"])
		}
		delete(event, "id")
		want := `{"object":"event","event":"session.created","created_at":"2026-03-01T12:00:00.000Z","context":{"client_id":"client_01TEST"},
			"data":{"object":"session","id":"` + sid + `","user_id":"user_01JX45HY43KWJRP1XPA7Z3DJ8F","organization_id":"` + acmeID + `",
			"status":"active","auth_method":"impersonation","ip_address":null,"user_agent":null,
			"impersonator":{"email":"support@example.com","reason":"Ticket 4711: \"export is empty\""},
			"expires_at":"2026-03-31T12:00:00.000Z","ended_at":null,"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}}`
		wantJSON(t, event, want)
	}
}

func wantJSON(t *testing.T, got any, want string) {
	t.Helper()
	var parsed any
	if err := json.Unmarshal([]byte(want), &parsed); err != nil {
		t.Fatal(err)
	}
	if got, want := string(must(json.Marshal(got))), string(must(json.Marshal(parsed))); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSessionEvents(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	for _, end := range []func(sid string) error{
		e.RevokeSession,
		func(sid string) error {
			e.get(t, e.url+"/user_management/sessions/logout?session_id="+sid)
			return nil
		},
		func(sid string) error {
			e.ask(t, "POST", "/user_management/sessions/revoke", `{"session_id":"`+sid+`"}`)
			return nil
		},
	} {
		e.signIn(t, zoe, "")
		created := wantEvent(t, events, "session.created")
		e.clock.Advance(time.Second)
		for range 2 { // what has ended isn't told again
			if err := end(created["id"].(string)); err != nil {
				t.Fatal(err)
			}
		}
		revoked := wantEvent(t, events, "session.revoked")
		if revoked["id"] != created["id"] || revoked["user_id"] != "user_01JE28JT97KB6CQ643DZVMXXQK" || revoked["status"] != "revoked" ||
			revoked["ended_at"] != e.clock.Now().Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("got %v, want the session that was created, revoked now", revoked)
		}
	}
	e.wantNoMore(t, events)
}

func TestSendEvent(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	e.want(t, "POST", "/_emulator/events", `{"event":"permission.deleted","data":{"slug":"reports:write"}}`, 200, `{}`)
	wantJSON(t, wantEvent(t, events, "permission.deleted"), `{"slug":"reports:write"}`)
	for body, want := range map[string]string{
		`{"data":{}}`:                   "must have a name",
		`{"event":"x"}`:                 "must be a JSON object",
		`{"event":"x","data":null}`:     "must be a JSON object",
		`{"event":"x","data":[]}`:       "must be a JSON object",
		`{"event":"x","data":{},"a":1}`: "unknown field",
		`{"event":"` + strings.Repeat("x", 257) + `","data":{}}`: "must have a name",
	} {
		if got := e.ask(t, "POST", "/_emulator/events", body); got.status != 400 || !strings.Contains(got.body, want) {
			t.Errorf("%.40s: got %d %s, want 400 with %s", body, got.status, got.body, want)
		}
	}
	e.wantNoMore(t, events)
}

// A clock that is wrong signs with the wrong time.
func TestWebhookClockSkew(t *testing.T) {
	t.Parallel()
	target, events := receiver(t)
	e := start(t, withWebhooks(target))
	if err := e.Change(func(s *Settings) { s.ClockSkew = time.Hour }); err != nil {
		t.Fatal(err)
	}
	e.signIn(t, zoe, "")
	got := <-events
	if created := decode(t, got.body)["created_at"]; created != "2026-03-01T13:00:00.000Z" || !strings.HasPrefix(got.signature, "t=1772370000000, ") {
		t.Errorf("got an event of %v, signature %s, want 13:00", created, got.signature)
	}
}

// roundTripper is a client's network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answers is a network that answers with these statuses, then with 200, and notes when.
func answers(statuses ...int) (network roundTripper, at *[]time.Duration) {
	begun := time.Now()
	at = new([]time.Duration)
	return func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		*at = append(*at, time.Since(begun))
		status := 200
		if len(statuses) > 0 {
			status, statuses = statuses[0], statuses[1:]
		}
		return &http.Response{StatusCode: status, Header: http.Header{"Location": {"/x"}}, Body: http.NoBody}, nil
	}, at
}

func TestWebhookIsSentAgain(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	tests := []struct {
		name     string
		statuses []int
		at       []time.Duration
		want     Deliveries
	}{
		{"taken", []int{204}, []time.Duration{0}, Deliveries{Delivered: 1}},
		{"on the third attempt", []int{500, 404}, []time.Duration{0, 200 * ms, 800 * ms}, Deliveries{Delivered: 1, Failed: 2, LastError: "status 404"}},
		{"a redirect is no success", []int{302}, []time.Duration{0, 200 * ms}, Deliveries{Delivered: 1, Failed: 1, LastError: "status 302"}},
		{"given up", []int{500, 500, 500, 500, 500, 503}, []time.Duration{0, 200 * ms, 800 * ms, 2600 * ms, 8000 * ms, 24200 * ms},
			Deliveries{Failed: 6, Lost: 1, LastError: "status 503"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			must(signingKey())
			synctest.Test(t, func(t *testing.T) {
				config := Config{BaseURL: &url.URL{Scheme: "http", Host: "authkit"}, ClientID: testClient, APIKey: testKey, SigningKey: must(signingKey())}
				withWebhooks("http://hook/")(&config)
				e := must(New(config))
				network, at := answers(tt.statuses...)
				e.webhooks.client.Transport = network
				e.signInNow(t)
				time.Sleep(time.Hour) // in the bubble: until nothing is left to do
				e.Close()
				if !slices.Equal(*at, tt.at) {
					t.Errorf("got attempts at %v, want %v", *at, tt.at)
				}
				tt.want.URL = "http://hook/"
				if got := e.Deliveries(); len(got) != 1 || got[0] != tt.want {
					t.Errorf("got %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}

func (e *Emulator) signInNow(t *testing.T) {
	t.Helper()
	if _, err := e.SignIn(zoe, ""); err != nil {
		t.Fatal(err)
	}
}

// Close gives up what is under way. That a goroutine stays, the bubble would say.
func TestCloseEndsWebhooks(t *testing.T) {
	t.Parallel()
	must(signingKey())
	synctest.Test(t, func(t *testing.T) {
		config := Config{BaseURL: &url.URL{Scheme: "http", Host: "authkit"}, ClientID: testClient, APIKey: testKey, SigningKey: must(signingKey())}
		withWebhooks("http://hangs/", "http://refuses/")(&config)
		e := must(New(config))
		e.webhooks.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "refuses" {
				return &http.Response{StatusCode: 500, Body: http.NoBody}, nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		e.signInNow(t)
		time.Sleep(time.Second)
		e.Close()
		e.Close()
		e.signInNow(t) // goes nowhere, and doesn't block
	})
}

func TestWebhookQueueIsBounded(t *testing.T) {
	t.Parallel()
	w := newWebhooks([]string{"http://hook/"}, testSecret, time.Now)
	for range 1003 {
		w.send("user.deleted", []byte("{}"))
	}
	if got := w.endpoints[0].stats.Lost; got != 3 {
		t.Errorf("got %d lost, want 3 past the limit", got)
	}
}
