package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

// outage is a row of docs/outages.md.
type outage struct {
	name     string
	settings []string
	early    bool // it begins before the service starts
	redis    bool // there is a Redis, and a second replica
	begin    func(testing.TB, *stricken)
	end      func(testing.TB, *stricken)

	valid, expired int           // statuses
	first          int           // status of the first expired session, where it is another
	refreshes      int           // calls that 50 requests of 20 expired sessions make; where they get 503, at most
	minute         int           // and a minute of requests after that, at most
	unknown        bool          // what became of the tokens: gateways give up before AuthKit was asked again
	keySets        int           // fetches of the key set in all, at most
	rest           time.Duration // after its end, until all is well

	// The table's column of what one sees: a metric with its value (empty: not 0), a line of
	// /readyz, of the log.
	metric, value, ready, logged string
}

const (
	refreshGrant = "authenticate.refresh_token"

	failing   = "degraded: AuthKit fails to refresh sessions"
	staleKeys = "degraded: AuthKit's key set can't be fetched anew"
	noRedis   = "degraded: Redis doesn't answer"
	unwritten = "degraded: Redis takes no writes"

	unavailable = `refreshes_total{result="unavailable"}`
	ownFault    = `refreshes_total{result="refused"}`
	refreshed   = `refreshes_total{result="refreshed"}`

	notNow  = "AuthKit can't refresh the session now; it is kept"
	refused = "AuthKit refuses this service's own request"
)

// authKitOutages are AuthKit's. Five sessions fail, and then the circuit breaker is open.
func authKitOutages() []outage {
	answer := func(f emulator.Fault) outage {
		f.Endpoint = "authenticate"
		return outage{
			begin: fault(f), end: cleared, valid: 200, expired: 503, refreshes: 20, minute: 20, keySets: 1,
			rest: 2 * time.Second, metric: unavailable, ready: failing, logged: notNow,
		}
	}
	named := func(name string, o outage) outage { o.name = name; return o }

	down := named("AuthKit is down", answer(emulator.Fault{}))
	down.begin, down.unknown = fault(emulator.Fault{Endpoint: "*", Drop: true}), true

	slow := outage{
		name: "AuthKit is slow", begin: fault(emulator.Fault{Endpoint: "*", Delay: 20 * time.Millisecond}), end: cleared,
		valid: 200, expired: 200, refreshes: 20, keySets: 1, metric: `authkit_request_seconds_count{endpoint="authenticate",result="200"}`, value: "20",
		logged: "session refreshed",
	}
	silent := outage{
		name: "AuthKit takes a call and doesn't answer", begin: silence, end: hangUp,
		valid: 200, expired: 503, refreshes: 20, keySets: 1, rest: time.Second, unknown: true,
		metric: "refreshes_pending", value: "20", logged: "AuthKit unavailable",
	}

	later := named("AuthKit answers 429 with Retry-After", answer(emulator.Fault{Status: 429, RetryAfter: "40"}))
	later.rest = 60 * time.Second

	client := named("AuthKit answers `invalid_client`", answer(emulator.Fault{Status: 401, Body: `{"error":"invalid_client"}`}))
	client.metric, client.logged = ownFault, refused
	broken := named("AuthKit answers 5xx", answer(emulator.Fault{Status: 500, Body: `{"message":"Internal error"}`}))
	html := named("AuthKit answers HTML instead of JSON", answer(emulator.Fault{Status: 200, Body: "<h1>Oops</h1>", ContentType: "text/html"}))
	broken.unknown, html.unknown = true, true

	return []outage{
		down,
		slow,
		silent,
		named("AuthKit answers 429 without Retry-After", answer(emulator.Fault{Status: 429, Body: `{"error":"too_many_requests"}`})),
		later,
		broken,
		html,
		client,
	}
}

