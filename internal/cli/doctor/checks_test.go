// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

// configOf reads the first document of a file in config that is of a kind.
func configOf(t *testing.T, file, kind string, into any) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "config", file))
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(content), "\n---\n") {
		if strings.Contains(document, "\nkind: "+kind+"\n") {
			if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("there is no %s in %s", kind, file)
}

func definitionOf(t *testing.T, plural string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	definition := &apiextensionsv1.CustomResourceDefinition{}
	configOf(t, "crd/bases/license-operator.io_"+plural+".yaml", "CustomResourceDefinition", definition)
	definition.Status.Conditions = []apiextensionsv1.CustomResourceDefinitionCondition{
		{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionTrue},
	}
	return definition
}

func wasRead[T any](value T) reading[T] { return reading[T]{value: value, permission: "read it"} }

func notRead[T any](err error) reading[T] { return reading[T]{permission: "read it", err: err} }

func operatorPod(namespace, name, image string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "proxy", Image: "proxy:v9"},
			{Name: "manager", Image: image},
		}},
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func metadataOf(namespace, name string, labels map[string]string) metav1.PartialObjectMetadata {
	return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
}

func selecting(kind string, rules, ruleNamespaces, monitors, monitorNamespaces *metav1.LabelSelector) selectingServer {
	s := selectingServer{Kind: kind, ObjectMeta: metav1.ObjectMeta{Namespace: "monitoring", Name: "k8s"}}
	s.Spec.RuleSelector, s.Spec.RuleNamespaceSelector = rules, ruleNamespaces
	s.Spec.ServiceMonitorSelector, s.Spec.ServiceMonitorNamespaceSelector = monitors, monitorNamespaces
	return s
}

func labeled(name, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{name: value}}
}

func seenObject(name string, conditions ...metav1.Condition) objectFacts {
	all := []metav1.Condition{
		{Type: api.ConditionReady, Status: metav1.ConditionTrue, Reason: "TermsAccepted"},
		{Type: api.ConditionAlertsReady, Status: metav1.ConditionTrue, Reason: api.ReasonRuleApplied},
		{Type: api.ConditionRestrictionReady, Status: metav1.ConditionTrue, Reason: api.ReasonComplete},
	}
	for _, condition := range conditions {
		condition.Message = "Message of " + name + "."
		meta.SetStatusCondition(&all, condition)
	}
	for i := range all {
		all[i].LastTransitionTime = metav1.Time{}
	}
	return objectFacts{name: name, conditions: all, restricted: true}
}

func isFalse(condition, reason string) metav1.Condition {
	return metav1.Condition{Type: condition, Status: metav1.ConditionFalse, Reason: reason}
}

// healthy is an installation without problems.
func healthy(t *testing.T) *snapshot {
	t.Helper()
	pods := []corev1.Pod{
		operatorPod("licensing", "operator-1", "example.com:5000/operator:v1.2.0@sha256:0"),
		operatorPod("licensing", "operator-2", "example.com:5000/operator:v1.2.0"),
	}
	everything := &metav1.LabelSelector{}
	i := &snapshot{
		plugin: "v1.2.0", namespace: "licensing", server: wasRead("v1.36.3"),
		clocks: clockReading{clitest.Present, clitest.Present.Add(time.Minute)},
		definitions: []reading[*apiextensionsv1.CustomResourceDefinition]{
			wasRead(definitionOf(t, "licensedproducts")),
			wasRead(definitionOf(t, "licensekeys")),
		},
		products: wasRead([]objectFacts{seenObject("acme-mesh")}),
		keys:     wasRead([]objectFacts{seenObject("acme-mesh-2027")}),
		pods:     wasRead(pods), podsEverywhere: wasRead(pods),
		lease: wasRead(&leaseFacts{
			namespace: "licensing", holder: "operator-2_1234", age: 2 * time.Second,
			valid: 15 * time.Second,
		}),
		leasesEverywhere: wasRead([]leaseFacts{
			{"licensing", "operator-2_1234", 2 * time.Second, 15 * time.Second},
			{"old", "operator-9_1234", time.Hour, 15 * time.Second},
		}),
		installer: installer{image: "example.com:5000/operator:v1.2.0"},
		tiers:     wasRead(true), account: "operator",
		calico: wasRead(&aggregatedAPI{namespace: "calico-system", service: "calico-api", available: true}),
		selectors: wasRead([]selectingServer{selecting("Prometheus", everything, everything, everything,
			labeled("team", "platform"))}),
		rules:      wasRead([]metav1.PartialObjectMetadata{metadataOf("licensing", "acme-mesh", nil)}),
		monitors:   wasRead([]metav1.PartialObjectMetadata{metadataOf("licensing", "operator", nil)}),
		namespaces: map[string]reading[map[string]string]{"licensing": wasRead(map[string]string{"team": "platform"})},
	}
	for _, wanted := range wantedGuards() {
		i.policies.value = append(i.policies.value, wanted.policy)
		i.bindings.value = append(i.bindings.value, wanted.binding)
	}
	return i
}

func named(name string, c check) check {
	c.Name = name
	return c
}

func good(name, format string, args ...any) check { return named(name, pass(format, args...)) }

func warning(name, fix, format string, args ...any) check {
	return named(name, warn(fix, format, args...))
}

func problem(name, fix, format string, args ...any) check {
	return named(name, fail(fix, format, args...))
}

func notChecked(name, fix, format string, args ...any) check {
	return named(name, skip(fix, format, args...))
}

func checksByName(checks []check) map[string]check {
	named := map[string]check{}
	for _, c := range checks {
		named[c.Name] = c
	}
	return named
}

