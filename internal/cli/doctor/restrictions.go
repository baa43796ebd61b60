// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/config/admission"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/text"
)

// tierRights are what the operator needs for restrictions. A test compares them with config/rbac.
var tierRights = slices.Concat(
	rightsOn(calico.Version.Group, []string{"globalnetworkpolicies", "tier.globalnetworkpolicies"}, "create",
		"delete", "get", "list", "update", "watch"),
	rightsOn(calico.Version.Group, []string{"networkpolicies", "tier.networkpolicies"}, "list", "watch"),
	rightsOn(calico.Version.Group, []string{"tiers"}, "get", "list", "watch"),
)

// calicoRights are what Calico's own API server needs to evaluate the admission policies.
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

// guard is a policy with its binding.
type guard struct {
	policy  policy
	binding policyBinding
}

// wantedGuards are those that are built in: each policy comes before its binding. A test reads them as well.
func wantedGuards() []guard {
	var wanted []guard
	for _, object := range admission.Objects() {
		if object.GetKind() == "ValidatingAdmissionPolicy" {
			wanted = append(wanted, guard{})
			decode(object.Object, &wanted[len(wanted)-1].policy)
		} else {
			decode(object.Object, &wanted[len(wanted)-1].binding)
		}
	}
	return wanted
}

func decode(object map[string]any, into any) {
	utilruntime.Must(runtime.DefaultUnstructuredConverter.FromUnstructured(object, into))
}

func (i *snapshot) checkAdmission() check {
	var missing, changed, ineffective, misbound []string
	wanted := wantedGuards()
	for n := range wanted {
		found := i.findPolicy(&wanted[n].policy)
		if found == nil {
			missing = append(missing, wanted[n].policy.Name)
			continue
		}
		if !apiequality.Semantic.DeepEqual(found.Spec, wanted[n].policy.Spec) {
			changed = append(changed, found.Name)
		}
		if flaw, binding := i.bindingFlaw(found.Name, &wanted[n].binding); flaw != "" {
			ineffective = append(ineffective, flaw)
			if binding != "" {
				misbound = append(misbound, binding)
			}
		}
	}
	differs := fmt.Sprintf("ValidatingAdmissionPolicy %s differs from this plugin's release",
		strings.Join(changed, ", "))
	versions := i.operatorVersions()
	isSameRelease := len(versions) == 1 && sameVersion(i.plugin, versions[0])
	switch {
	case len(missing) > 0:
		return fail(i.applyPolicies(), "there is no ValidatingAdmissionPolicy %s", strings.Join(missing, ", "))
	case len(changed) > 0 && isSameRelease:
		return fail(i.recreate(changed, misbound), "%s", strings.Join(append(ineffective, differs), "; "))
	case len(misbound) > 0:
		return fail(i.recreate(nil, misbound), "%s", strings.Join(ineffective, "; "))
	case len(ineffective) > 0:
		return fail(i.applyPolicies(), "%s", strings.Join(ineffective, "; "))
	case len(changed) > 0:
		return warn(samePlugin+" If both are from the same release, the policy was changed. "+i.recreate(changed, nil),
			"%s", differs)
	default:
		return pass("%d ValidatingAdmissionPolicies are in place, and bound", len(wanted))
	}
}

// recreate is how to restore changed objects. Only applying them again is not enough: it keeps fields that were added.
func (i *snapshot) recreate(policies, bindings []string) string {
	fix := "Delete and apply again, because applying alone keeps fields that were added: kubectl delete"
	for _, name := range bindings {
		fix += " validatingadmissionpolicybinding/" + text.ShellQuote(name)
	}
	for _, name := range policies {
		fix += " validatingadmissionpolicy/" + text.ShellQuote(name)
	}
	if i.installer.csv != "" {
		return fix + " && " + i.restartOperator()
	}
	return fix + " && " + i.applyAgain() + " (or restart the operator if it has --manage-admission-policies)"
}

// applyPolicies is how to install missing policies. Under OLM the operator applies them when it becomes the leader.
func (i *snapshot) applyPolicies() string {
	if i.installer.csv != "" {
		return "Restart the operator, which applies them: " + i.restartOperator()
	}
	return i.reinstall() + "; or start the operator with --manage-admission-policies, with ClusterRole " +
		"license-operator-admission-manager-role bound to it."
}

// findPolicy finds a policy by its name or, because an installation can rename it, by what it does.
func (i *snapshot) findPolicy(wanted *policy) *policy {
	n := slices.IndexFunc(i.policies.value, func(p policy) bool { return p.Name == wanted.Name })
	if n < 0 {
		n = slices.IndexFunc(i.policies.value,
			func(p policy) bool { return apiequality.Semantic.DeepEqual(p.Spec, wanted.Spec) })
	}
	if n < 0 {
		return nil
	}
	return &i.policies.value[n]
}

