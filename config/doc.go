// Package config holds the service's configuration: which environment variables there
// are, what each means, and whether their values go together.
//
//	Parse           variables by name -> Config, or all problems at once   (config.go)
//	read.go         variables and the files of secrets -> values
//	values.go       the types of values, and how each is written
//	check.go        what goes together; credentials.go: bearer tokens and the policy
//	Config.String   the effective configuration without its secrets        (print.go)
//
// It connects to nothing and builds nothing out of the values: package server does.
package config