func TestHealthyInstallation(t *testing.T) {
	var text bytes.Buffer
	checks := healthy(t).check()
	if err := checks.print(term.Screen{Writer: &text}, ""); err != nil {
		t.Fatal(err)
	}
	want := "ok   CRDs            licensedproducts and licensekeys are served and stored as v1alpha1, with the " +
		"fields that this plugin knows\nok   Kubernetes      v1.36.3\nok   Versions        plugin and operator are " +
		"v1.2.0\nok   Pods            2 pods are ready in namespace licensing\nok   Leader          operator-2_1234 " +
		"leads\nok   Installations   there is no other\nok   Admission       3 ValidatingAdmissionPolicies are in " +
		"place, and bound\nok   Restrictions    1 restriction is in force and complete\nok   " +
		"TierRights      ServiceAccount operator in namespace licensing has the permissions for restrictions\nok   " +
		"CalicoAPI       Service calico-api in namespace calico-system serves the tiers, and can read " +
		"LicensedProducts\nok   Alerts          each product has its PrometheusRule\nok   Rules           1 " +
		"PrometheusRule is selected\nok   Scraping        ServiceMonitor operator is selected\nok   Clock           " +
		"this machine's clock and the API server's agree to within a minute\nok   OperatorClock   no product " +
		"reports clock skew\nok   Products        the terms of 1 product are accepted\nok   Keys            1 key " +
		"verifies\n\nNo problems found.\n"
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
	if err := checks.failure(); err != nil {
		t.Error(err)
	}
}

