// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
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
	"golang.org/x/text/width"
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
	command.Flags().StringVarP(output, "output", "o", "",
		fmt.Sprintf("print `FORMAT` %s instead of %s", anyOf(formats), instead))
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

// printable makes text of unknown origin safe for a terminal: what does not print, control characters and those that
// turn the direction of writing among it, becomes an escape.
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

// columnsOf is how many columns of a terminal a text takes: none for a mark that combines with what is before it, two
// for most characters of East Asia and for emoji.
func columnsOf(text string) int {
	columns := 0
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			columns += 2
		default:
			columns++
		}
	}
	return columns
}

// padded fills a text up to some columns.
func padded(text string, columns int) string {
	return text + strings.Repeat(" ", max(columns-columnsOf(text), 0))
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
		width = max(width, columnsOf(row[0]))
	}
	return width
}

// writeFolded prints the table in lines of no more than some columns, as far as words allow.
func (t *table) writeFolded(out io.Writer, columns int) error {
	width := t.labelWidth()
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out,
			foldTo(columns, row[1], padded(row[0], width)+"  ", strings.Repeat(" ", width+2))); err != nil {
			return err
		}
	}
	return nil
}

// write prints the table; a line that continues a value has an empty label.
func (t *table) write(out io.Writer) error {
	width := t.labelWidth()
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out, strings.TrimRight(padded(row[0], width)+"  "+row[1], " ")); err != nil {
			return err
		}
	}
	return nil
}

// grid is rows of columns, aligned, the first row being their head. The last column is as wide as it likes, so that is
// the one for names.
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
			widths[i] = max(widths[i], columnsOf(cell))
		}
	}
	for _, row := range g.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(padded(cell, widths[i]) + "  ")
		}
		fmt.Fprintln(out, "  "+strings.TrimRight(line.String(), " "))
	}
}

// textWidth is how wide running text is: any terminal shows it.
const textWidth = 80

// fold breaks running text into lines, the first after one indent and the others after another. Whoever calls it has
// made the text printable.
func fold(text, first, others string) string { return foldTo(textWidth, text, first, others) }

// foldTo is fold for lines of another width.
func foldTo(lineWidth int, text, first, others string) string {
	var folded strings.Builder
	folded.WriteString(first)
	width := columnsOf(first)
	for i, word := range strings.Fields(text) {
		length := columnsOf(word)
		switch {
		case i == 0:
		case width+1+length > lineWidth:
			folded.WriteString("\n" + others)
			width = columnsOf(others)
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
		text, err := marshalYAML(value)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text)
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

// marshalYAML is a value as YAML, with escapes for what escapedJSON escapes. YAML has them only between double quotes,
// and its encoder knows when it needs these, but takes more for printable than a terminal ought to be sent. So it is
// given a zero in the place of such a character, which makes it use them, and a word that is nowhere else.
func marshalYAML(value any) (string, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	mark := "x"
	for bytes.Contains(encoded, []byte(mark)) {
		mark += "x"
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return "", err
	}
	text, err := yaml.Marshal(mapTexts(tree, func(text string) string {
		var marked strings.Builder
		for _, r := range text {
			switch {
			case r < unicode.MaxASCII, unicode.IsPrint(r):
				marked.WriteRune(r)
			case r <= 0xffff:
				fmt.Fprintf(&marked, "\x00%su%04x", mark, r)
			default:
				fmt.Fprintf(&marked, "\x00%sU%08x", mark, r)
			}
		}
		return marked.String()
	}))
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(string(text), `\0`+mark, `\`), nil
}

// mapTexts changes all texts in a value that was decoded from JSON, names of members among them.
func mapTexts(value any, change func(string) string) any {
	switch value := value.(type) {
	case string:
		return change(value)
	case []any:
		for i := range value {
			value[i] = mapTexts(value[i], change)
		}
		return value
	case map[string]any:
		changed := make(map[string]any, len(value))
		for name, member := range value {
			changed[change(name)] = mapTexts(member, change)
		}
		return changed
	default:
		return value
	}
}

// escapedJSON escapes what a terminal would obey though JSON allows it: beyond ASCII there are control characters too,
// and those that turn the direction of writing. For a reader of JSON it is the same.
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
