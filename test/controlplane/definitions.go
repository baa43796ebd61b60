// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// prometheusOperator is the module that has prometheus-operator's CustomResourceDefinitions.
const prometheusOperator = "github.com/prometheus-operator/prometheus-operator@v0.94.1"

// PrometheusOperatorDefinition returns one of prometheus-operator's CustomResourceDefinitions, that of prometheusrules or servicemonitors, say. It comes from the
// Go module cache, or is downloaded.
func PrometheusOperatorDefinition(ctx context.Context, plural string) (*unstructured.Unstructured, error) {
	// A module that nobody imports: it would only decide the versions of what is imported.
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", prometheusOperator)
	download.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var problem bytes.Buffer
	download.Stderr = &problem
	output, err := download.Output()
	if err != nil {
		return nil, fmt.Errorf("downloading %s: %w: %s%s", prometheusOperator, err, output, problem.String())
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(output, &module); err != nil {
		return nil, fmt.Errorf("reading what go mod download says of %s: %w", prometheusOperator, err)
	}
	manifest, err := os.ReadFile(filepath.Join(module.Dir, "example", "prometheus-operator-crd", "monitoring.coreos.com_"+plural+".yaml"))
	if err != nil {
		return nil, err
	}
	definition := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(manifest, &definition.Object); err != nil {
		return nil, fmt.Errorf("reading the CustomResourceDefinition of %s: %w", plural, err)
	}
	return definition, nil
}
