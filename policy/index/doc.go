// Package index finds the first rule that is about a request, by host, path and method.
//
//	host     own name | wildcards above it | rules without hosts     -> layers
//	layer    a tree of path segments, with * and **                  -> nodes
//	node     the first rule for each method
//
// The first rule in their order decides, whichever layer it is in. It takes the time of
// the path's length, not of the rules' number: 10,000 rules cost what 10 do. A Target and
// its Patterns answer for one rule alone, in the same way.
//
// Rules are numbers here: who may pass is package policy's matter, and how a raw path is
// read is package site's.
package index
