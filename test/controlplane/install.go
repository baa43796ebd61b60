// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// InstallOperator builds config/default and applies all of it as an administrator would, then waits until the API
// server serves the kinds.
func (c *ControlPlane) InstallOperator(ctx context.Context) error {
	return c.InstallFolder(ctx, "config/default")
}

// InstallFolder builds a folder of the repository with kustomize and applies all of it as an administrator would, then
// waits until the API server serves the kinds that it defines. It waits for nothing else: there is nobody here who
// would run pods.
func (c *ControlPlane) InstallFolder(ctx context.Context, folder string) error {
	objects, err := buildFolder(folder)
	if err != nil {
		return err
	}
	return c.Install(ctx, objects...)
}

// InstallCalico installs the kinds of CalicoDefinitions and the role of CalicoPassthrough, as the Tigera operator does.
// It may be called again.
func (c *ControlPlane) InstallCalico(ctx context.Context) error {
	definitions, err := CalicoDefinitions(ctx)
	if err != nil {
		return err
	}
	passthrough, err := CalicoPassthrough()
	if err != nil {
		return err
	}
	return c.Install(ctx, append(definitions, passthrough...)...)
}

// Install applies objects as an administrator would, then waits until the API server serves the kinds that they define.
func (c *ControlPlane) Install(ctx context.Context, objects ...*unstructured.Unstructured) error {
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		return err
	}
	admin, err := client.NewWithWatch(c.admin, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	for _, object := range objects {
		if err := admin.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("installer"),
			client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return awaitEstablished(ctx, admin, objects)
}

// buildFolder is what kustomize build prints of a folder of the repository, what others depend on first.
func buildFolder(folder string) ([]*unstructured.Unstructured, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(),
		filepath.Join(root, folder))
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", folder, err)
	}
	objects := make([]*unstructured.Unstructured, 0, built.Size())
	for _, resource := range built.Resources() {
		content, err := resource.Map()
		if err != nil {
			return nil, fmt.Errorf("reading %s from %s: %w", resource.CurId(), folder, err)
		}
		objects = append(objects, &unstructured.Unstructured{Object: content})
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return installOrder(a) -
			installOrder(b)
	})
	return objects, nil
}

func installOrder(o *unstructured.Unstructured) int {
	switch o.GetKind() {
	case "Namespace":
		return 0
	case "CustomResourceDefinition":
		return 1
	default:
		return 2
	}
}

func awaitEstablished(ctx context.Context, admin client.WithWatch, objects []*unstructured.Unstructured) error {
	missing := map[string]bool{}
	for _, o := range objects {
		if o.GetKind() == "CustomResourceDefinition" {
			missing[o.GetName()] = true
		}
	}
	if len(missing) == 0 {
		return nil // A watch might never have anything to say.
	}
	allEstablished := func(o client.Object) bool {
		if crd, ok := o.(*apiextensionsv1.CustomResourceDefinition); ok && established(crd) {
			delete(missing, crd.Name)
		}
		return len(missing) == 0
	}
	if err := await(ctx, admin, &apiextensionsv1.CustomResourceDefinitionList{}, allEstablished); err != nil {
		return fmt.Errorf("waiting for the CustomResourceDefinitions to be established: %w", err)
	}
	return nil
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
}

// await watches the objects of a list's kind, those there already included, until done says so of one.
func await(
	ctx context.Context, c client.WithWatch, list client.ObjectList, done func(client.Object) bool,
	options ...client.ListOption,
) error {
	for {
		watcher, err := c.Watch(ctx, list, options...)
		if err != nil {
			return err
		}
		for event := range watcher.ResultChan() {
			if o, ok := event.Object.(client.Object); ok && done(o) {
				watcher.Stop()
				return nil
			}
		}
		watcher.Stop()
		// A watch ends now and then; only if ctx did is that the end of it.
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), context.Cause(ctx))
		}
	}
}
