// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"github.com/spf13/cobra"
)

// CompleteFlag offers fixed words for a flag; with none it only keeps the shell from offering files.
func CompleteFlag(cmd *cobra.Command, flag string, words ...string) {
	Must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}

// CompleteFiles offers files that end in one of the extensions.
func CompleteFiles(cmd *cobra.Command, flag string, extensions ...string) {
	Must(cmd.MarkFlagFilename(flag, extensions...))
}

// CompleteFolders offers folders.
func CompleteFolders(cmd *cobra.Command, flag string) {
	Must(cmd.MarkFlagDirname(flag))
}

// Must fails for flags that do not exist, which is a mistake in the program.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}
