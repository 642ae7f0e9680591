package policyfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
)

const (
	pollInterval   = time.Second
	remindInterval = time.Minute // while the file is bad
	maxChanges     = 60          // polls in a row that find it changed
)

// File is the policy of a file, read again when the file changes: by then it has to
// have stayed the same for a poll, because a policy that is only half written may
// let people in. A file that can't be used changes nothing: the policy before it
// stays in force, and Err, the log and the metrics say so.
type File struct {
	Path    string
	Options Options
	Log     zerolog.Logger
	Metrics prometheus.Registerer // may be nil
	Now     func() time.Time      // nil: time.Now

	current atomic.Pointer[Document]
	bad     atomic.Pointer[error]  // why the file isn't current; nil: it is
	reloads *prometheus.CounterVec // by result

	// The rest belongs to Load, then to Run.
	sum     [sha256.Size]byte // of current's text
	read    fileState         // the file when a poll last read it
	polled  fileState         // at the last poll
	changes int               // polls in a row that found it changed
	logged  time.Time         // when bad was last logged
}

// Load reads the file for the first time. With an error, which has every problem of
// the file on a line of its own, there is no policy. Call it once, before the others.
func (f *File) Load() error {
	if f.Now == nil {
		f.Now = time.Now
	}
	text, err := stateOf(f.Path).text(f.Path)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	d, err := Parse(text, f.Options)
	if err != nil {
		return fmt.Errorf("policy: %s:\n%w", f.Path, err)
	}
	f.current.Store(d)
	f.sum = sha256.Sum256(text)
	f.observe()
	f.Log.Info().Str("event", "policy").Str("file", f.Path).Int("rules", len(d.Policy.Rules())).Msg("policy loaded")
	f.logWarnings(d)
	return nil
}

// Current is the policy in force, nil before Load. It never waits.
func (f *File) Current() *policy.Policy {
	if d := f.current.Load(); d != nil {
		return d.Policy
	}
	return nil
}

// Document is the file of the policy in force.
func (f *File) Document() *Document { return f.current.Load() }

// Err says why the file is not the policy in force. nil: it is.
func (f *File) Err() error {
	if err := f.bad.Load(); err != nil {
		return *err
	}
	return nil
}

// Run looks at the file once a second until ctx ends, and reads it at once with each
// signal.
func (f *File) Run(ctx context.Context, hangup <-chan os.Signal) {
	ticks := time.NewTicker(pollInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			f.poll()
		case <-hangup:
			f.read = fileState{} // what a poll has read may come back unseen
			f.reload(stateOf(f.Path), true)
		}
	}
}

// poll reads a file that has changed and looks as it did a poll ago. What Load or a
// signal has read is read once more: the file may have been written again within the
// same tick of its clock.
func (f *File) poll() {
	now := stateOf(f.Path)
	changed := !now.same(f.polled)
	f.polled = now
	switch {
	case changed:
		if f.changes++; f.changes == maxChanges {
			f.read = fileState{} // the file may come to rest as it was then
			f.fail(errors.New("the file never stays the same for two seconds: write it elsewhere and rename it"), false)
		}
	case now.same(f.read):
		f.changes = 0
	case f.reload(now, false):
		f.changes, f.read = 0, now
	}
	if f.Err() != nil && f.Now().Sub(f.logged) >= remindInterval {
		f.logProblems()
	}
}

// reload reads the file, which has to be in the state that it was in before. It reports whether it
// could; what it read may be bad. asked: somebody waits for an answer in the log.
func (f *File) reload(before fileState, asked bool) bool {
	text, err := before.text(f.Path)
	if errors.Is(err, errChanging) {
		f.Log.Info().Str("event", "policy").Str("file", f.Path).Msg("the policy file is being written, and is read once it stays the same")
		return false
	}
	sum := sha256.Sum256(text)
	if err == nil && sum == f.sum && !asked {
		f.unchanged()
		return true
	}
	var d *Document
	if err == nil {
		d, err = Parse(text, f.Options)
	}
	if err != nil {
		f.fail(err, asked)
		return true
	}
	f.sum = sum
	f.current.Store(d)
	f.bad.Store(nil)
	f.reloads.WithLabelValues(resultOK).Inc()
	f.Log.Info().Str("event", "policy").Str("file", f.Path).Int("rules", len(d.Policy.Rules())).Msg("policy reloaded")
	f.logWarnings(d)
	return true
}

// unchanged is for a file that holds what is in force already.
func (f *File) unchanged() {
	if f.Err() == nil {
		f.Log.Debug().Str("event", "policy").Str("file", f.Path).Msg("the policy file holds what is in force")
		return
	}
	f.bad.Store(nil)
	f.reloads.WithLabelValues(resultOK).Inc()
	f.Log.Info().Str("event", "policy").Str("file", f.Path).Msg("the policy file holds again what is in force")
}

// fail keeps the policy in force, and says why the file isn't.
func (f *File) fail(err error, asked bool) {
	old := f.Err()
	f.bad.Store(&err)
	f.reloads.WithLabelValues(resultError).Inc()
	if asked || old == nil || old.Error() != err.Error() {
		f.logProblems()
	}
}
