// Package command holds the program's subcommands: it reads arguments and environment,
// calls the package that does the work, and prints what comes of it.
//
//	Run -> serve        server, also without a subcommand
//	       demo         demo
//	       emulator     emulator
//	       policy       policy
//	       setup        setup
//	       snippet      snippet
//	       doctor       doctor
//	       config       config
//	       healthcheck  a running service's /healthz
//	       version      the build's own information
//
// It decides nothing and never ends the process: main does.
package command
