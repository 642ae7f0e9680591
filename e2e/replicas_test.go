package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator"
)

const (
	refreshes     = "authenticate.refresh_token" // AuthKit's endpoint
	graceWindow   = 30 * time.Second             // of AuthKit's, in which it takes a spent refresh token
	webhookSecret = "whsec_e2e"
	zoeMembership = "om_01JSSZ6D0GQ1N3V5T7R9P2M4K6" // at Acme
)

// replicas are three processes of the service with one store, which are asked as
// Traefik asks them. A gateway and an app would add nothing.
type replicas struct {
	*stack
	environment []string
	addresses   []string
	admin       []string // addresses of the metrics
	processes   []*process
}

// startReplicas starts AuthKit, whose webhooks go to the first replicas, and three
// replicas with a REDIS_URL.
func startReplicas(t *testing.T, redisURL string, webhooks int) *replicas {
	t.Helper()
	r := &replicas{stack: &stack{}, environment: []string{
		"REDIS_URL=" + redisURL, "WORKOS_WEBHOOK_SECRET=" + webhookSecret, "DECISION_LOG=denied",
	}}
	r.origin = localhost(portOf(t, freeAddress(t)))
	for range 3 {
		r.addresses, r.admin = append(r.addresses, freeAddress(t)), append(r.admin, freeAddress(t))
	}
	r.startAuthKitWithWebhooks(t, r.addresses[:webhooks])
	r.processes = make([]*process, 3)
	for i := range r.processes {
		r.start(t, i)
	}
	return r
}

func (r *replicas) startAuthKitWithWebhooks(t *testing.T, to []string) {
	t.Helper()
	config := emulator.Config{
		ClientID: clientID, APIKey: apiKey, RedirectURIs: []string{r.origin + "/_auth/callback"},
		LogoutReturnURLs: []string{r.origin + "/favicon.ico"}, WebhookSecret: webhookSecret,
		Now: func() time.Time { return time.Now().Add(time.Duration(r.clock.Load())) },
	}
	for _, address := range to {
		config.WebhookURLs = append(config.WebhookURLs, "http://"+address+"/_auth/webhooks")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config.BaseURL = &url.URL{Scheme: "http", Host: "localhost:" + portOf(t, listener.Addr().String())}
	if r.authKit, err = emulator.New(config); err != nil {
		t.Fatal(err)
	}
	r.api = config.BaseURL.String()
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: r.authKit}}
	server.Start()
	t.Cleanup(func() { r.authKit.Close(); server.Close() })
}

// start starts a replica, or starts it again.
func (r *replicas) start(t *testing.T, i int) {
	t.Helper()
	r.at.service = r.addresses[i]
	r.startService(t, noGateway(), append(r.environment, "ADMIN_ADDR="+r.admin[i]))
	r.processes[i] = r.service
	r.service.await(t, "AuthKit's key set", func() bool { return strings.HasPrefix(r.ready(i), "200 ready\n") })
}

