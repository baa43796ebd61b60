// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/text"
)

// tierRights are what the operator needs for restrictions. A test holds them to config/rbac.
var tierRights = slices.Concat(
	rightsOn(calico.Version.Group, []string{"globalnetworkpolicies", "tier.globalnetworkpolicies"}, "create",
		"delete", "get", "list", "update", "watch"),
	rightsOn(calico.Version.Group, []string{"networkpolicies", "tier.networkpolicies"}, "list", "watch"),
	rightsOn(calico.Version.Group, []string{"tiers"}, "get", "list", "watch"),
)

// calicoRights are what Calico's own API server needs in order to evaluate the policies.
var calicoRights = rightsOn(api.GroupVersion.Group, []string{"licensedproducts"}, "get", "list", "watch")

func rightsOn(group string, resources []string, verbs ...string) []right {
	var rights []right
	for _, resource := range resources {
		for _, verb := range verbs {
			rights = append(rights, right{group, resource, verb})
		}
	}
	return rights
}

// guarding is a policy with its binding, as they should be.
type guarding struct {
	policy  admissionregistrationv1.ValidatingAdmissionPolicy
	binding admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

// wantedPolicies are those that are built in.
func wantedPolicies() []guarding {
	var wanted []guarding
	for _, object := range admission.Objects() {
		if object.GetKind() == "ValidatingAdmissionPolicy" {
			g := guarding{}
			decode(object, &g.policy)
			wanted = append(wanted, g)
			continue
		}
		binding := admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
		decode(object, &binding)
		for n := range wanted {
			if wanted[n].policy.Name == binding.Spec.PolicyName {
				wanted[n].binding = binding
			}
		}
	}
	return wanted
}

// decode reads what is built in, which a test reads as well.
func decode(object *unstructured.Unstructured, into any) {
	utilruntime.Must(runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into))
}

func (i *snapshot) checkAdmission() check {
	const name = "Admission"
	if c, is := unread(name, &i.policies, &i.bindings); is {
		return c
	}
	found := i.guardingFlaws()
	changed := fmt.Sprintf("ValidatingAdmissionPolicy %s is not as in this plugin's build",
		strings.Join(found.altered, ", "))
	switch {
	case len(found.missing) > 0:
		return problem(name, i.policiesApplied(), "there is no ValidatingAdmissionPolicy %s",
			strings.Join(found.missing, ", "))
	case len(found.altered) > 0 && i.isOneRelease():
		return problem(name, i.recreated(found.altered, found.misbound), "%s",
			strings.Join(append(found.ineffective, changed), "; "))
	case len(found.misbound) > 0:
		return problem(name, i.recreated(nil, found.misbound), "%s", strings.Join(found.ineffective, "; "))
	case len(found.ineffective) > 0:
		return problem(name, i.policiesApplied(), "%s", strings.Join(found.ineffective, "; "))
	case len(found.altered) > 0:
		return warning(name,
			samePlugin+" If they are of one release, somebody has changed it. "+i.recreated(found.altered, nil), "%s",
			changed)
	default:
		return good(name, "%s are in place, and bound",
			text.Count(int64(len(wantedPolicies())), "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicies"))
	}
}

// guardingFlaws is what is wrong with policies and bindings, by their names.
type guardingFlaws struct {
	missing, altered []string
	// ineffective says of each policy that is not bound as it should be why not; misbound are the bindings that are to
	// blame, if any are.
	ineffective, misbound []string
}

func (i *snapshot) guardingFlaws() *guardingFlaws {
	found := &guardingFlaws{}
	for _, wanted := range wantedPolicies() {
		policy := i.findPolicy(&wanted.policy)
		if policy == nil {
			found.missing = append(found.missing, wanted.policy.Name)
			continue
		}
		if !apiequality.Semantic.DeepEqual(policy.Spec, wanted.policy.Spec) {
			found.altered = append(found.altered, policy.Name)
		}
		flaw, binding := i.bindingFlaw(policy.Name, wanted.binding.Spec)
		if flaw != "" {
			found.ineffective = append(found.ineffective, flaw)
		}
		if binding != "" {
			found.misbound = append(found.misbound, binding)
		}
	}
	return found
}

