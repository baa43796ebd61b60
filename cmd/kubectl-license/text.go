// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Formats of output for programs.
const (
	outputJSON = "json"
	outputYAML = "yaml"
)

// printable makes text of unknown origin safe for a terminal: what does not print, control characters and those that turn the direction of writing among
// it, becomes an escape.
func printable(text string) string {
	var safe strings.Builder
	for _, r := range text {
		if r != utf8.RuneError && unicode.IsPrint(r) {
			safe.WriteRune(r)
		} else {
			safe.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return safe.String()
}

// printableList is printable for several texts, and a dash for none.
func printableList(texts []string, none string) string {
	if len(texts) == 0 {
		return none
	}
	safe := make([]string, len(texts))
	for i, text := range texts {
		safe[i] = printable(text)
	}
	return strings.Join(safe, ", ")
}

// table is a list of labels and values, aligned.
type table struct{ rows [][2]string }

func (t *table) add(label, value string) { t.rows = append(t.rows, [2]string{label, value}) }

// write prints the table; a line that continues a value has an empty label.
func (t *table) write(out io.Writer) error {
	width := 0
	for _, row := range t.rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-*s  %s", width, row[0], row[1]), " ")); err != nil {
			return err
		}
	}
	return nil
}

// grid is rows of columns, aligned, the first row being their head. The last column is as wide as it likes, so that is the one for names.
type grid struct{ rows [][]string }

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// write prints the grid, a little indented: it is a part of something.
func (g *grid) write(out io.Writer) {
	var widths []int
	for _, row := range g.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		fmt.Fprintln(out, "  "+strings.TrimRight(line.String(), " "))
	}
}

// textWidth is how wide running text is: any terminal shows it.
const textWidth = 80

// fold breaks running text into lines, the first after one indent and the others after another. Whoever calls it has made the text printable.
func fold(text, first, others string) string {
	var folded strings.Builder
	folded.WriteString(first)
	width := utf8.RuneCountInString(first)
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width+1+length > textWidth:
			folded.WriteString("\n" + others)
			width = utf8.RuneCountInString(others)
		default:
			folded.WriteByte(' ')
			width++
		}
		folded.WriteString(word)
		width += length
	}
	return folded.String()
}

// writeEncoded prints a value as JSON or YAML.
func writeEncoded(out io.Writer, format string, value any) error {
	if format == outputYAML {
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// fingerprint is the SHA-256 fingerprint of a certificate in the notation of openssl, which LicensedProduct's revocations take.
func fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// warnf tells of something that is no error.
func warnf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "warning: %s\n", printable(fmt.Sprintf(format, args...)))
}
