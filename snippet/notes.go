package snippet

import (
	"fmt"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// Configuration is a gateway's, and what belongs to it.
type Configuration struct {
	Files       []File
	Environment []string // the service's variables beside the credentials, NAME=value
	Dashboard   string   // WorkOS's fields, a line each
	Checks      string   // commands that show whether it works
}

// Notes are what belongs to the files, as text.
func (c Configuration) Notes() string {
	return "==> the service's environment, beside WORKOS_API_KEY, WORKOS_CLIENT_ID and WORKOS_COOKIE_PASSWORD\n" +
		strings.Join(c.Environment, "\n") + "\n\n==> the WorkOS dashboard\n" + c.Dashboard + "\n==> does it work?\n" + c.Checks
}

// describe adds to the files what belongs to them.
func describe(g gateway, d *Deployment, files []File) Configuration {
	logout := d.site.Endpoint(site.Logout)
	return Configuration{
		Files:       files,
		Environment: append(d.Environment(), "LOGOUT_RETURN_URL="+logout, "GATEWAY="+g.value),
		Dashboard:   fmt.Sprintf("Redirect URI       %s\nSign-in endpoint   %s\nSign-out redirect  %s\n", d.RedirectURI(), d.LoginURL(), logout),
		Checks: fmt.Sprintf(`# A page: 302 or 303 to %[2]s
curl -si -H 'Sec-Fetch-Mode: navigate' -H 'Sec-Fetch-Dest: document' '%[1]s/?a=b%%26c' | grep -iE '^(HTTP|location)'
# A script: 401, and why
curl -si -H 'Accept: application/json' '%[1]s/' | grep -iE '^HTTP|no_session'
# The sign-in: 302 or 303 to AuthKit, with redirect_uri=%[3]s
curl -si '%[2]s' | grep -iE '^(HTTP|location)'
`, d.Apps[0].Origin(), d.LoginURL(), d.RedirectURI()),
	}
}
