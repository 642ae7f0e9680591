// Package examples has the files of the gateways' examples that are the same for every deployment.
package examples

import "embed"

// Files are those that package snippet hands out as they are.
//
//go:embed traefik/traefik.yml nginx/authkit haproxy/authkit.lua
var Files embed.FS
