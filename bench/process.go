//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server that runs.
type process struct {
	command *exec.Cmd
	address string
}

// start runs a program whose arguments and variables may have ADDRESS in them, for an
// address that nobody listens on yet. Its output goes to /dev/null, as a log would go
// to a file. It is killed when ctx ends.
func start(ctx context.Context, variables []string, program string, arguments ...string) (*process, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	for i := range arguments {
		arguments[i] = strings.ReplaceAll(arguments[i], "ADDRESS", address)
	}
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, v := range variables {
		command.Env = append(command.Env, strings.ReplaceAll(v, "ADDRESS", address))
	}
	command.Stdout, command.Stderr = null, null
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return &process{command, address}, command.Start()
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// cpu returns what the process has used so far, in user and in kernel mode.
func (p *process) cpu() (time.Duration, error) {
	const processClock = 2 // CPUCLOCK_SCHED of the whole process, see clock_getcpuclockid(3)
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^p.command.Process.Pid<<3|processClock), &used); err != nil {
		return 0, fmt.Errorf("CPU of %s: %w", p.command.Path, err)
	}
	return time.Duration(used.Nano()), nil
}

// resident returns the process's memory in bytes: what it holds now.
func (p *process) resident() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize(), err
}
