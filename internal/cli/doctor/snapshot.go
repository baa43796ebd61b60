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

// snapshot is what was read of an installation: all that the checks go by.
type snapshot struct {
	// plugin is the version of this program, and namespace the operator's.
	plugin, namespace string

	server reading[string]
	clocks clockReading

	definitions []reading[*apiextensionsv1.CustomResourceDefinition]
	products    reading[[]productFacts]
	keys        reading[[]keyFacts]

	installer installer

	// pods and lease of the operator's namespace; the lease is nil where there is none.
	pods  reading[[]corev1.Pod]
	lease reading[*leaseFacts]
	// everywhere are those of all namespaces.
	podsEverywhere   reading[[]corev1.Pod]
	leasesEverywhere reading[[]leaseFacts]

	policies reading[[]admissionregistrationv1.ValidatingAdmissionPolicy]
	bindings reading[[]admissionregistrationv1.ValidatingAdmissionPolicyBinding]

	// tiers tells whether the cluster has them; account is the operator's, and missingRights what that lacks of
	// tierRights.
	tiers         reading[bool]
	account       string
	missingRights reading[[]string]
	// calico is nil where no API server of Calico's own serves tiers.
	calico              reading[*aggregatedAPI]
	missingCalicoRights reading[[]string]

	selectors  reading[[]selectingServer]
	rules      reading[[]metav1.PartialObjectMetadata]
	monitors   reading[[]metav1.PartialObjectMetadata]
	namespaces map[string]reading[map[string]string]
}

// productFacts is what the checks go by of a LicensedProduct.
type productFacts struct {
	name       string
	conditions []metav1.Condition
	restricted bool
}

// keyFacts is what the checks go by of a LicenseKey.
type keyFacts struct {
	name  string
	ready *metav1.Condition
}

// leaseFacts is a lease, and how old its last renewal is.
type leaseFacts struct {
	namespace, holder string
	age               time.Duration
	// valid is how long a renewal holds.
	valid time.Duration
}

// aggregatedAPI is an API that a Service serves.
type aggregatedAPI struct {
	namespace, service string
	available          bool
	message            string
}

// reading is what was read of a cluster, or why it could not be.
type reading[T any] struct {
	value T
	// right is what it takes to read it: list pods in namespace x.
	right string
	err   error
}

// blocked is a reading of anything.
type blocked interface {
	blockedBy() (right string, err error)
}

func (r *reading[T]) blockedBy() (right string, err error) { return r.right, r.err }

// unread is the check that cannot be made since something could not be read; false: it can.
func unread(name string, readings ...blocked) (check, bool) {
	for _, r := range readings {
		right, err := r.blockedBy()
		switch {
		case err == nil:
		case apierrors.IsForbidden(err):
			return notChecked(name, "Ask whoever administers the cluster for: "+right, "you may not %s", right), true
		case kubeclient.IsNotServed(err):
			return notChecked(name, "", "the cluster has nothing of the kind: cannot %s", right), true
		default:
			return notChecked(name, "Try again, and see whether it is the cluster or the connection.", "cannot %s: %v",
				right, err), true
		}
	}
	return check{}, false
}
