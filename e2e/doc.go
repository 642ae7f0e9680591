// Package e2e holds the tests that run the whole path with real programs:
//
//	browser -> gateway (nginx, Traefik) -> app
//	               |
//	               v
//	           service -> AuthKit (the emulator)
//
// The gateways run the files under examples/, with only addresses, ports and
// file paths replaced. The service is the program itself, built once. The
// browser and the app are small ones of this package.
//
// A program that is missing skips its tests; with E2E=required it fails them.
// e2e/install gets what is needed on Debian.
package e2e
