package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/apikey"
	"github.com/authkit-forward-auth/authkit-forward-auth/bearer"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

var (
	errNoCredential = errors.New("neither a bearer token nor an API key")
	errRepeated     = errors.New("several credentials of one kind")
)

// accepts reports whether a rule allows a kind of credential.
func accepts(rule *policy.Rule, kind policy.Credential) bool {
	return slices.Contains(rule.Credentials, kind)
}

// decideByCredentials decides by the first kind of the rule's list that the request presents.
// It decides alone, but for a bearer token of nobody that is configured: that may be the
// app's own, as long as something else can decide. The cookie is left to package session,
// also where there is none.
func (h *Handler) decideByCredentials(ctx context.Context, c *checkRequest, rule *policy.Rule) *decision {
	var foreign error
	for _, kind := range rule.Credentials {
		if kind == policy.Cookie {
			if h.Cookie.Present(c.header) {
				break
			}
			continue
		}
		value, ok, err := presented(c.header, rule, kind)
		switch {
		case err == nil && !ok:
			continue
		case err == nil:
			var id *identity.Identity
			if id, err = h.verifyCredential(ctx, c, rule, kind, value); err == nil {
				return h.allowClient(c, rule, kind, id)
			}
		}
		if errors.Is(err, bearer.ErrForeign) {
			foreign = err
			continue
		}
		return refuseCredential(c, rule, kind, err)
	}
	switch {
	case accepts(rule, policy.Cookie):
		d := h.decideBySession(ctx, c, rule)
		if d.reason != "" && foreign != nil {
			d.detail += "; " + foreign.Error()
		}
		return d
	case foreign != nil:
		return refuseCredential(c, rule, policy.Bearer, foreign)
	}
	return refuseCredential(c, rule, "", errNoCredential)
}

// presented returns the one credential of a kind that the request presents, if any.
func presented(h http.Header, rule *policy.Rule, kind policy.Credential) (value string, ok bool, err error) {
	switch values := slices.Compact(values(h, rule, kind)); len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, fmt.Errorf("%w (%s)", errRepeated, kind)
}

// values returns the bearer tokens or the API keys that the request presents.
func values(h http.Header, rule *policy.Rule, kind policy.Credential) []string {
	if kind == policy.APIKey {
		return slices.Concat(bearerTokens(h, isKey), h["X-Api-Key"], passwords(h))
	}
	return bearerTokens(h, func(token string) bool { return !isKey(token) || !accepts(rule, policy.APIKey) })
}

