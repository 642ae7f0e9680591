//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
)

// memory prints what the service takes as it comes to know so many sessions. Each has an
// access token of its own, so this takes minutes, most of it the emulator's signatures.
func (b *bench) memory(ctx context.Context, sessions int) error {
	server, err := start(ctx, b.authKit.environ(), filepath.Join(b.folder, "authkit-forward-auth"), "serve")
	if err != nil {
		return err
	}
	first, err := b.authKit.signIn("Zoe", 20)
	if err != nil {
		return err
	}
	s := &side{name: "memory", server: server, request: request(forwardAuth, first.cookie)}
	if err := b.add(ctx, s); err != nil {
		return err
	}
	again := make([][]byte, 20_000) // what is garbage is collected meanwhile, and comes anew
	for i := range again {
		again[i] = s.request
	}
	for known := 0; ; known += portion {
		if known%(10*portion) == 0 || known >= sessions {
			if err := s.client.send(again); err != nil {
				return err
			}
			resident, err := server.resident()
			if err != nil {
				return err
			}
			fmt.Printf("%d sessions\t%d MB\n", known, resident/1e6)
		}
		if known >= sessions {
			return nil
		}
		if err := b.signInAndSend(s.client); err != nil {
			return err
		}
	}
}

// portion is few enough that no connection is idle for too long meanwhile.
const portion = 1000

// signInAndSend has the service see a portion of new sessions.
func (b *bench) signInAndSend(c client) error {
	var requests [][]byte
	for range portion {
		of, err := b.authKit.signIn("Zoe", 20)
		if err != nil {
			return err
		}
		requests = append(requests, request(forwardAuth, of.cookie))
	}
	return c.send(requests)
}
