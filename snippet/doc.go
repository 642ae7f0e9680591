// Package snippet prints a gateway's configuration for an operator's own hosts.
//
//	Deployment  what is protected: apps, the sign-in flow's address, requirements
//	Render      the files that a gateway needs for it, the service's variables, and commands that show whether it works
//
// The folders of examples/ are rendered from the same templates, which a test compares, and the end-to-end
// tests run them. The names of headers and endpoints come from packages verify and site.
package snippet
