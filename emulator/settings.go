package emulator

import (
	"cmp"
	"errors"
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

// Settings gives the current ones.
func (e *Emulator) Settings() Settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settings
}

// Change changes the settings, all at once. The function gets the current ones, and must not call
// the emulator. On an error nothing has changed.
func (e *Emulator) Change(change func(*Settings)) error {
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

// issuer of the tokens issued now. The caller holds the lock.
func (e *Emulator) issuer() string { return cmp.Or(e.settings.Issuer, e.config.issuer()) }

// now is the time that the emulator claims. For what lasts, see config.Now. The caller holds
// the lock.
func (e *Emulator) now() time.Time { return e.config.Now().Add(e.settings.ClockSkew) }

// clock is now for callers without the lock.
func (e *Emulator) clock() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now()
}
