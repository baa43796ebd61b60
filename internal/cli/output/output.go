// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package output has the formats of -o, and writes values as JSON or YAML that is safe for a terminal.
package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/text"
)

// Formats of output, as kubectl has them.
const (
	JSON = "json"
	YAML = "yaml"
	Wide = "wide"
	Name = "name"
)

// ListFormats are the formats that lists have, besides their table.
var ListFormats = []string{JSON, YAML, Wide, Name}

// AddFlag is the flag for formats of output, in place of what the command prints without it.
func AddFlag(cmd *cobra.Command, output *string, instead string, formats ...string) {
	cmd.Flags().StringVarP(output, "output", "o", "",
		fmt.Sprintf("print `FORMAT` %s instead of %s", text.Or(formats), instead))
	command.CompleteFlag(cmd, "output", formats...)
}

// AddListFlag is the flag for the formats that lists have.
func AddListFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "",
		"print `FORMAT` json, yaml or name instead of a table, or wide for one with more columns")
	command.CompleteFlag(cmd, "output", ListFormats...)
}

// Check refuses what is none of the formats that a command has; empty is its text for humans.
func Check(cmd *cobra.Command, format string, formats ...string) error {
	if format == "" || slices.Contains(formats, format) {
		return nil
	}
	return command.UsageError(cmd, "--output %q: want %s", format, text.Or(formats))
}

// Write prints a value as JSON or YAML.
func Write(out io.Writer, format string, value any) error {
	if format == YAML {
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
