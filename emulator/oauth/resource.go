package oauth

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const maxResources = 1_000

// Resource is a registered MCP resource indicator, as the API has it.
type Resource struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	URI       string `json:"uri"`
	Default   bool   `json:"default"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
}

func (s *Server) addResource(uri string) Resource {
	now := s.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	made := Resource{"authkit_oauth_resource", newID("authkit_oauth_resource_"), uri, len(s.resources) == 0, now, now}
	s.resources = append(s.resources, made)
	return made
}

// ListResources are the registered ones, the oldest first.
func (s *Server) ListResources() []Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.resources)
}

// PostResource answers POST /user_management/authkit_oauth_resources.
func (s *Server) PostResource(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		URI string `json:"uri"`
	}
	message := func(status int, text string) { writeJSON(w, status, map[string]string{"message": text}) }
	unreadable := readJSON(w, r, &asked)
	u, err := url.Parse(asked.URI)
	if unreadable != nil || err != nil || !u.IsAbs() || u.Host == "" || strings.Contains(asked.URI, "#") || len(asked.URI) > maxText {
		message(http.StatusBadRequest, "The URI is invalid.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.ContainsFunc(s.resources, func(r Resource) bool { return r.URI == asked.URI }):
		message(http.StatusUnprocessableEntity, "The resource already exists.")
	case len(s.resources) == maxResources:
		message(http.StatusUnprocessableEntity, "There are too many resources.")
	default:
		writeJSON(w, http.StatusCreated, s.addResource(asked.URI))
	}
}

// DeleteResource takes one out. It reports whether there was one.
func (s *Server) DeleteResource(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.resources)
	s.resources = slices.DeleteFunc(s.resources, func(r Resource) bool { return r.ID == id })
	return len(s.resources) < before
}

// MakeDefault makes one the resource of tokens that are asked for without one. It reports whether there is such a one.
func (s *Server) MakeDefault(id string) (Resource, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.resources, func(r Resource) bool { return r.ID == id })
	if i < 0 {
		return Resource{}, false
	}
	for j := range s.resources {
		s.resources[j].Default = j == i
	}
	s.resources[i].UpdatedAt = s.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return s.resources[i], true
}

// audience is whom a token is for: the resource that is asked for, else the default one. Where none is registered at all it is the environment's client id,
// whatever is asked for.
func (s *Server) audience(resource string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.resources) == 0 {
		return s.ClientID, nil
	}
	fallback := s.ClientID
	for _, r := range s.resources {
		if resource != "" && r.URI == resource {
			return resource, nil
		}
		if r.Default {
			fallback = r.URI
		}
	}
	if resource != "" && !s.settings.IgnoreUnknownResources {
		return "", refuse("invalid_target", "This resource is not registered: "+resource)
	}
	return fallback, nil
}
