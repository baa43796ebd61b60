// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator finds the operator in the cluster: its namespace and pods, and a way through the API server to one
// of them.
package operator

import (
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// What config/ installs the operator as, and how it is found there.
const (
	DefaultNamespace = "license-operator-system"
	LeaseName        = "license-operator.io"
)

// PodLabels are the labels of the operator's pods, whatever names they have.
var PodLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager",
}

// AddNamespaceFlag is for commands that look for the operator itself.
func AddNamespaceFlag(cmd *cobra.Command, namespace *string) {
	cmd.Flags().StringVarP(namespace, "namespace", "n", DefaultNamespace, "the `NAMESPACE` that the operator runs in")
	command.CompleteFlag(cmd, "namespace")
}

// CheckNamespace refuses an empty --namespace, which the API server would take for all of them.
func CheckNamespace(cmd *cobra.Command, namespace string) error {
	if namespace == "" {
		return command.UsageError(cmd, "--namespace is empty: it is the one that the operator runs in")
	}
	return nil
}
