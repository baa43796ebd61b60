// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// width is as wide as the output gets, tables of kubectl excepted.
const width = 96

// The colors, on a terminal.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	blue   = "\x1b[34m"
	cyan   = "\x1b[36m"
	reset  = "\x1b[0m"
)

// console prints the story. It may be used concurrently.
type console struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	colored  bool
	// pending tells that a line stands on the terminal that the next one overwrites.
	pending bool
	// blankLast tells that the last line was blank: one is enough.
	blankLast bool
}

func newConsole(out *os.File) *console {
	info, err := out.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
	return &console{out: out, terminal: terminal, colored: terminal && os.Getenv("NO_COLOR") == ""}
}

func (c *console) print(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending {
		fmt.Fprint(c.out, "\r\x1b[K")
		c.pending = false
	}
	if text != "" || !c.blankLast {
		fmt.Fprintln(c.out, text)
	}
	c.blankLast = text == ""
}

// passing shows a line that the next one overwrites, on a terminal.
func (c *console) passing(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminal {
		fmt.Fprint(c.out, "\r\x1b[K"+c.in(dim, text))
		c.pending = true
	}
}

// in is text in a color.
func (c *console) in(color, text string) string {
	if !c.colored || text == "" {
		return text
	}
	return color + text + reset
}

func (c *console) blank() { c.print("") }

func (c *console) line(text string) { c.print(text) }

func (c *console) paragraph(text string) {
	for _, line := range wrapped(text, width-2) {
		c.print("  " + line)
	}
	c.blank()
}

func (c *console) title(text string) {
	c.blank()
	c.print(c.in(bold, text))
	c.blank()
}

// chapter begins a step of the story, and says what it is about.
func (c *console) chapter(number int, title, text string) {
	c.blank()
	rule := strings.Repeat("─", max(0, width-len([]rune(title))-6))
	c.print(c.in(bold, fmt.Sprintf("── %d  %s ", number, title)) + c.in(dim, rule))
	c.blank()
	c.paragraph(text)
}

func (c *console) command(command string) {
	for i, line := range strings.Split(command, "\n") {
		prompt := "  $ "
		if i > 0 {
			prompt = "    "
		}
		c.print(c.in(dim, prompt) + c.in(cyan, line))
	}
}

func (c *console) block(text string) {
	for line := range strings.Lines(text) {
		c.print("  " + c.in(cyan, strings.TrimRight(line, "\n")))
	}
	c.blank()
}

// table shows what kubectl printed as it is: it is as wide as some terminals.
func (c *console) table(text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		c.print(c.withStates(strings.TrimRight(line, " \n")))
	}
	c.blank()
}

// withStates colors the states in a line.
func (c *console) withStates(line string) string {
	for _, state := range []string{
		"NotYetValid", "Unlicensed", "GracePeriod", "Expired", "Invalid", " Valid ",
		"Active",
	} {
		line = strings.Replace(line, state, c.state(state), 1)
	}
	return line
}

// state is a state in its color.
func (c *console) state(state string) string {
	switch strings.TrimSpace(state) {
	case "Valid":
		return c.in(green, state)
	case "GracePeriod":
		return c.in(yellow, state)
	case "Expired", "Invalid", "Active":
		return c.in(red, state)
	default:
		return c.in(blue, state)
	}
}

// progress says what is being done, and then, with what the returned function is told, how long it took.
func (c *console) progress(what string) func(result string) {
	start := time.Now()
	c.passing("  " + what + " …")
	return func(result string) {
		c.print(fmt.Sprintf("  %-46s %s %s", what, c.in(dim, fmt.Sprintf("%4.1f s ", time.Since(start).Seconds())),
			result))
	}
}

// sighting tells of something seen, and how long after its cause.
func (c *console) sighting(s *sighting, cause time.Time) {
	const indent = 26
	after := ""
	if !cause.IsZero() && !s.isDoing() {
		after = since(s.at.Sub(cause))
	}
	c.print(fmt.Sprintf("  %s %s  %-8s %-6s  %s", c.in(dim, s.at.UTC().Format("15:04:05.000")),
		c.in(dim, fmt.Sprintf("%9s", after)), s.kind, s.name, c.told(s)))
	for _, line := range wrapped(s.note, width-indent) {
		c.print(strings.Repeat(" ", indent) + c.in(dim, line))
	}
}

// since is a duration as short as it is useful: milliseconds for what was prompt.
func since(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("+%d ms", d.Milliseconds())
	}
	return "+" + d.Truncate(time.Second).String()
}

func (c *console) told(s *sighting) string {
	switch {
	case s.kind == anEvent && s.warning:
		return c.in(yellow, "Warning ") + s.reason
	case s.kind == anEvent:
		return "Normal " + s.reason
	case s.deleted:
		return "deleted"
	case s.kind == aPolicy && s.again:
		return "changed"
	case s.byOperator:
		return "created"
	case s.state == "":
		return "applied"
	case s.kind == aKey:
		return fmt.Sprintf("%s  Ready: %s, Active: %s", c.change(s), s.reason, s.active)
	case s.onlyAffects && s.affects != "" && s.restriction == api.RestrictionActive:
		return "restricts " + s.affects
	case s.onlyAffects && s.affects != "":
		return "would restrict " + s.affects
	case s.active == "":
		return fmt.Sprintf("%s  %s", c.change(s), c.restricts(s))
	default:
		return fmt.Sprintf("%s  by %s, %s", c.change(s), s.active, c.restricts(s))
	}
}

// restricts says since when or from when on a product is restricted.
func (c *console) restricts(s *sighting) string {
	switch s.restriction {
	case api.RestrictionActive:
		return c.in(red, "restricted")
	case api.RestrictionPaused:
		return "restriction paused"
	default:
		return "restricts at " + short(s.restricts, s.at)
	}
}

// short is an instant as the time of this day, or as the day where it is another.
func short(t, now time.Time) string {
	if t.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.UTC().Format(time.TimeOnly)
	}
	return t.UTC().Format(time.DateOnly)
}

func (c *console) change(s *sighting) string {
	if s.was == "" || s.was == s.state {
		return c.state(s.state)
	}
	return c.state(s.was) + " → " + c.state(s.state)
}

// failure says what went wrong.
func (c *console) failure(err error) {
	c.blank()
	c.print(c.in(red, "The demo failed: ") + err.Error())
}

// wrapped breaks text into lines between words.
func wrapped(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		last := len(lines) - 1
		if last >= 0 && len([]rune(lines[last]))+1+len([]rune(word)) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}
