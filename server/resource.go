package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// metadata describes a protected resource to its clients (RFC 9728, 2).
type metadata struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	Methods       []string `json:"bearer_methods_supported"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	Name          string   `json:"resource_name,omitempty"`
	Documentation string   `json:"resource_documentation,omitempty"`
}

// resourceMetadata answers for the resources of the policy, to anybody: a client asks before it has a token. Of the request only
// the host and the path choose which; nothing that is answered is made of it.
func (s *Server) resourceMetadata(w http.ResponseWriter, r *http.Request) {
	if !reads(w, r) {
		return
	}
	res := s.resourceAt(r)
	if res == nil {
		status(w, http.StatusNotFound, "no rule of the policy has a resource here")
		return
	}
	body, err := json.Marshal(metadata{res.URL, []string{s.config.AuthKitDomain.String()}, []string{"header"}, res.Scopes, res.Name, res.Documentation})
	if err != nil {
		status(w, http.StatusInternalServerError, "internal error")
		return
	}
	writePublic(w, body)
}

// reads reports whether a request from anywhere is for what anybody may read. Any other is answered.
func reads(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "mcp-protocol-version")
		w.WriteHeader(http.StatusNoContent)
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		status(w, http.StatusMethodNotAllowed, "method not allowed")
	}
	return false
}

// writePublic writes JSON that may be kept for five minutes.
func writePublic(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(body)
}

// resourceAt is the resource that a request for metadata is about; nil: there is none.
func (s *Server) resourceAt(r *http.Request) *policy.Resource {
	if s.policy == nil || s.config.AuthKitDomain == nil {
		return nil
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), policy.MetadataPath)
	host, err := site.ParseHost(r.Host, s.sites.Scheme())
	if !ok || err != nil {
		return nil
	}
	return s.policy.Current().ResourceAt(host.Name, strings.TrimSuffix(path, "/"))
}
