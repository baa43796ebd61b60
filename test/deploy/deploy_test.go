// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package deploy tries what make deploy and make undeploy run, as far as an API server alone can tell. The rest needs
// nodes: test/e2e.
package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	root      = "../.."
	namespace = "license-operator-system"
)

// script runs one of hack/, and says what it prints, and what it complains of.
func script(t *testing.T, environment []string, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "bin", "tools", "kustomize")); err != nil {
		t.Fatalf("%v; run: make bin/tools/kustomize", err)
	}
	var out, complaints strings.Builder
	command := exec.CommandContext(t.Context(), filepath.Join(root, "hack", name), args...)
	command.Env, command.Stdout, command.Stderr = append(os.Environ(), environment...), &out, &complaints
	err = command.Run()
	return out.String(), complaints.String(), err
}

func TestNamespaces(t *testing.T) {
	const meaning = "manifests: YAML takes %s for a number, a date or a word of its own: choose a namespace with " +
		"another name, NAMESPACE=acme-%[1]s\n"
	for name, wantError := range map[string]string{
		"acme-licensing": "", "3scale": "", "1-2": "", strings.Repeat("x", 63): "",
		"5678": fmt.Sprintf(meaning, "5678"), "017": fmt.Sprintf(meaning, "017"), "1e3": fmt.Sprintf(meaning, "1e3"),
		"0x1f":       fmt.Sprintf(meaning, "0x1f"),
		"2027-01-01": fmt.Sprintf(meaning, "2027-01-01"), "true": fmt.Sprintf(meaning, "true"),
		"null": fmt.Sprintf(meaning, "null"),
		"Acme": "manifests: \"Acme\" is no name of a namespace: NAMESPACE=acme-licensing\n",
		"a/b":  "manifests: \"a/b\" is no name of a namespace: NAMESPACE=acme-licensing\n",
		strings.Repeat("x", 64): "manifests: \"" + strings.Repeat("x", 64) +
			"\" is no name of a namespace: NAMESPACE=acme-licensing\n",
	} {
		t.Run(name, func(t *testing.T) {
			manifests, complaint, err := script(t, nil, "manifests",
				"registry.example.com/tools/license-operator:v1.2.3", name)
			if diff := cmp.Diff(wantError, complaint); diff != "" || (err != nil) != (wantError != "") {
				t.Fatalf("%v; -want +got:\n%s", err, diff)
			}
			for document := range strings.SplitSeq(manifests, "\n---\n") {
				var binding rbacv1.ClusterRoleBinding
				if !strings.Contains(document, "\nsubjects:\n") {
					continue
				}
				if err := yaml.UnmarshalStrict([]byte(document), &binding); err != nil {
					t.Fatal(err)
				}
				for _, subject := range binding.Subjects {
					if subject.Name == "license-operator-controller-manager" && subject.Namespace != name {
						t.Errorf("%s %s is about namespace %q", binding.Kind, binding.Name, subject.Namespace)
					}
				}
			}
		})
	}
}

// csvs are OLM's ClusterServiceVersions, as far as they matter here.
var csvs = &apiextensionsv1.CustomResourceDefinition{
	TypeMeta:   metav1.TypeMeta{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"},
	ObjectMeta: metav1.ObjectMeta{Name: "clusterserviceversions.operators.coreos.com"},
	Spec: apiextensionsv1.CustomResourceDefinitionSpec{
		Group: "operators.coreos.com", Scope: apiextensionsv1.NamespaceScoped,
		Names: apiextensionsv1.CustomResourceDefinitionNames{
			Plural:   "clusterserviceversions",
			Singular: "clusterserviceversion", Kind: "ClusterServiceVersion", ListKind: "ClusterServiceVersionList",
		},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
			Name: "v1alpha1", Served: true, Storage: true,
			Schema: &apiextensionsv1.CustomResourceValidation{
				OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object"},
			},
		}},
	},
}

func newCSV(name string) *unstructured.Unstructured {
	csv := &unstructured.Unstructured{}
	csv.SetAPIVersion("operators.coreos.com/v1alpha1")
	csv.SetKind("ClusterServiceVersion")
	csv.SetNamespace(namespace)
	csv.SetName(name)
	return csv
}

// newDeployment is the operator's, with the labels of the tool that installed it.
func newDeployment(in string, labels, annotations map[string]string) *appsv1.Deployment {
	all := map[string]string{"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: in, Name: "license-operator-controller-manager",
		Labels: map[string]string{}, Annotations: annotations,
	}}
	for _, some := range []map[string]string{all, labels} {
		for key, value := range some {
			d.Labels[key] = value
		}
	}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: all}
	d.Spec.Template.Labels = all
	d.Spec.Template.Spec.Containers = []corev1.Container{{
		Name:  "manager",
		Image: "registry.example.com/tools/license-operator:v1.2.3",
	}}
	return d
}

