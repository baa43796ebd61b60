// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/creack/pty"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gexec"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

// session is commands one after the other, as one user runs them, and the record of what that user sees.
type session struct {
	// kubeconfig of the user.
	kubeconfig string
	// dir is the current folder.
	dir string
	// env is added to the environment.
	env []string

	record strings.Builder
	// secret texts are different in each run, and have names in the record.
	secrets []string
}

func newSession(kubeconfig string) *session {
	return &session{kubeconfig: kubeconfig, dir: GinkgoT().TempDir()}
}

// command is one of kubectl license.
type command struct {
	args []string
	// stdin is what is typed, or comes through a pipe.
	stdin string
	// width of the terminal that the standard output is; 0: it is a pipe.
	width uint16
	// typed tells that the standard input is a terminal too, where somebody types stdin.
	typed bool
}

// outcome of a command.
type outcome struct {
	stdout, stderr string
	code           int
}

// command is a process that has yet to be started.
func (s *session) command(ctx context.Context, args ...string) *exec.Cmd {
	kubectl := exec.CommandContext(ctx, plane.Kubectl(), append([]string{"license"}, args...)...)
	kubectl.Dir = s.dir
	kubectl.Env = append(append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "PATH="+binaries, "TERM=xterm-256color",
		"NO_COLOR=", "HOME="+s.dir), s.env...)
	return kubectl
}

// start starts a command that goes on until it is interrupted, in a pipe. It is not recorded.
func (s *session) start(ctx SpecContext, args ...string) *gexec.Session {
	GinkgoHelper()
	started, err := gexec.Start(s.command(ctx, args...), GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { started.Kill().Wait() })
	return started
}

// showStarted records a started command with its whole output. It has ended.
func (s *session) showStarted(started *gexec.Session) {
	GinkgoHelper()
	Expect(started.ExitCode()).To(BeNumerically(">=", 0))
	s.recordOutcome(command{args: started.Command.Args[2:]},
		outcome{string(started.Out.Contents()), string(started.Err.Contents()), started.ExitCode()})
}

// run runs a command without recording it.
func (s *session) run(ctx SpecContext, c command) outcome {
	GinkgoHelper()
	kubectl := s.command(ctx, c.args...)
	kubectl.Stdin = strings.NewReader(c.stdin)
	if c.typed {
		keyboard, terminal, err := pty.Open()
		Expect(err).NotTo(HaveOccurred())
		defer func() { Expect(errors.Join(terminal.Close(), keyboard.Close())).To(Succeed()) }()
		_, err = io.WriteString(keyboard, c.stdin)
		Expect(err).NotTo(HaveOccurred())
		kubectl.Stdin = terminal
	}
	var stdout, stderr bytes.Buffer
	kubectl.Stdout, kubectl.Stderr = &stdout, &stderr
	read := func() {}
	if c.width > 0 {
		screen, terminal, err := pty.Open()
		Expect(err).NotTo(HaveOccurred())
		Expect(pty.Setsize(screen, &pty.Winsize{Cols: c.width, Rows: 24})).To(Succeed())
		kubectl.Stdout = terminal
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(&stdout, screen) // It ends with EIO once the other side has closed the terminal.
		}()
		read = func() {
			Expect(terminal.Close()).To(Succeed())
			<-done
			Expect(screen.Close()).To(Succeed())
		}
	}
	err := kubectl.Run()
	read()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		Expect(err).NotTo(HaveOccurred())
	}
	return outcome{strings.ReplaceAll(stdout.String(), "\r\n", "\n"), stderr.String(), kubectl.ProcessState.ExitCode()}
}

// show runs a command in a pipe, and records it.
func (s *session) show(ctx SpecContext, args ...string) outcome {
	GinkgoHelper()
	return s.showThis(ctx, command{args: args})
}

// showThis runs a command, and records it with its whole output.
func (s *session) showThis(ctx SpecContext, c command) outcome {
	GinkgoHelper()
	got := s.run(ctx, c)
	s.recordOutcome(c, got)
	return got
}

func (s *session) recordOutcome(c command, got outcome) {
	if c.width > 0 {
		fmt.Fprintf(&s.record, "# on a terminal of %d columns\n", c.width)
	}
	fmt.Fprintf(&s.record, "$ kubectl license %s\n", strings.Join(c.args, " "))
	s.section("typed", c.stdin)
	s.section("stdout", got.stdout)
	s.section("stderr", got.stderr)
	fmt.Fprintf(&s.record, "[exit %d]\n\n", got.code)
}

func (s *session) section(name, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(&s.record, "[%s]\n%s", name, text)
	if !strings.HasSuffix(text, "\n") {
		s.record.WriteString("<no new line>\n")
	}
}

// note puts a line of explanation into the record.
func (s *session) note(format string, args ...any) { fmt.Fprintf(&s.record, "# "+format+"\n", args...) }

// hide gives a text that is different in each run a name, in the record.
func (s *session) hide(text, name string) { s.secrets = append(s.secrets, text, "<"+name+">") }

var (
	// All times have one length, and so has what stands in for them: columns stay where they are.
	someTime  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	someDate  = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`)
	someMonth = regexp.MustCompile(`\b20\d\d-\d\d\b`)
	someUID   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	someShade = regexp.MustCompile(`\x1b\[(\d+)m`)
)

// compare compares the record with a golden file: testdata/NAME.txt.
func (s *session) compare(name string) {
	GinkgoHelper()
	path := filepath.Join("testdata", name+".txt")
	got := strings.NewReplacer(s.secrets...).Replace(strings.TrimRight(s.record.String(), "\n") + "\n")
	got = strings.ReplaceAll(got, plane.Admin().Host, "https://api")
	got = someTime.ReplaceAllString(got, "YYYY-MM-DDThh:mm:ssZ")
	got = someDate.ReplaceAllString(got, "YYYY-MM-DD")
	got = someMonth.ReplaceAllString(got, "YYYY-MM")
	got = someUID.ReplaceAllString(got, "uuuuuuuu-uuuu-uuuu-uuuu-uuuuuuuuuuuu")
	got = someShade.ReplaceAllString(got, "<$1>")
	if *update {
		Expect(os.WriteFile(path, []byte(got), 0o644)).To(Succeed())
		return
	}
	want, err := os.ReadFile(path)
	Expect(err).NotTo(HaveOccurred())
	Expect(got).To(Equal(string(want)), path+" differs: go test ./test/plugin -update writes it anew")
}
