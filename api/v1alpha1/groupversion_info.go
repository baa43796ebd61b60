// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the two kinds of license-operator.io: LicensedProduct, a vendor's terms, and LicenseKey, what
// a customer was given.
//
// +kubebuilder:object:generate=true
// +groupName=license-operator.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "license-operator.io", Version: "v1alpha1"}

var schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

// AddToScheme makes the kinds of this package known to a scheme.
var AddToScheme = schemeBuilder.AddToScheme

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&LicensedProduct{}, &LicensedProductList{},
		&LicenseKey{}, &LicenseKeyList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
