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

// checkResult is the result of a check.
type checkResult string

// Results of a check.
const (
	checkOK         checkResult = "OK"
	checkWarning    checkResult = "Warning"
	checkProblem    checkResult = "Problem"
	checkNotChecked checkResult = "NotChecked"
)

const (
	// alignedFrom is the width of a terminal from which messages have a column of their own.
	alignedFrom = 100
	// minMessageWidth is the width of messages on the narrowest terminal.
	minMessageWidth = 24
	// fixMark is printed before each fix.
	fixMark = "-> "
)

// resultTexts are the results as text, in color.
var resultTexts = map[checkResult]struct {
	text  string
	color term.Color
}{
	checkOK: {"ok", term.ColorGood}, checkWarning: {"warning", term.ColorWarning},
	checkProblem: {"problem", term.ColorBad}, checkNotChecked: {"not checked", term.ColorNone},
}

// check is one line of the report, and what to do about it. Its JSON form is an interface, which --help describes.
type check struct {
	Name    string      `json:"name"`
	Result  checkResult `json:"result"`
	Message string      `json:"message"`
	Fix     string      `json:"fix,omitempty"`
}

func pass(format string, args ...any) check {
	return check{Result: checkOK, Message: fmt.Sprintf(format, args...)}
}

func warn(fix, format string, args ...any) check {
	return check{Result: checkWarning, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func fail(fix, format string, args ...any) check {
	return check{Result: checkProblem, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func skip(fix, format string, args ...any) check {
	return check{Result: checkNotChecked, Message: fmt.Sprintf(format, args...), Fix: fix}
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
	var results, names int
	for _, check := range c.Checks {
		results, names = max(results, len(resultTexts[check.Result].text)), max(names, len(check.Name))
	}
	width, indent := math.MaxInt, results+len(term.ColumnGap)
	isNarrow := out.Width > 0 && out.Width < alignedFrom
	switch {
	case isNarrow:
		width = max(out.Width, indent+minMessageWidth)
	case out.Width > 0:
		width = out.Width
	}
	if !isNarrow {
		indent += names + len(term.ColumnGap)
	}
	others := strings.Repeat(" ", indent)
	for _, check := range c.Checks {
		result := resultTexts[check.Result]
		begin := fmt.Sprintf("%-*s%s%-*s%s", results, result.text, term.ColumnGap, names, check.Name, term.ColumnGap)
		if isNarrow { // The message follows its name.
			begin = fmt.Sprintf("%-*s%s%s: ", results, result.text, term.ColumnGap, check.Name)
		}
		lines := term.WrapTo(width, text.Printable(check.Message), begin, others)
		lines = out.Paint(result.text, result.color) + strings.TrimPrefix(lines, result.text) + "\n"
		if check.Fix != "" {
			lines += term.WrapTo(width, text.Printable(check.Fix), others+fixMark, others+"   ") + "\n"
		}
		if _, err := fmt.Fprint(out, lines); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "\n%s\n", c.summary())
	return err
}

// summary counts the checks that are not ok.
func (c *report) summary() string {
	var parts []string
	for _, part := range []struct {
		result    checkResult
		one, many string
	}{
		{checkProblem, "problem", "problems"},
		{checkWarning, "warning", "warnings"},
		{checkNotChecked, "not checked", "not checked"},
	} {
		if n := c.count(part.result); n > 0 {
			parts = append(parts, text.Count(n, part.one, part.many))
		}
	}
	if len(parts) == 0 {
		return "No problems found."
	}
	return strings.Join(parts, ", ") + "."
}

func (c *report) count(result checkResult) (n int) {
	for _, check := range c.Checks {
		if check.Result == result {
			n++
		}
	}
	return n
}

// failure fails if there is a problem. The problems and their fixes are printed already.
func (c *report) failure() error {
	if n := c.count(checkProblem); n > 0 {
		return command.FailWithHint("Each line above has its fix below it.", "%s found", text.Plural(n, "problem"))
	}
	return nil
}