// recreated is how to put back what somebody has changed. To apply it again is not enough: that leaves whatever others
// have added.
func (i *snapshot) recreated(policies, bindings []string) string {
	var words strings.Builder
	for _, name := range bindings {
		words.WriteString(" validatingadmissionpolicybinding/" + text.ShellQuote(name))
	}
	for _, name := range policies {
		words.WriteString(" validatingadmissionpolicy/" + text.ShellQuote(name))
	}
	const why = "Delete and apply again, since to apply alone leaves what others have added: kubectl delete"
	if i.installer.csv != "" {
		return why + words.String() + " && " + i.restartOperator()
	}
	return why + words.String() + " && " + i.applyAgain() +
		" (or restart the operator, where it has --manage-admission-policies)"
}

// policiesApplied is how the policies come into the cluster. Those of a bundle the operator applies itself, when it
// begins to lead.
func (i *snapshot) policiesApplied() string {
	if i.installer.csv != "" {
		return "Restart the operator, which applies them: " + i.restartOperator()
	}
	return i.mended() + "; or start the operator with --manage-admission-policies, with ClusterRole " +
		"license-operator-admission-manager-role bound to it."
}

// isOneRelease tells of the operator that it is known to be of the plugin's release.
func (i *snapshot) isOneRelease() bool {
	versions := i.operatorVersions()
	return len(versions) == 1 && sameVersion(i.plugin, versions[0])
}

// findPolicy finds a policy by its name or, since an installation may give it another, by what it does.
func (i *snapshot) findPolicy(
	wanted *admissionregistrationv1.ValidatingAdmissionPolicy,
) *admissionregistrationv1.ValidatingAdmissionPolicy {
	var same *admissionregistrationv1.ValidatingAdmissionPolicy
	for n := range i.policies.value {
		policy := &i.policies.value[n]
		if policy.Name == wanted.Name {
			return policy
		}
		if same == nil && apiequality.Semantic.DeepEqual(policy.Spec, wanted.Spec) {
			same = policy
		}
	}
	return same
}

// bindingFlaw says why a policy has no effect, or another than it should, and which binding's fault that is, if it is
// one's; empty: it is bound as it should be.
func (i *snapshot) bindingFlaw(
	policy string, wanted admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec,
) (flaw, at string) {
	wanted.PolicyName = policy
	flaw = fmt.Sprintf("ValidatingAdmissionPolicy %s has no binding, and no effect", policy)
	for n := range i.bindings.value {
		binding := &i.bindings.value[n]
		switch {
		case binding.Spec.PolicyName != policy:
		case apiequality.Semantic.DeepEqual(binding.Spec, wanted):
			return "", ""
		case !slices.Equal(binding.Spec.ValidationActions, wanted.ValidationActions):
			at = binding.Name
			flaw = fmt.Sprintf("ValidatingAdmissionPolicyBinding %s has the actions %v, and not %v", binding.Name,
				binding.Spec.ValidationActions, wanted.ValidationActions)
		default:
			at = binding.Name
			flaw = fmt.Sprintf("ValidatingAdmissionPolicyBinding %s does not bind its policy for every product and "+
				"every write", binding.Name)
		}
	}
	return flaw, at
}

