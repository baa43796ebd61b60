// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// operatorLease is by which a leader leads.
const operatorLease = "license-operator.io"

// checkedAs is what kubectl license doctor -o json says of a check.
type checkedAs struct{ Name, Result, Message, Fix string }

// checks are those that doctor makes, by their names.
func checks(ctx SpecContext, s *session, args ...string) map[string]checkedAs {
	GinkgoHelper()
	got := s.run(ctx, command{args: append([]string{"doctor", "-o", "json"}, args...)})
	var told struct{ Checks []checkedAs }
	Expect(json.Unmarshal([]byte(got.stdout), &told)).To(Succeed(), got.stderr)
	named := map[string]checkedAs{}
	for _, c := range told.Checks {
		named[c.Name] = c
	}
	return named
}

func newOperatorPod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{
			"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager",
		}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "license-operator-controller-manager", AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   new(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "manager", Image: "example.com/license-operator:v1.2.0",
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// createReady creates a pod that says it is ready.
func createReady(ctx SpecContext, pod *corev1.Pod) {
	GinkgoHelper()
	create(ctx, pod)
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	Expect(k8sClient.Status().Update(ctx, pod)).To(Succeed())
}

// newMonitoring is an object of prometheus-operator.
func newMonitoring(
	kind, namespace, name string, labels map[string]string, spec map[string]any,
) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: kind})
	object.SetNamespace(namespace)
	object.SetName(name)
	object.SetLabels(labels)
	return object
}

// withDefinitions installs the kinds of others until the specs are over.
func withDefinitions(ctx SpecContext, definitions ...*unstructured.Unstructured) {
	GinkgoHelper()
	Expect(plane.Install(ctx, definitions...)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		// One after the other: the API server may go on telling of one that goes at the same time as others of its
		// group.
		for _, definition := range definitions {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, definition))).To(Succeed())
			Eventually(servedOf, "30s").WithArguments([]*unstructured.Unstructured{definition}).
				Should(BeEmpty(), func() string {
					return fmt.Sprint(k8sClient.Get(ctx, client.ObjectKeyFromObject(definition), definition),
						definition)
				})
		}
	})
	Eventually(servedOf, "30s").WithArguments(definitions).Should(HaveLen(len(definitions)))
}

// servedOf are those of the kinds that discovery tells of, which is a moment after they are established, and before it
// hears that they are gone.
func servedOf(definitions []*unstructured.Unstructured) ([]string, error) {
	reader, err := discovery.NewDiscoveryClientForConfig(plane.Admin())
	if err != nil {
		return nil, err
	}
	_, all, err := reader.ServerGroupsAndResources()
	if err != nil {
		return nil, err
	}
	var served []string
	for _, definition := range definitions {
		plural, group, _ := strings.Cut(definition.GetName(), ".")
		if slices.ContainsFunc(all, func(list *metav1.APIResourceList) bool {
			return strings.HasPrefix(list.GroupVersion, group+"/") &&
				slices.ContainsFunc(list.APIResources, func(resource metav1.APIResource) bool {
					return resource.Name ==
						plural
				})
		}) {
			served = append(served, definition.GetName())
		}
	}
	return served, nil
}

// newAdminSession is the administrator's; the version of the plugin, which is another in each build, has a name in its
// record.
func newAdminSession(ctx SpecContext) *session {
	GinkgoHelper()
	s := newSession(adminKubeconfig)
	version := strings.Fields(s.run(ctx, command{args: []string{"version"}}).stdout)
	Expect(len(version)).To(BeNumerically(">", 1))
	s.hide("this plugin is "+version[1], "this plugin is VERSION")
	return s
}

// withoutLease begins without what another spec's leader may have left.
func withoutLease(ctx SpecContext) {
	GinkgoHelper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: controlplane.OperatorNamespace,
		Name:      operatorLease,
	}}
	Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, lease))).To(Succeed())
}