// keyOutages are those of what AuthKit signs: keys, issuer and dates.
func keyOutages() []outage {
	jwks := emulator.Fault{Endpoint: "jwks", Status: 503}
	overlap := outage{
		name: "AuthKit's key changes, both keys are published", begin: rotate(emulator.Rotation{}),
		valid: 200, expired: 200, refreshes: 20, keySets: 2,
		metric: `authkit_request_seconds_count{endpoint="jwks",result="200"}`, value: "2", logged: "session refreshed",
	}
	dropped := overlap
	dropped.name, dropped.begin = "AuthKit's key changes, the old one is withdrawn at once", rotate(emulator.Rotation{DropOld: true})
	dropped.valid, dropped.expired, dropped.first, dropped.refreshes = 503, 503, 200, 1
	dropped.metric, dropped.value = `decisions_total{outcome="unavailable",reason="unavailable"}`, "47"
	dropped.keySets, dropped.rest, dropped.logged = 3, 30*time.Second, "unknown key"

	hidden := overlap
	hidden.name, hidden.begin = "AuthKit's key changes, the new one isn't published yet", rotate(emulator.Rotation{HideNew: true})
	hidden.expired, hidden.minute, hidden.keySets, hidden.rest = 503, 20, 5, 30*time.Second
	hidden.end = func(_ testing.TB, s *stricken) { s.authKit.PublishKey() }
	hidden.metric, hidden.value, hidden.logged = `decisions_total{outcome="unavailable",reason="unavailable"}`, "50", "unknown key"

	behind := outage{
		name: "AuthKit's clock is behind", begin: skew(-10 * time.Minute), end: skew(0),
		valid: 200, expired: 200, refreshes: 20, minute: 20, keySets: 1, rest: 30 * time.Second,
		metric: refreshed, value: "20", logged: "has expired by this machine's clock: check the clock",
	}
	ahead := behind
	ahead.name, ahead.begin, ahead.minute, ahead.logged = "AuthKit's clock is ahead", skew(10*time.Minute), 0, "session refreshed"

	return []outage{
		{
			name: "The key set is out of reach at start", early: true, begin: fault(jwks), end: cleared,
			valid: 503, expired: 503, keySets: 65, rest: 30 * time.Second,
			metric: `authkit_request_seconds_count{endpoint="jwks",result="503"}`, value: "1",
			ready: "waiting for AuthKit's key set", logged: "AuthKit's key set can't be fetched; trying again",
		},
		{
			name: "The key set is out of reach later", begin: func(t testing.TB, s *stricken) { fault(jwks)(t, s); s.keysAge.Store(int64(11 * time.Minute)) }, end: cleared,
			valid: 200, expired: 200, refreshes: 20, keySets: 66, rest: 30 * time.Second,
			metric: `authkit_request_seconds_count{endpoint="jwks",result="503"}`, value: "1",
			ready: staleKeys, logged: "session refreshed",
		},
		overlap, dropped, hidden,
		{
			name: "`WORKOS_ISSUER` isn't AuthKit's", settings: []string{"WORKOS_ISSUER", "https://auth.example.com"}, end: issuerPutRight,
			valid: 403, expired: 403, keySets: 2,
			metric: `decisions_total{outcome="denied",reason="misconfigured"}`, value: "50", logged: "compare WORKOS_ISSUER with the token's iss",
		},
		ahead, behind,
	}
}

// redisOutages are Redis's. Each replica goes on alone.
func redisOutages() []outage {
	redis := func(name string, begin, end func(testing.TB, *stricken), metric, value, ready, logged string) outage {
		return outage{
			name: name, redis: true, begin: begin, end: end, valid: 200, expired: 200, refreshes: 20, keySets: 2,
			metric: metric, value: value, ready: ready, logged: logged,
		}
	}
	const leftOut = "Redis doesn't answer: this replica goes on with what it remembers itself"
	die := func(_ testing.TB, s *stricken) { s.redis.Close() }
	back := func(t testing.TB, s *stricken) { s.change(t, "") }
	start := redis("Redis is down at start", die, back, "store_up", "0", noRedis, leftOut)
	start.early = true
	return []outage{
		start,
		redis("Redis dies while the service runs", die, back, "store_up", "0", noRedis, leftOut),
		redis("Redis is slow", func(_ testing.TB, s *stricken) { s.line.delay.Store(int64(time.Second)) },
			func(_ testing.TB, s *stricken) { s.line.delay.Store(0) }, "store_up", "0", noRedis, leftOut),
		redis("Redis is full", fill, drain, `store_operation_seconds_count{operation="swap",result="error"}`, "", unwritten, "a call to Redis failed"),
		redis("Redis restarts empty", func(t testing.TB, s *stricken) { s.redis.Close(); s.change(t, "everything") }, nil,
			"store_up", "1", "", "session refreshed"),
		redis("Redis fails over to a replica that lags", func(t testing.TB, s *stricken) { s.redis.Close(); s.change(t, "sessions") }, nil,
			"store_up", "1", "", "session refreshed"),
	}
}

