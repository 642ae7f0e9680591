package flow

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
)

// selection continues a sign-in for which the user chooses an organization. It
// travels sealed in the page's form and is bound to the same cookie as the state.
type selection struct {
	Pending string    `json:"p"` // AuthKit's pending authentication token
	State   string    `json:"s"` // the sealed state
	Issued  time.Time `json:"t"`
}

// maxForm bounds the selection's form: two sealed states and an id.
const maxForm = 4 * maxState

// offerOrganizations shows the organizations that the user can sign in to.
func (f *Flow) offerOrganizations(w http.ResponseWriter, r *http.Request, s signIn, e *authkit.Error) {
	plaintext, err := json.Marshal(selection{string(e.PendingAuthenticationToken), s.sealed, f.Now()})
	if err != nil {
		f.fail(w, r, s.state, err)
		return
	}
	f.bind(w, s.sealed)
	f.carryReturnURL(w, r, s.sealed, s.ReturnURL)
	p := page.Page{Status: http.StatusOK, Title: "Choose an organization", Text: "Which organization do you want to sign in to?"}
	sealed := f.selections.Seal(plaintext)
	for _, organization := range e.Organizations {
		p.Buttons = append(p.Buttons, page.Button{
			Text: organization.Name, Action: f.Site.Callback(),
			Fields: map[string]string{"selection": sealed, "organization_id": organization.ID},
		})
	}
	show(w, r, p)
}

// selectOrganization finishes the sign-in with the chosen organization.
func (f *Flow) selectOrganization(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if !f.fromOwnPage(r) || r.ParseForm() != nil {
		show(w, r, f.statePage("", false))
		return
	}
	value := r.PostForm.Get("selection")
	var chosen selection
	plaintext, err := f.selections.Open(value)
	if err != nil || json.Unmarshal(plaintext, &chosen) != nil {
		show(w, r, f.statePage("", false))
		return
	}
	s := f.readSignIn(r, chosen.State)
	s.fresh = f.Now().Sub(chosen.Issued) < stateLife // the choice has ten minutes of its own
	if !s.trusted() || f.once.used(value, f.Now()) {
		show(w, r, f.statePage(s.ReturnURL, s.opened))
		return
	}
	f.exchange(w, r, s, value, func(ctx context.Context) (json.RawMessage, error) {
		return f.AuthKit.SelectOrganization(ctx, chosen.Pending, r.PostForm.Get("organization_id"))
	})
}
