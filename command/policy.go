package command

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/identity"
	"github.com/authkit-forward-auth/authkit-forward-auth/jsonobject"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy/policyfile"
)

const policyUsage = `authkit-forward-auth policy: try a policy file, see docs/policy.md

  check   say what becomes of a request, and why; exit 2 unless it is allowed
  test    read the file and run its own tests; exit 1 on a problem
  schema  print the JSON Schema of policy files, for editors

check and test have flags: try -h.
`

// maxClaimsFile is more than an access token can hold.
const maxClaimsFile = 1 << 20

// ErrNotAllowed is the error of a check whose answer, already printed, is anything but
// allowed. The exit code tells it from a check that failed.
var ErrNotAllowed = errors.New("policy check: not allowed")

// runPolicy runs one of the commands about policy files.
func runPolicy(_ context.Context, p process, args []string) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "check":
		return checkPolicy(p, args)
	case "test":
		return testPolicy(p, args)
	case "schema":
		if len(args) > 0 {
			return fmt.Errorf("policy schema: unknown argument %q: it takes none", args[0])
		}
		_, err := io.WriteString(p.stdout, policyfile.Schema)
		return err
	case "help", "-h", "--help":
		_, err := io.WriteString(p.stdout, policyUsage)
		return err
	case "":
		return fmt.Errorf("policy: which one?\n\n%s", policyUsage)
	}
	return fmt.Errorf("policy: unknown command %q\n\n%s", command, policyUsage)
}

// checkPolicy says what a policy makes of one request.
func checkPolicy(p process, args []string) error {
	flags := flag.NewFlagSet("policy check", flag.ContinueOnError)
	file := policyFlag(flags, p.environ)
	host := flags.String("host", "", "`host` of the request, such as app.example.com (required)")
	path := flags.String("path", "", "its `path` as the client sends it, such as /admin (required)")
	method := flags.String("method", "GET", "its method")
	preflight := flags.String("preflight", "", "it is a CORS preflight for this `method`; then -method is OPTIONS")
	mcpMethod := flags.String("mcp-method", "", "the `method` that it calls of an MCP server, such as tools/call")
	mcpName := flags.String("mcp-name", "", "the `name` of the tool, resource or prompt that it calls")
	mcpVersion := flags.String("mcp-version", "2026-07-28", "its MCP protocol `version`")
	credential := flags.String("credential", "cookie", "what it brings: cookie, bearer or api_key")
	claims := flags.String("claims", "", "JSON `file` with the claims of an access token, and \"email\"; without one nobody is signed in")
	issuer := flags.String("issuer", "", "the token is of this issuer of the policy, by `name`; then -credential is bearer")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	if *issuer != "" {
		*credential = string(policy.Bearer)
	}
	if *preflight != "" {
		*method = "OPTIONS"
	}
	request, err := policy.NewRequest(*method, *host, *path, *preflight)
	if err != nil {
		return fmt.Errorf("policy check: %w", err)
	}
	if *mcpMethod != "" || *mcpName != "" {
		request.Header = policy.MCPHeader(*mcpVersion, *mcpMethod, *mcpName)
	}
	by := policy.Caller{Credential: policy.Credential(*credential)}
	if !slices.Contains([]policy.Credential{policy.Cookie, policy.Bearer, policy.APIKey}, by.Credential) {
		return fmt.Errorf("policy check: -credential %q: must be cookie, bearer or api_key", *credential)
	}
	f, err := readPolicy(*file)
	if err != nil {
		return err
	}
	rules := f.Current()
	switch {
	case *issuer != "":
		if by.Identity, err = readWorkload(rules, *issuer, *claims); err != nil {
			return fmt.Errorf("policy check: %w", err)
		}
	case *claims != "":
		caller, unread, err := readClaims(*claims)
		if err != nil {
			return fmt.Errorf("policy check: -claims: %w", err)
		}
		by.Identity = caller
		unread = slices.DeleteFunc(unread, func(name string) bool { return asksFor(rules, policy.ClaimPrefix+name) })
		if len(unread) > 0 {
			fmt.Fprintf(p.stdout, "claims that no policy looks at: %s\n\n", strings.Join(unread, ", "))
		}
	}
	return printExplanation(p.stdout, rules, request, rules.Explain(request, by, time.Now()))
}

