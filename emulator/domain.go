package emulator

import (
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/authkit-forward-auth/authkit-forward-auth/emulator/oauth"
)

// domain is what the authorization server of AuthKit's domain has of the environment: its users and the keys of Connect.
type domain struct{ *connect }

// newAuthorizationServer makes that of AuthKit's domain: the environment's users sign in at it, too.
func newAuthorizationServer(d domain, pages *hosted) *oauth.Server {
	s := &oauth.Server{
		Issuer: d.config.connectIssuer(), URL: func(path string) string { return d.config.under(path).String() }, ClientID: d.config.ClientID,
		Directory: d, Signer: d, Now: d.clock, Clock: d.config.Now, Lifetime: d.lifetime, Resources: d.config.Resources,
		Page: func(w http.ResponseWriter, status int, title, text string, forms template.HTML) {
			pages.write(w, status, view{Title: title, Text: text, Forms: forms})
		},
	}
	for _, a := range d.config.Applications {
		s.Applications = append(s.Applications, oauth.Application{
			ClientID: a.ClientID, ClientSecret: a.ClientSecret, Name: a.Name, OrganizationID: a.OrganizationID,
			Active: func() bool { return d.isOrganization(a.OrganizationID) },
		})
	}
	s.Init()
	return s
}

func (d domain) lifetime() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.settings.AccessTokenLifetime
}

func (d domain) isOrganization(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.organization(id)
	return ok
}

// Users are those that the page offers.
func (d domain) Users() []oauth.User {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []oauth.User
	for _, p := range d.seeded {
		list = append(list, d.oauthUser(p))
	}
	return list
}

// SignIn finds a user by email address, or makes one.
func (d domain) SignIn(email string) (oauth.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, err := d.findOrMake(email, d.now())
	if err != nil {
		return oauth.User{}, err
	}
	return d.oauthUser(p), nil
}

// User finds one by id.
func (d domain) User(id string) (oauth.User, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.byID(id)
	if !ok {
		return oauth.User{}, false
	}
	return d.oauthUser(p), true
}

// oauthUser is a user as the authorization server knows it. The caller holds the lock.
func (d domain) oauthUser(p *person) oauth.User {
	u := oauth.User{ID: p.ID, Email: p.Email, Name: p.Name(), Note: d.note(p.User), Claims: p.Claims}
	for _, o := range d.organizationsOf(p.User) {
		u.Organizations = append(u.Organizations, oauth.Organization{ID: o.ID, Name: o.Name})
	}
	return u
}

// Sign signs the claims of a token.
func (d domain) Sign(claims map[string]any) (string, error) { return d.sign(claims) }

// Verify returns the claims of a token that Sign has signed.
func (d domain) Verify(token string) (claims map[string]any, err error) {
	keys, err := d.connectKeys()
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, errors.New("emulator: not a token")
	}
	payload, err := signed.Verify(keys.public.Key)
	if err != nil {
		return nil, errors.New("emulator: another signature")
	}
	return claims, json.Unmarshal(payload, &claims)
}