// bearerTokens returns the tokens of Authorization headers with that scheme (RFC 6750, 2.1)
// for which the function is true. A token in a query or a form is never looked at.
func bearerTokens(h http.Header, is func(token string) bool) []string {
	var tokens []string
	for _, line := range h["Authorization"] {
		scheme, token, _ := strings.Cut(line, " ")
		if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && is(token) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// passwords returns the API keys among the passwords of HTTP Basic (RFC 7617), for clients
// that speak nothing else: git, WebDAV, package managers. The user's name says nothing.
func passwords(h http.Header) []string {
	var keys []string
	for _, line := range h["Authorization"] {
		scheme, encoded, _ := strings.Cut(line, " ")
		if !strings.EqualFold(scheme, "Basic") {
			continue
		}
		plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		if err != nil {
			continue
		}
		if _, password, _ := strings.Cut(string(plain), ":"); isKey(password) {
			keys = append(keys, password)
		}
	}
	return keys
}

func isKey(token string) bool { return strings.HasPrefix(token, "sk_") }

func (h *Handler) verifyCredential(ctx context.Context, c *checkRequest, rule *policy.Rule, kind policy.Credential, value string) (*identity.Identity, error) {
	switch {
	case kind == policy.Bearer && h.Bearer == nil:
		return nil, bearer.ErrForeign
	case kind == policy.Bearer && rule.Require.Issuer != nil:
		return h.Bearer.VerifyWorkload(ctx, value, bearer.Issuer(*rule.Require.Issuer))
	case kind == policy.Bearer:
		return h.Bearer.Verify(ctx, value, audienceOf(rule))
	case h.APIKeys == nil:
		return nil, apikey.ErrInvalid
	}
	return h.APIKeys.Verify(ctx, value, h.Peers.client(c.remoteAddr, c.header))
}

// allowClient answers a good token or key.
func (h *Handler) allowClient(c *checkRequest, rule *policy.Rule, kind policy.Credential, id *identity.Identity) *decision {
	if kind == policy.APIKey && id.Extra.DelegatedTo() != "" && !rule.AllowsAgents { // for tokens package session decides this
		d := forbidClient(rule, kind, id, policy.Unmet{Requirement: "agents"})
		d.detail = "an agent's API key, and the rule has no agents: allow"
		return d
	}
	if unmet := h.unmet(c, rule, id); unmet != nil {
		return forbidClient(rule, kind, id, *unmet)
	}
	if c.profile == signIn { // after a 401 of before: the client is to send the request again
		return unavailable(errors.New("the credential is good by now"))
	}
	return &decision{status: http.StatusOK, credential: kind, identity: id}
}

// refuseCredential is the one place that turns a refused token or key into a status.
func refuseCredential(c *checkRequest, rule *policy.Rule, kind policy.Credential, err error) *decision {
	var limited *apikey.LimitedError
	var d *decision
	switch {
	case errors.Is(err, errNoCredential):
		d = deny(http.StatusUnauthorized, ReasonNoCredential, err.Error())
		d.challenges = challenges(c, rule, "", "")
	case errors.Is(err, errRepeated):
		d = deny(c.profile.badRequestStatus(), ReasonBadRequest, err.Error())
		d.byClient, d.text = true, "Send one credential."
		d.challenges = []string{challenge(rule, "invalid_request", "send one credential")}
	case errors.As(err, &limited):
		d = deny(http.StatusTooManyRequests, ReasonRateLimited, err.Error())
		if c.profile == authRequest { // nginx would make a 500 of it
			d.status = http.StatusForbidden
		}
		d.retryAfter = limited.RetryAfter
	case errors.Is(err, session.ErrUnavailable):
		d = unavailable(err)
	case errors.Is(err, bearer.ErrClientAudience):
		d = deny(http.StatusUnauthorized, ReasonClientAudience, err.Error())
		d.challenges = challenges(c, rule, "invalid_token", "the token is not made for this resource")
	default:
		d = deny(http.StatusUnauthorized, ReasonBadCredential, err.Error())
		d.challenges = challenges(c, rule, "invalid_token", "the token or key is not valid")
	}
	d.credential = kind
	return d
}

// forbidClient answers a good token or key that isn't permitted. Only where scopes are what is missing does a client get a
// challenge (RFC 6750, 3.1): asking for anything else anew would change nothing. For a sign-in that is too old: RFC 9470, 3.
func forbidClient(rule *policy.Rule, kind policy.Credential, id *identity.Identity, unmet policy.Unmet) *decision {
	d := forbid(unmet)
	d.credential, d.identity = kind, id
	switch {
	case kind != policy.Bearer:
	case unmet.Requirement == policy.Scopes:
		d.challenges = []string{challenge(rule, "insufficient_scope", "more scopes are required")}
	case unmet.Requirement == policy.MaxAuthAge:
		d.status, d.reason = http.StatusUnauthorized, ReasonAuthTooOld
		d.challenges = []string{challenge(rule, "insufficient_user_authentication", "a more recent sign-in is required") +
			", max_age=" + strconv.FormatInt(int64(unmet.MaxAuthAge/time.Second), 10)}
	}
	return d
}

// challenges are the lines that say which credentials the rule takes. A browser's script
// never gets the one for HTTP Basic: the browser would ask the user for a password. Neither do a resource's clients, some of which
// read nothing but the first word.
func challenges(c *checkRequest, rule *policy.Rule, code, description string) []string {
	line := challenge(rule, code, description)
	if accepts(rule, policy.APIKey) && c.client.program && rule.Resource == nil {
		return []string{line, `Basic realm="API key as password", charset="UTF-8"`}
	}
	return []string{line}
}
