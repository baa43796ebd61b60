// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package request

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
)

// TestRequestWithIncompleteStatus is about amounts without a value and months without a name, which an API server
// rejects.
func TestRequestWithIncompleteStatus(t *testing.T) {
	product := &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"}}
	product.Status.Limits = []api.Limit{{Name: "nodes"}, {Name: "cores", Value: new(int64(400))}}
	product.Status.Usage = []api.Usage{{Name: "nodes", Value: new(int64(73))}, {Name: "cores"}}
	product.Status.MonthlyPeaks = []api.MonthlyPeak{{Month: "2026-11", Usage: product.Status.Usage}, {}}
	var out strings.Builder
	if err := newRenewalRequest(product, nil, "", clitest.Present).print(&out, ""); err != nil {
		t.Fatal(err)
	}
	const want = `Request for:    a license renewal
Date:           2026-11-22T10:00:00Z
Product:        acme-mesh
Vendor:         -
Renewal at:     -
Cluster UID:    -
Customer:       -
License ID:     -
State:          -
Expires:        -
Grace ends:     -
Limits:         nodes ?, cores 400
In use:         nodes 73, cores ?
Monthly peaks:    -
                2026-11  nodes 73, cores ?
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
