package command

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authkit-forward-auth/authkit-forward-auth/authkit"
	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
	"github.com/authkit-forward-auth/authkit-forward-auth/policy"
	"github.com/authkit-forward-auth/authkit-forward-auth/setup"
	"github.com/authkit-forward-auth/authkit-forward-auth/snippet"
)

// setupOptions are what setup is told by flags, variables or answers.
type setupOptions struct {
	*snippet.Options
	apiKey, clientID, gateway string
	file, out                 string
	resources                 []string
	dryRun, yes               bool
}

// runSetup registers a deployment at WorkOS, writes the service's environment, and prints the gateway's configuration.
func runSetup(ctx context.Context, p process, args []string) error {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	o := setupOptions{Options: deploymentFlags(flags)}
	flags.StringVar(&o.apiKey, "api-key", "", "WorkOS `API key`; not given: the variable WORKOS_API_KEY, which no list of processes shows, else it is asked for")
	flags.StringVar(&o.clientID, "client-id", "", "WorkOS `client ID`; not given: the variable WORKOS_CLIENT_ID, else it is asked for")
	flags.StringVar(&o.gateway, "gateway", "", "one of "+strings.Join(snippet.Gateways(), ", "))
	flags.StringVar(&o.file, "env", ".env", "`file` for the service's variables; one that is there is kept as .env.bak")
	flags.StringVar(&o.out, "out", "", "write the gateway's files into this `directory`; files that are there are never overwritten")
	flags.Func("resource", "`URL` of an OAuth resource of the policy, to register at WorkOS; may be repeated", func(text string) error {
		o.resources = append(o.resources, text)
		return policy.ResourceProblem(text)
	})
	flags.BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	flags.BoolVar(&o.yes, "yes", false, "ask nothing: do it, and change a file that is there")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	q := &questions{process: p, lines: bufio.NewScanner(p.stdin), silent: o.yes}
	if err := o.complete(q); err != nil {
		return err
	}
	d, err := snippet.New(*o.Options)
	if err != nil {
		return fmt.Errorf("setup: -%w", err)
	}
	c, err := snippet.Render(o.gateway, d)
	if err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	if o.out != "" { // before anything is registered
		if err := unwritten(o.out, c.Files); err != nil {
			return fmt.Errorf("setup: -out: %w", err)
		}
	}
	base, baseVariables, err := workOS(p.environ)
	if err != nil {
		return err
	}
	deployment := setup.Deployment{
		Client:      &authkit.Client{APIKey: authkit.Secret(o.apiKey), ClientID: o.clientID, BaseURL: base, HTTPClient: &http.Client{Timeout: 10 * time.Second}},
		RedirectURI: d.RedirectURI(), Resources: o.resources, Webhooks: d.WebhooksURL(), Environment: append(variables(c.Environment), baseVariables...), File: o.file,
	}
	plan, err := setup.Prepare(ctx, deployment)
	if err != nil {
		return err
	}
	if o.dryRun {
		for _, step := range plan.Steps {
			printStep(p, "would", step)
		}
		return nil
	}
	if plan.Overwrites && !q.confirm(plan.Steps[len(plan.Steps)-1].Name+" is there: "+plan.Steps[len(plan.Steps)-1].About+"?") {
		return fmt.Errorf("setup: %s stays as it is, and nothing is registered: name another file with -env", o.file)
	}
	if err := plan.Apply(ctx, func(step setup.Step) { printStep(p, "done", step) }); err != nil {
		return err
	}
	return p.finish(ctx, o, c, d)
}

// finish says what is left to do, and examines what is there already.
func (p process) finish(ctx context.Context, o setupOptions, c snippet.Configuration, d *snippet.Deployment) error {
	fmt.Fprintf(p.stdout, "\nLeft to do in the WorkOS dashboard, at Redirects, where no API sets it:\n%s\n", c.Dashboard)
	if err := p.handOut(c.Files, o.out); err != nil {
		return fmt.Errorf("setup: -out: %w", err)
	}
	app := d.Apps[0].Origin()
	fmt.Fprintf(p.stdout, "Start the service with %s (docker run --env-file %s …, or):\n  set -a; . ./%s; set +a; authkit-forward-auth serve\n", o.file, o.file, o.file)
	fmt.Fprintf(p.stdout, "Give the gateway the configuration above, and see whether all is well:\n  authkit-forward-auth doctor %s/ -gateway %s\n", app, doctorName(o.gateway))
	if !answers(ctx, app) {
		return nil
	}
	fmt.Fprintf(p.stdout, "\n%s answers already:\n", app)
	_, err := doctor.Run(ctx, doctor.Options{URL: app, Gateway: doctorName(o.gateway)}, func(f doctor.Finding) { fmt.Fprintln(p.stdout, f) })
	return err
}

