package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// redisServer is a Redis that keeps nothing when it ends.
type redisServer struct {
	address string
	program string
	more    []string // arguments
	process *process
}

// startRedis starts redis-server with more arguments than every one gets.
func startRedis(t *testing.T, more ...string) *redisServer {
	t.Helper()
	r := newRedis(t, more...)
	r.start(t)
	return r
}

// newRedis is a Redis that doesn't run yet.
func newRedis(t *testing.T, more ...string) *redisServer {
	t.Helper()
	program(t, "redis-cli")
	return &redisServer{address: freeAddress(t), program: program(t, "redis-server"), more: more}
}

// start starts it, empty. It may be called again after kill.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	arguments := append([]string{
		"--port", portOf(t, r.address), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
	}, r.more...)
	r.process = start(t, r.address, exec.Command(r.program, arguments...))
}

func (r *redisServer) url() string { return "redis://" + r.address }

// redisCLI asks the Redis or the Sentinel at an address.
func redisCLI(t *testing.T, address string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "redis-cli"), append([]string{"-p", portOf(t, address)}, arguments...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// set changes a setting.
func (r *redisServer) set(t *testing.T, name, value string) {
	t.Helper()
	if got := redisCLI(t, r.address, "CONFIG", "SET", name, value); got != "OK" {
		t.Fatalf("CONFIG SET %s %s: got %q, want OK", name, value, got)
	}
}

// sentinel is a master with one replica, and one Sentinel that watches them.
type sentinel struct {
	address string
	process *process
}

func startSentinel(t *testing.T) *sentinel {
	t.Helper()
	binary := program(t, "redis-sentinel")
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+portOf(t, master.address))
	master.set(t, "repl-diskless-sync-delay", "0")
	replica.process.await(t, "its copy of the master", func() bool { // a Sentinel looks once in 10 s
		return strings.Contains(redisCLI(t, replica.address, "INFO", "replication"), "master_link_status:up")
	})
	s := &sentinel{address: freeAddress(t)}
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	configuration := strings.Join([]string{
		"port " + portOf(t, s.address), "bind 127.0.0.1",
		"sentinel monitor main 127.0.0.1 " + portOf(t, master.address) + " 1",
	}, "\n")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = start(t, s.address, exec.Command(binary, file))
	return s
}

func (s *sentinel) url() string { return "redis+sentinel://" + s.address + "/main" }

// failOver makes the replica the master, and returns when the Sentinel says so.
func (s *sentinel) failOver(t *testing.T) {
	t.Helper()
	before := s.master(t)
	s.process.await(t, "the replica that can take over", func() bool {
		return redisCLI(t, s.address, "SENTINEL", "FAILOVER", "main") == "OK"
	})
	s.process.await(t, "another master", func() bool { return s.master(t) != before })
}

func (s *sentinel) master(t *testing.T) string {
	t.Helper()
	return redisCLI(t, s.address, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
}

// startCluster starts a cluster of three masters and returns its URL.
func startCluster(t *testing.T) string {
	t.Helper()
	var addresses []string
	var nodes []*redisServer
	for range 3 {
		node := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", portOf(t, freeAddress(t)))
		addresses, nodes = append(addresses, node.address), append(nodes, node)
	}
	redisCLI(t, addresses[0], append([]string{"--cluster-yes", "--cluster", "create"}, addresses...)...)
	for _, node := range nodes {
		node.process.await(t, "its cluster", func() bool {
			return strings.Contains(redisCLI(t, node.address, "CLUSTER", "INFO"), "cluster_state:ok")
		})
	}
	return "redis+cluster://" + strings.Join(addresses, ",")
}

// kill ends the program at once, as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.exited
}

// freeze has the program do nothing, and keep its connections, until thaw or the
// end of the test.
func (p *process) freeze(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.thaw) // or it won't end
}

func (p *process) thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// waitUntil asks at short intervals, until it is so. It is for what processes do on their own.
func waitUntil(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(startTimeout)
	for !so() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not so after %s", what, startTimeout)
		}
	}
}
