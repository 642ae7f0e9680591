package flow

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var scriptTag = regexp.MustCompile(`<script>(.*)</script>`)

// wantScript checks that a page runs a script and no other, and moves on without it too.
func wantScript(t *testing.T, a *answer, script, key string) {
	t.Helper()
	m := scriptTag.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || m == nil || m[1] != script {
		t.Fatalf("got status %d, script %q, want %q", a.status, m, script)
	}
	sum := sha256.Sum256([]byte(m[1]))
	if want := "; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.HasSuffix(a.header.Get("Content-Security-Policy"), want) {
		t.Errorf("got policy %q, want one that ends %q", a.header.Get("Content-Security-Policy"), want)
	}
	if !strings.Contains(a.body, ` data-key="`+key+`"`) || !strings.HasPrefix(a.header.Get("Refresh"), "2;url=") || a.link("Continue") == "" {
		t.Errorf("Refresh %q, want the key %s: %s", a.header.Get("Refresh"), key, a.body)
	}
}

const (
	keeps    = `(()=>{const a=document.getElementById("next").dataset;try{if(location.hash)sessionStorage.setItem(a.key,location.hash)}catch{}location.replace(a.to)})()`
	restores = `(()=>{const a=document.getElementById("next").dataset;let h="";try{h=sessionStorage.getItem(a.key)||"";sessionStorage.removeItem(a.key)}catch{}location.replace(a.to+(h[0]=="#"?h:""))})()`
)

// The pages of KEEP_FRAGMENT: /login's keeps under the state's hash, and the callback's
// restores from there.
func TestKeepFragment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{keepFragment: true})
	b := w.browser(t)
	in := b.get(login + "?rd=/page%3Fa='b'%26c%3D%22")
	key := "authkit-fragment-" + fingerprint(parse(t, in.location()).Query().Get("state"))
	wantScript(t, in, keeps, key)
	if !w.isAuthKit(in.location()) || in.cookie("__Host-authkit-state-") == "" {
		t.Errorf("got %q, cookies %q", in.location(), in.header["Set-Cookie"])
	}
	back := b.get(b.choose(in.location(), paula))
	wantScript(t, back, restores, key)
	if back.location() != app+`/page?a='b'&c="` || back.cookie("wos-session=Fe26") == "" ||
		!strings.Contains(back.body, ` data-to="https://app.example.com/page?a=&#39;b&#39;&amp;c=&#34;"`) {
		t.Errorf("got %q, cookies %q: %s", back.location(), back.header["Set-Cookie"], back.body)
	}
}

// A sign-in that begins anew hands the fragment on to its next state.
func TestKeepFragmentOverARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{keepFragment: true})
	b := w.browser(t)
	address := b.beginByPage(login+"?rd=/page", paula)
	b.refuses = refuse("__Host-authkit-state-")
	a := b.get(address)
	wantScript(t, a, restores, "authkit-fragment-"+fingerprint(parse(t, address).Query().Get("state")))
	if !strings.HasPrefix(a.location(), login+"?rd=") {
		t.Errorf("got %q", a.location())
	}
}

// beginByPage is begin where a page leads to AuthKit.
func (b *browser) beginByPage(login, email string) string {
	b.t.Helper()
	return b.choose(b.get(login).location(), email)
}

func TestKeepFragmentNeedsAPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{keepFragment: true})
	b := w.browser(t)
	for _, a := range []*answer{
		b.get(login, "Accept: application/json"), b.get(login, "Accept: */*"), b.must(b.send(http.MethodHead, login, nil)),
	} {
		if a.status != http.StatusSeeOther {
			t.Errorf("got status %d", a.status)
		}
	}
}

func TestNoScriptUnlessAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{})
	b := w.browser(t)
	in := b.get(login)
	if back := b.get(b.choose(in.location(), paula)); in.status != http.StatusSeeOther || back.status != http.StatusSeeOther {
		t.Errorf("got status %d and %d, want 303 twice", in.status, back.status)
	}
}
