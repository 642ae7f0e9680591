package emulator

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"
)

const (
	maxRoles       = 1000 // that SetRole keeps
	maxPermissions = 1000 // of one role
	maxSlug        = 256  // bytes
)

type roleKey struct{ organizationID, slug string } // no organization: in all

type roleJSON struct {
	Object           string   `json:"object"`
	OrganizationID   string   `json:"organization_id,omitempty"`
	Slug             string   `json:"slug"`
	Name             string   `json:"name"`
	Description      *string  `json:"description"`
	ResourceTypeSlug string   `json:"resource_type_slug"`
	Permissions      []string `json:"permissions"`
	CreatedAt        string   `json:"created_at"`
	UpdatedAt        string   `json:"updated_at"`
}

// SetRole gives a role its permissions, in one organization or, if that is empty, in all. From the
// next refresh on they replace those of the members who have the role. It sends
// organization_role.updated or role.updated.
func (e *environment) SetRole(organizationID, slug string, permissions []string) error {
	if slug == "" || len(slug) > maxSlug || len(permissions) > maxPermissions {
		return fmt.Errorf("emulator: role: needs a slug of %d bytes at most, and may have %d permissions", maxSlug, maxPermissions)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.organization(organizationID); !ok && organizationID != "" {
		return notFound("Organization")
	}
	key := roleKey{organizationID, slug}
	if _, ok := e.roles[key]; !ok && len(e.roles) >= maxRoles {
		return errors.New("emulator: role: too many roles")
	}
	e.roles[key] = append([]string{}, permissions...)
	now := timestamp(e.now())
	role := roleJSON{
		Object: "role", OrganizationID: organizationID, Slug: slug, Name: slug, ResourceTypeSlug: "organization",
		Permissions: e.roles[key], CreatedAt: now, UpdatedAt: now,
	}
	if organizationID != "" {
		role.Object = "organization_role"
	}
	e.emit(role.Object+".updated", role)
	return nil
}

func (e *environment) putRole(r *http.Request, body []byte) (any, error) {
	var role struct {
		OrganizationID string   `json:"organization_id"`
		Permissions    []string `json:"permissions"`
	}
	if err := strictly(body, &role); err != nil {
		return nil, err
	}
	return struct{}{}, e.SetRole(role.OrganizationID, chi.URLParam(r, "slug"), role.Permissions)
}
