package flow

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// show writes a page, or problem+json for a client that wants JSON.
func show(w http.ResponseWriter, r *http.Request, p page.Page) {
	p.ID, p.Status = requestID(r), status(r, p)
	if wantsJSON(r) {
		p.Text = strings.Join(append([]string{p.Text}, p.Details...), " ") // it has one member for both
		p.JSON(w)
		return
	}
	p.HTML(w)
}

// redirect sends the browser elsewhere, by GET whatever it asked with.
func redirect(w http.ResponseWriter, location string) {
	page.Secure(w.Header())
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// lead sends the browser elsewhere. A form's POST that leads to another origin, at
// once or by way of /login, gets a page that moves on by itself: an application's
// Content-Security-Policy with form-action 'self' (Helmet's default) stops such a
// redirect without a word. So does a page that a service worker asks for anew: a browser
// takes no redirected answer for a navigation.
func (f *Flow) lead(w http.ResponseWriter, r *http.Request, location, title string) {
	leaves := r.Method == http.MethodPost && !f.staysHere(location)
	if wantsJSON(r) || !leaves && !askedAnew(r) {
		redirect(w, location)
		return
	}
	show(w, r, page.Page{
		Status: http.StatusOK, Title: title, Text: "This page moves on by itself.", Next: &page.Next{URL: location},
	})
}

// staysHere reports whether a URL is on the flow's origin and leads to no other one.
func (f *Flow) staysHere(location string) bool {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != f.Site.Scheme() {
		return false
	}
	host, err := site.ParseHost(u.Host, u.Scheme)
	return err == nil && host == f.Site.FlowHost() && !f.Site.IsFlowEndpoint(host, u.Path)
}

// redirectToReturnURL sends a signed-in browser to its return URL or to the default.
func (f *Flow) redirectToReturnURL(w http.ResponseWriter, r *http.Request, returnURL string) {
	if destination := f.destination(returnURL); destination != "" {
		f.lead(w, r, destination, "You are signed in")
		return
	}
	show(w, r, f.signedInPage())
}

// destination is where a sign-in leads when it has no return URL of its own;
// empty where only the signed-in page is left.
func (f *Flow) destination(returnURL string) string {
	if checked, ok := f.Site.ReturnURL(returnURL); ok {
		return checked
	}
	if own, ok := f.Site.ReturnURL(f.DefaultReturn); ok {
		return own
	}
	if f.Site.Prefix() != "/" {
		home, _ := f.Site.ReturnURL("/")
		return home
	}
	return ""
}
