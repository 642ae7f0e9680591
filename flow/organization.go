package flow

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
)

// selection continues a sign-in for which the user chooses an organization. It travels sealed in a cookie; the page's forms
// have the state and the organization in their action's query, as a gateway that asks /verify hands on no body.
type selection struct {
	Pending string    `json:"p"` // AuthKit's pending authentication token
	State   string    `json:"s"` // fingerprint of the sealed state
	Issued  time.Time `json:"t"`
}

const (
	selectionCookie = "authkit-selection" // of the latest choice in this browser
	maxSelection    = 3800                // bytes, so that browsers keep the cookie
)

var errPendingTokenTooLong = errors.New("AuthKit's pending authentication token does not fit into a cookie")

// offerOrganizations shows the organizations that the user can sign in to.
func (f *Flow) offerOrganizations(w http.ResponseWriter, r *http.Request, s signIn, e *authkit.Error) {
	plaintext, err := json.Marshal(selection{string(e.PendingAuthenticationToken), fingerprint(s.sealed), f.Now()})
	if err != nil {
		f.fail(w, r, s.state, err)
		return
	}
	sealed := f.selections.Seal(plaintext)
	if len(sealed) > maxSelection {
		f.fail(w, r, s.state, errPendingTokenTooLong)
		return
	}
	f.bind(w, s.sealed)
	f.carryReturnURL(w, r, s.sealed, s.ReturnURL)
	http.SetCookie(w, f.hostCookie(selectionCookie, sealed, stateLife))
	p := page.Page{Status: http.StatusOK, Title: "Choose an organization", Text: "Which organization do you want to sign in to?"}
	for _, organization := range e.Organizations {
		choice := url.Values{"state": {s.sealed}, "organization_id": {organization.ID}}
		p.Buttons = append(p.Buttons, page.Button{Text: organization.Name, Action: f.Site.Callback() + "?" + choice.Encode()})
	}
	show(w, r, p)
}

// selectOrganization finishes the sign-in with the chosen organization.
func (f *Flow) selectOrganization(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	chosen, value, ok := f.openSelection(r)
	if !f.fromOwnPage(r) || !ok {
		show(w, r, f.statePage("", false))
		return
	}
	s := f.readSignIn(r, query.Get("state"))
	s.fresh = f.Now().Sub(chosen.Issued) < stateLife // the choice has ten minutes of its own
	if !s.trusted() || chosen.State != fingerprint(s.sealed) || f.once.used(value, f.Now()) {
		show(w, r, f.statePage(s.ReturnURL, s.opened))
		return
	}
	f.exchange(w, r, s, value, func(ctx context.Context) (json.RawMessage, error) {
		return f.AuthKit.SelectOrganization(ctx, chosen.Pending, query.Get("organization_id"))
	})
}

// openSelection reads the selection of this browser.
func (f *Flow) openSelection(r *http.Request) (chosen selection, sealed string, ok bool) {
	c, err := r.Cookie(f.hostCookieName(selectionCookie))
	if err != nil {
		return selection{}, "", false
	}
	plaintext, err := f.selections.Open(c.Value)
	if err != nil || json.Unmarshal(plaintext, &chosen) != nil {
		return selection{}, "", false
	}
	return chosen, c.Value, true
}

// releaseSelection takes it away.
func (f *Flow) releaseSelection(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(f.hostCookieName(selectionCookie)); err == nil {
		http.SetCookie(w, f.hostCookie(selectionCookie, "", 0))
	}
}