// stricken is a world whose outage a test can begin and end.
type stricken struct {
	*world
	begin   time.Time
	clock   atomic.Int64 // nanoseconds that it has moved; it stands still between
	keysAge atomic.Int64 // nanoseconds that the key set's clock is ahead of it
	hurried bool         // gateways give up at once

	other *Server // a second replica, with Redis
	redis *miniredis.Miniredis
	line  *line // to it
}

// strike makes a world, and begins the outage if it is an early one.
func strike(t *testing.T, o outage) *stricken {
	t.Helper()
	s := &stricken{begin: time.Now()}
	settings := o.settings
	if o.redis {
		s.redis = miniredis.NewMiniRedis()
		if err := s.redis.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.redis.Close() })
		s.line = newLine(t, s.redis.Addr())
		settings = append(settings, "REDIS_URL", "redis://"+s.line.Addr().String())
	}
	s.world = newWorld(t, settings...)
	if o.early {
		o.begin(t, s)
	}
	s.run(t, s.Server, !o.redis)
	if o.redis {
		var err error
		if s.other, err = New(s.config, zerolog.New(s.log)); err != nil {
			t.Fatal(err)
		}
		s.run(t, s.other, false)
	}
	if !o.early {
		eventually(t, "ready", func() bool { return s.keys.Ready() })
	}
	if o.redis && !o.early {
		for _, service := range []*Server{s.Server, s.other} {
			eventually(t, "it listens", func() bool { return page(t, service, "/readyz") == "ready\n" })
		}
	}
	return s
}

// run has a service run until the test ends, by the clock that stands still if that
// is wanted. With Redis it isn't: its part of the service has the system's clock.
func (s *stricken) run(t *testing.T, service *Server, still bool) {
	t.Helper()
	if still {
		s.still(service)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error)
	go func() { stopped <- service.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func (s *stricken) still(service *Server) {
	now := func() time.Time { return s.begin.Add(time.Duration(s.clock.Load())) }
	service.sessions.Now, service.sessions.Tokens.Now = now, now
	service.keys.Now = func() time.Time { return now().Add(time.Duration(s.keysAge.Load())) }
}

// requests are how gateways ask: Traefik for a page and for a script, nginx, and bare.
var requests = [...]struct{ path, header string }{
	{"/verify/forward-auth", forwarded + document},
	{"/verify/forward-auth", forwarded},
	{"/verify/auth-request", original + document},
	{"/verify", ""},
}

// verify asks a replica about a session and returns the status, 200 for a page that
// is sent back with its current cookie. It fails the test if the session is given up.
func (s *stricken) verify(t testing.TB, service *Server, i int, sealed string) int {
	t.Helper()
	handler := service.Handler()
	if s.hurried {
		patient := handler
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Millisecond)
			defer cancel()
			patient.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	q := requests[i%len(requests)]
	got := ask(t, handler, "GET", q.path, q.header+"Cookie: wos-session="+sealed)
	header := got.Header()
	for _, line := range header["Set-Cookie"] {
		if !strings.HasPrefix(line, "wos-session=Fe26.2*") {
			t.Fatalf("got Set-Cookie %.40q, want the cookie kept", line)
		}
	}
	switch reason, location := header.Get("X-Auth-Reason"), header.Get("Location"); {
	case got.Code == 200:
	case got.Code == 303 && location == origin+"/reports" && len(header["Set-Cookie"]) == 1:
		return 200
	case got.Code == 503 && reason == "unavailable" && header.Get("Retry-After") != "" && location == "":
	case got.Code == 403 && reason == "misconfigured" && location == "":
	default:
		t.Fatalf("got %d %s, to %q, want the session served, or 503, or 403 for a wrong issuer", got.Code, reason, location)
	}
	return got.Code
}

// TestOutages tries each row of docs/outages.md: nobody is signed out, AuthKit is
// left in peace, the table says what one sees, and afterwards all is well.
func TestOutages(t *testing.T) {
	t.Parallel()
	outages := slices.Concat(authKitOutages(), keyOutages(), redisOutages())
	rows := documented(t)
	var want, got []string
	for _, o := range outages {
		want = append(want, o.name)
	}
	for _, row := range rows {
		got = append(got, row[0])
	}
	if !slices.Equal(got, want) {
		t.Fatalf("docs/outages.md has the rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.compare(t, rows[i])
			o.try(t, strike(t, o))
		})
	}
}

// documented are the rows of the table, as cells.
func documented(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "outages.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "## ") {
			break // the table is the first section's
		}
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 5 {
			t.Fatalf("got %d cells, want 5: %s", len(cells), line)
		}
		rows = append(rows, cells)
	}
	return rows[1:]
}

