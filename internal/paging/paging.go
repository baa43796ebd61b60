// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package paging lists what may be much, a part at a time.
package paging

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Size is how many objects are asked for at a time, as kubectl does.
const Size = 500

// Each lists in pages, and calls visit with each. A page is a list of its own, which newPage makes: what is decoded
// into one that is not empty mixes with it. The reader asks the API server; a cache has no pages.
func Each[L client.ObjectList](
	ctx context.Context, reader client.Reader, newPage func() L, visit func(page L), options ...client.ListOption,
) error {
	for next := ""; ; {
		page := newPage()
		if err := reader.List(ctx, page,
			append(slices.Clone(options), client.Limit(Size), client.Continue(next))...); err != nil {
			return err
		}
		visit(page)
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}