func TestChecks(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no"))
	absent := &meta.NoKindMatchError{}
	everything := &metav1.LabelSelector{}
	const askForIt = "Ask a cluster administrator for: read it"
	const applyDefault = "Apply the operator's manifests again, as for the installation: make deploy " +
		"IMG=example.com:5000/operator:v1.2.0 NAMESPACE=licensing, or your own kustomization"
	const applyAdmission = applyDefault + "; or start the operator with --manage-admission-policies, with " +
		"ClusterRole license-operator-admission-manager-role bound to it."
	const recreate = "Delete and apply again, because applying alone keeps fields that were added: kubectl delete %s " +
		"&& make deploy IMG=example.com:5000/operator:v1.2.0 NAMESPACE=licensing (or restart the operator if it " +
		"has --manage-admission-policies)"
	const soon = "Wait a few seconds. If it stays like this, see the lines Pods and Leader, and the operator's log."
	const logs = "See the logs of the pods: kubectl logs -n licensing -l " +
		"app.kubernetes.io/name=license-operator,control-plane=controller-manager"
	const selectRules = "Start the operator with --alerts-labels or --alerts-namespace so that one selects them, or " +
		"change what it selects: docs/monitoring.md"
	const correctClock = "Correct the clock that is wrong. For example, the plugin sets pauses by this machine's clock."
	for name, test := range map[string]struct {
		change func(i *snapshot)
		// want are the checks that differ from those of a healthy installation.
		want []check
	}{
		"CRDs cannot be read": {func(i *snapshot) {
			i.definitions[1] = notRead[*apiextensionsv1.CustomResourceDefinition](forbidden)
		}, []check{notChecked("CRDs", askForIt, "missing permission: read it")}},
		"a read that fails": {
			func(i *snapshot) { i.definitions[1].err = errors.New("timeout") },
			[]check{notChecked("CRDs", "Check the connection, and try again.",
				"cannot read it: timeout")},
		},
		"not installed": {func(i *snapshot) {
			i.definitions[0].value, i.definitions[1].value = nil, nil
			i.products, i.keys = notRead[[]objectFacts](absent), notRead[[]objectFacts](absent)
			i.rules = notRead[[]metav1.PartialObjectMetadata](absent)
			i.pods.value, i.podsEverywhere.value, i.lease.value, i.leasesEverywhere.value = nil, nil, nil, nil
			i.policies.value, i.bindings.value = nil, nil
		}, []check{
			problem("CRDs", "Install it (docs/installation.md), or choose another cluster with --context.",
				"license-operator is not installed in this cluster: it has neither licensedproducts nor licensekeys"),
			notChecked("Versions", "",
				"this plugin is v1.2.0; there are no pods of the operator in namespace licensing to compare it with"),
			problem("Pods",
				"Give its namespace with -n, or see why there are no pods: kubectl get deployments,events -n licensing",
				"no pods of the operator in namespace licensing: licenses are not tracked, and restrictions stay "+
					"in force"),
			problem("Leader", logs, "no leader in namespace licensing: lease license-operator.io not found"),
			problem("Admission", applyAdmission, "there is no ValidatingAdmissionPolicy license-operator-lock, "+
				"license-operator-notice, license-operator-guard"),
			notChecked("Restrictions", "", "cannot read it: the cluster does not have this kind"),
			good("Alerts", "prometheus-operator not found, so there are no PrometheusRules; for alerts without it "+
				"see docs/monitoring.md"),
			notChecked("OperatorClock", "", "cannot read it: the cluster does not have this kind"),
			notChecked("Products", "", "cannot read it: the cluster does not have this kind"),
			notChecked("Keys", "", "cannot read it: the cluster does not have this kind"),
		}},
		"not installed, for an ordinary user": {func(i *snapshot) {
			for n := range i.definitions {
				i.definitions[n] = notRead[*apiextensionsv1.CustomResourceDefinition](forbidden)
			}
			i.products, i.keys = notRead[[]objectFacts](absent), notRead[[]objectFacts](absent)
		}, []check{
			problem("CRDs", "Install it (docs/installation.md), or choose another cluster with --context.",
				"license-operator is not installed in this cluster: it has neither licensedproducts nor licensekeys"),
			notChecked("Restrictions", "", "cannot read it: the cluster does not have this kind"),
			notChecked("Alerts", "", "cannot read it: the cluster does not have this kind"),
			notChecked("OperatorClock", "", "cannot read it: the cluster does not have this kind"),
			notChecked("Products", "", "cannot read it: the cluster does not have this kind"),
			notChecked("Keys", "", "cannot read it: the cluster does not have this kind"),
		}},
		"half installed, for an ordinary user": {func(i *snapshot) {
			for n := range i.definitions {
				i.definitions[n] = notRead[*apiextensionsv1.CustomResourceDefinition](forbidden)
			}
			i.keys = notRead[[]objectFacts](absent)
		}, []check{
			problem("CRDs", applyDefault, "there is no CRD of licensekeys"),
			notChecked("Keys", "", "cannot read it: the cluster does not have this kind"),
		}},
		"one CRD is not there": {
			func(i *snapshot) { i.definitions[1].value = nil },
			[]check{problem("CRDs", applyDefault, "there is no CRD of licensekeys")},
		},
		"a CRD is not accepted": {
			func(i *snapshot) { i.definitions[0].value.Status.Conditions = nil },
			[]check{problem("CRDs", applyDefault, "the CRD of licensedproducts is not established")},
		},
		"a CRD serves another version": {
			func(i *snapshot) { i.definitions[0].value.Spec.Versions[0].Name = "v1" },
			[]check{problem("CRDs", applyDefault, "the CRD of licensedproducts does not serve v1alpha1")},
		},
		"a CRD stores another version": {
			func(i *snapshot) { i.definitions[0].value.Spec.Versions[0].Storage = false },
			[]check{problem("CRDs", applyDefault, "the CRD of licensedproducts does not store v1alpha1")},
		},
		"old CRDs": {func(i *snapshot) {
			removeField(i.definitions[0].value, "status",
				"restriction")
		}, []check{warning("CRDs", applyDefault,
			"the CRDs are older than this plugin: they lack status.restriction of licensedproducts")}},
		"new CRDs": {
			func(i *snapshot) { addField(i.definitions[1].value, "spec", "external") },
			[]check{warning("CRDs", samePlugin,
				"the CRDs are newer than this plugin, which does not know spec.external of licensekeys")},
		},
		"Kubernetes is too old": {
			func(i *snapshot) { i.server.value = "v1.29.14-eks-1" },
			[]check{problem("Kubernetes", "Upgrade to Kubernetes 1.30 or later. Earlier releases do not reject "+
				"changes in restricted tiers.", "v1.29.14-eks-1 does not have ValidatingAdmissionPolicies")},
		},
		"Kubernetes with an unknown version": {
			func(i *snapshot) { i.server.value = "\x1b[2J" },
			[]check{warning("Kubernetes", "Check that it is at least Kubernetes 1.30.",
				"the API server reports an unknown version, \"\\x1b[2J\"")},
		},
		"the version cannot be read": {
			func(i *snapshot) { i.server = notRead[string](forbidden) },
			[]check{notChecked("Kubernetes", askForIt, "missing permission: read it")},
		},
		"an older plugin": {
			func(i *snapshot) { i.plugin = "v1.1.0" },
			[]check{warning("Versions", samePlugin, "the plugin is v1.1.0, and the operator v1.2.0")},
		},
		"a development build": {
			func(i *snapshot) { i.plugin = "dev" },
			[]check{good("Versions", "the plugin is dev, and the operator v1.2.0: that cannot be compared")},
		},
		"the version is in a label": {func(i *snapshot) {
			i.plugin = "1.3.0"
			labelPods(i, "app.kubernetes.io/version",
				"v1.3.0")
		}, []check{good("Versions", "plugin and operator are v1.3.0")}},
		"a rollout": {
			func(i *snapshot) { i.pods.value[1].Spec.Containers[1].Image = "operator:v1.3.0" },
			[]check{warning("Versions",
				"Wait until the rollout is complete, or see what delays it: kubectl get pods -n licensing",
				"pods of the operator have different versions: v1.2.0, v1.3.0")},
		},
		"a digest alone": {
			func(i *snapshot) { imagePods(i, "operator@sha256:1") },
			[]check{good("Versions",
				"the plugin is v1.2.0, and the operator operator@sha256:1: that cannot be compared")},
		},
		"one pod is not ready": {
			func(i *snapshot) { unreadyPods(i, 1, "CrashLoopBackOff") },
			[]check{warning("Pods", "See why: kubectl describe pods -n licensing, and their logs.",
				"1 of 2 are not ready: operator-1 is Pending (CrashLoopBackOff)")},
		},
		"no pod is ready": {
			func(i *snapshot) { unreadyPods(i, 2, "") },
			[]check{problem("Pods", "See why: kubectl describe pods -n licensing, and their logs.",
				"no pod is ready: operator-1 is Pending, operator-2 is Pending")},
		},
		"there was never a leader": {
			func(i *snapshot) { i.lease.value = nil },
			[]check{problem("Leader", logs,
				"no leader in namespace licensing: lease license-operator.io not found")},
		},
		"the leader has stopped": {
			func(i *snapshot) { i.lease.value.holder = "" },
			[]check{problem("Leader", logs, "no leader: the lease was released")},
		},
		"the leader is gone": {
			func(i *snapshot) { i.lease.value.age = time.Hour },
			[]check{problem("Leader", logs, "no leader: operator-2_1234 has not renewed the lease for 60 minutes")},
		},
		"a leader without a pod": {
			func(i *snapshot) { i.lease.value.holder = "operator_1" },
			[]check{warning("Leader", "Find out where it runs. If its pods do not have the labels from config/, "+
				"other checks do not find them either.",
				"leader operator_1 is not one of the operator's pods in namespace licensing")},
		},
		"the leader's pod is gone": {func(i *snapshot) {
			i.lease.value.holder, i.lease.value.age = "operator_1", 8*time.Second
		}, []check{warning("Leader", "Run this check again after that. If there is still no leader: "+logs,
			"the pod of leader operator_1 is gone; another pod takes over within 15 seconds")}},
		"a pod without leader election": {func(i *snapshot) {
			i.pods.value = i.pods.value[:1]
			i.pods.value[0].Spec.Containers[1].Args = []string{"--leader-elect=false"}
			i.lease.value, i.leasesEverywhere.value = nil, nil
		}, []check{
			good("Pods", "1 pod is ready in namespace licensing"),
			good("Leader", "operator-1 is the only pod, and acts without leader election (--leader-elect=false)"),
		}},
		"a pod without leader election, by its environment": {func(i *snapshot) {
			i.pods.value = i.pods.value[:1]
			i.pods.value[0].Spec.Containers[1].Env = []corev1.EnvVar{{
				Name:  "LICENSE_OPERATOR_LEADER_ELECT",
				Value: "0",
			}}
			i.lease.err = forbidden
		}, []check{
			good("Pods", "1 pod is ready in namespace licensing"),
			good("Leader", "operator-1 is the only pod, and acts without leader election (--leader-elect=false)"),
		}},
		"a flag overrides the environment": {func(i *snapshot) {
			i.pods.value[0].Spec.Containers[1].Env = []corev1.EnvVar{{
				Name:  "LICENSE_OPERATOR_LEADER_ELECT",
				Value: "false",
			}}
			i.pods.value[0].Spec.Containers[1].Args = []string{"--leader-elect"}
		}, nil},
		"several pods without leader election": {func(i *snapshot) {
			for n := range i.pods.value {
				i.pods.value[n].Spec.Containers[1].Args = []string{"-leader-elect=f"}
			}
		}, []check{problem("Leader", "Run a single pod, or remove --leader-elect=false.",
			"2 pods run, and operator-1, operator-2 without leader election (--leader-elect=false): they undo each "+
				"other's work")}},
		"a second installation without leader election": {func(i *snapshot) {
			second := operatorPod("old", "p", "")
			second.Spec.Containers[1].Args = []string{"--leader-elect=false"}
			i.podsEverywhere.value = append(i.podsEverywhere.value, second)
		}, []check{problem("Installations", "Remove all but one: LicensedProducts belong to the whole cluster, and "+
			"two operators undo each other's work.",
			"the operator leads in namespace old as well")}},
		"no leader election here, and a leader elsewhere": {func(i *snapshot) {
			i.pods.value = i.pods.value[:1]
			i.pods.value[0].Spec.Containers[1].Args = []string{"--leader-elect=false"}
			i.lease.value = nil
			i.leasesEverywhere.value = []leaseFacts{{"old", "operator-9_1234", time.Second, 15 * time.Second}}
		}, []check{
			good("Pods", "1 pod is ready in namespace licensing"),
			good("Leader", "operator-1 is the only pod, and acts without leader election (--leader-elect=false)"),
			problem("Installations", "Remove all but one: LicensedProducts belong to the whole cluster, and two "+
				"operators undo each other's work.",
				"the operator leads in namespace old as well"),
		}},
		"a long pod name": {func(i *snapshot) {
			i.pods.value[0].Name = strings.Repeat("x", 62) + "-y"
			i.lease.value.holder = strings.Repeat("x", 62) + "_1"
		}, []check{good("Leader", "%s_1 leads", strings.Repeat("x", 62))}},
		"pods cannot be read": {func(i *snapshot) {
			i.pods, i.podsEverywhere = notRead[[]corev1.Pod](forbidden), notRead[[]corev1.Pod](forbidden)
		}, []check{
			notChecked("Versions", askForIt, "missing permission: read it"),
			notChecked("Pods", askForIt, "missing permission: read it"),
			good("Installations", "no other installation found (incomplete: missing permission to read it)"),
		}},
		"it runs elsewhere": {func(i *snapshot) {
			i.namespace = "other"
			i.pods.value, i.lease.value = nil, nil
		}, []check{
			notChecked("Versions", "",
				"this plugin is v1.2.0; there are no pods of the operator in namespace other to compare it with"),
			problem("Pods", "Check that one: kubectl license doctor -n licensing",
				"the operator has pods in namespace licensing, but not in other"),
			problem("Leader", strings.ReplaceAll(logs, "licensing", "other"),
				"no leader in namespace other: lease license-operator.io not found"),
			problem("Installations", "Check that one: kubectl license doctor -n licensing",
				"the operator leads in namespace licensing, and not in other"),
			good("TierRights", "ServiceAccount operator in namespace other has the permissions for restrictions"),
		}},
		"it does not run": {func(i *snapshot) {
			i.pods.value, i.podsEverywhere.value, i.lease.value, i.leasesEverywhere.value = nil, nil, nil, nil
		}, []check{
			notChecked("Versions", "",
				"this plugin is v1.2.0; there are no pods of the operator in namespace licensing to compare it with"),
			problem("Pods",
				"Give its namespace with -n, or see why there are no pods: kubectl get deployments,events -n licensing",
				"no pods of the operator in namespace licensing: licenses are not tracked, and restrictions stay "+
					"in force"),
			problem("Leader", logs, "no leader in namespace licensing: lease license-operator.io not found"),
		}},
		"a namespace that needs quotes in a shell": {func(i *snapshot) {
			i.namespace = "a b"
			i.pods.value, i.podsEverywhere.value, i.lease.value, i.leasesEverywhere.value = nil, nil, nil, nil
		}, []check{
			notChecked("Versions", "",
				"this plugin is v1.2.0; there are no pods of the operator in namespace a b to compare it with"),
			problem("Pods",
				"Give its namespace with -n, or see why there are no pods: kubectl get deployments,events -n 'a b'",
				"no pods of the operator in namespace a b: licenses are not tracked, and restrictions stay in force"),
			problem("Leader", strings.ReplaceAll(logs, "licensing", "'a b'"),
				"no leader in namespace a b: lease license-operator.io not found"),
			good("TierRights", "ServiceAccount operator in namespace a b has the permissions for restrictions"),
		}},
		"a second installation leads": {
			func(i *snapshot) { i.leasesEverywhere.value[1].age = time.Second },
			[]check{problem("Installations",
				"Remove all but one: LicensedProducts belong to the whole cluster, and two operators undo each "+
					"other's work.", "the operator leads in namespace old as well")},
		},
		"a second installation does not lead": {func(i *snapshot) {
			i.podsEverywhere.value = append(i.podsEverywhere.value, operatorPod("old", "p", ""))
		}, []check{warning("Installations",
			"Remove all but one: LicensedProducts belong to the whole cluster, and two operators undo each "+
				"other's work.",
			"there are pods of the operator in namespace old as well")}},
		"a policy is missing": {
			func(i *snapshot) { i.policies.value = i.policies.value[1:] },
			[]check{problem("Admission", applyAdmission,
				"there is no ValidatingAdmissionPolicy license-operator-lock")},
		},
		"a policy is altered": {
			func(i *snapshot) { i.policies.value[2].Spec.Validations = nil },
			[]check{problem("Admission", fmt.Sprintf(recreate, "validatingadmissionpolicy/license-operator-guard"),
				"ValidatingAdmissionPolicy license-operator-guard differs from this plugin's release")},
		},
		"a policy of another release": {
			func(i *snapshot) { i.plugin = "v1.3.0"; i.policies.value[2].Spec.Validations = nil }, []check{
				warning("Versions", samePlugin, "the plugin is v1.3.0, and the operator v1.2.0"),
				warning("Admission",
					samePlugin+" If both are from the same release, the policy was changed. "+fmt.Sprintf(recreate,
						"validatingadmissionpolicy/license-operator-guard"),
					"ValidatingAdmissionPolicy license-operator-guard differs from this plugin's release"),
			},
		},
		"a policy and its binding are altered": {func(i *snapshot) {
			i.policies.value[0].Spec.MatchConditions = nil
			i.bindings.value[0].Spec.ParamRef = nil
		}, []check{problem("Admission",
			fmt.Sprintf(recreate, "validatingadmissionpolicybinding/license-operator-lock "+
				"validatingadmissionpolicy/license-operator-lock"),
			"ValidatingAdmissionPolicyBinding license-operator-lock does not bind its policy for every product and "+
				"every write; ValidatingAdmissionPolicy license-operator-lock differs from this plugin's release")}},
		"another name prefix": {func(i *snapshot) {
			for n := range i.policies.value {
				i.policies.value[n].Name = "our-" + i.policies.value[n].Name
				i.bindings.value[n].Name, i.bindings.value[n].Spec.PolicyName = "our-"+i.bindings.value[n].Name,
					i.policies.value[n].Name
			}
		}, nil},
		"a policy without a binding": {
			func(i *snapshot) { i.bindings.value = i.bindings.value[1:] },
			[]check{problem("Admission", applyAdmission,
				"ValidatingAdmissionPolicy license-operator-lock has no effect: it does not have a binding")},
		},
		"a binding that only audits": {func(i *snapshot) {
			i.bindings.value[0].Spec.ValidationActions = []admissionregistrationv1.ValidationAction{
				admissionregistrationv1.Audit,
			}
		}, []check{problem("Admission", fmt.Sprintf(recreate, "validatingadmissionpolicybinding/license-operator-lock"),
			"ValidatingAdmissionPolicyBinding license-operator-lock has the actions [Audit] instead of [Deny]")}},
		"a binding of some writes": {func(i *snapshot) {
			i.bindings.value[0].Spec.MatchResources = &admissionregistrationv1.MatchResources{
				ObjectSelector: labeled("a", "b"),
			}
		}, []check{problem("Admission", fmt.Sprintf(recreate, "validatingadmissionpolicybinding/license-operator-lock"),
			"ValidatingAdmissionPolicyBinding license-operator-lock does not bind its policy for every product and "+
				"every write")}},
		"no such policies": {func(i *snapshot) {
			i.policies = notRead[[]admissionregistrationv1.ValidatingAdmissionPolicy](absent)
		}, []check{notChecked("Admission", "", "cannot read it: the cluster does not have this kind")}},
		"the lock does not work": {func(i *snapshot) {
			i.products.value = []objectFacts{
				seenObject("a", isFalse("RestrictionReady", "LockNotInForce")),
				seenObject("b", isFalse("RestrictionReady", "Bypassed")),
				seenObject("c", isFalse("RestrictionReady", "LockNotInForce")),
			}
		}, []check{
			problem("Restrictions",
				"See the line Admission. If it is ok, see docs/restriction.md.",
				"changes in restricted tiers are not rejected for a, c (LockNotInForce): Message of a."),
			good("Products", "the terms of 3 products are accepted"),
		}},
		"a bypass": {func(i *snapshot) {
			i.products.value[0] = seenObject("a",
				isFalse("RestrictionReady", "Bypassed"))
		}, []check{warning("Restrictions", "See which policies: kubectl license simulate a",
			"some policies are still applied despite the restriction of a (Bypassed): Message of a.")}},
		"a restriction fails": {func(i *snapshot) {
			i.products.value[0] = seenObject("a", isFalse("RestrictionReady", "ApplyFailed"))
		}, []check{problem("Restrictions", "The operator retries with growing delays. See its log.",
			"the restriction is only partly applied for a (ApplyFailed): Message of a.")}},
		"a permission is missing": {func(i *snapshot) {
			i.products.value[0] = seenObject("a", isFalse("RestrictionReady", "Forbidden"))
		}, []check{problem("Restrictions", applyDefault,
			"the operator lacks a permission for a (Forbidden): Message of a.")}},
		"being applied": {func(i *snapshot) {
			i.products.value[0] = seenObject("a",
				isFalse("RestrictionReady", "Applying"))
		}, []check{
			warning("Restrictions", soon, "the restriction is still being applied for a (Applying): Message of a."),
		}},
		"the operator has not reported on it": {func(i *snapshot) {
			meta.RemoveStatusCondition(&i.products.value[0].conditions, "RestrictionReady")
			unrestricted := seenObject("unrestricted")
			unrestricted.restricted = false
			meta.RemoveStatusCondition(&unrestricted.conditions, "RestrictionReady")
			i.products.value = append(i.products.value, unrestricted)
		}, []check{
			warning("Restrictions", soon,
				"the operator has not reported yet whether the restriction is complete for acme-mesh"),
			good("Products", "the terms of 2 products are accepted"),
		}},
		"the tiers are not served": {func(i *snapshot) {
			i.products.value[0] = seenObject("a", isFalse("RestrictionReady", "APINotInstalled"))
			unrestricted := seenObject("b", isFalse("RestrictionReady", "APINotInstalled"))
			unrestricted.restricted = false
			i.products.value = append(i.products.value, unrestricted)
		}, []check{
			warning("Restrictions", "See the lines TierRights and CalicoAPI, and the condition "+
				"RestrictionReady in docs/restriction.md.",
				"cannot check the restriction of a (APINotInstalled): Message of a."),
			good("Products", "the terms of 2 products are accepted"),
		}},
		"no restriction is requested in a cluster without tiers": {func(i *snapshot) {
			i.products.value[0] = seenObject("a", isFalse("RestrictionReady", "APINotInstalled"))
			i.products.value[0].restricted = false
		}, []check{good("Restrictions", "no restriction is in force")}},
		"nothing is in force": {
			func(i *snapshot) { i.products.value[0].restricted = false },
			[]check{good("Restrictions", "no restriction is in force")},
		},
		"no tiers": {
			func(i *snapshot) { i.tiers.value = false },
			[]check{good("TierRights",
				"the cluster does not have network policy tiers (projectcalico.org/v3): nothing can be restricted")},
		},
		"permissions are missing": {
			func(i *snapshot) { i.missingRights.value = []string{"a", "b", "c", "d", "e"} },
			[]check{problem("TierRights", applyDefault,
				"ServiceAccount operator in namespace licensing lacks permissions: a, b, c and 2 more")},
		},
		"permission to ask is missing": {func(i *snapshot) {
			i.missingRights, i.missingCalicoRights = notRead[[]string](forbidden), notRead[[]string](forbidden)
		}, []check{
			notChecked("TierRights", askForIt, "missing permission: read it"),
			notChecked("CalicoAPI", askForIt, "missing permission: read it"),
		}},
		"no API server of Calico": {
			func(i *snapshot) { i.calico.value = nil },
			[]check{good("CalicoAPI", "Calico has no API server of its own here")},
		},
		"Calico's API server is down": {func(i *snapshot) {
			i.calico.value.available, i.calico.value.message = false,
				"no endpoints"
		}, []check{problem("CalicoAPI",
			"Fix Calico's API server first: kubectl describe apiservice v3.projectcalico.org",
			"Service calico-api in namespace calico-system serves the tiers, and is not available: no endpoints")}},
		"Calico's API server lacks a permission": {func(i *snapshot) {
			i.missingCalicoRights.value = []string{"list licensedproducts.license-operator.io"}
		}, []check{problem("CalicoAPI",
			"Bind ClusterRole license-operator-licensedproduct-viewer-role to it, as in "+
				"config/rbac/calico_apiserver_role_binding.yaml.",
			"Service calico-api in namespace calico-system serves the tiers, but its ServiceAccount "+
				"calico-apiserver lacks permissions: list licensedproducts.license-operator.io; so changes are not "+
				"rejected, and each write takes seconds longer")}},
		"rules cannot be written: forbidden": {func(i *snapshot) {
			i.products.value[0] = seenObject("a",
				isFalse("AlertsReady", "Forbidden"))
		}, []check{problem("Alerts",
			"Give it in that namespace the permissions that config/rbac gives it in its own: docs/monitoring.md",
			"the operator is not allowed to write the PrometheusRule of a (Forbidden): Message of a.")}},
		"rules cannot be written": {func(i *snapshot) {
			i.products.value[0] = seenObject("a",
				isFalse("AlertsReady", "ApplyFailed"))
		}, []check{problem("Alerts",
			"The operator retries with growing delays. See its log.",
			"the operator could not write the PrometheusRule of a (ApplyFailed): Message of a.")}},
		"rules are not written yet": {func(i *snapshot) {
			i.products.value[0] = seenObject("b", isFalse("AlertsReady", "APINotInstalled"))
			i.products.value = append(i.products.value, objectFacts{name: "a"})
			i.rules.value = nil
		}, []check{
			good("Restrictions", "1 restriction is in force and complete"),
			warning("Alerts", soon,
				"no PrometheusRules yet for a, b"),
			good("Rules", "the operator has not written any PrometheusRules"),
			warning("Products", soon,
				"1 of 2 products not reconciled yet: a"),
		}},
		"no server selects them": {func(i *snapshot) {
			i.selectors.value = []selectingServer{
				selecting("Prometheus", labeled("release", "stack"), nil, nil, everything),
				selecting("ThanosRuler", everything, labeled("team", "sre"), everything, everything),
				selecting("PrometheusAgent", everything, everything, labeled("release", "stack"), everything),
			}
		}, []check{
			warning("Rules", selectRules, "no Prometheus selects PrometheusRule licensing/acme-mesh: Prometheus "+
				"monitoring/k8s selects those with release=stack in its own namespace; ThanosRuler monitoring/k8s "+
				"selects any in namespaces with team=sre"),
			warning("Scraping", "Add a label so that one selects it (kubectl label servicemonitor -n licensing "+
				"operator …), or change what it selects: docs/monitoring.md",
				"no Prometheus selects ServiceMonitor licensing/operator: Prometheus monitoring/k8s selects none; "+
					"PrometheusAgent monitoring/k8s selects those with release=stack in any namespace"),
		}},
		"a server selects its own namespace": {func(i *snapshot) {
			s := selecting("Prometheus", everything, nil, everything, nil)
			s.Namespace = "licensing"
			i.selectors.value = []selectingServer{s}
		}, nil},
		"no server": {func(i *snapshot) { i.selectors.value = nil }, []check{
			warning("Rules", "Load the rules into the Prometheus that evaluates them: docs/monitoring.md",
				"found neither a Prometheus nor a ThanosRuler of prometheus-operator to evaluate the alerts"),
			warning("Scraping", "Configure the Prometheus of this cluster to scrape it: docs/monitoring.md",
				"found neither a Prometheus nor a PrometheusAgent of prometheus-operator to scrape the operator"),
		}},
		"no ServiceMonitor": {
			func(i *snapshot) { i.monitors.value = nil },
			[]check{warning("Scraping", "Apply it: kubectl apply -k config/prometheus",
				"the operator has no ServiceMonitor in namespace licensing: alerts need its metrics")},
		},
		"PrometheusRules alone": {
			func(i *snapshot) { i.monitors = notRead[[]metav1.PartialObjectMetadata](absent) },
			[]check{warning("Scraping", "Configure Prometheus to scrape it without one: docs/monitoring.md",
				"the cluster does not have the kind ServiceMonitor")},
		},
		"a namespace that cannot be read": {
			func(i *snapshot) { i.namespaces["licensing"] = notRead[map[string]string](forbidden) },
			[]check{notChecked("Scraping", askForIt, "missing permission: read it")},
		},
		"a clock that is a little ahead": {
			func(i *snapshot) { i.clocks.here = i.clocks.server.Add(2 * time.Minute) },
			[]check{warning("Clock", correctClock, "this machine's clock is 2 minutes ahead of the API server's")},
		},
		"a clock that is behind": {
			func(i *snapshot) { i.clocks.here = i.clocks.server.Add(-time.Hour) },
			[]check{problem("Clock", correctClock, "this machine's clock is 60 minutes behind the API server's")},
		},
		"an API server without a clock": {func(i *snapshot) { i.clocks.server = time.Time{} }, []check{
			notChecked("Leader", "",
				"operator-2_1234 holds the lease, but its age is unknown: the API server does not report its time"),
			notChecked("Clock", "", "the API server does not report its time"),
		}},
		"the operator's clock is wrong": {func(i *snapshot) {
			i.products.value = append(i.products.value,
				seenObject("b",
					metav1.Condition{Type: "ClockSkewed", Status: metav1.ConditionTrue, Reason: "NodeClock"}))
		}, []check{
			good("Restrictions", "2 restrictions are in force and complete"),
			problem("OperatorClock", "Correct the clocks of the nodes and of the control plane. If a clock was "+
				"ahead before: kubectl license clock reset b", "clock skew detected for b: Message of b."),
			good("Products", "the terms of 2 products are accepted"),
		}},
		"terms are not accepted": {func(i *snapshot) {
			i.products.value = []objectFacts{
				seenObject("b", isFalse("Ready", "TrustAnchorsInvalid")),
				seenObject("a",
					metav1.Condition{Type: "Ready", Status: metav1.ConditionUnknown, Reason: "NodeSelectorInvalid"}),
				seenObject("c"),
			}
		}, []check{
			good("Restrictions", "3 restrictions are in force and complete"),
			problem("Products", "See the reason with kubectl license status, and ask the vendor.",
				"the terms of 2 of 3 products are not accepted: a (NodeSelectorInvalid), b (TrustAnchorsInvalid)"),
		}},
		"no products, no keys": {func(i *snapshot) {
			i.products.value, i.keys.value, i.rules.value = nil, nil,
				nil
		}, []check{
			good("Restrictions", "no restriction is in force"), good("Alerts", "no products, so no alerts"),
			good("Rules", "the operator has not written any PrometheusRules"),
			good("Products", "there are no LicensedProducts"), good("Keys", "there are no LicenseKeys"),
		}},
		"keys that do not verify": {func(i *snapshot) {
			i.keys.value = append(i.keys.value, seenObject("b", isFalse("Ready", "SignatureInvalid")),
				objectFacts{name: "c"})
		}, []check{warning("Keys", "See why: kubectl license keys",
			"1 of 3 keys do not verify: b (SignatureInvalid)")}},
		"a key that is not reconciled": {
			func(i *snapshot) { i.keys.value[0].conditions = nil },
			[]check{warning("Keys", soon,
				"1 of 1 key not reconciled yet: acme-mesh-2027")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := healthy(t)
			before := checksByName(i.check().Checks)
			test.change(i)
			after := checksByName(i.check().Checks)
			maps.DeleteFunc(after, func(name string, c check) bool { return before[name] == c })
			want := checksByName(test.want)
			maps.DeleteFunc(want, func(name string, c check) bool { return before[name] == c })
			if diff := cmp.Diff(want, after); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The fix depends on how the operator was installed.
func TestFixesAreForTheInstaller(t *testing.T) {
	const pods = "kubectl delete pods -n licensing -l " +
		"app.kubernetes.io/name=license-operator,control-plane=controller-manager"
	const olm = "OLM installed it, and reports what is missing: kubectl describe " +
		"clusterserviceversions.operators.coreos.com license-operator.v1.2.0 -n licensing. " +
		"For what OLM does not restore, install it again: docs/installation.md"
	const deploy = "Apply the operator's manifests again, as for the installation: make deploy IMG=… " +
		"NAMESPACE=licensing, or your own kustomization"
	const helm = "helm upgrade our-licenses CHART -n licensing --reuse-values"
	const manage = "; or start the operator with --manage-admission-policies, with ClusterRole " +
		"license-operator-admission-manager-role bound to it."
	const recreate = "Delete and apply again, because applying alone keeps fields that were added: kubectl delete " +
		"validatingadmissionpolicybinding/license-operator-lock && "
	deployment := func(labels, annotations map[string]string, containers ...corev1.Container) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}}
		d.Spec.Template.Spec.Containers = containers
		return d
	}
	for name, test := range map[string]struct {
		deployment *appsv1.Deployment
		// want are the fixes of a missing definition, of a missing policy, of a binding that only audits, of missing
		// rights, and of a ServiceMonitor that is not there.
		want []string
	}{
		"unknown": {deployment(nil, nil), []string{
			deploy, deploy + manage, recreate + "make deploy IMG=… NAMESPACE=licensing (or restart the operator " +
				"if it has --manage-admission-policies)", deploy, "Apply it: kubectl apply -k config/prometheus",
		}},
		"make deploy": {
			deployment(map[string]string{"app.kubernetes.io/managed-by": "kustomize"}, nil,
				corev1.Container{Name: "proxy", Image: "proxy"},
				corev1.Container{Name: "manager", Image: "example.com/operator:v1.2.0"}),
			[]string{
				strings.ReplaceAll(deploy, "…", "example.com/operator:v1.2.0"),
				strings.ReplaceAll(deploy, "…", "example.com/operator:v1.2.0") + manage,
				recreate + "make deploy IMG=example.com/operator:v1.2.0 NAMESPACE=licensing (or restart the " +
					"operator if it has --manage-admission-policies)",
				strings.ReplaceAll(deploy, "…", "example.com/operator:v1.2.0"),
				"Apply it: kubectl apply -k config/prometheus",
			},
		},
		"Helm": {
			deployment(map[string]string{"app.kubernetes.io/managed-by": "Helm"},
				map[string]string{"meta.helm.sh/release-name": "our-licenses"},
				corev1.Container{Name: "manager", Image: "example.com/operator:v1.2.0"}),
			[]string{
				"Apply the Helm release again: " + helm, "Apply the Helm release again: " + helm + manage,
				recreate + helm + " (or restart the operator if it has --manage-admission-policies)",
				"Apply the Helm release again: " + helm,
				"Enable it in the Helm release: " + helm + " --set serviceMonitor.enabled=true",
			},
		},
		"OLM": {
			deployment(map[string]string{
				"app.kubernetes.io/managed-by": "olm", "olm.owner": "license-operator.v1.2.0",
				"olm.owner.kind": "ClusterServiceVersion",
			}, nil,
				corev1.Container{Name: "manager", Image: "example.com/operator:v1.2.0"}),
			[]string{
				olm, "Restart the operator, which applies them: " + pods, recreate + pods, olm,
				"Apply it: kubectl apply -k config/prometheus",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, broken := range []struct {
				check  string
				change func(i *snapshot)
			}{
				{"CRDs", func(i *snapshot) { i.definitions[1].value = nil }},
				{"Admission", func(i *snapshot) { i.policies.value = i.policies.value[1:] }},
				{"Admission", func(i *snapshot) {
					i.bindings.value[0].Spec.ValidationActions = []admissionregistrationv1.ValidationAction{
						admissionregistrationv1.Audit,
					}
				}},
				{"TierRights", func(i *snapshot) { i.missingRights.value = []string{"a"} }},
				{"Scraping", func(i *snapshot) { i.monitors.value = nil }},
			} {
				i := healthy(t)
				i.installer = installerOf(test.deployment)
				broken.change(i)
				got = append(got, checksByName(i.check().Checks)[broken.check].Fix)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func removeField(definition *apiextensionsv1.CustomResourceDefinition, in, name string) {
	delete(definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties[in].Properties, name)
}

func addField(definition *apiextensionsv1.CustomResourceDefinition, in, name string) {
	of := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties[in].Properties
	of[name] = apiextensionsv1.JSONSchemaProps{Type: "string"}
}

func labelPods(i *snapshot, name, value string) {
	for n := range i.pods.value {
		i.pods.value[n].Labels = map[string]string{name: value}
	}
}

func imagePods(i *snapshot, image string) {
	for n := range i.pods.value {
		i.pods.value[n].Spec.Containers[1].Image = image
	}
}

func unreadyPods(i *snapshot, count int, reason string) {
	for n := range count {
		i.pods.value[n].Status = corev1.PodStatus{Phase: corev1.PodPending}
		if reason != "" {
			i.pods.value[n].Status.ContainerStatuses = []corev1.ContainerStatus{
				{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}},
			}
		}
	}
}

func TestWithoutPrometheusOperator(t *testing.T) {
	i := healthy(t)
	i.rules = notRead[[]metav1.PartialObjectMetadata](&meta.NoKindMatchError{})
	want := []check{good("Alerts", "prometheus-operator not found, so there are no PrometheusRules; for alerts "+
		"without it see docs/monitoring.md")}
	got := slices.DeleteFunc(i.check().Checks, func(c check) bool {
		return !slices.Contains([]string{"Alerts", "Rules", "Scraping"}, c.Name)
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The checked permissions are those in config/rbac.
func TestTierRightsAreTheRole(t *testing.T) {
	role := &rbacv1.ClusterRole{}
	configOf(t, "rbac/role.yaml", "ClusterRole", role)
	viewer := &rbacv1.ClusterRole{}
	configOf(t, "rbac/licensedproduct_viewer_role.yaml", "ClusterRole", viewer)
	for _, test := range []struct {
		rules    []rbacv1.PolicyRule
		group    string
		resource func(string) bool
		want     []right
	}{
		{role.Rules, "projectcalico.org", func(string) bool { return true }, tierRights},
		{
			viewer.Rules, "license-operator.io", func(resource string) bool { return resource == "licensedproducts" },
			calicoRights,
		},
	} {
		var granted []right
		for _, rule := range test.rules {
			for _, resource := range rule.Resources {
				if slices.Contains(rule.APIGroups, test.group) && test.resource(resource) {
					granted = append(granted, rightsOn(test.group, []string{resource}, rule.Verbs...)...)
				}
			}
		}
		if diff := cmp.Diff(granted, test.want, cmp.AllowUnexported(right{})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReportOnScreens(t *testing.T) {
	c := &report{Checks: []check{
		good("Pods", "2 pods are ready"),
		warning("Versions", "Use the other one.", "the plugin is \x1b[2J, and the operator is much newer than that"),
		problem("Leader", "See the log: kubectl logs -n licensing", "no leader"),
		notChecked("Keys", "", "missing permission"),
	}}
	for name, test := range map[string]struct {
		screen term.Screen
		want   string
	}{
		"a pipe": {term.Screen{}, `ok            Pods       2 pods are ready
warning       Versions   the plugin is \x1b[2J, and the operator is much newer than that
                         -> Use the other one.
problem       Leader     no leader
                         -> See the log: kubectl logs -n licensing
not checked   Keys       missing permission

1 problem, 1 warning, 1 not checked.
`},
		"a wide terminal": {
			term.Screen{Width: 100, Colored: true},
			"\x1b[32mok\x1b[0m            Pods       2 pods are ready\n" +
				"\x1b[33mwarning\x1b[0m       Versions   the plugin is \\x1b[2J, and the operator is much newer than " +
				"that\n                         -> Use the other one.\n" +
				"\x1b[31mproblem\x1b[0m       Leader     no leader\n                         -> See the log: " +
				"kubectl " +
				"logs -n licensing\n" +
				"not checked   Keys       missing permission\n\n1 problem, 1 warning, 1 not checked.\n",
		},
		"a narrow one": {term.Screen{Width: 40}, `ok            Pods: 2 pods are ready
warning       Versions: the plugin is
              \x1b[2J, and the operator
              is much newer than that
              -> Use the other one.
problem       Leader: no leader
              -> See the log: kubectl
                 logs -n licensing
not checked   Keys: missing permission

1 problem, 1 warning, 1 not checked.
`},
	} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			test.screen.Writer = &text
			if err := c.print(test.screen, ""); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, text.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := c.failure(); err == nil || err.Error() != "1 problem found" {
		t.Errorf("got %v", err)
	}
}

func TestFactsOfLease(t *testing.T) {
	renewed := metav1.NewMicroTime(clitest.Present.Add(-time.Hour))
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "licensing"},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity: new("a_1"), LeaseDurationSeconds: new(int32(15)),
			RenewTime: &renewed,
		},
	}
	fields := func(at time.Duration, names string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{
			Time:     new(metav1.NewTime(clitest.Present.Add(at))),
			FieldsV1: metav1.NewFieldsV1(fmt.Sprintf(`{"f:spec":{%s}}`, names)),
		}
	}
	for name, test := range map[string]struct {
		managed []metav1.ManagedFieldsEntry
		want    time.Duration
	}{
		"by the holder's clock": {nil, time.Hour},
		"by the API server's": {[]metav1.ManagedFieldsEntry{
			fields(-time.Minute, `"f:x":{}`),
			fields(-2*time.Second, `"f:renewTime":{}`),
		}, 2 * time.Second},
		"written by another manager": {[]metav1.ManagedFieldsEntry{fields(-time.Second, `"f:x":{}`)}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			lease.ManagedFields = test.managed
			want := leaseFacts{namespace: "licensing", holder: "a_1", age: test.want, valid: 15 * time.Second}
			if diff := cmp.Diff(want, factsOfLease(lease, clitest.Present),
				cmp.AllowUnexported(leaseFacts{})); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := factsOfLease(&coordinationv1.Lease{}, clitest.Present); !got.isStale() || got.age != text.MaxDuration {
		t.Errorf("an empty lease: %+v", got)
	}
}
