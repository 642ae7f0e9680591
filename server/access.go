package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/apikey"
	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/flow"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/seal"
	"github.com/authkit-forward-auth/authkit-forward-auth/verify"
)

// loadPolicy makes the policy the one source of which hosts are protected. Without a
// file it leaves that to the cookie.
func (s *Server) loadPolicy() error {
	if s.config.PolicyFile == "" {
		return nil
	}
	s.policy = &policyfile.File{
		Path: s.config.PolicyFile, Options: s.config.PolicyOptions(s.sites), Log: s.log, Metrics: s.metrics.registry,
	}
	if err := s.policy.Load(); err != nil {
		return fmt.Errorf("POLICY_FILE: %w", err)
	}
	s.sites.Narrow(func(host string) bool { return s.policy.Current().Names(host) })
	return nil
}

// access sets what the verify endpoints need for a policy and other credentials than
// the cookie.
func (s *Server) access(c *verify.Config, client *authkit.Client, password string) {
	if s.policy != nil {
		c.Policy = s.policy.Current
	}
	if s.config.HideSessionCookie {
		c.AppCookies = func(request http.Header) string { return s.sessions.Cookie.Hide(request, flow.OwnsCookie) }
	}
	c.ExplainDenials = s.config.ExplainDenials
	c.Organizations = newMemberships(client).of
	c.APIKeys = apikey.New(apikey.Config{
		AuthKit: client, HashKey: seal.MACKey("api key memory", password), Revoked: s.sessions.Revoked,
		Metrics: s.metrics.registry, Log: s.log,
	})
}

const (
	membershipsLife = 30 * time.Second
	membershipsRest = 5 * time.Second // after WorkOS could not be asked
	maxMemberships  = 10_000          // users
	maxLookups      = 8               // at one time
)

// memberships remembers of which organizations users are members, so that somebody who
// loads a forbidden page again and again doesn't have WorkOS asked each time.
type memberships struct {
	client *authkit.Client
	byUser interface {
		Get(ctx context.Context, userID string, ask otter.Loader[string, *lookup]) (*lookup, error)
	}
	slots chan struct{}
}

// lookup is what WorkOS said, or why it could not be asked. The cache has pointers to them, as bindSessions' has to what is in it: the
// library's code is compiled once for both.
type lookup struct {
	organizations []verify.Organization
	err           error
}

func newMemberships(client *authkit.Client) *memberships {
	return &memberships{
		client: client, slots: make(chan struct{}, maxLookups),
		byUser: otter.Must(&otter.Options[string, *lookup]{
			MaximumSize: maxMemberships,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *lookup]) time.Duration {
				if e.Value.err != nil {
					return membershipsRest
				}
				return membershipsLife
			}),
		}),
	}
}

func (m *memberships) of(ctx context.Context, userID string) ([]verify.Organization, error) {
	found, err := m.byUser.Get(ctx, userID, otter.LoaderFunc[string, *lookup](m.ask))
	if err != nil {
		return nil, err
	}
	return found.organizations, found.err
}

// ask has an error in its result, where it is remembered, too.
func (m *memberships) ask(ctx context.Context, userID string) (*lookup, error) {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	default:
		return &lookup{err: errors.New("too many look-ups at one time")}, nil
	}
	all, err := m.client.Organizations(ctx, userID)
	if err != nil {
		return &lookup{err: err}, nil
	}
	organizations := make([]verify.Organization, len(all))
	for i, o := range all {
		organizations[i] = verify.Organization{ID: o.ID, Name: o.Name}
	}
	return &lookup{organizations: organizations}, nil
}
