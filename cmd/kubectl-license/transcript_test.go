// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

// present is the time of every test.
var present = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// transcript records what a user sees.
type transcript struct {
	t *testing.T
	// record is what has been seen so far.
	record strings.Builder
	names  map[string]string
}

// newTranscript is an empty one.
func newTranscript(t *testing.T) *transcript { return &transcript{t: t, names: map[string]string{}} }

// programFunc is all of the plugin but its process: cli.Run.
type programFunc func(ctx context.Context, env environment, args []string) int

// terminal runs commands one after the other, as in a folder of its own, and records what a user sees.
type terminal struct {
	*transcript
	// now is the time, which stands still.
	now     time.Time
	program programFunc
	random  *rand.ChaCha8
}

// newTerminalOf makes an empty folder the current one.
func newTerminalOf(t *testing.T, program programFunc) *terminal {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("KUBECONFIG", "no-kubeconfig")
	return &terminal{transcript: newTranscript(t), now: present, program: program, random: rand.NewChaCha8([32]byte{1})}
}

// output is what one command wrote, and how it ended.
type output struct {
	stdout, stderr string
	code           int
}

// run runs a command without recording it.
func (e *terminal) run(stdin string, args ...string) output {
	e.t.Helper()
	var stdout, stderr bytes.Buffer
	env := environment{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(stdin), Out: &stdout, ErrOut: &stderr},
		now:       func() time.Time { return e.now },
		random:    e.random,
	}
	code := e.program(e.t.Context(), env, append([]string{"kubectl-license"}, args...))
	return output{stdout.String(), stderr.String(), code}
}

// must runs a command that has to succeed, and returns its standard output.
func (e *terminal) must(args ...string) string {
	e.t.Helper()
	got := e.run("", args...)
	if got.code != exitOK {
		e.t.Fatalf("%q ended with %d: %s", args, got.code, got.stderr)
	}
	return got.stdout
}

// show runs a command and records it with its whole output.
func (e *terminal) show(args ...string) output {
	e.t.Helper()
	return e.feed("", args...)
}

// feed is show with something on the standard input.
func (e *terminal) feed(stdin string, args ...string) output {
	e.t.Helper()
	got := e.run(stdin, args...)
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = printable(shellWord(arg))
	}
	fmt.Fprintf(&e.record, "$ kubectl license %s\n", strings.Join(words, " "))
	e.section("stdout", got.stdout)
	e.section("stderr", got.stderr)
	fmt.Fprintf(&e.record, "[exit %d]\n\n", got.code)
	return got
}

// section records a text below a name, where there is one.
func (s *transcript) section(name, text string) {
	if text != "" {
		fmt.Fprintf(&s.record, "[%s]\n%s", name, text)
	}
}

// note puts a line of explanation into the record.
func (s *transcript) note(format string, args ...any) {
	fmt.Fprintf(&s.record, "# "+format+"\n", args...)
}

// write writes a file into the folder.
func (e *terminal) write(name, content string) {
	e.t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// read reads one of it.
func (e *terminal) read(name string) string {
	e.t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(content)
}

// compare compares the record with a golden file. What is different in each run, since private keys are, is replaced by
// names.
func (s *transcript) compare(folder, name string) {
	s.t.Helper()
	path := filepath.Join(folder, name+".txt")
	got := s.anonymous(strings.TrimRight(s.record.String(), "\n") + "\n")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if got != string(want) {
		s.t.Errorf("%s differs (go test -update writes it anew):\n%s", path,
			firstDifference(string(want), got))
	}
}

var (
	someFingerprint = regexp.MustCompile(`(?:[0-9A-F]{2}:){31}[0-9A-F]{2}`)
	someToken       = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)
	someCertificate = regexp.MustCompile(
		`(-----BEGIN CERTIFICATE-----\n)([ \t]*[A-Za-z0-9+/=]+\n)+([ \t]*-----END CERTIFICATE-----)`)
)

// replaceAll replaces in the record what is another in each run.
func (s *transcript) replaceAll(old, replacement string) {
	record := strings.ReplaceAll(s.record.String(), old, replacement)
	s.record.Reset()
	s.record.WriteString(record)
}

func (s *transcript) anonymous(text string) string {
	text = someToken.ReplaceAllString(text, "<token>")
	text = someCertificate.ReplaceAllString(text, "$1    <base64>\n$3")
	return someFingerprint.ReplaceAllStringFunc(text, func(fingerprint string) string {
		if _, known := s.names[fingerprint]; !known {
			s.names[fingerprint] = fmt.Sprintf("<fingerprint %d>", len(s.names)+1)
		}
		return s.names[fingerprint]
	})
}

// firstDifference is the first line that differs.
func firstDifference(want, got string) string {
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

// goldens is where the golden files are; tests have another current folder.
func goldens(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// product is the manifest of a LicensedProduct.
func product(name, anchors, more string) string {
	return "apiVersion: license-operator.io/v1alpha1\nkind: LicensedProduct\nmetadata:\n  name: " + name +
		"\nspec:\n  vendor: Acme\n" + more + "  trustAnchors: |\n" + indented(anchors, "    ")
}

func indented(text, with string) string {
	var result strings.Builder
	for line := range strings.Lines(text) {
		result.WriteString(with + line)
	}
	return result.String()
}
