package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/authkit-forward-auth/authkit-forward-auth/session"
)

const (
	maxBody   = 64 << 10
	maxBodies = 32              // bodies that are read at a time
	maxWait   = 3 * time.Second // for a slot
	bodyTime  = 3 * time.Second // for a whole body
)

// Their texts say what to check.
var (
	errMalformed    = errors.New("webhook: malformed")
	errTooLarge     = errors.New("webhook: more than 64 KB")
	errBusy         = errors.New("webhook: too many at once")
	errBadSignature = errors.New("webhook: no signature fits: check that WORKOS_WEBHOOK_SECRET is the signing secret of this endpoint, and that no proxy changes the body")
	errTooOld       = errors.New("webhook: signed more than 3 minutes before or after now: check the clock of this machine")
)

// Revoker ends sessions or has them refreshed. An error means that it doesn't hold
// everywhere yet.
type Revoker interface {
	Revoke(ctx context.Context, r session.Revocation) error
}

// Handler is the endpoint. It may be used by many goroutines.
type Handler struct {
	Secret   Secret // the endpoint's signing secret; empty: nothing is accepted
	Sessions Revoker
	Log      zerolog.Logger
	Now      func() time.Time // nil: time.Now

	// Observe is called once per delivery: with the event's name, or "other" where
	// it concerns no session or isn't known to be WorkOS's, and with ok, ignored,
	// bad_signature, too_old (or too far ahead), malformed, too_large, busy or failed. May be nil.
	Observe func(event, result string)

	once  sync.Once
	slots *semaphore.Weighted // see bodies
}

// ServeHTTP takes one delivery.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.Log.Warn().Str("event", "webhook").Msg("webhook: not a POST: check who calls this")
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	e, err := h.process(w, r)
	result, status := outcome(e, err)
	h.report(e, result, err)
	if status != http.StatusOK {
		http.Error(w, result, status)
	}
}

// process does as a delivery asks. The part of its event that is known comes with the
// error too. Anybody can send something here, so the body is read last, and not many
// at a time.
func (h *Handler) process(w http.ResponseWriter, r *http.Request) (event, error) {
	signatures, err := readSignatures(r.Header.Values("WorkOS-Signature"))
	if err != nil {
		return event{}, err
	}
	fresh := slices.DeleteFunc(slices.Clone(signatures), func(s signature) bool { return s.checkTime(h.now()) != nil })
	if len(fresh) == 0 {
		return event{}, signatures[0].checkTime(h.now())
	}
	body, err := h.read(w, r)
	if err != nil {
		return event{}, err
	}
	i := slices.IndexFunc(fresh, func(s signature) bool { return s.signs(h.Secret, body) })
	if i < 0 {
		return event{}, errBadSignature
	}
	e, err := parse(body, fresh[i].at)
	if err != nil || !e.relevant {
		return e, err
	}
	return e, h.Sessions.Revoke(r.Context(), e.revocation)
}

// read reads the body, once there is a slot.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	waitCtx, cancel := context.WithTimeout(r.Context(), maxWait)
	defer cancel()
	if h.bodies().Acquire(waitCtx, 1) != nil {
		return nil, errBusy
	}
	defer h.bodies().Release(1)
	// The server's own limit began with the request. Not every ResponseWriter of a test has one.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the body ended early", errMalformed)
	}
	return body, nil
}

// bodies bounds how many bodies are read at a time.
func (h *Handler) bodies() *semaphore.Weighted {
	h.once.Do(func() { h.slots = semaphore.NewWeighted(maxBodies) })
	return h.slots
}

func (h *Handler) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

// outcome is the one place that gives a result its status.
func outcome(e event, err error) (result string, status int) {
	switch {
	case errors.Is(err, errTooLarge):
		return "too_large", http.StatusRequestEntityTooLarge
	case errors.Is(err, errBusy):
		return "busy", http.StatusServiceUnavailable
	case errors.Is(err, errMalformed):
		return "malformed", http.StatusBadRequest
	case errors.Is(err, errBadSignature):
		return "bad_signature", http.StatusUnauthorized
	case errors.Is(err, errTooOld):
		return "too_old", http.StatusUnauthorized
	case err != nil:
		return "failed", http.StatusServiceUnavailable
	case e.relevant:
		return "ok", http.StatusOK
	}
	return "ignored", http.StatusOK
}

// report logs and counts a delivery.
func (h *Handler) report(e event, result string, err error) {
	name := "other"
	if e.relevant {
		name = e.name
	}
	if h.Observe != nil {
		h.Observe(name, result)
	}
	line, message := h.Log.Info(), "sessions ended"
	switch {
	case result == "failed":
		line, message = h.Log.Error(), "webhook not fully done, WorkOS will deliver it again"
	case err != nil:
		line, message = h.Log.Warn(), "webhook refused"
	case result == "ignored":
		line, message = h.Log.Debug(), "webhook concerns no session"
	case e.revocation.Refresh:
		message = "sessions to be refreshed"
	case e.revocation.APIKeyID != "":
		message = "API key to be validated again"
	}
	line.Str("event", "webhook").Str("result", result)
	for _, field := range [][2]string{
		{"type", e.name}, {"id", e.id}, {"subject", e.revocation.Subject}, {"session", e.revocation.SessionID},
		{"organization", e.revocation.OrganizationID}, {"role", e.revocation.Role}, {"permission", e.revocation.Permission}, {"api_key", e.revocation.APIKeyID},
		{"consent", e.revocation.ConsentID},
	} {
		if field[1] != "" {
			line.Str(field[0], field[1])
		}
	}
	line.Err(err).Msg(message)
}
