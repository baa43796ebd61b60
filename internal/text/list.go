// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
)

// PrintableList is printable for several texts, and a dash for none.
func PrintableList(texts []string, none string) string {
	if len(texts) == 0 {
		return none
	}
	safe := make([]string, len(texts))
	for i, text := range texts {
		safe[i] = Printable(text)
	}
	return strings.Join(safe, ", ")
}
