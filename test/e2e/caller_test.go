//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// accountIn is an account in a namespace that has a ClusterRole of the installation, until the spec ends.
func accountIn(ctx context.Context, namespace, role string) string {
	GinkgoHelper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "e2e-"}}
	create(ctx, account)
	DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, account)).To(Succeed()) })
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account.Name}},
	}
	create(ctx, binding)
	DeferCleanup(func(ctx SpecContext) { Expect(k8sClient.Delete(ctx, binding)).To(Succeed()) })
	return account.Name
}

// reportReader is the token of an account that may get reports, until the spec ends.
func reportReader(ctx context.Context) string {
	GinkgoHelper()
	const namespace = "default"
	return strings.TrimSpace(kubectl(ctx, "create", "token",
		accountIn(ctx, namespace, "license-operator-license-report-reader"), "-n", namespace))
}

// restrictedPod is a pod as the namespace of the operator takes it.
func restrictedPod(account, image string, args ...string) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: account, AutomountServiceAccountToken: new(true), RestartPolicy: corev1.RestartPolicyNever,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(65532)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: "main", Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Args: args,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
}

// scrape is what a pod in the operator's namespace gets from URLs with the token of its ServiceAccount.
func scrape(ctx context.Context, account string, urls ...string) string {
	GinkgoHelper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: defaultNamespace, GenerateName: "scrape-"},
		Spec:       restrictedPod(account, scraperImage, urls...),
	}
	create(ctx, pod)
	Eventually(func(g Gomega) {
		g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		g.Expect(pod.Status.Phase).To(BeElementOf(corev1.PodSucceeded, corev1.PodFailed))
	}).Should(Succeed())
	logs := kubectl(ctx, "logs", "-n", defaultNamespace, pod.Name)
	Expect(pod.Status.Phase).To(Equal(corev1.PodSucceeded), logs)
	Expect(k8sClient.Delete(ctx, pod)).To(Succeed())
	return logs
}

// metric is the value of a series without labels.
func metric(metrics, name string) float64 {
	GinkgoHelper()
	for line := range strings.Lines(metrics) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			Expect(err).NotTo(HaveOccurred())
			return number
		}
	}
	Fail("there is no metric " + name)
	return 0
}
