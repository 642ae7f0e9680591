package authkit

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
)

// maxOrganizations is how many of a user's organizations are asked for: one page.
const maxOrganizations = 100

// Organizations lists the organizations in which a user has an active membership,
// the newest membership first, at most 100. A name may be empty. An error is a
// *session.Outage.
func (c *Client) Organizations(ctx context.Context, userID string) ([]Organization, error) {
	if userID == "" { // workos-go would leave it out, and list everybody's
		return nil, nil
	}
	answer, err := c.ask(func(hc *http.Client) error {
		_, err := c.api(hc).ListOrganizationMemberships(ctx, usermanagement.ListOrganizationMembershipsOpts{
			UserID:   userID,
			Statuses: []usermanagement.OrganizationMembershipStatus{usermanagement.Active},
			Limit:    maxOrganizations,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return readMemberships(answer, userID)
}

// readMemberships doesn't rely on the filters that were asked for: only the user's own
// and active memberships count.
func readMemberships(answer *recorder, userID string) ([]Organization, error) {
	var a struct {
		Data *[]struct {
			UserID           string `json:"user_id"`
			OrganizationID   string `json:"organization_id"`
			OrganizationName string `json:"organization_name"` // workos-go loses it
			Status           string `json:"status"`
		} `json:"data"`
	}
	if json.Unmarshal(answer.body, &a) != nil || a.Data == nil {
		return nil, answer.unreadable()
	}
	var all []Organization
	for _, m := range *a.Data {
		if m.UserID == userID && m.OrganizationID != "" && m.Status == "active" && len(all) < maxOrganizations {
			all = append(all, Organization{ID: m.OrganizationID, Name: m.OrganizationName})
		}
	}
	return all, nil
}
