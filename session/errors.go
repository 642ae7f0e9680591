package session

import (
	"errors"
	"fmt"
	"time"
)

// Why a request has no usable session. Each
// stands for one answer at the gateway, and they are never mixed up: an outage
// is not an expiry, and a mistake of the operator's is neither.
var (
	// ErrNone: the request carries no session cookie.
	ErrNone = errors.New("session: none")
	// ErrBad: a session cookie that can't be opened, or whose access token is forged,
	// another user's or another client's.
	ErrBad = errors.New("session: bad cookie")
	// ErrConflict is the ErrBad for session cookies of different users, of which none
	// counts. A navigation's answer should expire them, see cookie.Config.ExpireLines.
	ErrConflict = fmt.Errorf("%w: session cookies of different users", ErrBad)
	// ErrEnded: the session was signed out, revoked, or its refresh token is refused.
	ErrEnded = errors.New("session: ended")
	// ErrRejected: AuthKit refused the cookie's refresh token, or there is none. It is an
	// ErrEnded that is about this cookie, not about the session: a later cookie may be good.
	ErrRejected = fmt.Errorf("%w: refresh token rejected", ErrEnded)
	// ErrSuperseded: the cookie is an old one, and a later one has been in use for a minute.
	ErrSuperseded = errors.New("session: superseded by a later cookie")
	// ErrUnavailable: AuthKit or its key set is out of reach, the set lacks a new token's
	// key, or too much is waiting. The session stays as it is.
	ErrUnavailable = errors.New("session: unavailable")
	// ErrMisconfigured: the token's issuer is not the configured one.
	ErrMisconfigured = errors.New("session: token of another issuer")
)

// ErrInvalidGrant is a Refresher's answer for a refresh token that AuthKit refuses
// for good (invalid_grant).
var ErrInvalidGrant = errors.New("session: refresh token refused")

// StepRequired is the error for a session that AuthKit continues only after a
// step of the user's: single sign-on, a second factor, a choice of
// organization. The way on is AuthKit's sign-in with that organization.
type StepRequired struct {
	Code           string // AuthKit's error code, such as sso_required
	OrganizationID string // organization to sign in to, may be empty
}

func (e *StepRequired) Error() string {
	return fmt.Sprintf("session: AuthKit asks for a step: %s", e.Code)
}

// Outage is a Refresher's error when AuthKit can't be asked now: network, time
// limit, 408, 429, 5xx, and every refusal that is not the session's fault (401,
// invalid_client). It matches ErrUnavailable.
type Outage struct {
	Status     int           // HTTP status, 0 without an answer
	Code       string        // AuthKit's error code, may be empty
	RetryAfter time.Duration // how long AuthKit asks to wait, 0 if it doesn't say
	Refused    bool          // AuthKit refused our own credentials or request: the operator's mistake
	Err        error         // cause, may be nil
}

func (e *Outage) Error() string {
	text := fmt.Sprintf("session: AuthKit unavailable: status %d code %q", e.Status, e.Code)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap makes errors.Is find ErrUnavailable and the cause.
func (e *Outage) Unwrap() []error { return []error{ErrUnavailable, e.Err} }