// asksFor reports whether some rule has a requirement of this name.
func asksFor(p *policy.Policy, name string) bool {
	return slices.ContainsFunc(p.Rules(), func(r *policy.Rule) bool {
		return slices.ContainsFunc(r.Require.Lists, func(l policy.ListRequirement) bool { return l.Name == name })
	})
}

// testPolicy reads a policy, which runs its own tests.
func testPolicy(p process, args []string) error {
	flags := flag.NewFlagSet("policy test", flag.ContinueOnError)
	file := policyFlag(flags, p.environ)
	if err := p.parse(flags, args); err != nil {
		return err
	}
	f, err := readPolicy(*file)
	if err != nil {
		return err
	}
	for _, warning := range f.Document().Warnings {
		fmt.Fprintf(p.stdout, "line %d: warning: %s\n", warning.Line, warning.Text)
	}
	_, err = fmt.Fprintf(p.stdout, "%d rules, %d tests: ok\n", len(f.Current().Rules()), f.Document().Tests)
	return err
}

func policyFlag(flags *flag.FlagSet, environ map[string]string) *string {
	return flags.String("policy", environ["POLICY_FILE"], "policy `file`, as POLICY_FILE")
}

func readPolicy(path string) (*policyfile.File, error) {
	if path == "" {
		return nil, errors.New("policy: which file? Set -policy or POLICY_FILE")
	}
	f := &policyfile.File{Path: path}
	if err := f.Load(); err != nil {
		return nil, err
	}
	return f, nil
}

// printExplanation prints every rule, later ones than that which decides as such. Its
// error says that the request isn't allowed.
func printExplanation(stdout io.Writer, p *policy.Policy, r policy.Request, e policy.Explanation) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s %s%s\n\n", r.Method, r.Host, r.Path)
	steps := e.Steps
	for _, rule := range p.Rules()[min(len(steps), len(p.Rules())):] {
		steps = append(steps, policy.Step{Rule: rule, Why: "comes later: not looked at"})
	}
	for _, step := range steps {
		line := "-"
		if step.Rule.Line > 0 {
			line = fmt.Sprintf("line %d", step.Rule.Line)
		}
		fmt.Fprintf(w, "  %s\t%q\t%s\n", line, step.Rule.Name, step.Why)
	}
	if len(steps) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s: %s\n", e.Answer, e.Why)
	if err := w.Flush(); err != nil {
		return err
	}
	if e.Answer != policy.Allowed {
		return ErrNotAllowed
	}
	return nil
}

// readWorkload reads the claims of a token of one of the policy's issuers.
func readWorkload(p *policy.Policy, issuer, path string) (*identity.Identity, error) {
	switch {
	case !slices.ContainsFunc(p.Issuers(), func(i *policy.Issuer) bool { return i.Name == issuer }):
		return nil, fmt.Errorf("-issuer: no rule of the policy requires the issuer %q", issuer)
	case path == "":
		return nil, errors.New("-issuer: which claims has the token? Set -claims")
	}
	members, err := readMembers(path)
	if err != nil {
		return nil, fmt.Errorf("-claims: %w", err)
	}
	id, ok := identity.Workload(issuer, identity.ClaimValues(members))
	if !ok {
		return nil, fmt.Errorf("-claims: %s has no sub, which every token has", path)
	}
	return id, nil
}

// readMembers reads a file with one JSON object.
func readMembers(path string) (map[string]json.RawMessage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxClaimsFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxClaimsFile {
		return nil, fmt.Errorf("%s has more than %d MB", path, maxClaimsFile>>20)
	}
	members, err := jsonobject.Members(text)
	if err != nil || members == nil {
		return nil, fmt.Errorf("%s is not one JSON object with different names", path)
	}
	return members, nil
}

// readClaims reads the claims of an access token, and which of them are of no
// account. One of another JSON type than AuthKit's own is an error, as it is in a token.
func readClaims(path string) (*identity.Identity, []string, error) {
	members, err := readMembers(path)
	if err != nil {
		return nil, nil, err
	}
	id := &identity.Identity{EmailVerified: true} // unless a claim says otherwise
	if err := id.Decode(members, true); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	var scope string
	if json.Unmarshal(members["scope"], &scope) == nil {
		if id.Extra == nil {
			id.Extra = &identity.Extra{}
		}
		id.Extra.Scopes = strings.Fields(scope)
		delete(members, "scope")
	}
	for _, claim := range id.Claims() {
		if claim.Name != "sid" { // no rule is about one session
			delete(members, claim.Name)
		}
	}
	return id, slices.Sorted(maps.Keys(members)), nil
}
