// Package policy says who may reach which host, path and method.
//
//	rules    New       checked, in canonical form -> Policy | Problems, each of a rule and a field
//	request  Match     host -> path as package site reads it -> package index -> Rule | AmbiguousError
//	caller   Check     a Rule's Requirements, and a verify URL's (ParseQuery) -> Unmet
//	people   Explain   the same Match and Check, rule by rule, in words
//
// The first rule in their order that matches host, path and method decides, else the
// default. A host that no rule is about is nobody's (Names); a rule without hosts is about
// every host.
//
// A path is compared segment by segment, decoded, in NFC, without a slash at its end. A
// path that servers read in different ways (dot segments, //, ;, a backslash, #, %2f,
// double escapes) has several readings: the rule decides that all of them end at, else the
// request is ambiguous. So it is where nobody can list the readings (control characters,
// broken UTF-8, more than 256 segments) and a rule of the host has paths; where a method
// isn't in capital letters and a rule of the host has methods, or the rule is public.
//
// A policy is never changed: reading it takes no lock.
//
// The package knows no file, no HTTP and no session: package policyfile reads the YAML;
// which hosts the cookie reaches, who brings which credential and how a denial is answered
// are the matter of packages site and verify.
package policy
