// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/test/controlplane"
)

// cluster is a control plane without anybody who would run pods or collect garbage, and an administrator of it.
type cluster struct {
	*testing.T
	plane      *controlplane.ControlPlane
	admin      client.Client
	kubeconfig string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	admin, err := client.New(plane.Admin(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{T: t, plane: plane, admin: admin, kubeconfig: filepath.Join(plane.Dir(), "kubeconfig")}
	if err := plane.WriteKubeconfig(c.kubeconfig, plane.Admin()); err != nil {
		t.Fatal(err)
	}
	return c
}

// helm runs Helm, and says what it prints.
func (c *cluster) helm(args ...string) string {
	c.Helper()
	said, err := run("", root+"/bin/tools/helm", append(args, "--kubeconfig", c.kubeconfig)...)
	if err != nil {
		c.Fatal(err)
	}
	return said
}

// refuses expects that Helm fails, and says why.
func (c *cluster) refuses(want string, args ...string) {
	c.Helper()
	if _, err := run("", root+"/bin/tools/helm", append(args, "--kubeconfig", c.kubeconfig)...); err == nil ||
		!strings.Contains(err.Error(), want) {
		c.Errorf("helm %s: got error %v, not one with %q", strings.Join(args, " "), err, want)
	}
}

// kubectl runs kubectl, and says what it prints.
func (c *cluster) kubectl(args ...string) string {
	c.Helper()
	said, err := run("", c.plane.Kubectl(), append(args, "--kubeconfig", c.kubeconfig)...)
	if err != nil {
		c.Fatal(err)
	}
	return said
}

// versions are the uids and resource versions of objects that are there.
func (c *cluster) versions(objects map[string]map[string]any) map[string][2]string {
	c.Helper()
	found := map[string][2]string{}
	for key, object := range objects {
		o := &unstructured.Unstructured{Object: object}
		at := &unstructured.Unstructured{}
		at.SetGroupVersionKind(o.GroupVersionKind())
		switch err := c.admin.Get(c.Context(), client.ObjectKeyFromObject(o), at); {
		case err == nil:
			found[key] = [2]string{string(at.GetUID()), at.GetResourceVersion()}
		case !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err):
			c.Fatal(err)
		}
	}
	return found
}

// readFile is the object in a file of the repository.
func readFile(t *testing.T, path string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.UnmarshalStrict(content, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// keys are what is there, by kind and name.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestLifeOfARelease(t *testing.T) {
	chart := operatorChart(t)
	c := newCluster(t)
	all := render(t, chart, release, defaultNamespace, "")
	samples := map[string]map[string]any{
		"product": readFile(t, "config/samples/v1alpha1_licensedproduct.yaml"),
		"key":     readFile(t, "config/samples/v1alpha1_licensekey.yaml"),
	}
	definitions := []string{
		"CustomResourceDefinition licensedproducts.license-operator.io",
		"CustomResourceDefinition licensekeys.license-operator.io",
	}
	slices.Sort(definitions)
	install := []string{"install", release, chart, "--namespace", defaultNamespace, "--create-namespace"}

	said := c.helm(install...)
	if want := "license-operator v1.2.3 is in namespace license-operator-system."; !strings.Contains(said, want) {
		t.Errorf("it does not say %q:\n%s", want, said)
	}
	installed := c.versions(all)
	if diff := cmp.Diff(keys(all), keys(installed)); diff != "" {
		t.Fatalf("-rendered +installed:\n%s", diff)
	}
	c.kubectl("apply", "--server-side", "-f", root+"/config/samples/v1alpha1_licensedproduct.yaml", "-f",
		root+"/config/samples/v1alpha1_licensekey.yaml")
	licensed := c.versions(samples)

	// Twice.
	c.refuses("cannot reuse a name that is still in use", install...)
	c.refuses(`invalid ownership metadata; annotation validation error: key "meta.helm.sh/release-name" must equal `+
		`"acme": current value is "license-operator"`,
		"install", "acme", chart, "--namespace", "acme-licensing", "--create-namespace")

	// To what it is already: nothing is written.
	c.helm("upgrade", release, chart, "--namespace", defaultNamespace)
	if diff := cmp.Diff(installed, c.versions(all)); diff != "" {
		t.Errorf("upgraded to itself: -before +after:\n%s", diff)
	}
	// So is nothing but what somebody has deleted, as kubectl license doctor says.
	const gone = "ClusterRole license-operator-metrics-reader"
	c.kubectl("delete", "clusterrole", "license-operator-metrics-reader")
	c.helm("upgrade", release, chart, "--namespace", defaultNamespace, "--reuse-values")
	brought := c.versions(all)
	if brought[gone] == [2]string{} {
		t.Fatalf("%s does not come back", gone)
	}
	installed[gone] = brought[gone]
	if diff := cmp.Diff(installed, brought); diff != "" {
		t.Errorf("upgraded to itself, without %s: -before +after:\n%s", gone, diff)
	}
	// To something else: that alone is.
	c.helm("upgrade", release, chart, "--namespace", defaultNamespace, "--set", "replicaCount=3", "--set",
		"networkPolicy.enabled=false")
	want := maps.Clone(installed)
	delete(want, "NetworkPolicy license-operator-controller-manager")
	got := c.versions(all)
	want[deployment] = got[deployment]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("upgraded: -before +after:\n%s", diff)
	}
	if got[deployment] == installed[deployment] {
		t.Error("the Deployment is as it was")
	}

	// The definitions stay, and with them products and keys.
	c.helm("uninstall", release, "--namespace", defaultNamespace)
	if diff := cmp.Diff(definitions, keys(c.versions(all))); diff != "" {
		t.Errorf("uninstalled: -want +left:\n%s", diff)
	}
	if diff := cmp.Diff(licensed, c.versions(samples)); diff != "" {
		t.Errorf("uninstalled: -before +after:\n%s", diff)
	}

	// They are taken over by a release of the same name, and by another if it says so.
	c.helm(install...)
	c.helm("uninstall", release, "--namespace", defaultNamespace)
	elsewhere := []string{"install", "acme", chart, "--namespace", "acme-licensing", "--create-namespace"}
	c.refuses("invalid ownership metadata", elsewhere...)
	c.helm(append(elsewhere, "--take-ownership", "--set", "crds.keep=false")...)
	if diff := cmp.Diff(licensed, c.versions(samples)); diff != "" {
		t.Errorf("installed again: -before +after:\n%s", diff)
	}
	// for the definitions, which the API server empties first
	c.helm("uninstall", "acme", "--namespace", "acme-licensing", "--wait")
	if diff := cmp.Diff([]string(nil), keys(c.versions(render(t, chart, "acme", "acme-licensing", "")))); diff != "" {
		t.Errorf("uninstalled without a trace: -want +left:\n%s", diff)
	}
}

func TestTakesOverFromDeploy(t *testing.T) {
	chart := operatorChart(t)
	c := newCluster(t)
	all := render(t, chart, release, defaultNamespace, "")
	if err := c.plane.InstallOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := c.versions(all)
	install := []string{"install", release, chart, "--namespace", defaultNamespace}
	c.refuses(`label validation error: key "app.kubernetes.io/managed-by" must equal "Helm": current value is `+
		`"kustomize"`, install...)
	c.helm(append(install, "--take-ownership", "--force-conflicts")...)
	after := c.versions(all)
	for name, was := range before {
		if after[name][0] != was[0] {
			t.Errorf("%s was made anew", name)
		}
	}
	if diff := cmp.Diff(keys(all), keys(after)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.helm("upgrade", release, chart, "--namespace", defaultNamespace)
	if diff := cmp.Diff(after, c.versions(all)); diff != "" {
		t.Errorf("upgraded to itself: -before +after:\n%s", diff)
	}
}

func TestServiceMonitorTakesPrometheusOperator(t *testing.T) {
	chart := operatorChart(t)
	c := newCluster(t)
	install := []string{
		"upgrade", "--install", release, chart, "--namespace", defaultNamespace, "--create-namespace",
		"--set", "serviceMonitor.enabled=true",
	}
	c.refuses(`no matches for kind "ServiceMonitor" in version "monitoring.coreos.com/v1"`, install...)
	definition, err := controlplane.PrometheusOperatorDefinition(t.Context(), "servicemonitors")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.plane.Install(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	c.helm(install...)
	all := render(t, chart, release, defaultNamespace, "serviceMonitor: {enabled: true}")
	if diff := cmp.Diff(keys(all), keys(c.versions(all))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