// ready is what /readyz says.
func (r *replicas) ready(i int) string {
	response, err := http.Get("http://" + r.addresses[i] + "/readyz")
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

// /readyz with Redis and without.
const (
	readyWith    = "200 ready\n"
	readyWithout = "200 ready\ndegraded: Redis doesn't answer; replicas don't know of each other's refreshes and sign-outs\n"
)

func (r *replicas) awaitReady(t *testing.T, text string) {
	t.Helper()
	for i := range r.addresses {
		waitUntil(t, "/readyz says "+text, func() bool { return r.ready(i) == text })
	}
}

// storeErrors counts the calls to Redis that went wrong.
func (r *replicas) storeErrors(t *testing.T) int {
	t.Helper()
	sum := 0
	for _, address := range r.admin {
		response, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range storeError.FindAllSubmatch(text, -1) {
			n, err := strconv.Atoi(string(found[1]))
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

var storeError = regexp.MustCompile(`(?m)^authkit_forward_auth_store_operation_seconds_count\{.*result="error"\} (\d+)$`)

// client sends what it is told to, to as many connections as it takes.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 1000}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: 15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// script is a script's request with a session cookie.
func script(sealed string) http.Header {
	h := fetchHeaders()
	h.Set("Cookie", "wos-session="+sealed)
	return h
}

// ask asks a replica about a request. It is for goroutines, which must not end
// the test: status 0 means no answer, and Body says why.
func (r *replicas) ask(c *http.Client, i int, h http.Header) answer {
	h = maps.Clone(h)
	h.Set("X-Forwarded-Method", http.MethodGet)
	h.Set("X-Forwarded-Proto", "http")
	h.Set("X-Forwarded-Host", strings.TrimPrefix(r.origin, "http://"))
	h.Set("X-Forwarded-Uri", deepLink)
	request, err := http.NewRequest(http.MethodGet, "http://"+r.addresses[i]+"/verify/forward-auth", nil)
	if err != nil {
		return answer{Body: err.Error()}
	}
	request.Header = h
	response, err := c.Do(request)
	if err != nil {
		return answer{URL: request.URL, Body: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{URL: request.URL, Body: err.Error()}
	}
	return answer{URL: request.URL, Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

// atOnce has n scripts' requests with one session arrive at once, spread over the
// replicas, and counts the new sessions that they get.
func (r *replicas) atOnce(t *testing.T, n int, sealed string) (*tally, map[string]int) {
	t.Helper()
	c, counts := client(t), &tally{}
	answers := make([]answer, n)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			begin := time.Now()
			answers[i] = r.ask(c, i%len(r.addresses), script(sealed))
			counts.add(r.origin, answers[i], time.Since(begin))
		})
	}
	group.Wait()
	sessions := map[string]int{}
	for _, a := range answers {
		sessions[newSession(a)]++
	}
	return counts, sessions
}

// newSession is the session that an answer sets, in one cookie.
func newSession(a answer) string {
	for _, line := range a.Header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == "wos-session" {
			return c.Value
		}
	}
	return ""
}

// wantOneRefresh has n requests with an expired session arrive at once: one refresh, and
// all get in with the same new session. It returns the old session and the new one. On a
// machine so busy that Redis misses its time limit, which the service doesn't wait for,
// it tries again.
func (r *replicas) wantOneRefresh(t *testing.T, n int) (old, current string) {
	t.Helper()
	for range 5 {
		old = r.expiredSession(t, zoe)
		errors, before, news := r.storeErrors(t), r.authKit.Calls()[refreshes], r.delivered()
		r.fault(t, emulator.Fault{Delay: 300 * time.Millisecond}) // so that all have arrived
		counts, sessions := r.atOnce(t, n, old)
		calls := r.authKit.Calls()[refreshes] - before
		late := r.storeErrors(t) - errors
		t.Logf("%d requests at once: %s; %d sessions, %d refreshes, %d errors of Redis", n, counts, len(sessions), calls, late)
		counts.wantNoRefusal(t)
		if calls == 1 && counts.let == n && len(sessions) == 1 && sessions[""]+sessions[old] == 0 {
			return old, slices.Collect(maps.Keys(sessions))[0]
		}
		if late == 0 && r.delivered() == news { // news of another role, still under way, have the session refreshed once more
			break
		}
	}
	t.Fatalf("want one refresh, and all let in with the same new session")
	return "", ""
}

// delivered is how many events have arrived.
func (r *replicas) delivered() (n int) {
	for _, to := range r.authKit.Deliveries() {
		n += to.Delivered
	}
	return n
}

// fault is for the next refresh.
func (r *replicas) fault(t *testing.T, f emulator.Fault) {
	t.Helper()
	f.Endpoint, f.Calls = refreshes, 1
	if err := r.authKit.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

// allowGrace has AuthKit take a spent refresh token again for a while, as WorkOS does.
func (r *replicas) allowGrace(t *testing.T) {
	t.Helper()
	if err := r.authKit.Change(func(s *emulator.Settings) { s.GraceWindow = graceWindow }); err != nil {
		t.Fatal(err)
	}
}

// changeRole has every session of zoe's refreshed before its next use, as if it had
// expired: AuthKit sends the news of another role.
func (r *replicas) changeRole(t *testing.T, role string) {
	t.Helper()
	if err := r.authKit.ChangeRole(zoeMembership, role); err != nil {
		t.Fatal(err)
	}
}

// sendWebhook tells one replica that zoe's membership has changed, and returns the
// status of its answer.
func (r *replicas) sendWebhook(t *testing.T, i int) int {
	t.Helper()
	now := time.Now()
	body := fmt.Sprintf(`{"id":"event_e2e","event":"organization_membership.updated","created_at":%q,"data":{"id":%q,"user_id":%q,"organization_id":%q,"status":"active"}}`,
		now.UTC().Format(time.RFC3339Nano), zoeMembership, zoeID, acmeID)
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "%d.%s", now.UnixMilli(), body)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addresses[i]+"/_auth/webhooks", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("WorkOS-Signature", fmt.Sprintf("t=%d, v1=%x", now.UnixMilli(), mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// tally counts answers by what they are: let in, sent to the same URL again with a
// new cookie, unavailable, no answer. All else is a refusal.
type tally struct {
	mu                                  sync.Mutex
	let, again, unavailable, unanswered int
	refusals                            []string
	slowest                             time.Duration
}

func (c *tally) add(origin string, a answer, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slowest = max(c.slowest, took)
	switch {
	case a.Status == http.StatusOK:
		c.let++
	case a.Status == http.StatusSeeOther && a.Header.Get("Location") == origin+deepLink && setsSession(a):
		c.again++
	case a.Status == http.StatusServiceUnavailable:
		c.unavailable++
	case a.Status == 0:
		c.unanswered++
	default:
		c.refusals = append(c.refusals, fmt.Sprintf("%s: status %d %s %s", a.URL.Host, a.Status, a.Header.Get("X-Auth-Reason"), a.Header.Get("Location")))
	}
}

func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d let in, %d sent to the same URL, %d times 503, %d without an answer, %d refused; the slowest took %s",
		c.let, c.again, c.unavailable, c.unanswered, len(c.refusals), c.slowest.Round(time.Millisecond))
}

// wantNoRefusal shows a few, if there are any.
func (c *tally) wantNoRefusal(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, refusal := range c.refusals[:min(len(c.refusals), 5)] {
		t.Errorf("refused, one of %d: %s", len(c.refusals), refusal)
	}
}

// crowd is zoe's browsers, with a session each and two tabs that ask all the time,
// one replica after the other. Every other browser comes back with an expired session
// again and again.
type crowd struct {
	tally
	replicas *replicas
	browsers []*browser
	expired  chan string
	rounds   []atomic.Int64 // of each tab
	running  sync.WaitGroup
	end      context.CancelFunc
}

const (
	tabs       = 2
	anyReplica = "http://127.0.0.1" // cookies are for every port
)

func (r *replicas) startCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{replicas: r, expired: make(chan string, 150), rounds: make([]atomic.Int64, 20*tabs)}
	for range cap(c.expired) {
		c.expired <- r.expiredSession(t, zoe)
	}
	ctx, end := context.WithCancel(t.Context())
	c.end = end
	t.Cleanup(c.stop)
	for range len(c.rounds) / tabs {
		b := newBrowser(t)
		b.client.Timeout = 15 * time.Second
		b.setSession(anyReplica, r.expiredSession(t, zoe))
		c.browsers = append(c.browsers, b)
	}
	for tab := range c.rounds {
		c.running.Go(func() { c.browse(ctx, tab) })
	}
	return c
}

// browse is one tab.
func (c *crowd) browse(ctx context.Context, tab int) {
	b := c.browsers[tab/tabs]
	comesBack := tab%(2*tabs) == 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if comesBack && n%10 == 0 {
			select {
			case sealed := <-c.expired:
				b.setCookie(anyReplica, "wos-session", sealed)
			default:
			}
		}
		h := fetchHeaders()
		if n%2 == 0 {
			h = documentHeaders()
		}
		begin := time.Now()
		c.add(c.replicas.origin, c.replicas.ask(&b.client, (tab+n)%len(c.replicas.addresses), h), time.Since(begin))
		c.rounds[tab].Add(1)
	}
}

// rotate changes the role and tells every replica, whose answers must have this status:
// 503 says that the others can't be told, and that WorkOS is to send it again.
func (c *crowd) rotate(t *testing.T, role string, status int) {
	t.Helper()
	c.replicas.changeRole(t, role)
	steady := &c.browsers[1].client
	for i := range c.replicas.addresses {
		if got := c.replicas.sendWebhook(t, i); got != status {
			t.Errorf("webhook at replica %d: got status %d, want %d", i, got, status)
		}
		waitUntil(t, "the replica has the new role", func() bool {
			return c.replicas.ask(steady, i, fetchHeaders()).Header.Get("X-Auth-Request-Role") == role
		})
	}
}

// goOn waits until every tab has had n more answers.
func (c *crowd) goOn(t *testing.T, n int64) {
	t.Helper()
	until := make([]int64, len(c.rounds))
	for tab := range c.rounds {
		until[tab] = c.rounds[tab].Load() + n
	}
	for tab := range c.rounds {
		waitUntil(t, "every browser goes on", func() bool { return c.rounds[tab].Load() >= until[tab] })
	}
}

func (c *crowd) stop() {
	c.end()
	c.running.Wait()
}

// wantAllIn stops the crowd: nobody was refused, and everybody is let in everywhere.
func (c *crowd) wantAllIn(t *testing.T) {
	t.Helper()
	c.stop()
	t.Logf("%s; %d refreshes", c, c.replicas.authKit.Calls()[refreshes])
	c.wantNoRefusal(t)
	var after tally
	for _, b := range c.browsers {
		for i := range c.replicas.addresses {
			after.add(c.replicas.origin, c.replicas.ask(&b.client, i, fetchHeaders()), 0)
		}
	}
	after.wantNoRefusal(t)
	if want := len(c.browsers) * len(c.replicas.addresses); after.let != want {
		t.Errorf("afterwards: got %s, want %d let in", &after, want)
	}
}

// A thousand requests of one session are one refresh at AuthKit, which takes no
// refresh token twice here.
func TestReplicasRefreshOnce(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, startRedis(t).url(), 0)
	r.wantOneRefresh(t, 1000)
}

func TestReplicasWithSentinel(t *testing.T) {
	t.Parallel()
	s := startSentinel(t)
	r := startReplicas(t, s.url(), 0)
	old, current := r.wantOneRefresh(t, 90)

	begin := time.Now()
	s.failOver(t)
	t.Logf("the failover took %s", time.Since(begin))
	r.awaitReady(t, readyWith)

	// For a moment two replicas can take two servers for the master and refresh both:
	// AuthKit's grace window has to help.
	r.allowGrace(t)
	counts, _ := r.atOnce(t, 90, r.expiredSession(t, zoe))
	counts.wantNoRefusal(t)
	if counts.let != 90 {
		t.Errorf("after the failover: got %s, want all let in", counts)
	}
	counts, sessions := r.atOnce(t, 9, old)
	if counts.let != 9 || sessions[current] != 9 {
		t.Errorf("a session from before the failover: got %s, the same new session %d times; want it 9 times", counts, sessions[current])
	}
}

func TestReplicasWithCluster(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, startCluster(t), 0)
	for range 4 { // of several shards
		r.wantOneRefresh(t, 30)
	}
}

