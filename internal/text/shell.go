// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
)

// ShellQuote quotes a word for a shell where it needs that.
func ShellQuote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,="
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
