// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	processStopTimeout = 20 * time.Second
	// rememberedLog is how much of its log a Process keeps for LogTail, in bytes.
	rememberedLog = 64 << 10
)

// ProcessOptions are those of StartProcess.
type ProcessOptions struct {
	// Name is unique among the processes of a control plane, and good for a file name.
	Name string
	// Path is that of the binary.
	Path string
	// Args are its arguments.
	Args []string
	// Env is its environment; nil: that of this process.
	Env []string
	// Log is where it writes to; nil: nowhere but LogTail.
	Log io.Writer
}

// Process is a program that runs beside a control plane.
type Process struct {
	name     string
	guardian *guardian
	cmd      *exec.Cmd
	log      *tail
	done     chan struct{}
	waitErr  error
}

// StartProcess starts a program that ends with the control plane at the latest, and returns as soon as it runs: should
// this process die, the program is killed. Its working folder is Dir.
func (c *ControlPlane) StartProcess(o ProcessOptions) (*Process, error) {
	p := &Process{name: o.Name, guardian: c.guardian, log: &tail{next: o.Log}, done: make(chan struct{})}
	p.cmd = exec.Command(o.Path, o.Args...)
	p.cmd.Dir, p.cmd.Env = c.dir, o.Env
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// It is killed with all that it started; and a terminal's Ctrl-C is for us to act upon: it is told when it is its
	// turn.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", o.Name, err)
	}
	// The pid is the process's own until Wait returns.
	noteErr := p.guardian.note(p.name, p.PID())
	go func() {
		p.waitErr = p.cmd.Wait()
		_ = p.guardian.forget(p.name) // if it could not be noted, that is known already
		close(p.done)
	}()
	if noteErr != nil {
		p.Kill()
		return nil, fmt.Errorf("starting %s: %w", o.Name, noteErr)
	}
	c.processes = append(c.processes, p)
	return p, nil
}

func (c *ControlPlane) runningProcesses() []*Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.processes)
}

// PID is the process's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// LogTail is the last lines of what the process wrote.
func (p *Process) LogTail(lines int) string { return p.log.last(lines) }

// Stop asks the process to end, as a cluster would, and waits for it. An end that is late or in failure is an error. It
// may be called again.
func (p *Process) Stop() error {
	p.signal(p.PID(), syscall.SIGTERM)
	select {
	case <-p.done:
		if p.waitErr != nil {
			return fmt.Errorf("stopping %s: %w; its last words:\n%s", p.name, p.waitErr, p.LogTail(10))
		}
		return nil
	case <-time.After(processStopTimeout):
		p.Kill()
		return fmt.Errorf("%s had to be killed, %s after being asked to stop", p.name, processStopTimeout)
	}
}

// Kill ends the process, and all that it started, without giving it a chance to do anything, and waits for it. It may
// be called again.
func (p *Process) Kill() {
	p.signal(-p.PID(), syscall.SIGKILL)
	<-p.done
}

// Signal sends a signal to the process: SIGSTOP and SIGCONT, say.
func (p *Process) Signal(signal syscall.Signal) error { return p.cmd.Process.Signal(signal) }

// signal leaves a process alone that has ended: its pid may be another's by now.
func (p *Process) signal(pid int, signal syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(pid, signal) // it may end right now
	}
}

// RSS is how much memory the process has resident, in bytes. Linux only.
func (p *Process) RSS() (int64, error) { return p.memory("VmRSS") }

// AnonymousRSS is how much of RSS is the process's own data; the rest is pages of its binary, which the kernel can drop
// and read again.
func (p *Process) AnonymousRSS() (int64, error) { return p.memory("RssAnon") }

// PeakRSS is the most that RSS has ever been.
func (p *Process) PeakRSS() (int64, error) { return p.memory("VmHWM") }

// ticksPerSecond is the unit of /proc/PID/stat: the same on every Linux, whatever its own clock.
const ticksPerSecond = 100

// CPUTime is how long the process has kept a core busy so far. Linux only.
func (p *Process) CPUTime() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", p.PID())
	stat, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	// Up to the last parenthesis it is the program's name, which may hold anything; fields 14 and 15 of
	// proc_pid_stat(5) are the 12th and 13th from there.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s is not what it should be: %q", path, stat)
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(errUser, errSystem)
}

func (p *Process) memory(field string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", p.PID())
	status, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(strings.NewReader(string(status)))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == field+":" && words[2] == "kB" {
			kilobytes, err := strconv.ParseInt(words[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("found no %s in %s", field, path)
}

// tail remembers the end of what is written to it, and passes it on.
type tail struct {
	next io.Writer

	mu      sync.Mutex
	content []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.content = append(t.content, p...)
	if excess := len(t.content) - rememberedLog; excess > 0 {
		t.content = slices.Clone(t.content[excess:])
	}
	if t.next == nil {
		return len(p), nil
	}
	return t.next.Write(p)
}

func (t *tail) last(lines int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := strings.Split(strings.TrimRight(string(t.content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
