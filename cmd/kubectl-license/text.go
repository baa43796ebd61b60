// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Formats of output, as kubectl has them.
const (
	outputJSON = "json"
	outputYAML = "yaml"
	outputWide = "wide"
	outputName = "name"
)

// addOutputFlag is the flag for formats of output, in place of what the command prints without it.
func addOutputFlag(command *cobra.Command, output *string, instead string, formats ...string) {
	command.Flags().StringVarP(output, "output", "o", "", fmt.Sprintf("print `FORMAT` %s instead of %s", anyOf(formats), instead))
	completeWith(command, "output", formats...)
}

// checkOutput refuses what is none of the formats that a command has; empty is its text for humans.
func checkOutput(command *cobra.Command, format string, formats ...string) error {
	if format == "" || slices.Contains(formats, format) {
		return nil
	}
	return misused(command, "--output %q: want %s", format, anyOf(formats))
}

// anyOf is a choice in words, of two or more.
func anyOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

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

// elided keeps a text to so many characters, with dots in place of the rest.
func elided(text string, length int) string {
	const dots = "..."
	if utf8.RuneCountInString(text) <= length {
		return text
	}
	return string([]rune(text)[:length-len(dots)]) + dots
}

// firstOf names the first few of several things, and says how many more there are.
func firstOf(names []string, few int) string {
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
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

// labelWidth is how wide the labels are.
func (t *table) labelWidth() int {
	width := 0
	for _, row := range t.rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	return width
}

// writeFolded prints the table in lines of no more than some columns, as far as words allow.
func (t *table) writeFolded(out io.Writer, columns int) error {
	width := t.labelWidth()
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out, foldTo(columns, row[1], fmt.Sprintf("%-*s  ", width, row[0]), strings.Repeat(" ", width+2))); err != nil {
			return err
		}
	}
	return nil
}

// write prints the table; a line that continues a value has an empty label.
func (t *table) write(out io.Writer) error {
	width := t.labelWidth()
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
func fold(text, first, others string) string { return foldTo(textWidth, text, first, others) }

// foldTo is fold for lines of another width.
func foldTo(lineWidth int, text, first, others string) string {
	var folded strings.Builder
	folded.WriteString(first)
	width := utf8.RuneCountInString(first)
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width+1+length > lineWidth:
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
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(out, escapedJSON(text.String()))
	return err
}

// escapedJSON escapes what a terminal would obey though JSON allows it: beyond ASCII there are control characters too, and those that turn the direction of writing. For a reader of JSON it is the same.
func escapedJSON(text string) string {
	var safe strings.Builder
	for _, r := range text {
		if r < unicode.MaxASCII || unicode.IsPrint(r) {
			safe.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&safe, `\u%04x`, unit)
		}
	}
	return safe.String()
}

// warnf tells of something that is no error.
func warnf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "warning: %s\n", printable(fmt.Sprintf(format, args...)))
}
