package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startTimeout is how long a program may take until it listens, on a busy machine.
const startTimeout = 60 * time.Second

// process is a program that runs until the test ends.
type process struct {
	cmd    *exec.Cmd
	output output
	exited chan struct{} // closed when it has
}

// start runs a program and waits until it listens on address. Where the test
// fails, what the program wrote is in the test's log.
func start(t *testing.T, address string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended shows in its output
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("output of %s:\n%s", cmd.Path, p.output.String())
		}
	})
	p.await(t, "its address "+address, func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
	return p
}

// await waits until the program is ready. It asks at short intervals, for there is
// no other way to see that in a program of somebody else.
func (p *process) await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startTimeout)
	for !ready() {
		select {
		case <-tick.C:
		case <-p.exited:
			t.Fatalf("%s ended before %s was ready", p.cmd.Path, what)
		case <-deadline:
			t.Fatalf("%s: %s is not ready after %s", p.cmd.Path, what, startTimeout)
		}
	}
}

// stop ends the program and waits for its end. It may be called again.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		t.Errorf("%s did not end on SIGTERM", p.cmd.Path)
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// output collects what a program writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// lastPort is the port that was given to a program last. It starts below the ports
// that systems give to connections and to listeners on port 0: so nobody takes a
// port before the program that it is for.
var lastPort atomic.Int32

const firstPort = 20_000

// freeAddress returns a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1_000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(lastPort.Add(1))))
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// portOf returns the port of an address.
func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// program finds a program by name or path, the first that there is. Without
// one the test is skipped, or fails with E2E=required.
func program(t *testing.T, candidates ...string) string {
	t.Helper()
	for _, c := range candidates {
		if path, err := exec.LookPath(c); err == nil {
			return path
		}
	}
	missing(t, candidates[0]+" is not installed")
	return ""
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("E2E") == "required" {
		t.Fatalf("%s; E2E=required; e2e/install gets it", what)
	}
	t.Skipf("%s; e2e/install gets it", what)
}
