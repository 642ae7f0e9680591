// Package policy says who may reach which host, path and method.
//
//	file     Parse     strictly, all problems at once, each with its line -> Policy
//	request  Match     host -> path decoded once -> index -> Rule | AmbiguousError
//	caller   Check     a Rule's Requirements, and a verify URL's (ParseQuery) -> Unmet
//	people   Explain   the same Match and Check, rule by rule, in words
//
// The first rule in the file's order that matches host, path and method decides, else
// the default. A host that no rule is about is nobody's (Names); a rule without hosts
// is about every host.
//
// A path is compared segment by segment, decoded, in NFC, without a slash at its end.
// What an app may read in another way (dot segments, //, ;, a backslash, #, double
// escapes, control characters, broken UTF-8) is an error on hosts that have a rule with
// paths. Elsewhere it never matches a public rule. A %2f is read twice, as a slash and as
// a character: both must lead to one rule, and that must allow it. A method that isn't
// in capital letters is treated like such a path, on hosts that have a rule with methods.
//
// The index has a layer for each host, each wildcard and the rules without hosts; a layer
// has a tree of path segments. A look takes as long with 10,000 rules as with 10. A
// policy is never changed: reading it takes no lock. File replaces it as a whole.
//
// The package knows no HTTP and no session: which hosts the cookie reaches, who brings
// which credential and what a denial looks like are others' business (site, verify).
package policy
