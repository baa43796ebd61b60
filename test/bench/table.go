// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// machine says what the numbers were measured on.
func machine() string {
	model := "unknown CPU"
	content, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range bytes.Lines(content) {
			if name, value, found := strings.Cut(string(line), ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("Measured on %s, %d cores, %s/%s, %s, on %s%s.",
		model, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(),
		time.Now().UTC().Format(time.DateOnly), load())
}

// load tells whether the machine had anything else to do.
func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	lastMinute, _, _ := strings.Cut(string(content), " ")
	return ", with a load average of " + lastMinute + " before"
}

// table prints rows as a Markdown table that is also readable as it is. The first row is its head.
func table(out io.Writer, title string, rows ...[]string) error {
	fmt.Fprintf(out, "\n### %s\n\n", title)
	columns := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	for i, row := range rows {
		fmt.Fprintf(columns, "| %s\t|\n", strings.Join(row, "\t| "))
		if i == 0 {
			fmt.Fprintf(columns, "|%s\n", strings.Repeat(" ---\t|", len(row)))
		}
	}
	return columns.Flush()
}

// number is n with its thousands apart.
func number[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func milliseconds(d time.Duration) string { return number(d.Milliseconds()) + " ms" }

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// verdict compares with a target.
func verdict(target string, met bool) string {
	if met {
		return target + ": met"
	}
	return target + ": **missed**"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// measured is a value and how it is written; atLeast tells that it would have been more if there had been more time.
type measured struct {
	value   float64
	text    string
	atLeast bool
}

func measure[N ~int | ~int64](value N, write func(N) string) measured {
	return measured{value: float64(value), text: write(value)}
}

func (m measured) atLeastIf(unfinished bool) measured {
	m.atLeast = unfinished
	return m
}

func (m measured) String() string {
	if m.atLeast {
		return "> " + m.text
	}
	return m.text
}

// comparisonHead is the head of a table whose rows are compared.
func comparisonHead(managers []candidate) []string {
	head := []string{""}
	for _, m := range managers {
		head = append(head, m.name)
	}
	if len(managers) > 1 {
		head = append(head, "ratio")
	}
	return append(head, "target")
}

// compared is a row with what was measured of each manager, and, where there are two, how the last compares with the
// first.
func compared[R any](results []R, label, target string, of func(R) measured) []string {
	row := []string{label}
	for _, r := range results {
		row = append(row, of(r).String())
	}
	if len(results) > 1 {
		row = append(row, ratio(of(results[0]), of(results[len(results)-1])))
	}
	return append(row, target)
}

// ratio of the second to the first, as far as it is known.
func ratio(first, second measured) string {
	if first.value == 0 || first.atLeast && second.atLeast {
		return ""
	}
	bound := ""
	if first.atLeast {
		bound = "< "
	} else if second.atLeast {
		bound = "> "
	}
	r := second.value / first.value
	if r >= 10 {
		return fmt.Sprintf("%s%.0f", bound, r)
	}
	return fmt.Sprintf("%s%.2g", bound, r)
}
