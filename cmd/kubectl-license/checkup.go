// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// checkResult is what came of a check.
type checkResult string

// Results of a check.
const (
	checkOK         checkResult = "OK"
	checkWarning    checkResult = "Warning"
	checkProblem    checkResult = "Problem"
	checkNotChecked checkResult = "NotChecked"
)

const (
	// alignedFrom is how wide a terminal is on which messages stand in a column of their own.
	alignedFrom = 100
	// minMessageWidth is how wide messages are where a terminal is too narrow for anything.
	minMessageWidth = 24
	// fixMark is before each fix.
	fixMark = "-> "
)

// words of a result, and the shade that they have.
func (r checkResult) words() (text string, as shade) {
	switch r {
	case checkOK:
		return "ok", shadeGood
	case checkWarning:
		return "warning", shadeWarn
	case checkProblem:
		return "problem", shadeBad
	default:
		return "not checked", shadeNone
	}
}

// check is one line of a checkup, and what to do about it. Its JSON form is an interface, which --help describes.
type check struct {
	Name    string      `json:"name"`
	Result  checkResult `json:"result"`
	Message string      `json:"message"`
	Fix     string      `json:"fix,omitempty"`
}

func good(name, format string, args ...any) check {
	return check{Name: name, Result: checkOK, Message: fmt.Sprintf(format, args...)}
}

func warning(name, fix, format string, args ...any) check {
	return check{Name: name, Result: checkWarning, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func problem(name, fix, format string, args ...any) check {
	return check{Name: name, Result: checkProblem, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func notChecked(name, fix, format string, args ...any) check {
	return check{Name: name, Result: checkNotChecked, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// reading is what was read of a cluster, or why it could not be.
type reading[T any] struct {
	value T
	// right is what it takes to read it: list pods in namespace x.
	right string
	err   error
}

// hindered is a reading of anything.
type hindered interface {
	hindrance() (right string, err error)
}

func (r *reading[T]) hindrance() (right string, err error) { return r.right, r.err }

// unread is the check that cannot be made since something could not be read; false: it can.
func unread(name string, readings ...hindered) (check, bool) {
	for _, r := range readings {
		right, err := r.hindrance()
		switch {
		case err == nil:
		case apierrors.IsForbidden(err):
			return notChecked(name, "Ask whoever administers the cluster for: "+right, "you may not %s", right), true
		case isNotServed(err):
			return notChecked(name, "", "the cluster has nothing of the kind: cannot %s", right), true
		default:
			return notChecked(name, "Try again, and see whether it is the cluster or the connection.", "cannot %s: %v",
				right, err), true
		}
	}
	return check{}, false
}

// checkup is all checks.
type checkup struct {
	Checks []check `json:"checks"`
}

// print prints the checks, as text or in a format for programs.
func (c *checkup) print(out screen, format string) error {
	if format != "" {
		return writeEncoded(out, format, c)
	}
	l := c.layout(out)
	var lines strings.Builder
	for _, check := range c.Checks {
		words, as := check.Result.words()
		line := foldTo(l.columns, printable(check.Message), l.begin(words, check.Name), l.indent)
		lines.WriteString(out.paint(words, as) + strings.TrimPrefix(line, words) + "\n")
		if check.Fix != "" {
			lines.WriteString(foldTo(l.columns, printable(check.Fix), l.indent+fixMark,
				l.indent+strings.Repeat(" ", len(fixMark))) + "\n")
		}
	}
	_, err := fmt.Fprintf(out, "%s\n%s\n", lines.String(), c.summary())
	return err
}

// checkupLayout is where results, names and messages stand.
type checkupLayout struct {
	// columns that there are, and the widths of results and names; a name that is 0 wide has its message next to it.
	columns, resultWidth, nameWidth int
	// indent of lines that go on, and of fixes.
	indent string
}

func (c *checkup) layout(out screen) checkupLayout {
	l := checkupLayout{columns: math.MaxInt}
	for _, check := range c.Checks {
		words, _ := check.Result.words()
		l.resultWidth, l.nameWidth = max(l.resultWidth, len(words)), max(l.nameWidth, len(check.Name))
	}
	indent := l.resultWidth + len(columnGap)
	if out.width > 0 && out.width < alignedFrom {
		l.columns, l.nameWidth = max(out.width, indent+minMessageWidth), 0
	} else {
		indent += l.nameWidth + len(columnGap)
		if out.width > 0 {
			l.columns = out.width
		}
	}
	l.indent = strings.Repeat(" ", indent)
	return l
}

// begin of a check's first line.
func (l *checkupLayout) begin(result, name string) string {
	begin := fmt.Sprintf("%-*s%s", l.resultWidth, result, columnGap)
	if l.nameWidth == 0 {
		return begin + name + ": "
	}
	return begin + fmt.Sprintf("%-*s%s", l.nameWidth, name, columnGap)
}

// summary counts what is not ok.
func (c *checkup) summary() string {
	counts := c.counts()
	var parts []string
	if n := counts[checkProblem]; n > 0 {
		parts = append(parts, plural(n, "problem"))
	}
	if n := counts[checkWarning]; n > 0 {
		parts = append(parts, plural(n, "warning"))
	}
	if n := counts[checkNotChecked]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d not checked", n))
	}
	if len(parts) == 0 {
		return "All is well."
	}
	return strings.Join(parts, ", ") + "."
}

func (c *checkup) counts() map[checkResult]int64 {
	counts := map[checkResult]int64{}
	for _, check := range c.Checks {
		counts[check.Result]++
	}
	return counts
}

// verdict fails where there is a problem. What the problems are has been printed, with what to do.
func (c *checkup) verdict() error {
	if n := c.counts()[checkProblem]; n > 0 {
		return failf("Each line above has its fix below it.", "%s found", plural(n, "problem"))
	}
	return nil
}
