// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Scheme has the operator's kinds, Kubernetes' own, and CustomResourceDefinitions.
var Scheme = newScheme()

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme,
		api.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	return scheme
}

// NewClient returns a client that may do everything, with Scheme.
func (c *ControlPlane) NewClient() (client.WithWatch, error) {
	admin, err := client.NewWithWatch(c.admin, client.Options{Scheme: Scheme})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	return admin, nil
}
