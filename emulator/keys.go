package emulator

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
	"github.com/go-jose/go-jose/v4"
)

const maxKeys = 10 // in the key set: the latest

// keys is the key that signs access tokens, its public side, and the key set that is served. It
// is replaced, never changed.
type keys struct {
	signer jose.Signer
	public jose.JSONWebKey
	set    jose.JSONWebKeySet
}

// newKeys makes a key set of one key; nil makes the key too.
func newKeys(private *rsa.PrivateKey) (*keys, error) {
	if private == nil {
		var err error
		if private, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, fmt.Errorf("emulator: signing key: %w", err)
		}
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("emulator: signing key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256,
		Key:       jose.JSONWebKey{Key: private, KeyID: public.KeyID},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("emulator: signing key: %w", err)
	}
	return &keys{signer, public, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}}}, nil
}

// published is a key set with one more key.
func published(set jose.JSONWebKeySet, key jose.JSONWebKey) jose.JSONWebKeySet {
	same := func(k jose.JSONWebKey) bool { return k.KeyID == key.KeyID }
	list := append(slices.DeleteFunc(slices.Clone(set.Keys), same), key)
	return jose.JSONWebKeySet{Keys: list[max(0, len(list)-maxKeys):]}
}

// Rotation says how the signing key changes. The zero value is how it is done well: both keys are
// in the key set, and the new one signs.
type Rotation struct {
	DropOld bool            `json:"drop_old"` // every key that was in the key set leaves it
	HideNew bool            `json:"hide_new"` // the new key signs, but isn't in the key set until PublishKey
	Key     *rsa.PrivateKey `json:"-"`        // nil: a new one of 2048 bits
}

// RotateKey has another key sign from now on, and gives its key id.
func (e *environment) RotateKey(r Rotation) (kid string, err error) {
	next, err := newKeys(r.Key)
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	if !r.DropOld {
		set = e.keys.set
	}
	if !r.HideNew {
		set = published(set, next.public)
	}
	e.keys = &keys{next.signer, next.public, set}
	return next.public.KeyID, nil
}

// PublishKey puts the signing key into the key set, if it isn't there.
func (e *environment) PublishKey() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = &keys{e.keys.signer, e.keys.public, published(e.keys.set, e.keys.public)}
}

func (e *environment) postRotation(_ *http.Request, body []byte) (any, error) {
	var rotation Rotation
	if err := strictly(body, &rotation); err != nil {
		return nil, err
	}
	kid, err := e.RotateKey(rotation)
	return map[string]string{"kid": kid}, err
}

// jwks answers GET /sso/jwks/{client_id}.
func (e *environment) jwks(w http.ResponseWriter, r *http.Request) {
	if chi.URLParam(r, "clientID") != e.config.ClientID {
		writeError(w, errNotFound)
		return
	}
	e.mu.Lock()
	set := e.keys.set
	e.mu.Unlock()
	writeJSON(w, http.StatusOK, set)
}
