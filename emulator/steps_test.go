package emulator

import (
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"github.com/workos/workos-go/v4/pkg/workos_errors"
)

// requiring is the seed, with a step that Globex requires.
func requiring(step string) func(*Config) {
	return func(c *Config) {
		c.Users, c.Organizations = Seed()
		c.Organizations[1].Requires = step
	}
}

// wantStep checks that an error asks for the step.
func wantStep(t *testing.T, err error, step string) {
	t.Helper()
	if step == "mfa_enrollment" {
		wantRefusal(t, err, 400, "mfa_enrollment", "")
		return
	}
	var got *workos_errors.SSORequiredError
	if !errors.As(err, &got) || got.HTTPError.Code != 400 || got.ErrorCode != "sso_required" || got.ErrorDescription == "" || got.Email != sam ||
		!slices.Equal(got.ConnectionIDs, []string{"conn_01JBGJ09TQM83XSSSS6YS3C4DW"}) || got.PendingAuthenticationToken == "" {
		t.Errorf("got error %v, want sso_required of Sam", err)
	}
}

func TestSwitchThatRequiresAStep(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"sso_required", "mfa_enrollment"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			e := start(t, requiring(step))
			refresh := func(token, organization string) string {
				t.Helper()
				got, err := e.refresh(t, token, organization)
				if err != nil {
					t.Fatal(err)
				}
				if want := organization; want != "" && e.claims(t, got.AccessToken)["org_id"] != want {
					t.Errorf("got a token of another organization, want %s", want)
				}
				return got.RefreshToken
			}
			elsewhere := e.signIn(t, sam, acmeID).RefreshToken
			for range 2 {
				_, err := e.refresh(t, elsewhere, globexID)
				wantStep(t, err, step)
			}
			refresh(elsewhere, acmeID) // no refusal has spent it

			code := e.code(t, sam, map[string]string{"organization_id": globexID}) // the page has the step
			there := e.exchange(t, code)
			if there.OrganizationID != globexID {
				t.Fatalf("got a sign-in at %s, want Globex", there.OrganizationID)
			}
			token := refresh(there.RefreshToken, globexID)
			token = refresh(token, "")
			token = refresh(token, acmeID)
			refresh(token, globexID) // and back: the step is done
		})
	}
}

// A user who is no member gets that answer, and not a member's steps.
func TestStepIsForMembers(t *testing.T) {
	t.Parallel()
	e := start(t, requiring("sso_required"))
	_, err := e.refresh(t, e.signIn(t, zoe, "").RefreshToken, globexID)
	wantRefusal(t, err, 400, "organization_membership_not_found", "")
}

// The grant that chooses an organization has no page for the step.
func TestSelectionThatRequiresAStep(t *testing.T) {
	t.Parallel()
	e := start(t, requiring("sso_required"))
	code := callback(t, e.get(t, e.authorizeURL(t, map[string]string{"login_hint": sam}))).Get("code")
	_, err := e.sdk.AuthenticateWithCode(t.Context(), usermanagement.AuthenticateWithCodeOpts{ClientID: testClient, Code: code})
	var selection *workos_errors.OrganizationSelectionRequiredError
	if !errors.As(err, &selection) {
		t.Fatalf("got error %v, want a selection", err)
	}
	choose := func(organization string) error {
		_, err := e.sdk.AuthenticateWithOrganizationSelection(t.Context(), usermanagement.AuthenticateWithOrganizationSelectionOpts{
			ClientID: testClient, PendingAuthenticationToken: selection.PendingAuthenticationToken, OrganizationID: organization,
		})
		return err
	}
	wantStep(t, choose(globexID), "sso_required")
	if err := choose(acmeID); err != nil {
		t.Errorf("another organization: %v", err)
	}
}

// With max_age, as always, the page asks: the new session's auth_time is now. A refresh keeps it,
// also into another organization.
func TestAuthTime(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	first := e.exchange(t, e.code(t, sam, map[string]string{"organization_id": acmeID}))
	e.clock.Advance(time.Hour)
	next, err := e.refresh(t, first.RefreshToken, globexID)
	if err != nil {
		t.Fatal(err)
	}
	if got := e.claims(t, next.AccessToken); got["auth_time"] != 1772366400.0 || got["iat"] != 1772370000.0 || got["org_id"] != globexID {
		t.Errorf("switched: got claims %v, want the sign-in's auth_time", got)
	}
	target := e.authorizeURL(t, map[string]string{"max_age": "60", "organization_id": globexID})
	if got := e.get(t, target); got.status != 200 {
		t.Errorf("max_age: got %d, want the page", got.status)
	}
	again := e.exchange(t, callback(t, e.choose(t, target, url.Values{"email": {sam}})).Get("code"))
	got := e.claims(t, again.AccessToken)
	if got["auth_time"] != 1772370000.0 || got["sid"] == e.claims(t, next.AccessToken)["sid"] {
		t.Errorf("signed in anew: got claims %v, want a new session of now", got)
	}
}
