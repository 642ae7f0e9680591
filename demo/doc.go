// Package demo runs the whole path on one machine, on loopback addresses only:
//
//	browser -> gateway :3000 -> GET /verify/forward-auth -> service :9000 -> AuthKit emulator :4100
//	                         -> protected app, with identity headers
//	        -> gateway :3000 /_auth/login and its siblings -> service
//	        -> hosted sign-in page -> AuthKit emulator :4100
//
//	Run      listeners, wiring, start and stop         (demo.go, serve.go)
//	listen   127.0.0.1 and [::1], on one port          (listen.go)
//	byName   127.0.0.1 -> localhost                    (gateway.go)
//	gateway  what Traefik does with its ForwardAuth    (gateway.go)
//	app      shows who is there and why                (app.go)
//	pages    each with what it needs                   (pages.go)
//	policy   who may open which, a file to edit        (policy.yaml, policy.go)
//	ServeApp the app alone, for docker-compose.yml     (app.go)
//
// The service is the one that `serve` runs, with a configuration of its own: no
// variable of the environment and no .env is read, and the cookie password is a
// new one at every start, so a restart signs everybody out. The emulator's webhooks
// reach it, so that what is revoked there ends at once.
//
// It is no gateway for anything but the demo: no TLS, one app, and no limit on what
// clients send beyond those of net/http.
package demo
