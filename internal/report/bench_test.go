// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"testing"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// BenchmarkEncode is what a report of 1,000 products costs but for what the API server is asked.
func BenchmarkEncode(b *testing.B) {
	facts := factsOf()
	facts.OfAll = true
	for i := range 1000 {
		product := mesh()
		product.Name = fmt.Sprintf("product-%04d", i)
		product.Status.MonthlyPeaks = nil
		for month := 1; month <= 13; month++ {
			product.Status.MonthlyPeaks = append(product.Status.MonthlyPeaks,
				api.MonthlyPeak{Month: fmt.Sprintf("20%02d-01", month), Usage: used(5000, 80_000)})
		}
		facts.Products = append(facts.Products, product)
	}
	b.ReportAllocs()
	for b.Loop() {
		encoded, err := Make(facts).Encode()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(encoded)))
	}
}