// The holder of the lease dies: the others wait for the end of its lease, and AuthKit
// takes a token that it has just spent once more.
func TestReplicaDiesWhileItRefreshes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault emulator.Fault
	}{
		{"before AuthKit has spent the token", emulator.Fault{Delay: time.Minute}},
		{"before it has AuthKit's answer", emulator.Fault{Delay: time.Minute, Processed: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := startReplicas(t, startRedis(t).url(), 0)
			r.allowGrace(t)
			old := r.expiredSession(t, zoe)
			r.fault(t, test.fault)
			c := client(t)
			var dying sync.WaitGroup
			dying.Go(func() { r.ask(c, 0, script(old)) })
			waitUntil(t, "AuthKit is asked", func() bool { return r.authKit.Faulted()[refreshes] == 1 })

			r.processes[0].kill()
			begin := time.Now()
			dying.Wait()

			for i := 1; i < 3; i++ {
				var a answer
				waitUntil(t, "another replica lets in", func() bool {
					a = r.ask(c, i, script(old))
					return a.Status != http.StatusServiceUnavailable
				})
				t.Logf("replica %d: status %d after %s", i, a.Status, time.Since(begin).Round(time.Millisecond))
				if a.Status != http.StatusOK {
					t.Errorf("replica %d: got status %d, want 200: %s", i, a.Status, a.Body)
				}
			}
			if got := time.Since(begin); got > 10*time.Second {
				t.Errorf("the others were let in after %s, want a few seconds", got)
			}
		})
	}
}

