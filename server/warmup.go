package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// nobody is a user id that WorkOS gives to no user.
const nobody = "user_00000000000000000000000000"

// warmUp fetches the key set, so that the first request needn't wait for it, and has AuthKit look at
// the API key. The settings that turn out wrong are named in the log.
func (s *Server) warmUp(ctx context.Context) {
	for wait := time.Second; !s.keys.Ready(); wait = min(2*wait, 30*time.Second) {
		err := s.keys.Fetch(ctx)
		if err == nil {
			s.log.Info().Str("event", "start").Msg("AuthKit's key set is there: ready")
			break
		}
		line, text := s.log.Warn(), "AuthKit's key set can't be fetched; trying again"
		if setting := wrongSetting(err); setting != "" {
			line, text = s.log.Error(), fmt.Sprintf(setting, s.config.APIURL())
		}
		line.Str("event", "start").Err(err).Str("url", s.keys.URL).Msg(text)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
	s.checkAPIKey(ctx)
	s.checkDomain(ctx)
	s.checkResources(ctx)
}

// wrongSetting says which setting a failed fetch of the key set points to, with %s for AuthKit's
// address. Empty where it may pass by itself.
func wrongSetting(err error) string {
	if status, ok := errors.AsType[*token.StatusError](err); ok && status.Status == http.StatusNotFound {
		return "WORKOS_CLIENT_ID is not known at %s: copy it again from the WorkOS dashboard, API Keys"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "WORKOS_API_HOSTNAME: there is no such host as that of %s"
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "%s doesn't speak https: is WORKOS_API_PORT right? An emulator needs WORKOS_API_HTTPS=false"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate of %s is another host's or not trusted: is WORKOS_API_HOSTNAME right?"
	}
	return ""
}

// checkAPIKey asks for something that needs the key. Any other answer than 401 says nothing about it.
func (s *Server) checkAPIKey(ctx context.Context) {
	_, err := s.authKit.Organizations(ctx, nobody)
	if outage, ok := errors.AsType[*session.Outage](err); ok && outage.Status == http.StatusUnauthorized {
		s.log.Error().Str("event", "start").Err(err).Msgf(
			"WORKOS_API_KEY is refused by %s: copy it again from the WorkOS dashboard, API Keys", s.config.APIURL())
	}
}

// checkDomain compares AUTHKIT_DOMAIN with what the authorization server there calls itself: clients find it by the former, and
// compare it with the latter byte by byte (RFC 8414, 3.3).
func (s *Server) checkDomain(ctx context.Context) {
	if s.config.AuthKitDomain == nil {
		return
	}
	domain := s.config.AuthKitDomain.String()
	issuer, err := issuerOf(ctx, domain)
	switch {
	case ctx.Err() != nil: // stopped meanwhile
	case err != nil:
		s.log.Warn().Str("event", "start").Err(err).Msgf("AUTHKIT_DOMAIN: the metadata of %s can't be read, so whether that is its issuer is open", domain)
	case issuer != domain:
		s.log.Error().Str("event", "start").Str("issuer", issuer).Msgf("AUTHKIT_DOMAIN is %s, and the authorization server there calls itself otherwise: write its issuer", domain)
	}
}

// checkResources looks whether AuthKit knows the policy's resources: it makes tokens for those alone that are registered, and for
// the environment's client id in place of any other.
func (s *Server) checkResources(ctx context.Context) {
	if s.policy == nil || s.config.AuthKitDomain == nil {
		return
	}
	resources := s.policy.Current().Resources()
	if len(resources) == 0 {
		return
	}
	known, err := s.authKit.Resources(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn().Str("event", "start").Err(err).Msg("WorkOS doesn't say which MCP resource indicators it has, so whether the policy's resources are among them is open")
		}
		return
	}
	for _, r := range resources {
		if !slices.ContainsFunc(known, r.Is) {
			s.log.Error().Str("event", "start").Str("resource", r.URL).Msg("this resource of the policy is not registered at WorkOS, and every token for it will be refused " +
				"(audience_is_client_id): add it at Connect, Configuration, MCP resource indicators, or with authkit-forward-auth setup -resource")
		}
	}
}

// issuerOf asks an authorization server for its metadata.
func issuerOf(ctx context.Context, domain string) (string, error) {
	const maxMetadata = 64 << 10
	client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, domain+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var found struct {
		Issuer string `json:"issuer"`
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", response.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxMetadata)).Decode(&found); err != nil || found.Issuer == "" {
		return "", errors.New("the answer names no issuer")
	}
	return found.Issuer, nil
}
