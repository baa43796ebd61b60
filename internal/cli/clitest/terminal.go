// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package clitest runs the plugin in tests, records what a user sees, and has a fake API server.
package clitest

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/text"
)

// Update tells whether to write golden files instead of comparing with them.
var Update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

// Present is the time of every test.
var Present = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// Transcript records what a user sees.
type Transcript struct {
	T *testing.T
	// Record is what has been seen so far.
	Record strings.Builder
	names  map[string]string
}

// NewTranscript is an empty one.
func NewTranscript(t *testing.T) *Transcript { return &Transcript{T: t, names: map[string]string{}} }

// Program is cli.Run.
type Program func(ctx context.Context, env command.Environment, args []string) int

// Terminal runs commands in a folder of its own, and records what a user sees.
type Terminal struct {
	*Transcript
	// Now is the time of all commands.
	Now     time.Time
	program Program
	random  *rand.ChaCha8
}

// NewTerminal makes an empty folder the current one.
func NewTerminal(t *testing.T, program Program) *Terminal {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "no-kubeconfig")
	return &Terminal{Transcript: NewTranscript(t), Now: Present, program: program, random: rand.NewChaCha8([32]byte{1})}
}

// Output is what one command wrote, and how it ended.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command without recording it.
func (e *Terminal) Run(stdin string, args ...string) Output {
	e.T.Helper()
	var stdout, stderr bytes.Buffer
	env := command.Environment{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &stdout, ErrOut: &stderr},
		Now:       func() time.Time { return e.Now },
		Random:    e.random,
	}
	code := e.program(e.T.Context(), env, append([]string{"kubectl-license"}, args...))
	return Output{stdout.String(), stderr.String(), code}
}

// Must runs a command that must succeed, and returns its standard output.
func (e *Terminal) Must(args ...string) string {
	e.T.Helper()
	got := e.Run("", args...)
	if got.Code != command.ExitOK {
		e.T.Fatalf("%q ended with %d: %s", args, got.Code, got.Stderr)
	}
	return got.Stdout
}

// Show runs a command and records it with its whole output.
func (e *Terminal) Show(args ...string) Output {
	e.T.Helper()
	return e.Feed("", args...)
}

// Feed is Show with a standard input.
func (e *Terminal) Feed(stdin string, args ...string) Output {
	e.T.Helper()
	got := e.Run(stdin, args...)
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = text.Printable(text.ShellQuote(arg))
	}
	fmt.Fprintf(&e.Record, "$ kubectl license %s\n", strings.Join(words, " "))
	e.Section("stdout", got.Stdout)
	e.Section("stderr", got.Stderr)
	fmt.Fprintf(&e.Record, "[exit %d]\n\n", got.Code)
	return got
}

// Section records a text below a name, unless it is empty.
func (s *Transcript) Section(name, text string) {
	if text != "" {
		fmt.Fprintf(&s.Record, "[%s]\n%s", name, text)
	}
}

// Note records an explanation.
func (s *Transcript) Note(format string, args ...any) {
	fmt.Fprintf(&s.Record, "# "+format+"\n", args...)
}

// Write writes a file into the folder.
func (e *Terminal) Write(name, content string) {
	e.T.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		e.T.Fatal(err)
	}
}

// Read reads a file of the folder.
func (e *Terminal) Read(name string) string {
	e.T.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		e.T.Fatal(err)
	}
	return string(content)
}

// Compare compares the record with a golden file. It replaces what differs in each run, such as fingerprints, by names.
func (s *Transcript) Compare(folder, name string) {
	s.T.Helper()
	path := filepath.Join(folder, name+".txt")
	got := s.anonymous(strings.TrimRight(s.Record.String(), "\n") + "\n")
	if *Update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.T.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.T.Fatal(err)
	}
	if got != string(want) {
		s.T.Errorf("%s differs (go test -update writes it again):\n%s", path,
			FirstDifference(string(want), got))
	}
}

var (
	someFingerprint = regexp.MustCompile(`(?:[0-9A-F]{2}:){31}[0-9A-F]{2}`)
	// SomeToken matches a token.
	SomeToken       = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	someCertificate = regexp.MustCompile(
		`(-----BEGIN CERTIFICATE-----\n)([ \t]*[A-Za-z0-9+/=]+\n)+([ \t]*-----END CERTIFICATE-----)`)
)

// ReplaceAll replaces a text in the record that differs in each run.
func (s *Transcript) ReplaceAll(old, replacement string) {
	record := strings.ReplaceAll(s.Record.String(), old, replacement)
	s.Record.Reset()
	s.Record.WriteString(record)
}

func (s *Transcript) anonymous(text string) string {
	text = SomeToken.ReplaceAllString(text, "<token>")
	text = someCertificate.ReplaceAllString(text, "$1    <base64>\n$3")
	return someFingerprint.ReplaceAllStringFunc(text, func(fingerprint string) string {
		if _, known := s.names[fingerprint]; !known {
			s.names[fingerprint] = fmt.Sprintf("<fingerprint %d>", len(s.names)+1)
		}
		return s.names[fingerprint]
	})
}

// FirstDifference is the first line that differs.
func FirstDifference(want, got string) string {
	wantLines, gotLines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(wantLines), len(gotLines)) {
		w, g := lineAt(wantLines, i), lineAt(gotLines, i)
		if w != g {
			return fmt.Sprintf("line %d\nwant: %s\ngot:  %s", i+1, w, g)
		}
	}
	return ""
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "<no more lines>"
}

// Goldens is the folder of the golden files, as an absolute path.
func Goldens(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// Date is a time (RFC 3339), or the first second of a date in UTC.
func Date(words string) time.Time {
	instant, _, err := text.ParseTime(words)
	if err != nil {
		panic(err)
	}
	return instant
}
