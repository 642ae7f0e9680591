package snippet

import (
	"fmt"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/site"
)

// notes are what belongs to a configuration beside its files: the service's variables, and commands that show whether it works.
func notes(g gateway, d *Deployment) string {
	logout := d.site.Endpoint(site.Logout)
	var b strings.Builder
	b.WriteString("==> the service's environment, beside WORKOS_API_KEY, WORKOS_CLIENT_ID and WORKOS_COOKIE_PASSWORD\n")
	for _, line := range append(d.Environment(), "LOGOUT_RETURN_URL="+logout, "GATEWAY="+g.value) {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "\n==> the WorkOS dashboard\nRedirect URI       %s\nSign-in endpoint   %s\nSign-out redirect  %s\n", d.site.RedirectURI(), d.LoginURL(), logout)
	app := d.Apps[0].Origin()
	fmt.Fprintf(&b, `
==> does it work?
# A page: 302 or 303 to %[2]s
curl -si -H 'Sec-Fetch-Mode: navigate' -H 'Sec-Fetch-Dest: document' '%[1]s/?a=b%%26c' | grep -iE '^(HTTP|location)'
# A script: 401, and why
curl -si -H 'Accept: application/json' '%[1]s/' | grep -iE '^HTTP|no_session'
# The sign-in: 302 or 303 to AuthKit, with redirect_uri=%[3]s
curl -si '%[2]s' | grep -iE '^(HTTP|location)'
`, app, d.LoginURL(), d.site.RedirectURI())
	return b.String()
}
