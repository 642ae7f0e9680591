package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const maxID = 256 // bytes of an id, a slug or an event's name

// event is a webhook's body, understood.
type event struct {
	id, name   string
	relevant   bool // one of the table; false: it concerns no session
	revocation session.Revocation
}

// eventData is the part of an event's data that the table needs.
type eventData struct {
	ID             string `json:"id"`
	UserID         string `json:"user_id"`
	OrganizationID string `json:"organization_id"`
	Slug           string `json:"slug"`
	Status         string `json:"status"`
	RegistrationID string `json:"agent_registration_id"`
	ConsentID      string `json:"consent_id"`
}

// agent is the registration that an event about agents concerns: they name it in one way or the other.
func (d eventData) agent() string {
	if d.RegistrationID == "" && strings.HasPrefix(d.ID, "agent_reg_") {
		return d.ID
	}
	return d.RegistrationID
}

// consent is the consent that an event concerns, empty for anything else.
func (d eventData) consent() string {
	for _, id := range []string{d.ID, d.ConsentID} {
		if strings.HasPrefix(id, "app_consent_") {
			return id
		}
	}
	return ""
}

// parse reads a body that was signed at the given time. With an error it returns
// the part of the event that it could read.
func parse(body []byte, signed time.Time) (event, error) {
	var envelope struct {
		ID        string          `json:"id"`
		Event     string          `json:"event"`
		Data      json.RawMessage `json:"data"`
		CreatedAt json.RawMessage `json:"created_at"`
	}
	if json.Unmarshal(body, &envelope) != nil || envelope.Event == "" || len(envelope.Event) > maxID || len(envelope.ID) > maxID {
		return event{}, fmt.Errorf("%w: the body is not an event", errMalformed)
	}
	e := event{id: envelope.ID, name: envelope.Event}
	var data eventData
	unreadable := json.Unmarshal(envelope.Data, &data)
	revocation, required := meaning(e.name, data)
	if required == nil {
		return e, nil
	}
	e.relevant = true
	if unreadable != nil {
		return e, fmt.Errorf("%w: the event's data can't be read", errMalformed)
	}
	for _, id := range required {
		if id == "" {
			return e, fmt.Errorf("%w: the event's data doesn't say whom it concerns", errMalformed)
		}
	}
	for _, id := range []string{data.ID, data.UserID, data.OrganizationID, data.Slug, data.RegistrationID, data.ConsentID} {
		if len(id) > maxID {
			return e, fmt.Errorf("%w: an id of more than %d bytes", errMalformed, maxID)
		}
	}
	e.revocation = revocation
	e.revocation.At = occurredAt(envelope.CreatedAt, signed)
	return e, nil
}

// Events are the names of the events that an endpoint has to be registered for at WorkOS. Not every environment knows the later
// ones: it refuses the whole registration then.
func Events() (known, later []string) {
	return []string{
			"session.revoked", "user.deleted", "organization.deleted",
			"organization_membership.deleted", "organization_membership.updated",
			"organization_role.updated", "organization_role.deleted", "role.updated", "role.deleted",
			"permission.updated", "permission.deleted",
			"api_key.revoked",
		}, []string{
			"api_key.updated",
			"agent.registration.revoked", "agent.registration.deleted", "agent.registration.expired",
			"agent.registration.organization.switched",
		}
}

// meaning is the table of events. It returns the ids that must not be empty too; nil
// where the event concerns no session and no key.
//
//	session.revoked                     ends the session, whatever data.status says; or the
//	                                    consent, where that is its id
//	user.deleted                        ends all of the user
//	organization.deleted                ends all with a token for the organization
//	organization_membership.deleted     ends the user's in the organization
//	organization_membership.removed     the same, its old name
//	organization_membership.updated     inactive: the same; else they are refreshed
//	organization_role.updated, deleted  refreshes those with the role in the organization,
//	                                    or in any where none is named
//	role.updated, deleted               refreshes those with the role
//	permission.updated, deleted         refreshes those with the permission
//	api_key.revoked, deleted, updated   has the key validated before it is used again
//	agent.registration.revoked, deleted, expired
//	                                    ends the agent's tokens, also those of users that
//	                                    it has, and has its API keys validated again
//	agent.registration.organization.switched
//	                                    the same: who has a token has to get a new one
//	any.revoked, any.deleted            about a consent (app_consent_…): ends its tokens.
//	                                    WorkOS's description of its API has no name for it
//
// A role's event comes when its permissions change, too. A created role is in no
// token yet.
func meaning(name string, d eventData) (r session.Revocation, required []string) {
	switch name {
	case "session.revoked":
		if id := d.consent(); id != "" {
			return session.Revocation{ConsentID: id}, []string{id}
		}
		return session.Revocation{Subject: d.UserID, SessionID: d.ID}, []string{d.UserID, d.ID}
	case "user.deleted":
		return session.Revocation{Subject: d.ID}, []string{d.ID}
	case "organization.deleted":
		return session.Revocation{OrganizationID: d.ID}, []string{d.ID}
	case "organization_membership.deleted", "organization_membership.removed":
		return session.Revocation{Subject: d.UserID, OrganizationID: d.OrganizationID}, []string{d.UserID, d.OrganizationID}
	case "organization_membership.updated":
		return session.Revocation{Subject: d.UserID, OrganizationID: d.OrganizationID, Refresh: d.Status != "inactive"},
			[]string{d.UserID, d.OrganizationID}
	case "organization_role.updated", "organization_role.deleted":
		return session.Revocation{OrganizationID: d.OrganizationID, Role: d.Slug, Refresh: true}, []string{d.Slug}
	case "role.updated", "role.deleted":
		return session.Revocation{Role: d.Slug, Refresh: true}, []string{d.Slug}
	case "permission.updated", "permission.deleted":
		return session.Revocation{Permission: d.Slug, Refresh: true}, []string{d.Slug}
	case "api_key.revoked", "api_key.deleted":
		return session.Revocation{APIKeyID: d.ID}, []string{d.ID}
	case "api_key.updated":
		return session.Revocation{APIKeyID: d.ID, Refresh: true}, []string{d.ID}
	case "agent.registration.revoked", "agent.registration.deleted", "agent.registration.expired":
		return session.Revocation{Subject: d.agent()}, []string{d.agent()}
	case "agent.registration.organization.switched":
		return session.Revocation{Subject: d.agent(), Refresh: true}, []string{d.agent()}
	}
	ends := strings.HasSuffix(name, ".revoked") || strings.HasSuffix(name, ".deleted")
	if id := d.consent(); ends && id != "" {
		return session.Revocation{ConsentID: id}, []string{id}
	}
	return session.Revocation{}, nil
}

// occurredAt is when WorkOS made the event. The times in its data are no help: a
// deleted object bears the time of its last change. Without a time that makes sense
// it is the time of signing, which is later, so that more is ended.
func occurredAt(createdAt json.RawMessage, signed time.Time) time.Time {
	var at time.Time
	if json.Unmarshal(createdAt, &at) != nil || at.IsZero() || at.Sub(signed) > tolerance {
		return signed
	}
	return at
}
