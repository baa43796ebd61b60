// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/internal/cli/kubeclient"
)

// policy is an admission policy.
type policy = admissionregistrationv1.ValidatingAdmissionPolicy

// policyBinding binds an admission policy.
type policyBinding = admissionregistrationv1.ValidatingAdmissionPolicyBinding

// snapshot is what was read of an installation: everything that the checks need.
type snapshot struct {
	// plugin is the version of this program, and namespace the operator's.
	plugin, namespace string

	server reading[string]
	clocks clockReading

	// definitions are in the order of definedTypes; nil for one that does not exist.
	definitions    []reading[*apiextensionsv1.CustomResourceDefinition]
	products, keys reading[[]objectFacts]

	installer installer
	// pods and lease are in the operator's namespace; lease is nil if it does not exist.
	pods, podsEverywhere reading[[]corev1.Pod]
	lease                reading[*leaseFacts]
	leasesEverywhere     reading[[]leaseFacts]

	policies reading[[]policy]
	bindings reading[[]policyBinding]
	// tiers is true if the cluster has tiers. account is the operator's ServiceAccount, and missingRights lists what it
	// lacks of tierRights.
	tiers         reading[bool]
	account       string
	missingRights reading[[]string]
	// calico is nil if Calico has no API server of its own.
	calico              reading[*aggregatedAPI]
	missingCalicoRights reading[[]string]

	selectors       reading[[]selectingServer]
	rules, monitors reading[[]metav1.PartialObjectMetadata]
	// namespaces has their labels.
	namespaces map[string]reading[map[string]string]
}

// objectFacts is what the checks need of a LicensedProduct or a LicenseKey.
type objectFacts struct {
	name       string
	conditions []metav1.Condition
	// restricted is true for a product whose restriction is in force.
	restricted bool
}

// leaseFacts is a lease: age is the time since its last renewal, and valid how long a renewal lasts.
type leaseFacts struct {
	namespace, holder string
	age, valid        time.Duration
}

// aggregatedAPI is an API that a Service serves. message says why it is not available.
type aggregatedAPI struct {
	namespace, service string
	available          bool
	message            string
}

// reading is what was read from a cluster, or the error.
type reading[T any] struct {
	value T
	// permission is what the reading needs: list pods in namespace x.
	permission string
	err        error
}

func (r *reading[T]) failure() (permission string, err error) { return r.permission, r.err }

// readings are what a check needs.
type readings []interface{ failure() (string, error) }

// unread returns true if one of the readings failed, and the check that reports it.
func unread(needed ...interface{ failure() (string, error) }) (check, bool) {
	for _, r := range needed {
		permission, err := r.failure()
		switch {
		case err == nil:
		case apierrors.IsForbidden(err):
			return skip("Ask a cluster administrator for: "+permission, "missing permission: %s", permission), true
		case kubeclient.IsNotServed(err):
			return skip("", "cannot %s: the cluster does not have this kind", permission), true
		default:
			return skip("Check the connection, and try again.", "cannot %s: %v", permission, err), true
		}
	}
	return check{}, false
}
