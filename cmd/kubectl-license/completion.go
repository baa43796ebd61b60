// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// completeWith offers fixed words for a flag; with none it only keeps the shell from offering files.
func completeWith(command *cobra.Command, flag string, words ...string) {
	mustRegister(command.RegisterFlagCompletionFunc(flag,
		cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}

// completeWithFiles offers files that end in one of the extensions.
func completeWithFiles(command *cobra.Command, flag string, extensions ...string) {
	mustRegister(command.MarkFlagFilename(flag, extensions...))
}

func completeWithFolders(command *cobra.Command, flag string) {
	mustRegister(command.MarkFlagDirname(flag))
}

// completeProduct offers the LicensedProducts of the cluster for a command's first argument.
func completeProduct(connection *genericclioptions.ConfigFlags) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return productNames(command.Context(), connection), cobra.ShellCompDirectiveNoFileComp
	}
}

// mustRegister fails for flags that do not exist, which is a mistake in the program.
func mustRegister(err error) {
	if err != nil {
		panic(err)
	}
}
