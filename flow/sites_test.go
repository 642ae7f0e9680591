package flow

import (
	"net/url"
	"testing"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// DEFAULT_RETURN_URL is a page of one site: sign-ins at another end at that one's own start page.
func TestDefaultReturnIsTheSitesOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings{defaultReturn: app + "/start"})
	sites, err := site.NewSites([]*url.URL{parse(t, app+"/_auth/callback"), parse(t, "https://shop.test/_auth/callback")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"app.example.com": app + "/start", "shop.test": "https://shop.test/"} {
		if got := w.At(sites.Of(host)).destination(""); got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
}
