// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What config/ installs the operator as, and how it is found there.
const (
	defaultNamespace = "license-operator-system"
	leaseName        = "license-operator.io"
	// securePort is that of the pods on which metrics and the report are served.
	securePort = 8443
)

// operatorPods are the labels of the operator's pods, whatever names they have.
var operatorPods = client.MatchingLabels{"app.kubernetes.io/name": "license-operator",
	"control-plane": "controller-manager"}

// addNamespaceFlag is for commands that look for the operator itself.
func addNamespaceFlag(command *cobra.Command, namespace *string) {
	command.Flags().StringVarP(namespace, "namespace", "n", defaultNamespace,
		"the `NAMESPACE` that the operator runs in")
	completeWith(command, "namespace")
}

// checkNamespace refuses an empty --namespace, which the API server would take for all of them.
func checkNamespace(command *cobra.Command, namespace string) error {
	if namespace == "" {
		return misused(command, "--namespace is empty: it is the one that the operator runs in")
	}
	return nil
}
