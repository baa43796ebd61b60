// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// guardian sees to it that nothing outlives this process, even if it is killed outright: a shell that waits for the end
// of a pipe only we hold, and then kills what is named in the folder's *.pid files and removes the folder. Unlike
// Pdeathsig it also works outside Linux, and for processes that envtest starts.
type guardian struct {
	dir  string
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

// politeness is how long a program may take to end once it has been asked.
const politeness = 500 * time.Millisecond

// guard ends in peace if told so, and otherwise cleans up. Every process it looks after leads a process group.
const guard = `read -r word
[ "$word" = dismissed ] && exit
for file in "$1"/*.pid; do
  [ -f "$file" ] && kill -s KILL -- "-$(cat "$file")"
done
rm -rf "$1"`

func newGuardian(dir string) (*guardian, error) {
	cmd := exec.Command("/bin/sh", "-c", guard, "license-operator-guardian", dir)
	// Out of the group that a terminal's Ctrl-C goes to: it must see the end of the others.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guardian of the processes to come: %w", err)
	}
	return &guardian{dir: dir, pipe: pipe, cmd: cmd}, nil
}

// dismiss ends the guardian without its doing anything.
func (g *guardian) dismiss() error {
	_, err := io.WriteString(g.pipe, "dismissed\n")
	if err := errors.Join(err, g.pipe.Close(), g.cmd.Wait()); err != nil {
		return fmt.Errorf("dismissing the guardian: %w", err)
	}
	return nil
}

// wrapper runs a binary and notes its pid, for the guardian, and its arguments, which tell its ports: envtest keeps
// both to itself. It asks for --help first.
const wrapper = `#!/bin/sh
if [ "$1" != --help ]; then
  echo $$ >%s
  printf '%%s\n' "$@" >%s
fi
exec %s "$@"
`

// wrap returns a program that does what the binary does, and is looked after.
func (g *guardian) wrap(binary string) (string, error) {
	path := filepath.Join(g.dir, filepath.Base(binary)+".sh")
	script := fmt.Sprintf(wrapper, quoted(pidFile(path)), quoted(argumentsFile(path)), quoted(binary))
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		return "", err
	}
	return path, nil
}

// startGuarded runs start, which starts the wrapped program and does not know of ctx; when ctx is done, it kills the
// program, and start gives up.
func (g *guardian) startGuarded(ctx context.Context, wrapped string, start func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { killFrom(pidFile(wrapped)) })
	defer stop()
	err := start()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// stopGuarded runs stop, which asks the wrapped program to end, and kills it where it takes longer than it deserves: an
// API server would wait for its clients to end their watches, and nothing that it has is needed any more.
func (g *guardian) stopGuarded(wrapped string, stop func() error) error {
	impatience := time.AfterFunc(politeness, func() { killFrom(pidFile(wrapped)) })
	defer impatience.Stop()
	return stop()
}

// note tells the guardian of a process that leads its group, under a name of its own.
func (g *guardian) note(name string, pid int) error {
	return os.WriteFile(filepath.Join(g.dir, name+".pid"), []byte(strconv.Itoa(pid)), 0o600)
}

// forget tells the guardian that the process is no more.
func (g *guardian) forget(name string) error {
	return os.Remove(filepath.Join(g.dir, name+".pid"))
}

func pidFile(wrapped string) string { return strings.TrimSuffix(wrapped, ".sh") + ".pid" }

func argumentsFile(wrapped string) string { return strings.TrimSuffix(wrapped, ".sh") + ".arguments" }

func killFrom(pidFile string) {
	content, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // it may have ended by itself
	}
}

// quoted is s as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