func (i *snapshot) checkRestrictions() check {
	const name = "Restrictions"
	if c, is := unread(name, &i.products); is {
		return c
	}
	restricted := slices.DeleteFunc(slices.Clone(i.products.value),
		func(product productFacts) bool { return !product.restricted })
	unready := productsBy(i.products.value, api.ConditionRestrictionReady)
	// Of a product that nothing is in force for, and nothing asked for, the operator has nothing to say.
	incomplete := productsBy(restricted, api.ConditionRestrictionReady)
	says := func(reason string) string {
		return fmt.Sprintf("%s (%s): %s", someNames(unready[reason].names), reason, unready[reason].message)
	}
	const soon = "The operator does that within seconds. If it does not, see the lines Pods and Leader, and its log."
	switch {
	case unready[api.ReasonLockNotInForce] != nil:
		return problem(name,
			"See the line Admission. Where that is ok, what is told of the lock in docs/restriction.md helps.",
			"changes in restricted tiers are not rejected for %s", says(api.ReasonLockNotInForce))
	case unready[api.ReasonForbidden] != nil:
		return problem(name, i.mended(), "the operator lacks a permission for %s", says(api.ReasonForbidden))
	case unready[api.ReasonApplyFailed] != nil:
		return problem(name, "The operator retries with growing delays. See its log.",
			"the restriction of %s is only partly applied", says(api.ReasonApplyFailed))
	case unready[api.ReasonBypassed] != nil:
		return warning(name,
			"See which: kubectl license simulate "+text.ShellQuote(unready[api.ReasonBypassed].names[0]),
			"some policies are still applied despite the restriction of %s", says(api.ReasonBypassed))
	case unready[api.ReasonApplying] != nil:
		return warning(name, soon, "the restriction of %s is still being applied", says(api.ReasonApplying))
	case incomplete[reasonAbsent] != nil:
		return warning(name, soon,
			"the operator has not said yet whether all is in place that the restriction of %s needs",
			someNames(incomplete[reasonAbsent].names))
	case len(incomplete) > 0:
		reason := slices.Min(slices.Collect(maps.Keys(incomplete)))
		return warning(name, "See the lines TierRights and CalicoAPI, and what docs/restriction.md tells of the "+
			"condition RestrictionReady.",
			"cannot check the restriction of %s (%s): %s", someNames(incomplete[reason].names), reason,
			incomplete[reason].message)
	case len(restricted) > 0:
		return good(name, "%s, all that is needed is in place",
			text.Count(int64(len(restricted)), "restriction is in force", "restrictions are in force"))
	default:
		return good(name, "none is in force")
	}
}

func (i *snapshot) checkTierRights() check {
	const name = "TierRights"
	if c, is := unread(name, &i.tiers); is {
		return c
	}
	if !i.tiers.value {
		return good(name, "the cluster has no network policy tiers (projectcalico.org/v3): nothing can be restricted")
	}
	if c, is := unread(name, &i.missingRights); is {
		return c
	}
	if missing := i.missingRights.value; len(missing) > 0 {
		return problem(name, i.mended(), "ServiceAccount %s in namespace %s may not %s", i.account, i.namespace,
			someNames(missing))
	}
	return good(name, "ServiceAccount %s in namespace %s may do what restrictions take", i.account, i.namespace)
}

func (i *snapshot) checkCalicoAPI() check {
	const name = "CalicoAPI"
	if c, is := unread(name, &i.calico); is {
		return c
	}
	aggregated := i.calico.value
	if aggregated == nil {
		return good(name, "Calico has no API server of its own here")
	}
	at := fmt.Sprintf("Service %s in namespace %s", aggregated.service, aggregated.namespace)
	if !aggregated.available {
		return problem(name, "See to Calico's API server first: kubectl describe apiservice "+calicoAPIService,
			"%s serves the tiers, and is not available: %s", at, aggregated.message)
	}
	if c, is := unread(name, &i.missingCalicoRights); is {
		return c
	}
	if missing := i.missingCalicoRights.value; len(missing) > 0 {
		return problem(name, "Bind ClusterRole license-operator-licensedproduct-viewer-role to it, as "+
			"config/rbac/calico_apiserver_role_binding.yaml does.",
			"%s serves the tiers and evaluates the policies, and its ServiceAccount %s may not %s: nothing is "+
				"refused, and each write takes seconds longer", at, calicoAccount, someNames(missing))
	}
	return good(name, "%s serves the tiers, and may read LicensedProducts", at)
}