// answers reports whether a deployment of this service answers there.
func answers(ctx context.Context, app string) bool {
	client := http.Client{Timeout: 3 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, app+"/", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.Header.Get("X-Auth-Reason") != "" || response.StatusCode == http.StatusSeeOther
}

// complete asks for what is missing.
func (o *setupOptions) complete(q *questions) error {
	o.apiKey = cmp.Or(o.apiKey, q.environ["WORKOS_API_KEY"])
	o.clientID = cmp.Or(o.clientID, q.environ["WORKOS_CLIENT_ID"])
	for _, missing := range []struct {
		into       *string
		flag, text string
	}{
		{&o.apiKey, "api-key", "API key, from the WorkOS dashboard, API Keys (it shows as you type)"},
		{&o.clientID, "client-id", "Client ID, from the same page"},
		{&o.gateway, "gateway", "Gateway, one of " + strings.Join(snippet.Gateways(), ", ")},
	} {
		if err := q.ask(missing.into, missing.flag, missing.text); err != nil {
			return err
		}
	}
	if len(o.Apps) == 0 {
		o.Apps = []string{""}
		if err := q.ask(&o.Apps[0], "app", "URL of the app, such as https://app.example.com"); err != nil {
			return err
		}
	}
	if len(o.Upstreams) == 0 && len(o.Apps) == 1 {
		o.Upstreams = []string{""}
		if err := q.ask(&o.Upstreams[0], "upstream", "Where the app listens, such as app:8080"); err != nil {
			return err
		}
	}
	switch {
	case !strings.HasPrefix(o.apiKey, "sk_"):
		return errors.New("setup: -api-key: a WorkOS API key begins with sk_")
	case !strings.HasPrefix(o.clientID, "client_"):
		return errors.New("setup: -client-id: a WorkOS client ID begins with client_")
	case strings.ContainsFunc(o.apiKey+o.clientID, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"'$#\`+"`", c) }):
		return errors.New("setup: -api-key, -client-id: there is a character in them that WorkOS doesn't use: copy them again")
	case !slices.Contains(snippet.Gateways(), o.gateway):
		return fmt.Errorf("setup: -gateway: no gateway %q: one of %s", o.gateway, strings.Join(snippet.Gateways(), ", "))
	}
	return nil
}

// questions are asked on the terminal.
type questions struct {
	process
	lines  *bufio.Scanner
	silent bool
}

// ask has a value typed in that isn't there yet.
func (q *questions) ask(into *string, name, text string) error {
	if *into != "" {
		return nil
	}
	if q.silent {
		return fmt.Errorf("setup: -%s is missing", name)
	}
	fmt.Fprintf(q.stdout, "%s: ", text)
	if !q.lines.Scan() || strings.TrimSpace(q.lines.Text()) == "" {
		fmt.Fprintln(q.stdout)
		return fmt.Errorf("setup: -%s is missing", name)
	}
	*into = strings.TrimSpace(q.lines.Text())
	return nil
}

// confirm asks whether to go on; no answer is no.
func (q *questions) confirm(text string) bool {
	if q.silent {
		return true
	}
	fmt.Fprintf(q.stdout, "%s [y/N] ", text)
	if !q.lines.Scan() {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(q.lines.Text()))
	return answer == "y" || answer == "yes"
}

// workOS is the API's address where it isn't WorkOS's own, and the variables that say so.
func workOS(environ map[string]string) (*url.URL, []setup.Variable, error) {
	host := environ["WORKOS_API_HOSTNAME"]
	if host == "" {
		return nil, nil, nil
	}
	u := &url.URL{Scheme: "https", Host: host}
	set := []setup.Variable{{Name: "WORKOS_API_HOSTNAME", Value: host}}
	switch https := environ["WORKOS_API_HTTPS"]; https {
	case "", "true":
	case "false":
		u.Scheme = "http"
		set = append(set, setup.Variable{Name: "WORKOS_API_HTTPS", Value: https})
	default:
		return nil, nil, errors.New("setup: WORKOS_API_HTTPS: true or false")
	}
	if port := environ["WORKOS_API_PORT"]; port != "" {
		u.Host += ":" + port
		set = append(set, setup.Variable{Name: "WORKOS_API_PORT", Value: port})
	}
	if _, err := url.Parse(u.String()); err != nil {
		return nil, nil, errors.New("setup: WORKOS_API_HOSTNAME, WORKOS_API_PORT: no address of an API")
	}
	return u, set, nil
}

func variables(lines []string) []setup.Variable {
	var all []setup.Variable
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		all = append(all, setup.Variable{Name: name, Value: value})
	}
	return all
}

func printStep(p process, doing string, step setup.Step) {
	if step.Done {
		doing = "ok"
	}
	fmt.Fprintf(p.stdout, "%-5s  %-13s  %s\n", doing, step.Name, step.About)
}

// doctorName is doctor's name for a gateway of snippet's.
func doctorName(gateway string) string {
	for _, name := range doctor.Gateways() {
		if gateway == name || strings.HasPrefix(gateway, name+"-") {
			return name
		}
	}
	return "envoy" // istio, gateway-api
}
