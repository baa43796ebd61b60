// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package output has the formats of -o, and writes JSON and YAML that are safe for a terminal.
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

// Formats of output, as in kubectl.
const (
	JSON = "json"
	YAML = "yaml"
	Wide = "wide"
	Name = "name"
)

// ListFormats are the formats of a list, in addition to the table.
var ListFormats = []string{JSON, YAML, Wide, Name}

// AddFlag adds -o. instead is what the command prints without the flag.
func AddFlag(cmd *cobra.Command, output *string, instead string, formats ...string) {
	cmd.Flags().StringVarP(output, "output", "o", "",
		fmt.Sprintf("print `FORMAT` %s instead of %s", text.Or(formats), instead))
	command.CompleteFlag(cmd, "output", formats...)
}

// AddListFlag adds -o with ListFormats.
func AddListFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "",
		"print `FORMAT` json, yaml or name instead of a table, or wide for one with more columns")
	command.CompleteFlag(cmd, "output", ListFormats...)
}

// Check refuses a format that the command does not have. Empty means its text for people.
func Check(cmd *cobra.Command, format string, formats ...string) error {
	if format == "" || slices.Contains(formats, format) {
		return nil
	}
	return command.UsageError(cmd, "--output %q: want %s", format, text.Or(formats))
}

// Write prints a value as JSON or YAML.
func Write(out io.Writer, format string, value any) error {
	encode := marshalJSON
	if format == YAML {
		encode = marshalYAML
	}
	text, err := encode(value)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}

// marshalYAML encodes a value as YAML, with escapes for characters that are not printable. YAML has escapes only
// between double quotes. Its encoder uses these for a NUL, but not for all characters that a terminal must not get: so
// each of them is encoded as a NUL and a mark that is not in the value, and that is then replaced by the escape.
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

// mapTexts changes all strings in a value that was decoded from JSON, including the names of members.
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

// marshalJSON encodes a value as JSON, with escapes for characters beyond ASCII that are not printable: a terminal
// would obey them.
func marshalJSON(value any) (string, error) {
	var text, safe strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	for _, r := range text.String() {
		if r < unicode.MaxASCII || unicode.IsPrint(r) {
			safe.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&safe, `\u%04x`, unit)
		}
	}
	return safe.String(), nil
}
