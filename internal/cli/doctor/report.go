// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"math"
	"strings"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
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

// words of a result, and the color that they have.
func (r checkResult) words() (text string, as term.Color) {
	switch r {
	case checkOK:
		return "ok", term.ColorGood
	case checkWarning:
		return "warning", term.ColorWarning
	case checkProblem:
		return "problem", term.ColorBad
	default:
		return "not checked", term.ColorNone
	}
}

// check is one line of the report, and what to do about it. Its JSON form is an interface, which --help describes.
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

// report is all checks.
type report struct {
	Checks []check `json:"checks"`
}

// print prints the checks, as text or in a format for programs.
func (c *report) print(out term.Screen, format string) error {
	if format != "" {
		return output.Write(out, format, c)
	}
	l := c.layout(out)
	var lines strings.Builder
	for _, check := range c.Checks {
		words, as := check.Result.words()
		line := term.WrapTo(l.columns, text.Printable(check.Message), l.begin(words, check.Name), l.indent)
		lines.WriteString(out.Paint(words, as) + strings.TrimPrefix(line, words) + "\n")
		if check.Fix != "" {
			lines.WriteString(term.WrapTo(l.columns, text.Printable(check.Fix), l.indent+fixMark,
				l.indent+strings.Repeat(" ", len(fixMark))) + "\n")
		}
	}
	_, err := fmt.Fprintf(out, "%s\n%s\n", lines.String(), c.summary())
	return err
}

// layout is where results, names and messages stand.
type layout struct {
	// columns that there are, and the widths of results and names; a name that is 0 wide has its message next to it.
	columns, resultWidth, nameWidth int
	// indent of lines that go on, and of fixes.
	indent string
}

func (c *report) layout(out term.Screen) layout {
	l := layout{columns: math.MaxInt}
	for _, check := range c.Checks {
		words, _ := check.Result.words()
		l.resultWidth, l.nameWidth = max(l.resultWidth, len(words)), max(l.nameWidth, len(check.Name))
	}
	indent := l.resultWidth + len(term.ColumnGap)
	if out.Width > 0 && out.Width < alignedFrom {
		l.columns, l.nameWidth = max(out.Width, indent+minMessageWidth), 0
	} else {
		indent += l.nameWidth + len(term.ColumnGap)
		if out.Width > 0 {
			l.columns = out.Width
		}
	}
	l.indent = strings.Repeat(" ", indent)
	return l
}

// begin of a check's first line.
func (l *layout) begin(result, name string) string {
	begin := fmt.Sprintf("%-*s%s", l.resultWidth, result, term.ColumnGap)
	if l.nameWidth == 0 {
		return begin + name + ": "
	}
	return begin + fmt.Sprintf("%-*s%s", l.nameWidth, name, term.ColumnGap)
}

// summary counts what is not ok.
func (c *report) summary() string {
	counts := c.counts()
	var parts []string
	if n := counts[checkProblem]; n > 0 {
		parts = append(parts, text.Plural(n, "problem"))
	}
	if n := counts[checkWarning]; n > 0 {
		parts = append(parts, text.Plural(n, "warning"))
	}
	if n := counts[checkNotChecked]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d not checked", n))
	}
	if len(parts) == 0 {
		return "All is well."
	}
	return strings.Join(parts, ", ") + "."
}

func (c *report) counts() map[checkResult]int64 {
	counts := map[checkResult]int64{}
	for _, check := range c.Checks {
		counts[check.Result]++
	}
	return counts
}

// failure fails where there is a problem. What the problems are has been printed, with what to do.
func (c *report) failure() error {
	if n := c.counts()[checkProblem]; n > 0 {
		return command.FailWithHint("Each line above has its fix below it.", "%s found", text.Plural(n, "problem"))
	}
	return nil
}