// A session that ends at one replica ends at all of them within a second.
func TestSessionEndsAtEveryReplica(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, startRedis(t).url(), 1)
	c := client(t)
	delivered := func() int { return r.authKit.Deliveries()[0].Delivered }
	ends := map[string]func(t *testing.T, id, sealed string){
		"webhook": func(t *testing.T, id, _ string) {
			before := delivered()
			if err := r.authKit.RevokeSession(id); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, "the webhook is delivered", func() bool { return delivered() > before })
		},
		"sign-out": func(t *testing.T, _, sealed string) {
			request := httpGet(t, "http://"+r.addresses[1]+"/_auth/logout")
			request.Host = strings.TrimPrefix(r.origin, "http://")
			request.Header = documentHeaders()
			request.Header.Set("Cookie", "wos-session="+sealed)
			response, err := c.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusSeeOther {
				t.Fatalf("sign-out: got status %d, want 303", response.StatusCode)
			}
		},
	}
	made := 0
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			old := r.expiredSession(t, zoe)
			made++
			current := newSession(r.ask(c, 0, script(old)))
			var id string
			for i := range r.addresses {
				a := r.ask(c, i, script(current))
				if a.Status != http.StatusOK {
					t.Fatalf("replica %d: got status %d, want 200: %s", i, a.Status, a.Body)
				}
				id = a.Header.Get("X-Auth-Request-Session")
			}
			waitUntil(t, "the sign-in's own webhook is delivered", func() bool { return delivered() >= made })

			end(t, id, current)
			begin := time.Now()

			for i := range r.addresses {
				waitUntil(t, "the replica refuses", func() bool { return r.ask(c, i, script(current)).Status != http.StatusOK })
				if took := time.Since(begin); took > time.Second {
					t.Errorf("replica %d refuses after %s, want a second at most", i, took)
				}
			}
			t.Logf("the last of three replicas refused %s after the answer", time.Since(begin).Round(time.Microsecond))
			for i := range r.addresses {
				wantReason(t, r.ask(c, i, script(current)), http.StatusUnauthorized, "session_ended")
				wantReason(t, r.ask(c, i, script(old)), http.StatusUnauthorized, "session_ended")
			}
		})
	}
}

