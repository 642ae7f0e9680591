package bearer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/session/token"
)

// Issuer is one of workloads' tokens: of CI jobs, of Kubernetes service accounts.
type Issuer struct {
	Name     string // begins the subject
	URL      string // its tokens' iss, and where its metadata is
	Audience string // that its tokens have to have
}

// scope tells apart what a token was verified for. No resource has such a URL.
func (i Issuer) scope() string { return "issuer\x00" + i.Name + "\x00" + i.URL + "\x00" + i.Audience }

// VerifyWorkload returns whose token of another issuer a request brought as a bearer token. It is one of that issuer alone,
// for that audience; which one that is says the policy, never the token. The result is shared between requests and must not be
// changed. The error is ErrBad, ErrForeign (an ErrBad) or session.ErrUnavailable, as Verify has them. Nothing of AuthKit's ends such a token.
func (v *Verifier) VerifyWorkload(ctx context.Context, raw string, from Issuer) (*identity.Identity, error) {
	source := v.workloads.of(from, v.Issuers, v.Now)
	hash := v.hasher.Of(source.scope, raw)
	if known, ok := v.remembered.GetIfPresent(hash); ok && v.Now().Before(known.expires) {
		return &known.identity, nil
	}
	access, err := token.ParseWorkload(raw, from.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if issuer := access.Unverified().Issuer; issuer != from.URL { // byte by byte
		return nil, fmt.Errorf("%w: its issuer is %.100q, and the rule takes those of %s alone: %q", ErrForeign, issuer, from.Name, from.URL)
	}
	claims, err := source.verifier.VerifyFor(ctx, access, func(c *token.Claims) error {
		if !slices.Contains(c.Audience, from.Audience) {
			return fmt.Errorf("%w: its audience is %.200q, and the policy has %q", token.ErrInvalid, strings.Join(c.Audience, " "), from.Audience)
		}
		return nil
	})
	if err != nil {
		return nil, bearerError(err)
	}
	known := &verified{identity: claims.Identity, expires: claims.ExpiresAt}
	if limit := v.Now().Add(workloadMemory); limit.Before(known.expires) {
		known.expires = limit
	}
	v.remembered.Set(hash, known)
	return &known.identity, nil
}

// workloadMemory is how long a verified token is remembered at most: some are good for a year, and its issuer may withdraw the key.
const workloadMemory = 10 * time.Minute

// maxIssuers bounds those that are kept: reloads of the policy may bring others again and again.
const maxIssuers = 200

// workloads are the issuers of which a token was presented. A policy that is read again finds their keys as they were.
type workloads struct {
	mu      sync.Mutex
	keys    map[string]*token.Verifier // by the issuer's URL
	sources map[Issuer]*source
}

// source is an issuer with its keys.
type source struct {
	scope    string
	verifier *token.Verifier
}

func (w *workloads) of(i Issuer, client *http.Client, now func() time.Time) *source {
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.sources[i]; found != nil {
		return found
	}
	if w.sources == nil || len(w.sources) >= maxIssuers {
		w.sources, w.keys = map[Issuer]*source{}, map[string]*token.Verifier{}
	}
	verifier := w.keys[i.URL]
	if verifier == nil {
		verifier = &token.Verifier{Keys: &token.KeySet{Issuer: i.URL, Client: client, Now: now}, Issuers: []string{i.URL}, Now: now}
		w.keys[i.URL] = verifier
	}
	made := &source{scope: i.scope(), verifier: verifier}
	w.sources[i] = made
	return made
}
