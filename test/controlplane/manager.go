// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	managerStopTimeout = 20 * time.Second
	probeEvery         = 50 * time.Millisecond
	// rememberedLog is how much of its log a Manager keeps for LogTail.
	rememberedLog = 64 << 10
)

// ManagerOptions are those of StartManager.
type ManagerOptions struct {
	// Binary is the path of the manager.
	Binary string
	// Log is where it logs to; nil: nowhere but LogTail.
	Log io.Writer
	// Args are added to those that fit the control plane, and win over them.
	Args []string
	// Env is added to its environment.
	Env []string
}

// Manager is the operator, running as a process of its own with its own identity.
type Manager struct {
	name     string
	guardian *guardian
	cmd      *exec.Cmd
	health   string
	log      *tail
	done     chan struct{}
	waitErr  error
}

// StartManager starts the operator's binary with the identity of its ServiceAccount, and returns as soon as the process runs. The control plane's Stop kills it
// if it is still there.
func (c *ControlPlane) StartManager(ctx context.Context, o ManagerOptions) (*Manager, error) {
	config, err := c.OperatorConfig(ctx)
	if err != nil {
		return nil, err
	}
	health, err := freeAddress()
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &Manager{
		name:     fmt.Sprintf("manager-%d", len(c.managers)+1),
		guardian: c.guardian,
		health:   health,
		log:      &tail{next: o.Log},
		done:     make(chan struct{}),
	}
	kubeconfig := filepath.Join(c.dir, m.name+".kubeconfig")
	if err := c.WriteKubeconfig(kubeconfig, config); err != nil {
		return nil, err
	}
	if err := m.start(o, kubeconfig); err != nil {
		return nil, fmt.Errorf("starting %s: %w", o.Binary, err)
	}
	c.managers = append(c.managers, m)
	return m, nil
}

func (c *ControlPlane) runningManagers() []*Manager {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.managers)
}

func (m *Manager) start(o ManagerOptions, kubeconfig string) error {
	m.cmd = exec.Command(o.Binary, append([]string{
		"--namespace=" + OperatorNamespace,
		"--metrics-bind-address=127.0.0.1:0",
		"--health-probe-bind-address=" + m.health,
	}, o.Args...)...)
	m.cmd.Env = append(append(cleanEnvironment(), "KUBECONFIG="+kubeconfig), o.Env...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	// A terminal's Ctrl-C is for us to act upon: the operator is told when it is its turn.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	// The pid is the process's own until Wait returns.
	noteErr := m.guardian.note(m.name, m.PID())
	go func() {
		m.waitErr = m.cmd.Wait()
		_ = m.guardian.forget(m.name) // if it could not be noted, that is known already
		close(m.done)
	}()
	if noteErr != nil {
		m.Kill()
	}
	return noteErr
}

// cleanEnvironment is ours without what would change how the operator behaves.
func cleanEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "LICENSE_OPERATOR_") || strings.HasPrefix(variable, "KUBECONFIG=")
	})
}

// PID is the process's.
func (m *Manager) PID() int { return m.cmd.Process.Pid }

// HealthURL is where the probes are served: append healthz or readyz.
func (m *Manager) HealthURL() string { return "http://" + m.health + "/" }

// Done is closed once the process has ended.
func (m *Manager) Done() <-chan struct{} { return m.done }

// LogTail is the last lines of what the process logged.
func (m *Manager) LogTail(lines int) string { return m.log.last(lines) }

// WaitReady waits until the process says that it is ready.
func (m *Manager) WaitReady(ctx context.Context) error {
	// Nothing else tells, from outside a process, that it listens.
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for !answersOK(ctx, m.HealthURL()+"readyz") {
		select {
		case <-ticker.C:
		case <-m.done:
			return fmt.Errorf("the manager ended before it was ready: %w; its last words:\n%s", m.waitErr, m.LogTail(10))
		case <-ctx.Done():
			return fmt.Errorf("waiting for the manager to be ready: %w; its last words:\n%s", ctx.Err(), m.LogTail(10))
		}
	}
	return nil
}

// Stop asks the process to end, as a cluster would, and waits for it. An end that is late or in failure is an error. It may be called again.
func (m *Manager) Stop() error {
	m.signal(syscall.SIGTERM)
	select {
	case <-m.done:
		if m.waitErr != nil {
			return fmt.Errorf("stopping the manager: %w; its last words:\n%s", m.waitErr, m.LogTail(10))
		}
		return nil
	case <-time.After(managerStopTimeout):
		m.Kill()
		return fmt.Errorf("the manager had to be killed, %s after being asked to stop", managerStopTimeout)
	}
}

// Kill ends the process without giving it a chance to do anything, and waits for it. It may be called again.
func (m *Manager) Kill() {
	m.signal(syscall.SIGKILL)
	<-m.done
}

// Signal sends a signal to the process: SIGSTOP and SIGCONT, say.
func (m *Manager) Signal(signal syscall.Signal) error { return m.cmd.Process.Signal(signal) }

// signal leaves a process alone that has ended: its pid may be another's by now.
func (m *Manager) signal(signal syscall.Signal) {
	select {
	case <-m.done:
	default:
		_ = m.cmd.Process.Signal(signal) // it may end right now
	}
}

// RSS is how much memory the process has resident, in bytes. Linux only.
func (m *Manager) RSS() (int64, error) { return m.memory("VmRSS") }

// AnonymousRSS is how much of RSS is the process's own data; the rest is pages of its binary, which the kernel can drop and read again.
func (m *Manager) AnonymousRSS() (int64, error) { return m.memory("RssAnon") }

// PeakRSS is the most that RSS has ever been.
func (m *Manager) PeakRSS() (int64, error) { return m.memory("VmHWM") }

// ticksPerSecond is the unit of /proc/PID/stat: the same on every Linux, whatever its own clock.
const ticksPerSecond = 100

// CPUTime is how long the process has kept a core busy so far. Linux only.
func (m *Manager) CPUTime() (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", m.PID())
	stat, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	// Up to the last parenthesis it is the program's name, which may hold anything; fields 14 and 15 of proc_pid_stat(5) are the 12th and 13th from there.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s is not what it should be: %q", path, stat)
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(errUser, errSystem)
}

func (m *Manager) memory(field string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", m.PID())
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

func answersOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	return response.StatusCode == http.StatusOK
}

// freeAddress is a loopback address that nobody listens on at the moment.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
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
