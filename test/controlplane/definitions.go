// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	_ "embed" // for calicoPassthrough
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

//go:embed calico_passthrough.yaml
var calicoPassthrough []byte

// The modules that have the CustomResourceDefinitions of others. Nobody imports them: they would only decide the
// versions of what is imported.
const (
	prometheusOperator = "github.com/prometheus-operator/prometheus-operator@v0.94.1"
	calico             = "github.com/tigera/api@v0.0.0-20260604222052-a4ab1787c00b"
)

// PrometheusOperatorDefinition returns one of prometheus-operator's CustomResourceDefinitions, that of prometheusrules
// or servicemonitors, say. It comes from the Go module cache, or is downloaded.
func PrometheusOperatorDefinition(ctx context.Context, plural string) (*unstructured.Unstructured, error) {
	dir, err := moduleDir(ctx, prometheusOperator)
	if err != nil {
		return nil, err
	}
	return readDefinition(filepath.Join(dir, "example", "prometheus-operator-crd",
		"monitoring.coreos.com_"+plural+".yaml"))
}

// CalicoDefinitions returns Calico's own CustomResourceDefinitions (projectcalico.org/v3) of tiers and of the policies
// that are in them, staged ones included. They come from the Go module cache, or are downloaded.
func CalicoDefinitions(ctx context.Context) ([]*unstructured.Unstructured, error) {
	var definitions []*unstructured.Unstructured
	for _, plural := range []string{
		"tiers", "globalnetworkpolicies", "networkpolicies", "stagedglobalnetworkpolicies",
		"stagednetworkpolicies",
	} {
		definition, err := CalicoDefinition(ctx, plural)
		if err != nil {
			return nil, err
		}
		definitions = append(definitions, definition)
	}
	return definitions, nil
}

// CalicoPassthrough returns the ClusterRole, and its binding, with which the Tigera operator grants every authenticated
// user the rights on tiered policies that Kubernetes itself checks.
func CalicoPassthrough() ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := k8syaml.NewYAMLToJSONDecoder(bytes.NewReader(calicoPassthrough))
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading Calico's passthrough role: %w", err)
		}
		objects = append(objects, object)
	}
}

// CalicoDefinition returns one of Calico's own CustomResourceDefinitions, that of felixconfigurations, say.
func CalicoDefinition(ctx context.Context, plural string) (*unstructured.Unstructured, error) {
	dir, err := moduleDir(ctx, calico)
	if err != nil {
		return nil, err
	}
	return readDefinition(filepath.Join(dir, "config", "crd", "projectcalico.org_"+plural+".yaml"))
}

// moduleDir is where the Go module cache has a module, downloaded if need be.
func moduleDir(ctx context.Context, module string) (string, error) {
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	download.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var problem bytes.Buffer
	download.Stderr = &problem
	output, err := download.Output()
	if err != nil {
		return "", fmt.Errorf("downloading %s: %w: %s%s", module, err, output, problem.String())
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(output, &downloaded); err != nil {
		return "", fmt.Errorf("reading what go mod download says of %s: %w", module, err)
	}
	return downloaded.Dir, nil
}

func readDefinition(path string) (*unstructured.Unstructured, error) {
	manifest, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	definition := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(manifest, &definition.Object); err != nil {
		return nil, fmt.Errorf("reading the CustomResourceDefinition in %s: %w", filepath.Base(path), err)
	}
	return definition, nil
}
