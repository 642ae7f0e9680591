//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// client holds keep-alive connections to one server.
type client []net.Conn

// connect waits until the server listens.
func connect(ctx context.Context, address string, connections int) (client, error) {
	var c client
	for deadline := time.Now().Add(20 * time.Second); len(c) < connections; {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		switch {
		case err == nil:
			c = append(c, connection)
		case time.Now().After(deadline) || ctx.Err() != nil:
			return nil, err
		default:
			time.Sleep(20 * time.Millisecond)
		}
	}
	return c, nil
}

// send sends the requests, each connection its share of them, and wants a 2xx without a
// body for each.
func (c client) send(requests [][]byte) error {
	failed := make(chan error, len(c))
	var all sync.WaitGroup
	for i, connection := range c {
		all.Go(func() {
			for ; i < len(requests); i += len(c) {
				if _, err := exchange(connection, requests[i]); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}

// exchange returns the answer's head. The error is for one that isn't a 2xx, too.
func exchange(connection net.Conn, request []byte) ([]byte, error) {
	if _, err := connection.Write(request); err != nil {
		return nil, err
	}
	buffer := make([]byte, 4096)
	for n := 0; n < len(buffer); {
		more, err := connection.Read(buffer[n:])
		if err != nil {
			return nil, err
		}
		if n += more; !bytes.HasSuffix(buffer[:n], []byte("\r\n\r\n")) {
			continue
		}
		if !bytes.HasPrefix(buffer, []byte("HTTP/1.1 20")) {
			return nil, fmt.Errorf("got %s", buffer[:n])
		}
		return buffer[:n], nil
	}
	return nil, fmt.Errorf("got %s", buffer)
}
