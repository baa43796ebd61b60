// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/text"
)

// installer is what installed the operator, and decides how to fix an installation. The zero value means unknown: the
// advice is then for make deploy.
type installer struct {
	// release is Helm's, and csv OLM's ClusterServiceVersion; both are empty for make deploy or another kustomization.
	release, csv string
	// image is what the operator runs.
	image string
}

// installerOf reads what the installers write on the operator's Deployment.
func installerOf(deployment *appsv1.Deployment) (found installer) {
	if deployment.Labels["app.kubernetes.io/managed-by"] == "Helm" {
		found.release = deployment.Annotations["meta.helm.sh/release-name"]
	}
	if deployment.Labels["olm.owner.kind"] == "ClusterServiceVersion" {
		found.csv = deployment.Labels["olm.owner"]
	}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		if container.Name == "manager" {
			found.image = container.Image
		}
	}
	return found
}

// readInstaller finds what installed the operator in a namespace; unknown if the Deployment cannot be read.
func (x *collector) readInstaller(ctx context.Context, namespace string) installer {
	var deployments appsv1.DeploymentList
	err := x.client.List(ctx, &deployments, client.InNamespace(namespace), operator.PodLabels, client.Limit(1))
	if err != nil || len(deployments.Items) == 0 {
		return installer{}
	}
	return installerOf(&deployments.Items[0])
}

// applyAgain is the command that restores everything that belongs to the operator. It is not for OLM, which does not
// have such a command.
func (i *snapshot) applyAgain() string {
	namespace := text.ShellQuote(i.namespace)
	switch {
	case i.installer.release != "":
		return "helm upgrade " + text.ShellQuote(i.installer.release) + " CHART -n " + namespace + " --reuse-values"
	case i.installer.image != "":
		return "make deploy IMG=" + text.ShellQuote(i.installer.image) + " NAMESPACE=" + namespace
	default:
		return "make deploy IMG=… NAMESPACE=" + namespace
	}
}

// reinstall is how to restore what an installation lacks, or what differs from its release.
func (i *snapshot) reinstall() string {
	switch {
	case i.installer.csv != "":
		return "OLM installed it, and reports what is missing: kubectl describe " +
			"clusterserviceversions.operators.coreos.com " + text.ShellQuote(i.installer.csv) + " -n " +
			text.ShellQuote(i.namespace) + ". For what OLM does not restore, install it again: docs/installation.md"
	case i.installer.release != "":
		return "Apply the Helm release again: " + i.applyAgain()
	default:
		return "Apply the operator's manifests again, as for the installation: " + i.applyAgain() +
			", or your own kustomization"
	}
}

// restartOperator is the command that restarts the operator, however it was installed.
func (i *snapshot) restartOperator() string {
	return "kubectl delete pods -n " + text.ShellQuote(i.namespace) + podSelector
}

// podSelector selects the operator's pods, as arguments of kubectl.
const podSelector = " -l app.kubernetes.io/name=license-operator,control-plane=controller-manager"
