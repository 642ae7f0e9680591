package verify

import (
	"net/http"
	"strconv"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// signInOptions say what a sign-in is for. The zero value: for a session.
type signInOptions struct {
	organizationID string
	maxAge         time.Duration // how old the sign-in may be; 0: any
	again          bool          // as somebody else
}

func (o signInOptions) query() map[string]string {
	query := map[string]string{"organization_id": o.organizationID}
	if o.maxAge > 0 {
		query["max_age"] = strconv.FormatInt(int64(o.maxAge/time.Second), 10)
	}
	if o.again {
		query["prompt"] = "login"
	}
	return query
}

// askSignIn sends a navigation to sign-in, and tells everything else where that is.
func (h *Handler) askSignIn(q *question, reason, detail string, o signInOptions) *decision {
	d := deny(http.StatusUnauthorized, reason, detail)
	d.loginURL = h.loginURL(q, o)
	if q.accepts(policy.Bearer) || q.accepts(policy.APIKey) {
		d.challenge = challenge("", "")
	}
	if q.client.navigation && (q.profile == forwardAuth || q.profile == signIn) {
		d.status, d.location = http.StatusSeeOther, d.loginURL
	}
	return d
}

func (h *Handler) loginURL(q *question, o signInOptions) string {
	return h.Site.FlowURL(site.Login, h.returnURL(q), o.query())
}

// returnURL is where a sign-in or a switch leads back to: the page itself if it is
// one, else the page that the request came from. Never an API's URL.
func (h *Handler) returnURL(q *question) string {
	switch {
	case q.profile == bare:
		return ""
	case q.client.document():
		page := q.url()
		if len(page) > site.MaxReturnURL {
			page, _ = h.Site.ReturnURL(page) // without the query
		}
		return page
	}
	for _, name := range []string{"Hx-Current-Url", "Referer"} {
		if page, ok := h.Site.ReturnURL(first(q.header, name)); ok {
			return page
		}
	}
	return ""
}