// A browser that never takes a new cookie goes on through ten rotations, each by the
// replica that is asked first. That an old cookie is refused once a later one is in use
// takes a minute, so it is tested in package session, with a clock of its own.
func TestFrozenCookieOverReplicas(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, startRedis(t).url(), 1)
	c := client(t)
	frozen := r.expiredSession(t, zoe)
	wantIn := func(i int) answer {
		a := r.ask(c, i, script(frozen))
		if a.Status != http.StatusOK {
			t.Fatalf("replica %d: got status %d, want 200: %s", i, a.Status, a.Body)
		}
		return a
	}
	wantIn(0)
	for n := range 10 {
		role := "role-" + strconv.Itoa(n)
		r.changeRole(t, role)
		for i := range r.addresses {
			waitUntil(t, "the replica has the session with the new role", func() bool {
				return wantIn((n+i)%len(r.addresses)).Header.Get("X-Auth-Request-Role") == role
			})
		}
	}
	// The first one and one for each role. The store's clock is known to some milliseconds, so
	// a refresh that follows an event at once may count as begun before it, and be made again.
	if got := r.authKit.Calls()[refreshes]; got < 11 || got > 16 {
		t.Errorf("refreshes at AuthKit: got %d, want 11, or a few more", got)
	}
}

// Nobody is refused, whatever becomes of Redis: each replica goes on with what it knows,
// and AuthKit's grace window helps where two refresh the same session.
func TestRedisOutages(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	r := startReplicas(t, redis.url(), 0)
	r.allowGrace(t)
	c := r.startCrowd(t)
	c.goOn(t, 5)
	for _, outage := range []struct {
		role       string
		begin, end func()
		ready      string // meanwhile; empty: it depends on whether something is to be written
		webhook    int    // what it is answered: a full Redis carries announcements
	}{
		{"killed", redis.process.kill, func() { redis.start(t) }, readyWithout, http.StatusServiceUnavailable},
		{"frozen", func() { redis.process.freeze(t) }, func() { redis.process.thaw() }, readyWithout, http.StatusServiceUnavailable},
		{"full", func() { redis.set(t, "maxmemory", "1") }, func() { redis.set(t, "maxmemory", "0") }, "", http.StatusOK},
	} {
		outage.begin()
		if outage.ready != "" {
			r.awaitReady(t, outage.ready)
		}
		c.rotate(t, outage.role, outage.webhook)
		c.goOn(t, 8)
		outage.end()
		r.awaitReady(t, readyWith)
		c.goOn(t, 5)
		t.Logf("%s: until now %s", outage.role, &c.tally)
	}
	c.wantAllIn(t)
	if c.unanswered > 0 {
		t.Errorf("requests without an answer: got %d, want 0", c.unanswered)
	}
	r.wantOneRefresh(t, 60)
}

func TestRedisDownAtStart(t *testing.T) {
	t.Parallel()
	redis := newRedis(t)
	r := startReplicas(t, redis.url(), 0)
	r.allowGrace(t)
	c := r.startCrowd(t)
	c.goOn(t, 5)
	r.awaitReady(t, readyWithout)
	c.rotate(t, "without", http.StatusServiceUnavailable)
	c.goOn(t, 5)

	redis.start(t)
	r.awaitReady(t, readyWith)
	c.rotate(t, "with", http.StatusOK)
	c.goOn(t, 5)

	c.wantAllIn(t)
	r.wantOneRefresh(t, 60)
}

// A replica dies under load, in whatever it is doing, and comes back.
func TestReplicaKilledAndRestarted(t *testing.T) {
	t.Parallel()
	r := startReplicas(t, startRedis(t).url(), 1)
	r.allowGrace(t)
	c := r.startCrowd(t)
	c.goOn(t, 5)
	for i := range 2 {
		r.changeRole(t, "role-"+strconv.Itoa(i))
		r.processes[1+i].kill()
		c.goOn(t, 5)
		r.start(t, 1+i)
		c.goOn(t, 5)
	}
	c.wantAllIn(t)
	r.wantOneRefresh(t, 60)
}
