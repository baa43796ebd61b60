// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator finds the operator's pods in the cluster, and connects to one through the API server.
package operator

import (
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// Names that config/ installs the operator with.
const (
	DefaultNamespace = "license-operator-system"
	LeaseName        = "license-operator.io"
)

// PodLabels are the labels of the operator's pods.
var PodLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager",
}

// AddNamespaceFlag adds --namespace to a command that looks for the operator.
func AddNamespaceFlag(cmd *cobra.Command, namespace *string) {
	cmd.Flags().StringVarP(namespace, "namespace", "n", DefaultNamespace, "the `NAMESPACE` that the operator runs in")
	command.CompleteFlag(cmd, "namespace")
}

// CheckNamespace refuses an empty --namespace: the API server would list all namespaces.
func CheckNamespace(cmd *cobra.Command, namespace string) error {
	if namespace == "" {
		return command.UsageError(cmd, "--namespace is empty: want the namespace that the operator runs in")
	}
	return nil
}
