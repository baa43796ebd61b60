// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// served is for renderings that no cluster takes part in.
var served = []string{"--api-versions", "license-operator.io/v1alpha1"}

// vendorProduct is the product of docs/examples/vendor-chart: the sample's terms, but for the restriction.
func vendorProduct(t *testing.T) map[string]any {
	product := readFile(t, "config/samples/v1alpha1_licensedproduct.yaml")
	delete(field(product, "spec"), "restriction")
	return product
}

// vendorKey is its license key, which has the token from somewhere.
func vendorKey(token map[string]any) map[string]any {
	spec := map[string]any{"productName": "acme-mesh"}
	maps.Copy(spec, token)
	return map[string]any{
		"apiVersion": "license-operator.io/v1alpha1", "kind": "LicenseKey",
		"metadata": map[string]any{"name": "acme-mesh"}, "spec": spec,
	}
}

func TestVendorChart(t *testing.T) {
	if _, err := run("", root+"/bin/tools/helm", "lint", "--strict", vendorChart); err != nil {
		t.Error(err)
	}
	const product, key = "LicensedProduct acme-mesh", "LicenseKey acme-mesh"
	for name, test := range map[string]struct {
		values string
		args   []string
		want   map[string]map[string]any
	}{
		"without license-operator": {"license: {token: eyJ}", nil, map[string]map[string]any{}},
		"the terms":                {"", served, map[string]map[string]any{product: vendorProduct(t)}},
		"a token": {"license: {token: eyJ}", served, map[string]map[string]any{
			product: vendorProduct(t), key: vendorKey(map[string]any{"token": "eyJ"}),
		}},
		"a Secret": {"license: {secret: {name: '2026'}}", served, map[string]map[string]any{
			product: vendorProduct(t),
			key:     vendorKey(map[string]any{"tokenSecretRef": map[string]any{"name": "2026", "key": "token"}}),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, render(t, vendorChart, "acme", "acme", test.values, test.args...)); diff !=
				"" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	_, err := helm("license: {token: eyJ, secret: {name: acme}}",
		append([]string{"template", "acme", vendorChart}, served...)...)
	const want = "license.token and license.secret.name are both set: a license key has its token from one of them"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, not one with %q", err, want)
	}
}

// The vendor's chart is there before the operator, and upgraded when that has come. Then everything goes.
func TestVendorChartOnACluster(t *testing.T) {
	c := newCluster(t)
	vendor := render(t, vendorChart, "acme", "acme", "license: {token: eyJ}", served...)
	install := []string{
		"upgrade", "--install", "acme", vendorChart, "--namespace", "acme", "--create-namespace",
		"--set", "license.token=eyJ",
	}

	said := c.helm(install...)
	if want := "This cluster has no license-operator"; !strings.Contains(said, want) {
		t.Errorf("it does not say %q:\n%s", want, said)
	}
	c.helm("install", release, operatorChart(t), "--namespace", defaultNamespace, "--create-namespace")
	said = c.helm(install...)
	if want := "See how the license stands: kubectl get licensedproduct acme-mesh"; !strings.Contains(said, want) {
		t.Errorf("it does not say %q:\n%s", want, said)
	}
	if diff := cmp.Diff(keys(vendor), keys(c.versions(vendor))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	c.refuses("invalid ownership metadata", "install", "another", vendorChart, "--namespace", "another",
		"--create-namespace")
	c.helm("uninstall", "acme", "--namespace", "acme")
	if diff := cmp.Diff([]string(nil), keys(c.versions(vendor))); diff != "" {
		t.Errorf("uninstalled: -want +left:\n%s", diff)
	}

	// docs/examples/kustomize has a namespace where none belongs.
	for _, args := range [][]string{{"apply", "--server-side"}, {"apply"}} {
		c.kubectl(append(args, "-k", root+"/docs/examples/kustomize")...)
		if got, want := c.kubectl("get", "licensedproduct/staging-acme-mesh", "licensekey/staging-acme-mesh-2026", "-o",
			"jsonpath={.items[*].metadata.namespace}"), ""; got != want {
			t.Errorf("kubectl %s: they are in namespace %q", strings.Join(args, " "), got)
		}
		c.kubectl("delete", "-k", root+"/docs/examples/kustomize")
	}
}
