// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operator finds the operator's pods in the cluster, and connects to one through the API server.
package operator

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/text"
)

// Pod is a pod of the operator.
type Pod struct {
	types.NamespacedName
	// Port serves the report.
	Port int32
}

// ReadyPods returns the operator's ready pods, at least one. Each can answer, whether it is the leader or not. It looks
// in this namespace only: elsewhere, someone else may have given a pod the operator's labels.
func ReadyPods(ctx context.Context, reader client.Reader, namespace string) ([]Pod, error) {
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.InNamespace(namespace), PodLabels); err != nil {
		return nil, kubeclient.Explain(err, "list pods in namespace "+namespace, forwardingRights(namespace),
			"kubectl get pods -n "+text.ShellQuote(namespace))
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var ready []Pod
	var waiting []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		if reason := WhyNotReady(pod); reason != "" {
			waiting = append(waiting, pod.Name+" "+reason)
		} else {
			ready = append(ready, Pod{client.ObjectKeyFromObject(pod), reportPort(pod)})
		}
	}
	switch {
	case len(ready) > 0:
		return ready, nil
	case len(waiting) == 0:
		return nil, command.FailWithHint("Say which namespace it runs in with --namespace; kubectl get pods -A | grep "+
			"license-operator may find it.", "no pods of license-operator in namespace %s", namespace)
	default:
		return nil, command.FailWithHint("Wait until one is ready, or find the cause: kubectl describe pods -n "+
			text.ShellQuote(namespace),
			"no pod of license-operator in namespace %s is ready: %s", namespace, strings.Join(waiting, ", "))
	}
}

// reportPort is the report's port in the pod's spec, or the default.
func reportPort(pod *corev1.Pod) int32 {
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			if port.Name == report.PortName {
				return port.ContainerPort
			}
		}
	}
	return report.DefaultPort
}

func forwardingRights(namespace string) string {
	return "list on pods and create on pods/portforward in namespace " + namespace
}

// WhyNotReady says why a pod cannot answer; empty: it can.
func WhyNotReady(pod *corev1.Pod) string {
	ready := slices.ContainsFunc(pod.Status.Conditions,
		func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
	switch {
	case pod.DeletionTimestamp != nil:
		return "is terminating"
	case pod.Status.Phase != corev1.PodRunning:
		return "is " + cmp.Or(string(pod.Status.Phase), "new") + waitingReason(pod)
	case !ready:
		return "is not ready" + waitingReason(pod)
	default:
		return ""
	}
}

// waitingReason is why the kubelet does not run a container, such as " (CrashLoopBackOff)"; empty: it runs all.
func waitingReason(pod *corev1.Pod) string {
	for i := range pod.Status.ContainerStatuses {
		if waiting := pod.Status.ContainerStatuses[i].State.Waiting; waiting != nil && waiting.Reason != "" {
			return " (" + waiting.Reason + ")"
		}
	}
	return ""
}

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
