// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os/exec"
	"strings"
	"testing"
)

func TestPrintError(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{nil, ExitOK, ""},
		{FailWithHint("Do that.", "this is wrong"), ExitFailed, "error: this is wrong\nDo that.\n"},
		{FailWithHint("", "this \x1b is\nwrong"), ExitFailed, "error: this \\x1b is\nwrong\n"},
		{ExitError(ExitUnverified, "Do that.", "no"), ExitUnverified, "error: no\nDo that.\n"},
		{exec.ErrNotFound, ExitFailed, "error: executable file not found in $PATH\n"},
	} {
		var text strings.Builder
		if code := PrintError(&text, test.err); code != test.code || text.String() != test.want {
			t.Errorf("%v: got %d and %q", test.err, code, text.String())
		}
	}
}
