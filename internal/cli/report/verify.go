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

// verifyOptions are what report verify was asked.
type verifyOptions struct {
	command.Environment
	file string
}

func newVerifyCommand(env command.Environment) *cobra.Command {
	o := &verifyOptions{Environment: env}
	return &cobra.Command{
		Use:     "verify FILE|-",
		Short:   "Check that a license report is as it was made",
		Long:    verifyLong,
		Example: verifyExample,
		Args:    command.OneArgument("FILE (or - for the standard input)"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			return o.run()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{output.JSON, outputTar}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
}

func (o *verifyOptions) run() error {
	data, err := o.read()
	if err != nil {
		return command.FailWithHint("Name a license report that can be read, or - for the standard input.", "%v", err)
	}
	document, err := readDocument(data)
	if err != nil {
		return command.FailWithHint("Give the file that 'kubectl license report' has written.",
			"%s is not a license report: %v", files.SourceName(o.file), err)
	}
	if err := document.write(o.Out); err != nil {
		return err
	}
	if !document.matches() {
		return command.ExitError(command.ExitUnverified, "Ask its author to send the file again, or for a new one.",
			"the checksum does not match: something in the report was changed, or lost, since it was made")
	}
	_, err = fmt.Fprintln(o.Out,
		"\n"+term.Wrap("The report is as it was made. That does not prove who wrote it: anybody can compute a "+
			"checksum.", "", ""))
	return err
}

func (o *verifyOptions) read() ([]byte, error) {
	if o.file != files.StandardInput {
		return files.ReadUpTo(o.file, sizeLimit)
	}
	return files.ReadFromUpTo(o.In, files.SourceName(o.file), sizeLimit)
}
