// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"

	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/text"
)

// writeNextSteps prints what is to be done, where something is.
func writeNextSteps(out term.Screen, summaries []*overview.Product) error {
	width := term.TextWidth
	if out.Width > 0 {
		width = min(width, out.Width)
	}
	head := "\nWhat to do next:\n"
	for _, summary := range summaries {
		if len(summary.Next) == 0 {
			continue
		}
		words := head + "\n" + text.Printable(summary.Name) + ":\n"
		head = ""
		for _, next := range summary.Next {
			words += term.WrapTo(width, text.Printable(next.Message), "- ", "  ") + "\n"
			if next.Command != "" {
				words += "    " + text.Printable(next.Command) + "\n"
			}
		}
		if _, err := fmt.Fprint(out, words); err != nil {
			return err
		}
	}
	return nil
}
