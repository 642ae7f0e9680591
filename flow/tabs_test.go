package flow

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each way of opening ten tabs before any of them has signed in: every tab ends
// at its own page (oauth2-proxy 611, 817, 3258).
func TestTenTabs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		page  func(tab int) string
		order func(tabs []string) // in which they go on after AuthKit
	}{
		{"ten pages, the oldest first", func(i int) string { return fmt.Sprintf("/page/%d", i) }, func([]string) {}},
		{"ten pages, the newest first", func(i int) string { return fmt.Sprintf("/page/%d", i) }, slices.Reverse[[]string]},
		{"one page", func(int) string { return "/page" }, func([]string) {}},
		{"no page", func(int) string { return "" }, func([]string) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			var tabs []string
			ends := map[string]int{}
			want := map[string]int{}
			for i := range 10 {
				tabs = append(tabs, b.begin(login+"?rd="+url.QueryEscape(tt.page(i)), paula))
				page := tt.page(i)
				if page == "" {
					page = "/"
				}
				want[app+page]++
				w.clock.advance(time.Second)
			}
			tt.order(tabs)
			for len(tabs) > 0 { // every tab takes one step, in turn
				var open []string
				for _, address := range tabs {
					next := b.step(address, paula)
					if next == "" {
						ends[address]++
						continue
					}
					open = append(open, next)
				}
				tabs = open
			}
			if fmt.Sprint(ends) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", ends, want)
			}
		})
	}
}

// step goes one redirect further and returns where that leads; "" at a page that
// greets the user.
func (b *browser) step(address, email string) string {
	b.t.Helper()
	a := b.get(address)
	if a.status == 200 && b.w.isAuthKit(address) {
		return b.choose(address, email)
	}
	if a.location() == "" && a.body != "hello "+email {
		b.t.Fatalf("%s: got status %d: %s", address, a.status, a.body)
	}
	return a.location()
}

// A second tab that was left on AuthKit's page while the first one signed in, and
// whose cookie has gone meanwhile: oauth2-proxy 3258.
func TestSecondTabAfterTheFirstSignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	second := b.begin(login+"?rd=/second", paula)
	for i := range 5 { // push its cookie out
		w.clock.advance(time.Second)
		b.get(fmt.Sprintf("%s?rd=/other/%d", login, i))
	}
	b.visit(login+"?rd=/first", paula)
	if a := b.get(second); a.location() != app+"/second" || w.exchanges() != 1 {
		t.Errorf("got status %d to %q, exchanges %d", a.status, a.location(), w.exchanges())
	}
	// The same ten minutes later, when AuthKit's code is as old as the state.
	w.clock.advance(10 * time.Minute)
	if a := b.get(second); a.location() != app+"/second" {
		t.Errorf("later: got status %d to %q", a.status, a.location())
	}
}

// State cookies don't pile up until a server refuses the headers: five are the
// most, and the oldest go (oauth2-proxy 2163, authkit-session 42).
func TestStateCookiesAreCapped(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"one a minute": time.Minute, "one a second": time.Second, "within a second": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings{})
			b := w.browser(t)
			var states []string
			for range 12 {
				states = append(states, parse(t, b.get(login).location()).Query().Get("state"))
				w.clock.advance(pause)
			}
			kept := map[string]bool{}
			for name, value := range b.sends(callback) {
				if strings.HasPrefix(name, "__Host-authkit-state-") {
					kept[value] = true
				}
			}
			if len(kept) != 5 {
				t.Errorf("got %d cookies, want 5", len(kept))
			}
			for i, state := range states {
				if got, want := kept[fingerprint(state)], i >= 7; got != want {
					t.Errorf("sign-in %d of 12: its cookie is kept: %v, want %v", i+1, got, want)
				}
			}
			size := 0
			for name, value := range b.sends(app + "/") {
				size += len(name + "=" + value)
			}
			if size > 5*100 { // a browser sends __Host- cookies everywhere
				t.Errorf("%d bytes of the flow's cookies go to the app", size)
			}
		})
	}
	t.Run("a browser that comes with many", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, settings{})
		b := w.browser(t)
		for i := range 1200 {
			b.plant(app+"/", fmt.Sprintf("__Host-authkit-state-1-%04d", i), "x")
		}
		a := b.get(login)
		if n := len(a.header["Set-Cookie"]); n != 5 { // of the newest eight four go, and one comes
			t.Errorf("got %d lines, want 5", n)
		}
	})
	t.Run("the ninth newest is not looked at", func(t *testing.T) {
		t.Parallel()
		for newer, good := range map[int]bool{7: true, 8: false} {
			w := newWorld(t, settings{})
			b := w.browser(t)
			callback := b.begin(login+"?rd=/page", paula)
			for i := range newer {
				b.plant(app+"/", fmt.Sprintf("__Host-authkit-state-f%d", i), "x")
			}
			if a := b.get(callback); (a.cookie("wos-session=Fe26") != "") != good {
				t.Errorf("%d newer: got status %d to %q", newer, a.status, a.location())
			}
		}
	})
}

// E11, CVE-2026-33544: sign-ins at the same time never get each other's session.
func TestManyUsersAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	var all sync.WaitGroup
	slots := make(chan struct{}, 16) // more would wait for each other's exchange, and for a while only
	for i := range 200 {
		b := w.browser(t)
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			email := fmt.Sprintf("user-%d@example.com", i)
			page := fmt.Sprintf("%s/of/%d?q=%d", app, i, i)
			a, err := b.follow(page, email)
			if err != nil || a.url != page || a.body != "hello "+email {
				t.Errorf("%s: got %+v, %v", email, a, err)
			}
		})
	}
	all.Wait()
	if w.exchanges() != 200 {
		t.Errorf("got %d exchanges, want 200", w.exchanges())
	}
}
