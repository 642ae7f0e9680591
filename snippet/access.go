package snippet

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/config"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// restrict adds requirements and public paths, of the first app.
func (d *Deployment) restrict(require, public []string) error {
	app := &d.Apps[0]
	for _, path := range public {
		if !plainPath.MatchString(path) {
			return fmt.Errorf("public: %q is no plain path such as /favicon.ico: make others public by a rule of a policy, see docs/policy.md", path)
		}
		app.Public = append(app.Public, path)
	}
	for _, text := range require {
		path, query, below := strings.Cut(text, "?")
		if !below {
			path, query = "", text
		}
		if err := validRequirements(query); err != nil {
			return fmt.Errorf("require: %q: %w", text, err)
		}
		if !below {
			d.Require = strings.Trim(d.Require+"&"+query, "&")
			continue
		}
		if !plainPath.MatchString(path) {
			return fmt.Errorf("require: %q is no plain path such as /admin", path)
		}
		name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(path), "-"), "-")
		app.Rules = append(app.Rules, Rule{name, path, query, "Only with " + query + "."})
	}
	if d.Require == "" {
		return nil
	}
	for i := range app.Rules { // a rule's requirements are asked instead of these
		app.Rules[i].Require = d.Require + "&" + app.Rules[i].Require
		if err := validRequirements(app.Rules[i].Require); err != nil {
			return fmt.Errorf("require: %s, for %s and for all: %w", app.Rules[i].Require, app.Rules[i].Path, err)
		}
	}
	return nil
}

// plainQuery is what needs no quotes in any configuration.
var plainQuery = regexp.MustCompile(`^[A-Za-z0-9_.,:=&-]+$`)

func validRequirements(query string) error {
	if !plainQuery.MatchString(query) {
		return errors.New("write it as role=admin,owner&organization=org_01ABC")
	}
	_, err := policy.ParseQuery(query)
	return err
}

// sendClaims adds headers of claims. Each gateway's configuration removes a client's X-Auth-Request-… in every spelling.
func (d *Deployment) sendClaims(claims []string) error {
	if len(claims) == 0 {
		return nil
	}
	var err error
	if d.claims, err = config.ParseClaimHeaders(strings.Join(claims, ",")); err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	for _, c := range d.claims {
		if !strings.HasPrefix(c.Header, "X-Auth-Request-") {
			return fmt.Errorf("claim: %s doesn't begin with X-Auth-Request-: these configurations remove what clients send under such names alone", c.Header)
		}
	}
	return nil
}
