// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"cmp"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/internal/text"
)

// TextCell is text of somebody's.
func TextCell(words string) Cell { return Cell{Text: cmp.Or(text.Printable(words), "-")} }

// TimeCell is an instant with its date in the place of it where there is little room.
func TimeCell(t *metav1.Time) Cell {
	if t == nil {
		return Cell{Text: "-"}
	}
	return Cell{Text: text.Time(t.Time), Short: t.UTC().Format(time.DateOnly)}
}
