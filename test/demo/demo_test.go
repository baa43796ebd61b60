// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

// TestInterrupted ends the demo at several moments, from its first to well into the story, and looks for what it has
// left behind.
func TestInterrupted(t *testing.T) {
	demo, binaries := build(t)
	for _, test := range []struct {
		after  time.Duration
		signal syscall.Signal
	}{
		{0, syscall.SIGINT},
		{500 * time.Millisecond, syscall.SIGINT},
		{1500 * time.Millisecond, syscall.SIGTERM},
		{3 * time.Second, syscall.SIGINT},
		{5 * time.Second, syscall.SIGHUP},
		{7 * time.Second, syscall.SIGINT},
		{7 * time.Second, syscall.SIGKILL},
	} {
		t.Run(test.signal.String()+" after "+test.after.String(), func(t *testing.T) {
			temporary := t.TempDir()
			output := gbytes.NewBuffer()
			cmd := exec.Command(demo, "--bin-dir", binaries)
			cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
			cmd.Stdout, cmd.Stderr = output, output
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			NewWithT(t).Eventually(output, "30s").Should(gbytes.Say("license-operator"),
				"from its first line on it listens to signals")
			time.Sleep(test.after) // when it is interrupted is what this is about
			if err := cmd.Process.Signal(test.signal); err != nil {
				t.Fatal(err)
			}
			want := "exit status 130"
			if test.signal == syscall.SIGKILL {
				want = "signal: killed"
			}
			if err := cmd.Wait(); err == nil || err.Error() != want {
				t.Errorf("want %s, got %v after\n%s", want, err, output.Contents())
			}
			assertNothingLeft(t, temporary)
		})
	}
}

// assertNothingLeft gives the guardian of a killed demo a moment.
func assertNothingLeft(t *testing.T, temporary string) {
	t.Helper()
	NewWithT(t).Eventually(func() []string { return append(filesIn(t, temporary), processesOf(t, temporary)...) },
		"10s").Should(BeEmpty(),
		"the guardian clears up after a demo that could not")
}

func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// processesOf are those that have the folder in their command line or their environment.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, process := range all {
		commandLine, _ := os.ReadFile(filepath.Join(process, "cmdline")) // it may be gone
		environment, _ := os.ReadFile(filepath.Join(process, "environ"))
		if strings.Contains(string(commandLine)+string(environment), dir) {
			found = append(found, string(commandLine))
		}
	}
	return found
}

// build makes the demo and what it runs.
func build(t *testing.T) (demo, binaries string) {
	t.Helper()
	binaries = t.TempDir()
	for name, of := range map[string]string{
		"demo": ".", "manager": "../../cmd",
		"kubectl-license": "../../cmd/kubectl-license",
	} {
		if output, err := exec.Command("go", "build", "-o", filepath.Join(binaries, name), of).CombinedOutput(); err !=
			nil {
			t.Fatalf("building %s: %v\n%s", of, err, output)
		}
	}
	return filepath.Join(binaries, "demo"), binaries
}

func TestWithClaim(t *testing.T) {
	// {"limits":{"nodes":5}}
	const manifest = "spec:\n  token: head.eyJsaW1pdHMiOnsibm9kZXMiOjV9fQ.signature\n"
	got, err := withClaim(manifest, `"nodes":5`, `"nodes":50`)
	if want := "spec:\n  token: head.eyJsaW1pdHMiOnsibm9kZXMiOjUwfX0.signature\n"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := withClaim(manifest, `"cores":5`, `"cores":50`); err == nil {
		t.Error("want an error where there is no such claim")
	}
}
