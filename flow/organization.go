package flow

import (
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
func (f *Flow) offerOrganizations(w http.ResponseWriter, r *http.Request, s state, sealedState string, e *authkit.Error) {
	plaintext, err := json.Marshal(selection{string(e.PendingAuthenticationToken), sealedState, f.Now()})
	if err != nil {
		f.fail(w, r, s, err)
		return
	}
	f.bind(w, sealedState)
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
	if !f.Site.ProtectsOrigin(r.Header.Get("Origin")) || r.ParseForm() != nil {
		show(w, r, f.statePage("", false))
		return
	}
	var chosen selection
	plaintext, err := f.selections.Open(r.PostForm.Get("selection"))
	if err != nil || json.Unmarshal(plaintext, &chosen) != nil {
		show(w, r, f.statePage("", false))
		return
	}
	cookie := stateCookieOf(r, chosen.State)
	s, opened, _ := f.openState(chosen.State)
	if cookie == "" || !opened || f.Now().Sub(chosen.Issued) >= stateLife {
		show(w, r, f.statePage(s.ReturnURL, opened))
		return
	}
	http.SetCookie(w, f.cookie(cookie, "", 0))
	response, err := f.AuthKit.SelectOrganization(r.Context(), chosen.Pending, r.PostForm.Get("organization_id"))
	f.finish(w, r, s, chosen.State, response, err)
}
