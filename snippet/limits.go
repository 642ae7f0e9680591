package snippet

import (
	"errors"
	"fmt"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

// public refuses a developer's machine.
func public(d *Deployment) error {
	if d.Local() {
		return errors.New("app: a cluster's gateway needs an https address")
	}
	return nil
}

// noPaths refuses requirements and public paths.
func noPaths(d *Deployment) error {
	for _, app := range d.Apps {
		if len(app.Rules) > 0 || len(app.Public) > 0 {
			return errors.New("require, public: paths are for a policy here, see docs/policy.md")
		}
	}
	return public(d)
}

// signInAlone refuses all requirements.
func signInAlone(d *Deployment) error {
	if d.Require != "" {
		return errors.New("require: it can't be said here: make it a policy, see docs/policy.md")
	}
	return noPaths(d)
}

// flowBesideApp refuses what labels can't say well.
func flowBesideApp(d *Deployment) error {
	if d.OwnHost() {
		return errors.New("the sign-in on a host of its own is for the file provider: use traefik, and leave the apps' routers to labels")
	}
	return nil
}

// differentWords refuses rules that HAProxy can't tell apart: it looks for the path's first part anywhere.
func differentWords(d *Deployment) error {
	seen := map[string]string{}
	for _, rule := range d.Rules() {
		if other, ok := seen[rule.Word()]; ok {
			return fmt.Errorf("require: %s and %s begin alike, and the last one would be asked for both: make this a policy, see docs/policy.md", other, rule.Path)
		}
		seen[rule.Word()] = rule.Path
	}
	return nil
}

// oneRequirementEach refuses rules that can't be asked for all at once.
func oneRequirementEach(d *Deployment) error {
	for _, app := range d.Apps {
		if len(app.Rules) == 0 {
			continue
		}
		if _, err := policy.ParseQuery(app.EveryRequirement()); err != nil {
			return errors.New("require: two paths have requirements of one kind, which can't be asked for together where a path is escaped: make this a policy, see docs/policy.md")
		}
	}
	return nil
}

// noRequirements refuses what Envoy can't ask over HTTP.
func noRequirements(d *Deployment) error {
	if d.Require != "" || len(d.Rules()) > 0 {
		return errors.New("require: over HTTP Envoy can't ask for more than a sign-in: use envoy (gRPC), or a policy, see docs/policy.md")
	}
	return nil
}
