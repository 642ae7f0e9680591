package server

import (
	"net/http"

	"github.com/authkit-forward-auth/authkit-forward-auth/assertion"
)

// signAssertions has apps get assertions, where the operator asks for them.
func (s *Server) signAssertions() error {
	if !s.config.IdentityHeaders.Assertion {
		return nil
	}
	keys, err := s.config.AssertionKeys()
	if err != nil {
		return err
	}
	s.assertions = assertion.New(assertion.Config{Keys: keys, Log: s.log})
	return nil
}

// jwks is the key set by which apps verify assertions, for anybody, at any host: it is one for all sites.
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	if reads(w, r) {
		writePublic(w, s.assertions.Keys.JWKS())
	}
}
