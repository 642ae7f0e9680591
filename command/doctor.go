package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/authkit-forward-auth/authkit-forward-auth/doctor"
)

// runDoctor examines a deployment from outside.
func runDoctor(ctx context.Context, p process, args []string) error {
	var o doctor.Options
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		o.URL, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.StringVar(&o.Gateway, "gateway", "", "whose configuration the findings name: `one of` "+strings.Join(doctor.Gateways(), ", "))
	flags.StringVar(&o.Cookie, "cookie", "", "the `Cookie header` of a browser that is signed in (developer tools, Network), to examine what needs a session; not given: the variable DOCTOR_COOKIE")
	flags.StringVar(&o.Echo, "echo", "", "`path` of the app that answers with the headers that it got, such as /headers; needs -cookie")
	flags.Var((*texts)(&o.Identity), "identity", "a `header` of IDENTITY_CLAIMS, which is forged too; several times for several")
	flags.StringVar(&o.Socket, "websocket", "", "`path` where the app takes WebSockets, to see whether they get through; needs -cookie")
	flags.StringVar(&o.Service, "service", "", "`URL` of the service itself, such as http://127.0.0.1:9000, on a machine that reaches it")
	flags.StringVar(&o.Upstream, "upstream", "", "`URL` of the app behind the gateway, such as http://10.0.0.5:8080, on a machine that should not reach it")
	flags.BoolVar(&o.Down, "while-down", false, "the service is stopped: examine only that nobody gets in")
	asJSON := flags.Bool("json", false, "print each finding as a JSON object")
	if err := p.parse(flags, args); err != nil {
		return err
	}
	if o.URL == "" {
		return errors.New("doctor: of which deployment? Write doctor https://app.example.com/, with the path of a protected page")
	}
	o.Cookie = cmp.Or(o.Cookie, p.environ["DOCTOR_COOKIE"])
	encoder := json.NewEncoder(p.stdout)
	encoder.SetEscapeHTML(false)
	failed, err := doctor.Run(ctx, o, func(f doctor.Finding) {
		if *asJSON {
			_ = encoder.Encode(f)
			return
		}
		fmt.Fprintln(p.stdout, f)
	})
	if err != nil {
		return err
	}
	if failed {
		return errors.New("doctor: something has to be changed, see FAIL")
	}
	return nil
}
