package flow

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A browser that keeps the state's cookie, or somebody who replays it, makes no
// second exchange of it, whatever the code.
func TestStateIsUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	query := parse(t, b.begin(login+"?rd=/page", paula)).Query()
	cookie := b.header(callback).Get("Cookie")
	b.get(callback + "?" + query.Encode())
	for _, code := range []string{query.Get("code"), "another"} {
		query.Set("code", code)
		a := w.browser(t).get(callback+"?"+query.Encode(), "Cookie: "+cookie)
		if !strings.HasPrefix(a.location(), login+"?rd=") || a.cookie("wos-session") != "" || w.exchanges() != 1 {
			t.Errorf("got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
		}
	}
	// Another sign-in of the same browser is another state.
	if a := b.get(b.begin(login+"?rd=/page", paula)); a.location() != app+"/page" || w.exchanges() != 2 {
		t.Errorf("the next one: got status %d to %q", a.status, a.location())
	}
}

// Codes that come all at once with one state make one call to AuthKit.
func TestManyCodesWithOneState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	state := parse(t, b.get(login).location()).Query().Get("state")
	cookie := b.header(callback).Get("Cookie")
	var all sync.WaitGroup
	for i := range 100 {
		b := w.browser(t)
		all.Go(func() {
			_, err := b.send(http.MethodGet, fmt.Sprintf("%s?code=junk%d&state=%s", callback, i, url.QueryEscape(state)), nil, "Cookie: "+cookie)
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.exchanges() != 1 {
		t.Errorf("got %d exchanges, want 1", w.exchanges())
	}
}

func TestOnceList(t *testing.T) {
	t.Parallel()
	var l onceList
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	if l.used("a", at) || !l.use("a", at) || !l.used("a", at) || l.use("a", at) {
		t.Error("a: not used once")
	}
	if !l.used("a", at.Add(10*time.Minute-1)) || l.used("a", at.Add(10*time.Minute)) || !l.use("a", at.Add(10*time.Minute)) {
		t.Error("a: not remembered for ten minutes")
	}
	for i := range 250_000 {
		l.use(strconv.Itoa(i), at.Add(10*time.Minute))
	}
	if len(l.until) != 100_000 || len(l.order) != 100_000 || !l.used("150000", at.Add(10*time.Minute)) || l.used("149999", at.Add(10*time.Minute)) {
		t.Errorf("got %d and %d values, want the newest 100,000", len(l.until), len(l.order))
	}
	if l.use("b", at.Add(20*time.Minute)); len(l.until) != 1 || len(l.order) != 1 {
		t.Errorf("ten minutes later: got %d and %d values, want 1", len(l.until), len(l.order))
	}
}

// Sixteen codes are exchanged at a time. Who finds no slot reads so, and can come
// again with the same code.
func TestExchangesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	var inFlight atomic.Int32
	goOn := make(chan struct{})
	w.breakAuthKit(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/user_management/authenticate" {
			inFlight.Add(1)
			<-goOn
		}
		w.authkit.ServeHTTP(rw, r)
	})
	browsers := make([]*browser, 17)
	callbacks := make([]string, 17)
	for i := range browsers {
		browsers[i] = w.browser(t)
		callbacks[i] = browsers[i].begin(login+"?rd=/page", fmt.Sprintf("user-%d@example.com", i))
	}
	answers := make(chan *answer, len(browsers))
	for i, b := range browsers {
		go func() {
			a, err := b.send(http.MethodGet, callbacks[i], nil)
			if err != nil {
				t.Error(err)
			}
			a.hops = []string{strconv.Itoa(i)}
			answers <- a
		}()
	}
	busy := <-answers
	if busy.status != http.StatusServiceUnavailable || busy.header.Get("Retry-After") != "3" || busy.cookie("") != "" || inFlight.Load() != 16 {
		t.Errorf("got status %d, cookies %q, %d in flight, want 503, none and 16", busy.status, busy.header["Set-Cookie"], inFlight.Load())
	}
	close(goOn)
	for range 16 {
		if a := <-answers; a.location() != app+"/page" || a.cookie("wos-session=Fe26") == "" {
			t.Errorf("got status %d to %q", a.status, a.location())
		}
	}
	i, _ := strconv.Atoi(busy.hops[0])
	if a := browsers[i].get(callbacks[i]); a.location() != app+"/page" || a.cookie("wos-session=Fe26") == "" {
		t.Errorf("reloaded: got status %d to %q", a.status, a.location())
	}
}

// While AuthKit is out of order it is asked no more than once a second, and who waits
// can come again with the same code.
func TestExchangesSpareAuthKit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	asked := 0
	w.breakAuthKit(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/user_management/authenticate" {
			asked++
			http.Error(rw, "out of order", http.StatusInternalServerError)
			return
		}
		w.authkit.ServeHTTP(rw, r)
	})
	for i := range 5 {
		b := w.browser(t)
		if a := b.get(b.begin(login, fmt.Sprintf("user-%d@example.com", i))); a.status != http.StatusServiceUnavailable {
			t.Errorf("sign-in %d: got status %d, want 503", i, a.status)
		}
	}
	b := w.browser(t)
	signIn := b.begin(login+"?rd=/page", paula)
	if a := b.get(signIn); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") != "1" || asked != 5 {
		t.Errorf("got status %d, Retry-After %q and %d calls, want 503, 1 and 5", a.status, a.header.Get("Retry-After"), asked)
	}
	w.breakAuthKit(w.authkit.ServeHTTP)
	w.clock.advance(time.Second)
	if a := b.get(signIn); a.location() != app+"/page" {
		t.Errorf("a second later: got status %d to %q, want the page", a.status, a.location())
	}
}
