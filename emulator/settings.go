package emulator

import (
	"errors"
	"net/http"
	"time"
)

const (
	maxIssuer = 2048 // bytes
	maxSkew   = 10 * 365 * 24 * time.Hour
)

// Settings are what can be changed while the emulator runs.
type Settings struct {
	AccessTokenLifetime time.Duration // of tokens issued from now on; a second or more
	GraceWindow         time.Duration // how long a spent refresh token still works; 0: not at all
	Issuer              string        // of tokens issued from now on; empty: the environment's own

	// ClockSkew is how far the emulator's clock is ahead; negative: behind. It shows in all that
	// leaves the emulator: claims, dates, events and their signatures. How long codes, sessions and the grace
	// window last is not touched.
	ClockSkew time.Duration
}

func (s Settings) check() error {
	var problems []error
	if s.AccessTokenLifetime < time.Second {
		problems = append(problems, errors.New("emulator: AccessTokenLifetime: must be a second or more"))
	}
	if s.GraceWindow < 0 {
		problems = append(problems, errors.New("emulator: GraceWindow: must not be negative"))
	}
	if len(s.Issuer) > maxIssuer {
		problems = append(problems, errors.New("emulator: Issuer: too long"))
	}
	if s.ClockSkew > maxSkew || s.ClockSkew < -maxSkew {
		problems = append(problems, errors.New("emulator: ClockSkew: must be less than ten years"))
	}
	return errors.Join(problems...)
}

// view has the settings as JSON does, with times such as "1m30s". Decoding into it changes them.
func (s *Settings) view() any {
	return &struct {
		AccessTokenLifetime *duration `json:"access_token_lifetime"`
		GraceWindow         *duration `json:"grace_window"`
		Issuer              *string   `json:"issuer"`
		ClockSkew           *duration `json:"clock_skew"`
	}{(*duration)(&s.AccessTokenLifetime), (*duration)(&s.GraceWindow), &s.Issuer, (*duration)(&s.ClockSkew)}
}

// Change changes the settings, all at once. The function gets the current ones, and must not call
// the emulator. On an error nothing has changed.
func (e *environment) Change(change func(*Settings)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := e.settings
	change(&next)
	if err := next.check(); err != nil {
		return err
	}
	e.settings = next
	return nil
}

// getSettings answers GET /_emulator/settings.
func (e *environment) getSettings(*http.Request, []byte) (any, error) {
	e.mu.Lock()
	current := e.settings
	e.mu.Unlock()
	return current.view(), nil
}

// patchSettings answers PATCH /_emulator/settings, which leaves what the body doesn't name.
func (e *environment) patchSettings(_ *http.Request, body []byte) (any, error) {
	var changed Settings
	var unreadable error
	err := e.Change(func(s *Settings) {
		changed = *s
		if unreadable = strictly(body, changed.view()); unreadable == nil {
			*s = changed
		}
	})
	return changed.view(), errors.Join(unreadable, err)
}