// bindingFlaw says why a policy does not have the effect that it should have, and which binding causes that, if any. It
// is empty for a policy that is bound correctly.
func (i *snapshot) bindingFlaw(policyName string, correct *policyBinding) (flaw, at string) {
	wanted := correct.Spec
	wanted.PolicyName = policyName
	flaw = fmt.Sprintf("ValidatingAdmissionPolicy %s has no effect: it does not have a binding", policyName)
	for n := range i.bindings.value {
		binding := &i.bindings.value[n]
		switch {
		case binding.Spec.PolicyName != policyName:
		case apiequality.Semantic.DeepEqual(binding.Spec, wanted):
			return "", ""
		case !slices.Equal(binding.Spec.ValidationActions, wanted.ValidationActions):
			flaw, at = fmt.Sprintf("ValidatingAdmissionPolicyBinding %s has the actions %v instead of %v", binding.Name,
				binding.Spec.ValidationActions, wanted.ValidationActions), binding.Name
		default:
			flaw, at = fmt.Sprintf("ValidatingAdmissionPolicyBinding %s does not bind its policy for every product "+
				"and every write", binding.Name), binding.Name
		}
	}
	return flaw, at
}

func (i *snapshot) checkRestrictions() check {
	var restricted []objectFacts
	for _, product := range i.products.value {
		if product.restricted {
			restricted = append(restricted, product)
		}
	}
	unready := unreadyBy(api.ConditionRestrictionReady, i.products.value)
	for _, known := range []struct {
		reason      string
		result      checkResult
		fix, format string
	}{
		{
			api.ReasonLockNotInForce, checkProblem, "See the line Admission. If it is ok, see docs/restriction.md.",
			"changes in restricted tiers are not rejected for %s",
		},
		{api.ReasonForbidden, checkProblem, i.reinstall(), "the operator lacks a permission for %s"},
		{api.ReasonApplyFailed, checkProblem, seeLog, "the restriction is only partly applied for %s"},
		{
			api.ReasonBypassed, checkWarning, "See which policies: kubectl license simulate ",
			"some policies are still applied despite the restriction of %s",
		},
		{api.ReasonApplying, checkWarning, waitForIt, "the restriction is still being applied for %s"},
	} {
		if shared := unready[known.reason]; shared != nil {
			if known.reason == api.ReasonBypassed {
				known.fix += text.ShellQuote(shared.names[0])
			}
			return check{Result: known.result, Message: fmt.Sprintf(known.format, shared), Fix: known.fix}
		}
	}
	// The operator does not report on products whose restriction is neither requested nor in force.
	incomplete := unreadyBy(api.ConditionRestrictionReady, restricted)
	switch {
	case incomplete[reasonAbsent] != nil:
		return warn(waitForIt, "the operator has not reported yet whether the restriction is complete for %s",
			someNames(incomplete[reasonAbsent].names))
	case len(incomplete) > 0:
		return warn("See the lines TierRights and CalicoAPI, and the condition RestrictionReady in "+
			"docs/restriction.md.",
			"cannot check the restriction of %s", incomplete[slices.Min(slices.Collect(maps.Keys(incomplete)))])
	case len(restricted) > 0:
		return pass("%s and complete",
			text.Count(len(restricted), "restriction is in force", "restrictions are in force"))
	default:
		return pass("no restriction is in force")
	}
}

func (i *snapshot) checkTierRights() check {
	missing := i.missingRights.value
	switch {
	case !i.tiers.value:
		return pass("the cluster does not have network policy tiers (projectcalico.org/v3): nothing can be restricted")
	case len(missing) > 0:
		return fail(i.reinstall(), "ServiceAccount %s in namespace %s lacks permissions: %s", i.account, i.namespace,
			someNames(missing))
	default:
		return pass("ServiceAccount %s in namespace %s has the permissions for restrictions", i.account, i.namespace)
	}
}

func (i *snapshot) checkCalicoAPI() check {
	aggregated := i.calico.value
	if aggregated == nil {
		return pass("Calico has no API server of its own here")
	}
	at := fmt.Sprintf("Service %s in namespace %s", aggregated.service, aggregated.namespace)
	if !aggregated.available {
		return fail("Fix Calico's API server first: kubectl describe apiservice "+calicoAPIService,
			"%s serves the tiers, and is not available: %s", at, aggregated.message)
	}
	if c, is := unread(&i.missingCalicoRights); is {
		return c
	}
	if missing := i.missingCalicoRights.value; len(missing) > 0 {
		return fail("Bind ClusterRole license-operator-licensedproduct-viewer-role to it, as in "+
			"config/rbac/calico_apiserver_role_binding.yaml.",
			"%s serves the tiers, but its ServiceAccount %s lacks permissions: %s; so changes are not rejected, and "+
				"each write takes seconds longer", at, calicoAccount, someNames(missing))
	}
	return pass("%s serves the tiers, and can read LicensedProducts", at)
}
