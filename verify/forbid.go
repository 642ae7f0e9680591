package verify

import (
	"context"
	"net/http"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/page"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

const (
	organizationsLimit = 3 * time.Second // to ask AuthKit for a user's organizations
	maxOffers          = 5               // organizations to switch to
	maxOfferName       = 60              // characters of an organization's name
	maxOffersSize      = 1500            // bytes of links, so that the page stays under 4 KB
)

// Organization is one that a user is a member of.
type Organization struct{ ID, Name string }

// forbid answers what the policy denies, whoever asks.
func (h *Handler) forbid(q *question, unmet policy.Unmet) *decision {
	d := deny(http.StatusForbidden, ReasonForbidden, "denied by the policy")
	d.requirement = unmet.Requirement
	return d
}

// forbidUser answers a user whose session is good, and who isn't permitted. The
// session stays. Where a fresh sign-in would do, it asks for one; where another
// organization would, it offers those of the user.
func (h *Handler) forbidUser(ctx context.Context, q *question, id *identity.Identity, unmet policy.Unmet) *decision {
	var d *decision
	if unmet.Requirement == policy.MaxAuthAge {
		d = h.askSignIn(q, ReasonAuthTooOld, "the rule wants a fresher sign-in", signInOptions{maxAge: unmet.MaxAuthAge})
		d.requirement = unmet.Requirement
	} else {
		d = h.forbid(q, unmet)
		h.offer(ctx, q, id, d)
	}
	d.identity = id
	return d
}

// offer adds the ways on for somebody who isn't permitted: an organization of theirs
// that the rule names, and to sign in as someone else. That AuthKit can't be asked for
// their organizations is no reason for another answer.
func (h *Handler) offer(ctx context.Context, q *question, id *identity.Identity, d *decision) {
	if !q.page() {
		return
	}
	back := h.returnURL(q)
	if d.requirement == policy.Organizations {
		some, err := h.eligible(ctx, q, id)
		if err != nil {
			d.note = "the user's organizations can't be had, so no switch is offered: " + err.Error()
		}
		for _, o := range some {
			d.links = append(d.links, page.Link{
				Text: "Switch to " + shorten(o.Name, maxOfferName),
				URL:  h.Site.FlowURL(site.Switch, back, map[string]string{"organization_id": o.ID}),
			})
		}
	}
	d.links = append(d.links, page.Link{
		Text: "Sign in as someone else", URL: h.Site.FlowURL(site.Login, back, signInOptions{again: true}.query()),
	})
}

// eligible are the user's organizations that the rule and the query allow.
func (h *Handler) eligible(ctx context.Context, q *question, id *identity.Identity) (some []Organization, err error) {
	if h.Organizations == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, organizationsLimit)
	defer cancel()
	all, err := h.Organizations(ctx, id.Subject)
	for _, o := range all {
		if o.ID != id.OrganizationID && len(some) < maxOffers &&
			q.rule.Require.AllowsOrganization(o.ID) && q.require.AllowsOrganization(o.ID) {
			some = append(some, o)
		}
	}
	return some, err
}

func shorten(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}
