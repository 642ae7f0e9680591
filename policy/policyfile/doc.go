// Package policyfile reads the YAML file of a policy.
//
//	Parse    strictly, all problems at once, each with its line  -> Document
//	tests    the file's own, run whenever it is read             -> policy.Answer
//	File     the policy of a file, read again when it changes    -> Current
//	Schema   the file's JSON Schema, for editors; a test generates and compares it
//
// Parse knows YAML, keys and lines; package policy checks the rules' values and says which
// rule and field a problem is in. File keeps the policy in force while its file is bad,
// and says so in the log, in a metric and in Err. Nothing here decides about a request.
package policyfile
