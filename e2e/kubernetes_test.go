package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

// The modules that publish the schemas of the resources that the manifests use.
var schemaModules = map[string][]string{
	"github.com/traefik/traefik/v3@v3.7.13": {"docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml"},
	"sigs.k8s.io/gateway-api@v1.6.3":        {"config/crd/experimental/gateway.networking.k8s.io_httproutes.yaml"},
	"github.com/envoyproxy/gateway@v1.9.1":  {"charts/gateway-crds-helm/templates/generated/gateway.envoyproxy.io_securitypolicies.yaml", "charts/gateway-crds-helm/templates/generated/gateway.envoyproxy.io_clienttrafficpolicies.yaml"},
	"istio.io/api@v1.32.0":                  {"kubernetes/customresourcedefinitions.gen.yaml"},
}

// resource is what identifies a schema.
type resource struct{ apiVersion, kind string }

// The manifests are what the published schemas of their kinds allow, and name no field that isn't there. Rules in CEL
// aren't evaluated, and no cluster was asked.
func TestKubernetesManifests(t *testing.T) {
	t.Parallel()
	schemas := map[resource]*jsonschema.Resolved{}
	for module, files := range schemaModules {
		dir := moduleDir(t, module)
		for _, file := range files {
			readSchemas(t, filepath.Join(dir, file), schemas)
		}
	}
	manifests, err := filepath.Glob("../examples/kubernetes/*.yaml")
	if err != nil || len(manifests) < 6 {
		t.Fatalf("got %v, %v, want the manifests", manifests, err)
	}
	for _, demanding := range [][]string{
		{"traefik-crd", "-require", "organization=org_01ABC", "-require", "/admin?role=admin,owner", "-public", "/favicon.ico"},
		{"envoy-gateway", "-require", "organization=org_01ABC", "-auth", "https://auth.example.com"},
	} {
		dir := snippetInto(t, t.TempDir(), demanding[0], append(demanding[1:], "-app", "https://app.example.com", "-upstream", "app:8080")...)
		manifests = append(manifests, filepath.Join(dir, demanding[0]+".yaml"))
	}
	checked := map[string]int{}
	for _, file := range manifests {
		for _, document := range yamlDocuments(t, file) {
			apiVersion, _ := document["apiVersion"].(string)
			kind, _ := document["kind"].(string)
			schema := schemas[resource{apiVersion, kind}]
			if schema == nil {
				continue // Kubernetes' own
			}
			checked[kind]++
			if err := schema.Validate(document); err != nil {
				t.Errorf("%s: %s: %v", file, kind, err)
			}
			spec, _ := document["spec"].(map[string]any)
			spec["misspelt"] = true
			if schema.Validate(document) == nil {
				t.Errorf("%s: %s: got a misspelt field taken", file, kind)
			}
		}
	}
	for _, kind := range []string{"Middleware", "IngressRoute", "HTTPRoute", "SecurityPolicy", "ClientTrafficPolicy", "AuthorizationPolicy", "EnvoyFilter"} {
		if checked[kind] == 0 {
			t.Errorf("got no %s checked", kind)
		}
	}
}

// moduleDir is where a module is; e2e/install gets it.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	out, _ := cmd.Output()
	var found struct{ Dir string }
	if json.Unmarshal(out, &found) != nil || found.Dir == "" {
		missing(t, module+" isn't downloaded")
	}
	return found.Dir
}

func yamlDocuments(t *testing.T, file string) (documents []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(withoutHelm(text)))
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if document != nil {
			documents = append(documents, asJSON(t, document))
		}
	}
}

// withoutHelm leaves out the lines with which a chart decides whether a definition is installed.
func withoutHelm(text []byte) []byte {
	var lines [][]byte
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{{")) {
			lines = append(lines, line)
		}
	}
	return bytes.Join(lines, nil)
}

// asJSON has the types that JSON has.
func asJSON(t *testing.T, document map[string]any) (out map[string]any) {
	t.Helper()
	text, err := json.Marshal(document)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func readSchemas(t *testing.T, file string, into map[resource]*jsonschema.Resolved) {
	t.Helper()
	for _, document := range yamlDocuments(t, file) {
		spec, _ := document["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		versions, _ := spec["versions"].([]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		for _, each := range versions {
			version, _ := each.(map[string]any)
			name, _ := version["name"].(string)
			holder, _ := version["schema"].(map[string]any)
			root, _ := holder["openAPIV3Schema"].(map[string]any)
			properties, _ := root["properties"].(map[string]any)
			for _, name := range []string{"apiVersion", "kind", "metadata"} { // which Istio leaves out
				properties[name] = map[string]any{}
			}
			closeObjects(root)
			text, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			var schema jsonschema.Schema
			if err := json.Unmarshal(text, &schema); err != nil {
				t.Fatalf("%s: %s: %v", file, kind, err)
			}
			resolved, err := schema.Resolve(nil)
			if err != nil {
				t.Fatalf("%s: %s: %v", file, kind, err)
			}
			into[resource{strings.TrimPrefix(group+"/"+name, "/"), kind}] = resolved
		}
	}
}

// closeObjects has an OpenAPI schema refuse fields that it doesn't name, which Kubernetes would drop, and takes out what a JSON
// schema says in another way.
func closeObjects(schema any) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if s["x-kubernetes-int-or-string"] == true {
		delete(s, "type")
	}
	properties, _ := s["properties"].(map[string]any)
	_, open := s["additionalProperties"]
	if len(properties) > 0 && !open && s["x-kubernetes-preserve-unknown-fields"] != true {
		s["additionalProperties"] = false
	}
	for _, property := range properties {
		closeObjects(property)
	}
	closeObjects(s["items"])
	closeObjects(s["additionalProperties"])
}
