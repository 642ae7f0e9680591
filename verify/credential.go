package verify

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/apikey"
	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

var (
	errNoCredential = errors.New("neither a bearer token nor an API key")
	errRepeated     = errors.New("several credentials of one kind")
)

// accepts reports whether the rule allows a kind of credential.
func (q *question) accepts(kind policy.Credential) bool {
	return slices.Contains(q.rule.Credentials, kind)
}

// credential finds the first kind of the rule's list that the request brings. It
// decides alone. The cookie is left to package session, also where there is none.
func (h *Handler) credential(q *question) (value string, err error) {
	q.kind = policy.Cookie
	if len(q.rule.Credentials) == 1 && q.accepts(policy.Cookie) {
		return "", nil
	}
	for _, q.kind = range q.rule.Credentials {
		switch values := slices.Compact(h.brought(q)); len(values) {
		case 0:
			continue
		case 1:
			return values[0], nil
		}
		return "", errRepeated
	}
	if q.kind = policy.Cookie; q.accepts(q.kind) {
		return "", nil
	}
	q.kind = ""
	return "", errNoCredential
}

// brought returns the credentials of q.kind that the request brings.
func (h *Handler) brought(q *question) []string {
	switch q.kind {
	case policy.Bearer:
		return q.bearer(func(token string) bool { return !isKey(token) || !q.accepts(policy.APIKey) })
	case policy.APIKey:
		return append(q.bearer(isKey), q.header["X-Api-Key"]...)
	}
	if h.Cookie.Present(q.header) {
		return []string{""}
	}
	return nil
}

// bearer returns the tokens of Authorization headers with that scheme (RFC 6750, 2.1)
// for which the function is true. A token in a query or a form is never looked at.
func (q *question) bearer(is func(token string) bool) []string {
	var tokens []string
	for _, line := range q.header["Authorization"] {
		scheme, token, _ := strings.Cut(line, " ")
		if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && is(token) {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

func isKey(token string) bool { return strings.HasPrefix(token, "sk_") }

// decideCredential judges a bearer token or an API key.
func (h *Handler) decideCredential(ctx context.Context, q *question, value string) *decision {
	var id *identity.Identity
	var err error
	switch {
	case q.kind == policy.Bearer:
		id, err = h.Sessions.VerifyBearer(ctx, value)
	case h.APIKeys == nil:
		err = apikey.ErrInvalid
	default:
		id, err = h.APIKeys.Verify(ctx, value, h.Peers.client(q.peer, q.header))
	}
	if err != nil {
		return h.refuseCredential(q, err)
	}
	if unmet := h.check(q, id); unmet != nil {
		return h.forbidClient(q, id, *unmet)
	}
	if q.profile == signIn { // after a 401 of before: the client is to send the request again
		return unavailable(errors.New("the credential is good by now"))
	}
	return &decision{status: http.StatusOK, identity: id}
}

// refuseCredential is the one place that turns a refused token or key into a status.
func (h *Handler) refuseCredential(q *question, err error) *decision {
	var limited *apikey.LimitedError
	switch {
	case errors.Is(err, errNoCredential):
		d := deny(http.StatusUnauthorized, ReasonNoCredential, err.Error())
		d.challenge = challenge("", "")
		return d
	case errors.Is(err, errRepeated):
		d := deny(badRequestStatus(q.profile), ReasonBadRequest, err.Error()+" ("+string(q.kind)+")")
		d.challenge = challenge("invalid_request", "send one credential")
		return d
	case errors.As(err, &limited):
		d := deny(http.StatusTooManyRequests, ReasonRateLimited, err.Error())
		if q.profile == authRequest { // nginx would make a 500 of it
			d.status = http.StatusForbidden
		}
		d.retryAfter = limited.RetryAfter
		return d
	case errors.Is(err, session.ErrUnavailable):
		return unavailable(err)
	}
	d := deny(http.StatusUnauthorized, ReasonBadCredential, err.Error())
	d.challenge = challenge("invalid_token", "the token or key is not valid")
	return d
}

// forbidClient answers a good token or key that isn't permitted (RFC 6750, 3.1; for a
// sign-in that is too old RFC 9470, 3).
func (h *Handler) forbidClient(q *question, id *identity.Identity, unmet policy.Unmet) *decision {
	d := h.forbid(q, unmet)
	d.identity, d.challenge = id, challenge("insufficient_scope", "the policy requires more")
	if unmet.Requirement == policy.MaxAuthAge && q.kind == policy.Bearer {
		d.status, d.reason = http.StatusUnauthorized, ReasonAuthTooOld
		d.challenge = challenge("insufficient_user_authentication", "a more recent sign-in is required") +
			", max_age=" + strconv.FormatInt(int64(unmet.MaxAuthAge/time.Second), 10)
	}
	return d
}

// challenge is the value of WWW-Authenticate. Without credentials there is no error
// (RFC 6750, 3.1).
func challenge(code, description string) string {
	if code == "" {
		return "Bearer"
	}
	return `Bearer error="` + code + `", error_description="` + description + `"`
}
