package flow

import (
	_ "embed"
	"net/http"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/page"
)

// The #fragment of a page never reaches a server, but a browser carries it along a
// redirect to /login. With KEEP_FRAGMENT two pages keep it there:
//
//	/login     its script puts the fragment into the tab's sessionStorage, under the
//	           state's fingerprint, and goes on to AuthKit
//	/callback  its script takes it out again and adds it to the return URL
var (
	//go:embed fragment_keep.js
	keepFragment string
	//go:embed fragment_restore.js
	restoreFragment string
)

// leadByScript sends the browser elsewhere by a page with a script. It reports false,
// and does nothing, where fragments aren't kept or no page is wanted.
func (f *Flow) leadByScript(w http.ResponseWriter, r *http.Request, location, script, sealedState string) bool {
	if !f.KeepFragment || r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	show(w, r, page.Page{
		Status: http.StatusOK, Title: "One moment", Text: "This page moves on by itself.",
		Next: &page.Next{URL: location, Script: script, Key: "authkit-fragment-" + fingerprint(sealedState)},
	})
	return true
}
