// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// Port is the one on which it serves the report.
	Port int32
}

// ReadyPods are the pods of the operator that can answer; any can, whether it leads or not. There is at least one.
// No other namespace is looked at: what is sent to these pods must not go to one that somebody else has given the
// operator's labels.
func ReadyPods(ctx context.Context, reader client.Reader, namespace string) ([]Pod, error) {
	var pods corev1.PodList
	if err := reader.List(ctx, &pods, client.InNamespace(namespace), PodLabels); err != nil {
		switch {
		case apierrors.IsForbidden(err):
			return nil, command.FailWithHint(askForForwarding(namespace), "%v", err)
		case apierrors.IsUnauthorized(err):
			return nil, kubeclient.NotLoggedIn(err)
		}
		return nil, command.FailWithHint("Check the connection with: kubectl get pods -n "+text.ShellQuote(namespace),
			"cannot list pods in namespace %s: %v", namespace, err)
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
		return nil, command.FailWithHint("Wait until one is ready, or see why none is: kubectl describe pods -n "+
			text.ShellQuote(namespace),
			"no pod of license-operator in namespace %s is ready: %s", namespace, strings.Join(waiting, ", "))
	}
}

// reportPort is the port that the pod names, or the default.
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

func askForForwarding(namespace string) string {
	return fmt.Sprintf("Ask a cluster administrator for list on pods and create on pods/portforward in namespace "+
		"%s, or for doing this.", namespace)
}

// WhyNotReady says of a pod why it cannot be talked to; nothing of one that can.
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

// waitingReason is what the kubelet says of a container that does not run: (CrashLoopBackOff).
func waitingReason(pod *corev1.Pod) string {
	for i := range pod.Status.ContainerStatuses {
		if waiting := pod.Status.ContainerStatuses[i].State.Waiting; waiting != nil && waiting.Reason != "" {
			return " (" + waiting.Reason + ")"
		}
	}
	return ""
}
