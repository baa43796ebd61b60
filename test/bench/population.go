// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

const (
	sharedProducts = 10
	// window is within which all boundaries of a run fall: keys expire in its first part, and their grace periods end
	// in its last. Between the two nothing is due, or a state that is late could be missed altogether.
	window = 60 * time.Second
	part   = 25 * time.Second
	// creators create objects at the same time.
	creators = 8
)

// population is the products and keys of a run.
type population struct {
	keys, products int
	// The window is open from one moment up to another.
	opens, closes time.Time
	// life of each object by name: what is due when.
	life map[object]life
}

// object names a key or a product.
type object struct {
	resource string
	name     string
}

const (
	keyResource     = "licensekeys"
	productResource = "licensedproducts"
)

// life is the boundaries of an object.
type life struct{ expiry, graceEnd time.Time }

// plan draws two boundaries for each key, in whole seconds, the same in every run.
func (p *population) plan(opens time.Time) {
	p.draw(opens, window, func(random *rand.Rand) life {
		return life{
			expiry:   opens.Add(secondsWithin(random, part)),
			graceEnd: opens.Add(window - part + secondsWithin(random, part)),
		}
	})
}

// planEnds draws one boundary for each key, whose grace period is empty, in whole seconds, the same in every run.
func (p *population) planEnds(opens time.Time, within time.Duration) {
	p.draw(opens, within, func(random *rand.Rand) life {
		end := opens.Add(secondsWithin(random, within))
		return life{expiry: end, graceEnd: end}
	})
}

func secondsWithin(random *rand.Rand, span time.Duration) time.Duration {
	return time.Duration(random.IntN(int(span.Seconds()))) * time.Second
}

func (p *population) draw(opens time.Time, within time.Duration, one func(*rand.Rand) life) {
	p.opens, p.closes = opens, opens.Add(within)
	p.life = map[object]life{}
	random := rand.New(rand.NewPCG(1, 2)) // the same every time
	for i := range p.keys {
		l := one(random)
		p.life[keyNamed(i)] = l
		// A product is as good as the best of its keys.
		product := p.productOf(i)
		of := p.life[product]
		if l.expiry.After(of.expiry) {
			of.expiry = l.expiry
		}
		if l.graceEnd.After(of.graceEnd) {
			of.graceEnd = l.graceEnd
		}
		p.life[product] = of
	}
}

func keyNamed(i int) object { return object{keyResource, fmt.Sprintf("key-%04d", i)} }

func (p *population) productOf(key int) object {
	return object{productResource, fmt.Sprintf("product-%04d", key%p.products)}
}

func (p *population) createProducts(ctx context.Context, c client.Client, v *vendor) error {
	err := atOnce(ctx, p.products, func(ctx context.Context, i int) error {
		return c.Create(ctx, &api.LicensedProduct{
			ObjectMeta: metav1.ObjectMeta{Name: p.productOf(i).name},
			Spec: api.LicensedProductSpec{
				Vendor: "Acme", RenewalURL: "https://acme.example/renew",
				TrustAnchors: v.anchor,
			},
		})
	})
	if err != nil {
		return fmt.Errorf("creating products: %w", err)
	}
	return nil
}

func (p *population) createKeys(ctx context.Context, c client.Client, v *vendor, issued time.Time) error {
	err := atOnce(ctx, p.keys, func(ctx context.Context, i int) error {
		key, product := keyNamed(i), p.productOf(i).name
		l := p.life[key]
		jws, err := v.signer.Sign(v.claims(key.name, product, issued, l.expiry, l.graceEnd.Sub(l.expiry)))
		if err != nil {
			return err
		}
		return c.Create(ctx, &api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: key.name},
			Spec:       api.LicenseKeySpec{ProductName: product, Token: jws},
		})
	})
	if err != nil {
		return fmt.Errorf("creating keys: %w", err)
	}
	return nil
}

func (p *population) deleteKeys(ctx context.Context, c client.Client) error {
	err := atOnce(ctx, p.keys, func(ctx context.Context, i int) error {
		return c.Delete(ctx, &api.LicenseKey{ObjectMeta: metav1.ObjectMeta{Name: keyNamed(i).name}})
	})
	if err != nil {
		return fmt.Errorf("deleting keys: %w", err)
	}
	return nil
}

// atOnce calls do for each of n numbers, several at a time.
func atOnce(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
