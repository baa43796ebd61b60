// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	readOnly        = api.RestrictionReadOnly
	defaultTierOnly = api.RestrictionDefaultTierOnly
)

const (
	calicoGroup = "projectcalico.org"

	globalPolicy           = "GlobalNetworkPolicy"
	namespacedPolicy       = "NetworkPolicy"
	stagedGlobalPolicy     = "StagedGlobalNetworkPolicy"
	stagedNamespacedPolicy = "StagedNetworkPolicy"
)

var kinds = []string{globalPolicy, namespacedPolicy, stagedGlobalPolicy, stagedNamespacedPolicy}

// resourceOf is the resource of a kind, as the API server calls it in its refusals.
func resourceOf(kind string) string {
	return strings.TrimSuffix(strings.ToLower(kind), "y") + "ies." + calicoGroup
}

var since = time.Date(2027, time.March, 1, 0, 0, 0, 0, time.UTC)

var uniqueNumber atomic.Int64

func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, uniqueNumber.Add(1)) }

// tiers are those that a restriction is in force for, and how.
type tiers map[string]api.RestrictionMode

func newProduct(name string) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: api.LicensedProductSpec{
			Vendor: "Acme", RenewalURL: "https://acme.example/renew",
			TrustAnchors: anchors,
		},
	}
}

// noticeOf is what the operator writes into the status of such a product.
func noticeOf(product string) string {
	p := restriction.Product{Name: product, Vendor: "Acme", RenewalURL: "https://acme.example/renew"}
	return p.Notice(since)
}

// inForce is the status of a product whose restriction is in force.
func inForce(product string, restricted tiers) *api.RestrictionStatus {
	status := &api.RestrictionStatus{
		State:           api.RestrictionActive,
		SparedNamespace: controlplane.OperatorNamespace,
		InForce: &api.RestrictionInForce{
			Mode: defaultTierOnly, SinceTime: new(metav1.NewTime(since)), Message: noticeOf(product),
		},
	}
	for _, name := range slices.Sorted(maps.Keys(restricted)) {
		status.InForce.Tiers = append(status.InForce.Tiers, api.RestrictedTier{Name: name, Mode: restricted[name]})
	}
	return status
}

// restrict makes a product whose restriction is in force for the tiers, changed as told, and deletes it after the spec.
// The policies need not know of it yet.
func restrict(ctx context.Context, restricted tiers, change ...func(*api.RestrictionStatus)) *api.LicensedProduct {
	GinkgoHelper()
	product := newProduct(unique("product"))
	Expect(admin.Create(ctx, product)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, product))).To(Succeed()) })
	product.Status.Restriction = inForce(product.Name, restricted)
	for _, c := range change {
		c(product.Status.Restriction)
	}
	writeStatus(ctx, product)
	return product
}

func writeStatus(ctx context.Context, product *api.LicensedProduct) {
	GinkgoHelper()
	Expect(admin.Status().Update(ctx, product)).To(Succeed())
}

// restricted is restrict, and waits until the policies know of it.
func restricted(ctx context.Context, in tiers, change ...func(*api.RestrictionStatus)) *api.LicensedProduct {
	GinkgoHelper()
	product := restrict(ctx, in, change...)
	settle(ctx)
	return product
}

// settle waits until the policies know all that has been written of products so far: they hear of it in order, so one
// that is written now is heard of last.
func settle(ctx context.Context) {
	GinkgoHelper()
	tier := unique("last")
	last := restrict(ctx, tiers{tier: readOnly})
	Eventually(func() error { return engineer.Create(ctx, newPolicy(globalPolicy, "probe", tier), client.DryRunAll) }).
		Should(
			Satisfy(apierrors.IsInvalid), "the API server's informer sees the product")
	Expect(admin.Delete(ctx, last)).To(Succeed())
}

// newPolicy is a policy such as users have; those of namespaced kinds are in the namespace default.
func newPolicy(kind, name, tier string) *unstructured.Unstructured {
	policy := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"tier": tier, "order": int64(100), "selector": "app == 'shop'", "types": []any{"Ingress"},
			"ingress": []any{map[string]any{"action": "Allow"}},
		},
	}}
	policy.SetAPIVersion(calicoGroup + "/v3")
	policy.SetKind(kind)
	policy.SetName(name)
	if kind == namespacedPolicy || kind == stagedNamespacedPolicy {
		policy.SetNamespace(metav1.NamespaceDefault)
	}
	return policy
}

// newPassPolicy is a policy as the operator makes them, but for its name.
func newPassPolicy(name, tier string) *unstructured.Unstructured {
	policy := newPolicy(globalPolicy, name, tier)
	policy.Object["spec"] = calico.PassSpec(tier, controlplane.OperatorNamespace)
	return policy
}

// fields are those of a spec; one that is nil is removed.
type fields map[string]any

// with changes the spec of a policy.
func with(policy *unstructured.Unstructured, changed fields) *unstructured.Unstructured {
	spec, _ := policy.Object["spec"].(map[string]any)
	for field, value := range changed {
		if value == nil {
			delete(spec, field)
			continue
		}
		spec[field] = value
	}
	return policy
}

// first gives a policy the order of pass policies.
func first(policy *unstructured.Unstructured) *unstructured.Unstructured {
	return with(policy, fields{"order": calico.PassOrder})
}

// there creates policies while they are not restricted yet, and deletes them after the spec.
func there(ctx context.Context, policies ...*unstructured.Unstructured) {
	GinkgoHelper()
	for _, policy := range policies {
		Expect(admin.Create(ctx, policy)).To(Succeed())
		tidy(policy)
	}
}

// tidy deletes a policy after the spec, should it be there.
func tidy(policy *unstructured.Unstructured) {
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(admin.Delete(ctx, policy))).To(Succeed()) })
}

// refused is an error of the lock, the whole of it.
func refused(policy *unstructured.Unstructured, message string) types.GomegaMatcher {
	return And(Satisfy(apierrors.IsInvalid), MatchError(fmt.Sprintf(
		"%s %q is forbidden: ValidatingAdmissionPolicy 'license-operator-lock' with binding 'license-operator-lock' "+
			"denied request: %s",
		resourceOf(policy.GetKind()), policy.GetName(), message)))
}

// The messages of the lock, for tiers that the product restricts.
func frozen(tier, product string) string {
	return fmt.Sprintf("The policies of tier %q can be read and deleted, but not created or changed. %s", tier,
		noticeOf(product))
}

func sortsFirst(tier, product string) string {
	return fmt.Sprintf("The policies of tier %q are not applied to pods. This one would be, by its order "+
		"-1.7976931348623157e308: give it a greater one. %s",
		tier, noticeOf(product))
}

func passes(tier, product string) string {
	return fmt.Sprintf("This policy keeps those of tier %q from being applied to pods, and cannot be made to do "+
		"anything else. %s", tier, noticeOf(product))
}
