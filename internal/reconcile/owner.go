// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// IsProduct tells whether an owner is the LicensedProduct of that name, or was one of that name before.
func IsProduct(owner *metav1.OwnerReference, name string) bool {
	group, err := schema.ParseGroupVersion(owner.APIVersion)
	return err == nil && group.Group == api.GroupVersion.Group && owner.Kind == "LicensedProduct" && owner.Name == name
}
