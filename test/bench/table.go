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
