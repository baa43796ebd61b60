// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/paging"
	"github.com/license-operator/license-operator/internal/text"
)

// installer is who has installed the operator: what mends an installation depends on that. It is the zero value where
// nobody knows, and the advice is then for make deploy.
type installer struct {
	// release is Helm's, and csv the ClusterServiceVersion of OLM's; neither: make deploy, or somebody's own
	// kustomization.
	release, csv string
	// image is what the operator runs.
	image string
}

// installerOf goes by what the installers themselves write on the operator's Deployment.
func installerOf(deployment *appsv1.Deployment) installer {
	var who installer
	if deployment.Labels["app.kubernetes.io/managed-by"] == "Helm" {
		who.release = deployment.Annotations["meta.helm.sh/release-name"]
	}
	if deployment.Labels["olm.owner.kind"] == "ClusterServiceVersion" {
		who.csv = deployment.Labels["olm.owner"]
	}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		if container.Name == "manager" {
			who.image = container.Image
		}
	}
	return who
}

// readInstaller tells who has installed the operator in a namespace, as far as one may see.
func (x *collector) readInstaller(ctx context.Context, namespace string) installer {
	var deployments appsv1.DeploymentList
	if err := x.client.List(ctx, &deployments, client.InNamespace(namespace), operator.PodLabels,
		client.Limit(paging.Size)); err != nil || len(deployments.Items) == 0 {
		return installer{}
	}
	return installerOf(&deployments.Items[0])
}

// applyAgain is the command that brings everything that belongs to the operator back to what its release has; empty
// under OLM, which has no such command.
func (i *snapshot) applyAgain() string {
	switch {
	case i.installer.csv != "":
		return ""
	case i.installer.release != "":
		return "helm upgrade " + text.ShellQuote(i.installer.release) + " CHART -n " + text.ShellQuote(i.namespace) +
			" --reuse-values"
	}
	image := "…"
	if i.installer.image != "" {
		image = text.ShellQuote(i.installer.image)
	}
	return "make deploy IMG=" + image + " NAMESPACE=" + text.ShellQuote(i.namespace)
}

// mended is how to bring back what is missing of an installation, or is not as its release has it.
func (i *snapshot) mended() string {
	if i.installer.csv != "" {
		return "OLM installed it, and says what is missing: kubectl describe " +
			"clusterserviceversions.operators.coreos.com " + text.ShellQuote(i.installer.csv) + " -n " +
			text.ShellQuote(i.namespace) +
			". What it does not bring back by itself comes with another installation: docs/installation.md"
	}
	if i.installer.release != "" {
		return "Apply the Helm release again: " + i.applyAgain()
	}
	return "Apply the operator's manifests again, as you did at first: " + i.applyAgain() +
		", or your own kustomization"
}

// restartOperator is the command that has the operator begin anew, whoever runs it.
func (i *snapshot) restartOperator() string {
	return "kubectl delete pods -n " + text.ShellQuote(i.namespace) +
		" -l app.kubernetes.io/name=license-operator,control-plane=controller-manager"
}