// compare has the row say what the test is about to see.
func (o outage) compare(t *testing.T, row []string) {
	t.Helper()
	for i, want := range []string{strconv.Itoa(o.valid), strconv.Itoa(o.expired)} {
		if cell := row[i+1]; !strings.HasPrefix(cell, want) {
			t.Errorf("docs: got %q, want %s first", cell, want)
		}
	}
	for _, want := range []string{"`" + o.metric + "`", o.ready, o.logged} {
		if !strings.Contains(row[3], want) {
			t.Errorf("docs: got %q, want %s in it", row[3], want)
		}
	}
}

func (o outage) try(t *testing.T, s *stricken) {
	valid, due := s.signIn(t, paula, 0), s.signIn(t, paula, 4*time.Minute+20*time.Second)
	expired := make([]string, 20)
	for i := range expired {
		expired[i] = s.signIn(t, paula, time.Hour)
	}
	old := s.signIn(t, paula, time.Hour) // refreshed before, and the browser never got its new cookie
	if o.redis {
		s.want(t, 0, old, 200)
		s.want(t, 0, valid, 200)
	}
	if !o.early && o.begin != nil {
		o.begin(t, s)
	}
	s.hurried = o.unknown

	before := s.authKit.Calls()[refreshGrant]
	for i := range 50 {
		want := o.expired
		if i%20 == 0 && o.first != 0 {
			want = o.first
		}
		s.want(t, i+i/20, expired[i%20], want)
	}
	refreshes := s.authKit.Calls()[refreshGrant]
	if got := refreshes - before; got != o.refreshes && (o.expired != 503 || got > o.refreshes) && !o.unknown {
		t.Errorf("got %d refreshes for 50 requests of 20 sessions, want %d", got, o.refreshes)
	}
	o.seen(t, s)
	s.want(t, 0, valid, o.valid)
	s.want(t, 0, due, o.valid) // a refresh ahead of time that fails harms nobody
	if o.redis {
		s.want(t, 0, old, 200)
		s.verify(t, s.other, 0, old)
		s.verify(t, s.other, 0, expired[0])
	} else if o.end != nil && !s.hurried {
		o.tryMinute(t, s, expired)
	}

	if o.end != nil {
		o.end(t, s)
	}
	s.clock.Add(int64(o.rest))
	if s.hurried {
		s.hurried = false
		s.sessions.Wait()
	}
	for i, sealed := range append(expired, valid, due, old) {
		if o.redis || o.unknown || o.ready == failing {
			s.recovers(t, s.Server, i, sealed)
		} else {
			s.want(t, i, sealed, 200)
		}
	}
	if o.redis {
		s.recovers(t, s.other, 0, old)
		s.recovers(t, s.other, 0, expired[0])
	}
	eventually(t, "readyz says ready", func() bool { return page(t, s.Server, "/readyz") == "ready\n" })
	if got := s.authKit.Calls()["jwks"]; got > o.keySets {
		t.Errorf("got %d fetches of the key set, want %d at most", got, o.keySets)
	}
}

// tryMinute goes on for a minute, with five requests a second.
func (o outage) tryMinute(t *testing.T, s *stricken, expired []string) {
	t.Helper()
	before := s.authKit.Calls()[refreshGrant]
	for i := range 60 * 5 {
		if i%5 == 0 {
			s.clock.Add(int64(time.Second))
		}
		if ready := page(t, s.Server, "/readyz"); !strings.Contains(ready, o.ready) {
			t.Fatalf("after %d s: got readyz %q, want %s", i/5+1, ready, o.ready)
		}
		s.want(t, i/20, expired[i%20], o.expired)
	}
	if got := s.authKit.Calls()[refreshGrant] - before; got != o.minute && (o.expired != 503 || o.ready != failing || got > o.minute) {
		t.Errorf("got %d refreshes in the next minute, want %d", got, o.minute)
	}
}

// seen waits for what the table says one sees.
func (o outage) seen(t *testing.T, s *stricken) {
	t.Helper()
	var ready string
	eventually(t, fmt.Sprintf("metric %s %s, readyz %q, log %q", o.metric, o.value, o.ready, o.logged), func() bool {
		_, after, _ := strings.Cut(page(t, s.Server, "/metrics"), "\nauthkit_forward_auth_"+o.metric+" ")
		value, _, _ := strings.Cut(after, "\n")
		ready = page(t, s.Server, "/readyz")
		return (value == o.value || o.value == "" && value != "" && value != "0") && strings.Contains(ready, o.ready) && strings.Contains(s.log.String(), o.logged)
	})
	if o.ready == "" && !o.redis && ready != "ready\n" {
		t.Errorf("got readyz %q, want ready alone", ready)
	}
}

