// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
)

func newVerifyCommand(env command.Environment) *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE|-", Short: "Check that a license report was not changed",
		Long: verifyLong, Example: verifyExample, Args: command.OneArgument("FILE (or - for the standard input)"),
		RunE: func(_ *cobra.Command, args []string) error { return verify(env, args[0]) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{output.JSON, outputTar}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
}

func verify(env command.Environment, file string) error {
	var data []byte
	var err error
	if file == files.StandardInput {
		data, err = files.ReadFromUpTo(env.In, files.SourceName(file), sizeLimit)
	} else {
		data, err = files.ReadUpTo(file, sizeLimit)
	}
	if err != nil {
		return command.FailWithHint("Name a license report that can be read, or - for the standard input.", "%v", err)
	}
	document, err := readDocument(data)
	if err != nil {
		return command.FailWithHint("Give the file that 'kubectl license report' has written.",
			"%s is not a license report: %v", files.SourceName(file), err)
	}
	if err := document.write(env.Out); err != nil {
		return err
	}
	if !document.matches() {
		return command.ExitError(command.ExitUnverified, "Ask its author for the file again, or for a new report.",
			"the checksum does not match: the report was changed or damaged after it was made")
	}
	_, err = fmt.Fprintln(env.Out, "\n"+term.Wrap("The report was not changed. That does not prove who wrote it: "+
		"anyone can compute a checksum.", "", ""))
	return err
}
