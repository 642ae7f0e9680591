package authkit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

// Organization is one that a user can choose at sign-in.
type Organization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Error says why a sign-in didn't succeed. Err is its meaning, for errors.Is and
// errors.As:
//
//	session.ErrInvalidGrant   the code or pending token is spent, expired or wrong: sign in again
//	*session.StepRequired     AuthKit asks for a step; with Organizations it is a
//	                          choice that SelectOrganization finishes
//	*session.Outage           try later; Refused where AuthKit refuses our credentials or request
type Error struct {
	Status                     int           // HTTP status, 0 without an answer
	Code                       string        // AuthKit's error code, may be empty
	RetryAfter                 time.Duration // how long AuthKit asks to wait, at most an hour
	OrganizationID             string        // organization that the sign-in is for, may be empty
	PendingAuthenticationToken Secret        // continues the sign-in, may be empty
	Organizations              []Organization
	Err                        error
}

// Error names the status, the code and why there was no answer.
func (e *Error) Error() string {
	var outage *session.Outage
	if errors.As(e.Err, &outage) && outage.Err != nil {
		return fmt.Sprintf("authkit: status %d: %v", e.Status, outage.Err)
	}
	return fmt.Sprintf("authkit: status %d code %q", e.Status, e.Code)
}

// Unwrap returns the meaning.
func (e *Error) Unwrap() error { return e.Err }

// refusal reads an answer that is not a success. AuthKit's errors have three
// shapes: {error, error_description}, {code, message} and {message}; a proxy in
// between answers HTML or nothing. Texts are left out: they quote codes and tokens.
func (c *Client) refusal(answer *recorder, organizationID string) *Error {
	var a struct {
		Error          string         `json:"error"`
		Code           string         `json:"code"`
		OrganizationID string         `json:"organization_id"`
		PendingToken   string         `json:"pending_authentication_token"`
		Organizations  []Organization `json:"organizations"`
	}
	_ = json.Unmarshal(answer.body, &a) // a field of another type stays empty, the others are read
	e := &Error{
		Status:                     answer.status,
		Code:                       cmp.Or(errorCode(a.Error), errorCode(a.Code)),
		RetryAfter:                 retryAfter(answer.retryAfter, c.now()),
		OrganizationID:             cmp.Or(organizationID, a.OrganizationID),
		PendingAuthenticationToken: Secret(a.PendingToken),
		Organizations:              a.Organizations,
	}
	e.Err = e.meaning()
	return e
}

// meaning is the table in doc.go from 408 on.
func (e *Error) meaning() error {
	outage := &session.Outage{Status: e.Status, Code: e.Code, RetryAfter: e.RetryAfter}
	switch {
	case e.Status == http.StatusRequestTimeout, e.Status == http.StatusTooManyRequests, e.Status >= 500:
		return outage
	case e.Status == http.StatusUnauthorized, e.Status < 400:
		outage.Refused = true
		return outage
	}
	switch e.Code {
	case "invalid_grant", "invalid_code", "invalid_code_verifier", "code_challenge_not_found", "invalid_pending_authentication_token":
		return session.ErrInvalidGrant
	}
	if e.asksForStep() {
		return &session.StepRequired{Code: e.Code, OrganizationID: e.OrganizationID}
	}
	outage.Refused = true
	return outage
}

func (e *Error) asksForStep() bool {
	return e.Code == "sso_required" ||
		strings.HasPrefix(e.Code, "mfa_") ||
		e.Status == http.StatusBadRequest && strings.HasPrefix(e.Code, "organization_") ||
		e.Status == http.StatusForbidden && e.PendingAuthenticationToken != ""
}

var codeSyntax = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// errorCode returns code if it can be one: it ends up in logs and pages, and some
// servers put a sentence there.
func errorCode(code string) string {
	if !codeSyntax.MatchString(code) {
		return ""
	}
	return code
}

// retryAfter reads a Retry-After header: seconds or an HTTP date, at least 0 and
// at most an hour; 0 for anything else.
func retryAfter(header string, now time.Time) time.Duration {
	const limit = time.Hour
	// ParseInt gives the nearest number when there are too many digits.
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(max(0, min(seconds, int64(limit/time.Second)))) * time.Second
	}
	date, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return max(0, min(date.Sub(now), limit))
}
