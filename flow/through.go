package flow

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/authkit-forward-auth/authkit-forward-auth/page"
)

type throughKey struct{}

// ThroughVerify answers an endpoint where a gateway asks whether a request to it may pass: the gateway hands the answer to
// the browser, because it is no 2xx, which would mean yes. The request is the original one, without a body, and any Host.
func (f *Flow) ThroughVerify() http.Handler {
	routes := chi.NewRouter()
	f.Routes(routes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guarded := neverOK{w, new(bool)}
		routes.ServeHTTP(guarded, r.WithContext(context.WithValue(r.Context(), throughKey{}, true)))
		if !*guarded.wrote {
			guarded.WriteHeader(http.StatusForbidden)
		}
	})
}

// status is that of a page: 401 or 403 instead of 200 where a gateway would take that for a yes. A browser shows the page, and
// goes on by its Refresh, all the same.
func status(r *http.Request, p page.Page) int {
	switch {
	case p.Status != http.StatusOK || r.Context().Value(throughKey{}) == nil:
		return p.Status
	case p.LoginURL != "":
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

// neverOK makes sure of it.
type neverOK struct {
	http.ResponseWriter
	wrote *bool
}

func (w neverOK) WriteHeader(status int) {
	*w.wrote = true
	if status < http.StatusMultipleChoices {
		status = http.StatusForbidden
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w neverOK) Write(b []byte) (int, error) {
	if !*w.wrote {
		w.WriteHeader(http.StatusForbidden)
	}
	return w.ResponseWriter.Write(b)
}