var _ = Describe("kubectl license doctor", Ordered, func() {
	BeforeAll(func(ctx SpecContext) {
		withoutLease(ctx)
		DeferCleanup(withoutLease)
	})

	It("checks an installation without running pods, and with few permissions", func(ctx SpecContext) {
		s := newAdminSession(ctx)
		s.show(ctx, "doctor")
		s.showThis(ctx, command{args: []string{"doctor"}, width: 160})
		s.showThis(ctx, command{args: []string{"doctor"}, width: 60})
		s.show(ctx, "doctor", "-n", "nowhere", "-o", "yaml")
		s.show(ctx, "doctor", "-o", "table")
		s.show(ctx, "doctor", "--server", "http://127.0.0.1:1")
		nobody := newUserSession(ctx, "nobody-examines")
		nobody.show(ctx, "doctor")
		s.note("Without rights.")
		s.record.WriteString(nobody.record.String())
		some := newUserSession(ctx, "someone-examines",
			may("list", api.GroupVersion.Group, "licensedproducts", "licensekeys"), may("list", "", "pods"),
			may("list", "coordination.k8s.io", "leases"))
		some.show(ctx, "doctor")
		s.note("With some rights.")
		s.record.WriteString(some.record.String())
		s.compare("doctor")
	})

	It("sees who leads, and a second one that does", func(ctx SpecContext) {
		s := newAdminSession(ctx)
		manager, err := plane.StartManager(ctx,
			controlplane.ManagerOptions{Binary: filepath.Join(binaries, "cmd"), Log: GinkgoWriter})
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(manager.Stop)
		Expect(manager.WaitReady(ctx)).To(Succeed())
		Eventually(func() string { return checks(ctx, s)["Leader"].Message }, "30s", "200ms").
			Should(ContainSubstring("is not one of the operator's pods"))

		// A pod's hostname is its name, and here it is this machine's.
		hostname, err := os.Hostname()
		Expect(err).NotTo(HaveOccurred())
		createReady(ctx, newOperatorPod(controlplane.OperatorNamespace, "operator-1"))
		pod := newOperatorPod(controlplane.OperatorNamespace, "operator-2")
		pod.Spec.Hostname = hostname
		createReady(ctx, pod)
		// One that was evicted stays, and is no replica of anything.
		evicted := newOperatorPod(controlplane.OperatorNamespace, "operator-0")
		evicted.Spec.Containers[0].Image = "example.com/license-operator:v1.1.0"
		create(ctx, evicted)
		evicted.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}
		Expect(k8sClient.Status().Update(ctx, evicted)).To(Succeed())
		checked := checks(ctx, s)
		Expect(checked["Leader"].Result).To(Equal("OK"), checked["Leader"].Message)
		Expect(checked["Installations"]).To(Equal(checkedAs{"Installations", "OK", "there is no other", ""}))
		Expect(checked["Pods"]).
			To(Equal(checkedAs{"Pods", "OK", "2 pods are ready in namespace license-operator-system", ""}))
		Expect(checked["Versions"].Message).To(HaveSuffix("and the operator v1.2.0: that cannot be compared"))

		create(ctx, newOperatorPod("default", "operator-3"))
		Expect(checks(ctx, s)["Installations"].Result).To(Equal("Warning"))
		// The time in a lease is by the holder's clock, and here that is behind. The API server has noted when it was
		// really written.
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: operatorLease},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("operator-3_1"), LeaseDurationSeconds: new(int32(600)),
				RenewTime: new(metav1.NewMicroTime(time.Now().Add(-time.Hour))),
			},
		}
		create(ctx, lease)
		Expect(checks(ctx, s)["Installations"]).To(Equal(checkedAs{
			"Installations", "Problem", "the operator leads in namespace default as well",
			"Remove all but one: LicensedProducts belong to the whole cluster, and two operators undo each " +
				"other's work.",
		}))

		Expect(manager.Stop()).To(Succeed())
		checked = checks(ctx, s)
		Expect(checked["Leader"].Message).To(Equal("no leader: the lease was released"))
		Expect(checked["Installations"].Message).
			To(Equal("the operator leads in namespace default, and not in license-operator-system"))
	})

	It("says what is wrong with the policies, products and keys", func(ctx SpecContext) {
		withoutLease(ctx)
		s := newAdminSession(ctx)
		binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "license-operator-lock"}, binding)).To(Succeed())
		before := binding.DeepCopy()
		binding.Spec.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
		Expect(k8sClient.Update(ctx, binding)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			before.ResourceVersion = binding.ResourceVersion
			Expect(k8sClient.Update(ctx, before)).To(Succeed())
		})
		product := newCountingProduct("acme-sick", nil)
		for _, condition := range []metav1.Condition{
			{Type: api.ConditionReady, Status: metav1.ConditionFalse, Reason: "TrustAnchorsInvalid"},
			{
				Type: api.ConditionRestrictionReady, Status: metav1.ConditionFalse, Reason: api.ReasonLockNotInForce,
				Message: "A write was \x1b[2Jnot refused.",
			},
			{
				Type: api.ConditionClockSkewed, Status: metav1.ConditionTrue, Reason: api.ReasonNodeClock,
				Message: "An hour ahead.",
			},
		} {
			meta.SetStatusCondition(&product.Status.Conditions, condition)
		}
		key := &api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: "acme-sick-2027"},
			Spec:       api.LicenseKeySpec{ProductName: "acme-sick", Token: "e30.e30.AA"},
		}
		meta.SetStatusCondition(&key.Status.Conditions,
			metav1.Condition{
				Type: api.ConditionReady, Status: metav1.ConditionFalse,
				Reason: api.ReasonSignatureInvalid,
			})
		create(ctx, product, key)
		s.show(ctx, "doctor")
		s.compare("doctor-sick")
	})

	It("says how to be rid of what somebody has added to the policies, which applying them again leaves",
		func(ctx SpecContext) {
			s := newAdminSession(ctx)
			lock := client.ObjectKey{Name: "license-operator-lock"}
			policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
			Expect(k8sClient.Get(ctx, lock, policy)).To(Succeed())
			policy.Spec.MatchConditions = append(policy.Spec.MatchConditions,
				admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
			Expect(k8sClient.Update(ctx, policy)).To(Succeed())
			binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
			Expect(k8sClient.Get(ctx, lock, binding)).To(Succeed())
			binding.Spec.MatchResources = &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"no": "where"}},
			}
			Expect(k8sClient.Update(ctx, binding)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) {
				Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, binding))).To(Succeed())
				Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, policy))).To(Succeed())
				Expect(plane.InstallOperator(ctx)).To(Succeed())
			})

			Expect(plane.InstallOperator(ctx)).To(Succeed())
			repair := func(result, message string) {
				GinkgoHelper()
				checked := checks(ctx, s)["Admission"]
				Expect(checked.Result).To(Equal(result))
				Expect(checked.Message).To(Equal(message))
				_, words, _ := strings.Cut(checked.Fix, ": kubectl ")
				words, _, found := strings.Cut(words, " && make deploy IMG=")
				Expect(found).To(BeTrue(), checked.Fix)
				output, err := exec.CommandContext(ctx, plane.Kubectl(),
					append(strings.Fields(words), "--kubeconfig", adminKubeconfig)...).CombinedOutput()
				Expect(err).NotTo(HaveOccurred(), string(output))
				Expect(plane.InstallOperator(ctx)).To(Succeed())
			}
			repair("Problem",
				"ValidatingAdmissionPolicyBinding license-operator-lock does not bind its policy for every "+
					"product and every write")
			repair("Warning", "ValidatingAdmissionPolicy license-operator-lock differs from this plugin's release")
			Expect(checks(ctx, s)["Admission"]).
				To(Equal(checkedAs{"Admission", "OK", "3 ValidatingAdmissionPolicies are in place, and bound", ""}))
		})

	It("sees an API server of Calico's own that is not there", func(ctx SpecContext) {
		service := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"group": "projectcalico.org", "version": "v3", "groupPriorityMinimum": int64(1500),
			"versionPriority":       int64(200),
			"insecureSkipTLSVerify": true,
			"service":               map[string]any{"namespace": "calico-system", "name": "calico-api"},
		}}}
		service.SetGroupVersionKind(schema.GroupVersionKind{
			Group: "apiregistration.k8s.io", Version: "v1",
			Kind: "APIService",
		})
		service.SetName("v3.projectcalico.org")
		create(ctx, service)
		s := newAdminSession(ctx)
		Eventually(func() checkedAs { return checks(ctx, s)["CalicoAPI"] }, "15s", "200ms").
			Should(HaveField("Result", "Problem"))
		checked := checks(ctx, s)
		Expect(checked["CalicoAPI"].Message).
			To(HavePrefix("Service calico-api in namespace calico-system serves the tiers, and is not available: "))
		Expect(checked["TierRights"].Result).To(Equal("NotChecked"), checked["TierRights"].Message)
		GinkgoWriter.Println(checked["CalicoAPI"], checked["TierRights"])
	})

	Context("with Calico and prometheus-operator", Ordered, func() {
		BeforeAll(func(ctx SpecContext) {
			withoutLease(ctx)
			definitions, err := controlplane.CalicoDefinitions(ctx)
			Expect(err).NotTo(HaveOccurred())
			for _, plural := range []string{"prometheuses", "prometheusrules", "servicemonitors"} {
				definition, err := controlplane.PrometheusOperatorDefinition(ctx, plural)
				Expect(err).NotTo(HaveOccurred())
				definitions = append(definitions, definition)
			}
			withDefinitions(ctx, definitions...)
			group := []any{map[string]any{
				"name":  "acme",
				"rules": []any{map[string]any{"alert": "A", "expr": "vector(1)"}},
			}}
			mesh := newCountingProduct("acme-mesh", nil)
			for _, condition := range []metav1.Condition{
				{Type: api.ConditionReady, Status: metav1.ConditionTrue, Reason: api.ReasonTermsAccepted},
				{Type: api.ConditionAlertsReady, Status: metav1.ConditionTrue, Reason: api.ReasonRuleApplied},
			} {
				meta.SetStatusCondition(&mesh.Status.Conditions, condition)
			}
			create(ctx, mesh,
				newMonitoring("PrometheusRule", controlplane.OperatorNamespace, "acme-mesh",
					map[string]string{"app.kubernetes.io/managed-by": "license-operator"},
					map[string]any{"groups": group}),
				newMonitoring("ServiceMonitor", controlplane.OperatorNamespace, "operator", map[string]string{
					"app.kubernetes.io/name": "license-operator", "control-plane": "controller-manager",
					"release": "stack",
				}, map[string]any{"selector": map[string]any{}, "endpoints": []any{map[string]any{"port": "https"}}}),
				newMonitoring("Prometheus", "default", "k8s", nil, map[string]any{
					"ruleSelector":           map[string]any{"matchLabels": map[string]any{"release": "stack"}},
					"ruleNamespaceSelector":  map[string]any{},
					"serviceMonitorSelector": map[string]any{"matchLabels": map[string]any{"release": "stack"}},
					"serviceMonitorNamespaceSelector": map[string]any{
						"matchLabels": map[string]any{"kubernetes.io/metadata.name": controlplane.OperatorNamespace},
					},
				}))
		})

		It("sees who is selected, and what the operator may do", func(ctx SpecContext) {
			s := newAdminSession(ctx)
			s.show(ctx, "doctor")
			s.note("Once its rights on tiers are gone, and another Prometheus is there.")
			bound := &rbacv1.ClusterRoleBinding{}
			Expect(k8sClient.Get(ctx, client.ObjectKey{Name: "license-operator-manager-rolebinding"}, bound)).
				To(Succeed())
			again := &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: bound.Name, Labels: bound.Labels},
				RoleRef:    bound.RoleRef, Subjects: bound.Subjects,
			}
			Expect(k8sClient.Delete(ctx, bound)).To(Succeed())
			DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Create(ctx, again)).To(Succeed()) })
			create(ctx,
				newMonitoring("Prometheus", controlplane.OperatorNamespace, "own", nil,
					map[string]any{"ruleSelector": map[string]any{}}))
			Eventually(func() string { return checks(ctx, s)["TierRights"].Result }, "15s", "200ms").
				Should(Equal("Problem"))
			s.show(ctx, "doctor")
			s.compare("doctor-neighbours")
		})
	})
})