func (s *stricken) want(t testing.TB, i int, sealed string, want int) {
	t.Helper()
	if got := s.verify(t, s.Server, i, sealed); got != want {
		t.Fatalf("request %d: got status %d, want %d", i, got, want)
	}
}

// recovers asks until the session is served.
func (s *stricken) recovers(t testing.TB, service *Server, i int, sealed string) {
	t.Helper()
	eventually(t, "the session is served", func() bool { return s.verify(t, service, i, sealed) == 200 })
}

// page is what the admin listener answers.
func page(t testing.TB, service *Server, path string) string {
	t.Helper()
	return ask(t, service.AdminHandler(), "GET", path, "").Body.String()
}

// eventually waits for what happens in the background.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("never: " + what)
		}
	}
}

func fault(f emulator.Fault) func(testing.TB, *stricken) {
	return func(t testing.TB, s *stricken) {
		if err := s.authKit.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
}

func cleared(_ testing.TB, s *stricken) { s.authKit.ClearFaults("") }

// silence has AuthKit answer nobody, and gateways not wait for the 5 s after which
// they would be told so.
func silence(t testing.TB, s *stricken) {
	fault(emulator.Fault{Endpoint: "authenticate", Delay: 10 * time.Minute, Drop: true})(t, s)
}

// hangUp ends the calls that AuthKit has not answered.
func hangUp(_ testing.TB, s *stricken) {
	s.authKit.ClearFaults("")
	s.authKit.Close()
}

func rotate(r emulator.Rotation) func(testing.TB, *stricken) {
	return func(t testing.TB, s *stricken) {
		if _, err := s.authKit.RotateKey(r); err != nil {
			t.Fatal(err)
		}
	}
}

func skew(d time.Duration) func(testing.TB, *stricken) {
	return func(t testing.TB, s *stricken) {
		if err := s.authKit.Change(func(settings *emulator.Settings) { settings.ClockSkew = d }); err != nil {
			t.Fatal(err)
		}
	}
}

// issuerPutRight is a restart without WORKOS_ISSUER.
func issuerPutRight(t testing.TB, s *stricken) {
	config := *s.config
	config.Issuers = nil
	next, err := New(&config, zerolog.New(s.log))
	if err != nil {
		t.Fatal(err)
	}
	s.still(next)
	s.Server = next
}

// change puts another Redis in the place of the one that has gone, with its values
// but those that are lost: everything, or what is known of sessions.
func (s *stricken) change(t testing.TB, lost string) {
	t.Helper()
	next := miniredis.NewMiniRedis()
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	for _, key := range s.redis.Keys() {
		if lost != "" {
			continue
		}
		value, err := s.redis.Get(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := next.Set(key, value); err != nil {
			t.Fatal(err)
		}
		next.SetTTL(key, s.redis.TTL(key))
	}
	s.redis = next
	address := next.Addr()
	s.line.to.Store(&address)
}

// fill has Redis refuse what takes memory, as it does at maxmemory.
func fill(_ testing.TB, s *stricken) {
	s.redis.Server().SetPreHook(func(c *server.Peer, command string, args ...string) bool {
		if !strings.HasPrefix(strings.ToUpper(command), "EVAL") || len(args) < 6 { // a swap, not a load
			return false
		}
		c.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
		return true
	})
}

func drain(_ testing.TB, s *stricken) { s.redis.Server().SetPreHook(nil) }

// line is the network to Redis.
type line struct {
	net.Listener
	to    atomic.Pointer[string]
	delay atomic.Int64 // nanoseconds, of what goes either way
}

func newLine(t testing.TB, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	l := &line{Listener: listener}
	l.to.Store(&to)
	go func() { // ends with the listener
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go l.serve(near)
		}
	}()
	return l
}

func (l *line) serve(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", *l.to.Load())
	if err != nil {
		return
	}
	go l.pass(near, far)
	l.pass(far, near)
}

// pass ends, and closes both sides, when one is closed.
func (l *line) pass(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		time.Sleep(time.Duration(l.delay.Load()))
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}
