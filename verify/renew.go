package verify

import (
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// allow answers a good session: 200, or the same URL again with the current cookie.
// nginx can't redirect here: there a document whose session needs several cookies
// gets a 401, for which nginx asks /verify/sign-in, see back.
func (h *Handler) allow(q *question, v *session.Verified) *decision {
	if q.profile == signIn {
		return h.back(q, v)
	}
	d := &decision{status: http.StatusOK, identity: &v.Identity}
	if v.Current == "" || !q.client.carries() {
		return d
	}
	lines, err := h.Cookie.SetLines(v.Current, q.header)
	if err != nil {
		d.note = err.Error()
		return d
	}
	several := q.profile != forwardAuth && len(lines) > 1 // nginx passes one line of a 200
	if !several {
		d.cookies = lines
	}
	switch {
	case !q.client.document(), q.profile == bare, q.profile == authRequest && !several: // no way round
	case !h.renew(renewal{cookie: v.Sent}, 1):
		d.notStored, d.note = true, "cookie_not_stored: the browser still sends an old session cookie"
	case q.profile == authRequest:
		d.status, d.reason, d.detail = http.StatusUnauthorized, ReasonRenewCookie, "the session is good; its new cookies are sent by /verify/sign-in"
		d.loginURL = h.loginURL(q, signInOptions{})
	default:
		d.status, d.location = http.StatusSeeOther, q.url()
	}
	return d
}

// back sends a browser that nginx has refused, but that has a good session by
// now or still has one, to the URL that it wanted, with every cookie line.
func (h *Handler) back(q *question, v *session.Verified) *decision {
	d := &decision{status: http.StatusSeeOther, location: q.url()}
	if v.Current != "" {
		lines, err := h.Cookie.SetLines(v.Current, q.header)
		if err != nil {
			return deny(http.StatusForbidden, ReasonMisconfigured, err.Error())
		}
		d.cookies = lines
	}
	switch {
	case !h.renew(renewal{cookie: v.Sent, session: v.Identity.SessionID, url: sha256.Sum256([]byte(q.url()))}, 2):
		return deny(http.StatusForbidden, ReasonMisconfigured,
			"the session is good here and was refused at auth_request: does its location pass the Cookie header on?")
	case safe(q.client.method):
	case q.client.navigation:
		if referer, ok := h.Site.ReturnURL(first(q.header, "Referer")); ok {
			d.location = referer
		}
	default: // the body is gone, only the script can send it again
		d = deny(http.StatusUnauthorized, ReasonNoSession, "the session is good by now, and the request's body is gone")
		d.loginURL = h.loginURL(q, signInOptions{})
	}
	return d
}

// renewal is a redirect that was to bring a browser its current cookie, or the 401
// that leads to one.
type renewal struct {
	cookie  [32]byte
	session string
	url     [32]byte // hashed: whoever is signed in chooses its length
}

type renewed struct {
	count int
	since time.Time
}

// renew reports whether one more of them is allowed: so many in 60 s.
func (h *Handler) renew(key renewal, limit int) bool {
	now := h.Now()
	state, _ := h.renewals.Compute(key, func(old renewed, found bool) (renewed, otter.ComputeOp) {
		if !found || now.Sub(old.since) >= time.Minute {
			return renewed{count: 1, since: now}, otter.WriteOp
		}
		old.count++
		return old, otter.WriteOp
	})
	return state.count <= limit
}
