//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// imageFrom is an image that hack/e2e-images has pushed.
func imageFrom(name string) string {
	GinkgoHelper()
	registry, tag := os.Getenv("E2E_REGISTRY"), os.Getenv("E2E_TAG")
	Expect(registry).NotTo(BeEmpty(),
		"E2E_REGISTRY is where nodes pull images from that have E2E_TAG: run make test-e2e")
	return registry + "/" + name + ":" + tag
}

// moduleOf is the folder of a module that a module under hack builds programs from: its manifests come with it.
func moduleOf(ctx context.Context, builder, module string) string {
	GinkgoHelper()
	return strings.TrimSpace(run(ctx, "go", "-C", filepath.Join("hack", builder), "list", "-mod=readonly", "-m", "-f",
		"{{.Dir}}", module))
}

// objectsIn are the objects of a manifest.
func objectsIn(manifest []byte) []*unstructured.Unstructured {
	GinkgoHelper()
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(o)
		if errors.Is(err, io.EOF) {
			return objects
		}
		Expect(err).NotTo(HaveOccurred())
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

func read(path ...string) []byte {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join(path...))
	Expect(err).NotTo(HaveOccurred())
	return content
}

// withImages has a manifest name images of ours: those whose name is the last part of the one that it names.
func withImages(manifest []byte, images map[string]string) []byte {
	for name, image := range images {
		manifest = regexp.MustCompile(`[a-z0-9.-]+(/[a-z0-9-]+)+/`+name+`:[a-z0-9.-]+`).ReplaceAll(manifest,
			[]byte(image))
	}
	return manifest
}

// apply applies objects as kubectl apply --server-side does, and deletes them when the container of specs ends.
func apply(ctx context.Context, objects ...*unstructured.Unstructured) {
	GinkgoHelper()
	for _, o := range objects {
		Eventually(func() error {
			return k8sClient.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()),
				client.FieldOwner("e2e"), client.ForceOwnership)
		}).Should(Succeed(), "%s %s: a namespace that is being deleted goes", o.GetKind(), o.GetName())
		DeferCleanup(func(ctx SpecContext) {
			Expect(client.IgnoreNotFound(k8sClient.Delete(ctx, o.DeepCopy()))).To(Succeed(), "%s %s", o.GetKind(),
				o.GetName())
		})
	}
}
