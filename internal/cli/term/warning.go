// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package term

import (
	"fmt"
	"io"

	"github.com/license-operator/license-operator/internal/text"
)

// Warnf tells of something that is no error.
func Warnf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "warning: %s\n", text.Printable(fmt.Sprintf(format, args...)))
}