func TestOthersInstallationsAreLeftToThem(t *testing.T) {
	ctx := t.Context()
	plane, err := controlplane.Start(ctx, controlplane.Options{})
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
	kubeconfig := filepath.Join(plane.Dir(), "kubeconfig")
	if err := plane.WriteKubeconfig(kubeconfig, plane.Admin()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{namespace, "acme-licensing"} {
		if err := admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	const (
		owner   = "license-operator.v1.2.3"
		nothing = "Nothing has been deleted."
		goesOn  = ""
		byOLM   = "undeploy: OLM has installed the operator in namespace license-operator-system, and would bring " +
			"back what is deleted of it\n" + nothing +
			" First the products, the Subscription, and the ClusterServiceVersion license-operator.v1.2.3, as " +
			"docs/installation.md#with-olm says; then run this again, for the rest.\n"
		byHelm = "undeploy: Helm has installed the operator in namespace license-operator-system, and would keep " +
			"its release licensing\n" + nothing +
			" First these, and the second until it finds none; then run this again, for the rest:\n  KUBECTL delete " +
			"licensedproducts.license-operator.io --all\n" +
			"  KUBECTL get globalnetworkpolicies.projectcalico.org -l license-operator.io/pass-policy=true\n  helm " +
			"uninstall licensing --namespace license-operator-system\n"
		others = "deploy: %[1]s has installed the operator in namespace license-operator-system (%[2]s). Have %[1]s " +
			"bring it up to date, or take it off first: docs/installation.md\n"
		once = "deploy: the operator is in namespace acme-licensing already, and goes into a cluster once: " +
			"make deploy NAMESPACE=acme-licensing, or first make undeploy NAMESPACE=acme-licensing\n"
		elsewhere = "undeploy: the operator is in another namespace, acme-licensing\n" + nothing +
			" Name its namespace: make undeploy NAMESPACE=acme-licensing\n"
	)
	kustomize, helm, olm := map[string]string{"app.kubernetes.io/managed-by": "kustomize"},
		map[string]string{"app.kubernetes.io/managed-by": "Helm"},
		map[string]string{
			"app.kubernetes.io/managed-by": "olm", "olm.owner": owner,
			"olm.owner.kind": "ClusterServiceVersion",
		}
	// In this order: the first ones run without OLM.
	for _, test := range []struct {
		name string
		// olm installs its kind.
		olm     bool
		objects []client.Object
		// want is what make undeploy says, and wantOfDeploy what make deploy says where it is not to begin.
		want, wantOfDeploy string
	}{
		{name: "nothing is there", want: goesOn},
		{name: "make deploy", objects: []client.Object{newDeployment(namespace, kustomize, nil)}, want: goesOn},
		{name: "labels of its own", objects: []client.Object{newDeployment(namespace, nil, nil)}, want: goesOn},
		{
			name: "Helm",
			objects: []client.Object{newDeployment(namespace, helm,
				map[string]string{"meta.helm.sh/release-name": "licensing"})}, want: byHelm,
			wantOfDeploy: fmt.Sprintf(others, "Helm", "licensing"),
		},
		{
			name: "OLM was there, and is gone whole", objects: []client.Object{newDeployment(namespace, olm, nil)},
			want: goesOn,
		},
		{
			name: "OLM", olm: true, objects: []client.Object{newDeployment(namespace, olm, nil), newCSV(owner)},
			want: byOLM, wantOfDeploy: fmt.Sprintf(others, "OLM", owner),
		},
		{
			name:    "OLM's version is gone, and its Deployment going",
			objects: []client.Object{newDeployment(namespace, olm, nil), newCSV("another.v1.0.0")}, want: goesOn,
		},
		{
			name: "another namespace", objects: []client.Object{newDeployment("acme-licensing", kustomize, nil)},
			want: elsewhere, wantOfDeploy: once,
		},
		{
			name: "another namespace besides",
			objects: []client.Object{
				newDeployment("acme-licensing", kustomize, nil),
				newDeployment(namespace, kustomize, nil),
			}, want: goesOn,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.olm {
				content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(csvs)
				if err != nil {
					t.Fatal(err)
				}
				delete(content, "status")
				if err := plane.Install(ctx, &unstructured.Unstructured{Object: content}); err != nil {
					t.Fatal(err)
				}
			}
			for _, object := range test.objects {
				if err := admin.Create(ctx, object); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := admin.Delete(ctx, object); err != nil {
						t.Error(err)
					}
				})
			}
			said, complaint, err := script(t,
				[]string{"KUBECONFIG=" + kubeconfig, "KUBECTL=" + plane.Kubectl(), "DRY_RUN=true"}, "undeploy")
			if diff := cmp.Diff(test.want, strings.ReplaceAll(complaint, plane.Kubectl(), "KUBECTL")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if (err != nil) != (test.want != goesOn) {
				t.Errorf("got %v", err)
			}
			if test.wantOfDeploy != "" {
				_, complaint, err := script(t, []string{"KUBECONFIG=" + kubeconfig, "KUBECTL=" + plane.Kubectl()},
					"deploy", "registry.example.com/tools/license-operator:v1.2.4", namespace)
				if diff := cmp.Diff(test.wantOfDeploy, complaint); diff != "" || err == nil {
					t.Errorf("deploy: %v, -want +got:\n%s", err, diff)
				}
			}
			if plan := strings.HasSuffix(said, nothing+"\n"); plan != (test.want == goesOn) {
				t.Errorf("it says:\n%s", said)
			}
		})
	}
}
