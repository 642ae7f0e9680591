package server

import (
	"github.com/maypok86/otter/v2"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// maxBound is how many sites' keys are kept, of those that a wildcard makes.
const maxBound = 10_000

// bindSessions has each site's sessions sealed with keys of its own, where that is wanted.
func (s *Server) bindSessions() error {
	if !s.config.BindSessions {
		return nil
	}
	if _, err := s.sessions.Bound(s.sites.First().FlowHost().Name); err != nil { // as for any other
		return err
	}
	sites := otter.Must(&otter.Options[string, *session.Manager]{MaximumSize: maxBound})
	s.bound = func(place *site.Site) *session.Manager {
		manager, _ := sites.ComputeIfAbsent(place.FlowHost().Name, func() (*session.Manager, bool) {
			bound, err := s.sessions.Bound(place.FlowHost().Name)
			return bound, err != nil
		})
		return manager
	}
	return nil
}
