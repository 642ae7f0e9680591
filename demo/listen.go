package demo

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// triesForPort is how often any free port is looked for that is free on both addresses.
const triesForPort = 20

// listen listens on a port of the loopback addresses and nowhere else: 127.0.0.1
// and, where the machine has it, [::1], as a browser may take either for localhost.
// A port that only one of them has left is in use: somebody else would get half
// of the visitors. Port 0 is any that is free.
func listen(ctx context.Context, port int) (net.Listener, error) {
	config := new(net.ListenConfig)
	two := hasIPv6(ctx, config)
	var last error
	for range triesForPort {
		v4, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil || !two {
			return v4, err
		}
		v6, err := config.Listen(ctx, "tcp", net.JoinHostPort("::1", strconv.Itoa(portOf(v4))))
		if err == nil {
			return join(v4, v6), nil
		}
		_ = v4.Close()
		if port != 0 {
			return nil, err
		}
		last = err
	}
	return nil, fmt.Errorf("no port is free on 127.0.0.1 and [::1]: %w", last)
}

func hasIPv6(ctx context.Context, config *net.ListenConfig) bool {
	l, err := config.Listen(ctx, "tcp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

func portOf(l net.Listener) int {
	if address, ok := l.Addr().(*net.TCPAddr); ok {
		return address.Port
	}
	return 0
}

// joined is several listeners as one. Its address is that of the first.
type joined struct {
	listeners []net.Listener
	accepted  chan accepted
	closed    chan struct{}
	once      sync.Once
}

type accepted struct {
	conn net.Conn
	err  error
}

// join begins to accept from all of them, until Close.
func join(listeners ...net.Listener) *joined {
	j := &joined{listeners: listeners, accepted: make(chan accepted), closed: make(chan struct{})}
	for _, l := range listeners {
		go j.forward(l)
	}
	return j
}

func (j *joined) forward(l net.Listener) {
	for {
		conn, err := l.Accept()
		select {
		case j.accepted <- accepted{conn, err}:
		case <-j.closed:
			if err == nil {
				_ = conn.Close()
			}
			return
		}
	}
}

// Accept returns the next connection of any of them.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.accepted:
		return a.conn, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close closes all of them.
func (j *joined) Close() error {
	var err error
	j.once.Do(func() {
		close(j.closed)
		for _, l := range j.listeners {
			if closing := l.Close(); err == nil {
				err = closing
			}
		}
	})
	return err
}

// Addr is the first one's address.
func (j *joined) Addr() net.Addr { return j.listeners[0].Addr() }
