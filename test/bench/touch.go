// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	// touches are how often a key is changed, one after the other.
	touches     = 3
	touchTarget = 100 * time.Millisecond

	// A manager is quiet once it has used no more than quietCPU in quietFor.
	quietFor = 3 * time.Second
	quietCPU = 20 * time.Millisecond
	// lookEvery is how often that is looked at.
	lookEvery = 100 * time.Millisecond
	// touchPatience is how long a manager may take to tell of a change, and then to become quiet.
	touchPatience = 5 * time.Minute
)

// touchResult is what was measured of one manager that has keys as large as they can be, all of one product.
type touchResult struct {
	// settled is its processor time from its start until it was quiet.
	settled work
	// touched is its processor time for each change of one key, the least first.
	touched []work
	peak    int64
}

// work is the processor time until a manager was quiet, or what it had used when patience ran out.
type work struct {
	cpu        time.Duration
	unfinished bool
}

func (w work) measured() measured { return measure(w.cpu, seconds).atLeastIf(w.unfinished) }

// benchTouch prints what changing one of many large keys costs.
func benchTouch(ctx context.Context, s settings, out io.Writer) error {
	title := fmt.Sprintf("%s keys of %d KiB, all of one product", number(s.touched),
		(token.MaxTokenBytes+token.MaxCertificateBytes)>>10)
	var results []*touchResult
	for _, m := range s.managers {
		r, title := &touchResult{}, title+", "+m.name
		err := withControlPlane(ctx, title, func(plane *controlplane.ControlPlane) error {
			return r.measure(ctx, s, plane, m.path, title)
		})
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	last := results[len(results)-1].median()
	return table(out, title,
		comparisonHead(s.managers),
		compared(results, "CPU time from its start until it was quiet", "",
			func(r *touchResult) measured { return r.settled.measured() }),
		compared(results, fmt.Sprintf("CPU time of changing one key, median of %d", touches),
			verdict("< "+milliseconds(touchTarget), !last.unfinished && last.cpu < touchTarget),
			func(r *touchResult) measured { return r.median().measured() }),
		compared(results, "the most of them", "",
			func(r *touchResult) measured { return r.touched[len(r.touched)-1].measured() }),
		compared(results, "the most memory at any time, RSS", "",
			func(r *touchResult) measured { return measure(r.peak, megabytes) }),
	)
}

func (r *touchResult) median() work { return r.touched[len(r.touched)/2] }

func (r *touchResult) measure(
	ctx context.Context, s settings, plane *controlplane.ControlPlane, binary, title string,
) error {
	c, err := plane.NewClient()
	if err != nil {
		return err
	}
	if err := createLargeKeys(ctx, c, s.touched); err != nil {
		return err
	}
	say("%s: created; starting the operator", title)
	manager, err := plane.StartManager(ctx, controlplane.ManagerOptions{Binary: binary})
	if err != nil {
		return err
	}
	defer manager.Kill() // one that has more to do than it can would take its time to stop
	if err := manager.WaitReady(ctx); err != nil {
		return err
	}
	if r.settled, err = awaitQuiet(ctx, manager, 0); err != nil {
		return err
	}
	for i := range touches {
		say("%s: changing one key, change %d of %d", title, i+1, touches)
		before, err := manager.CPUTime()
		if err != nil {
			return err
		}
		if err := touch(ctx, c, s.touched+i); err != nil {
			return err
		}
		did, err := awaitQuiet(ctx, manager, before)
		if err != nil {
			return err
		}
		r.touched = append(r.touched, did)
	}
	slices.SortFunc(r.touched, func(a, b work) int { return int(a.cpu - b.cpu) })
	r.peak, err = manager.PeakRSS()
	return err
}

// createLargeKeys creates a product, and keys of it that are as large as they can be and do not verify.
func createLargeKeys(ctx context.Context, c client.Client, keys int) error {
	v, err := newVendor(time.Now())
	if err != nil {
		return err
	}
	p := &population{keys: keys, products: 1}
	if err := p.createProducts(ctx, c, v); err != nil {
		return err
	}
	err = atOnce(ctx, keys, func(ctx context.Context, i int) error {
		return c.Create(ctx, &api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: keyNamed(i).name},
			Spec: api.LicenseKeySpec{
				ProductName: p.productOf(i).name, Token: garbage(i, token.MaxTokenBytes),
				Certificate: garbage(i, token.MaxCertificateBytes),
			},
		})
	})
	if err != nil {
		return fmt.Errorf("creating keys: %w", err)
	}
	return nil
}

// touch gives the first key another token, which does not verify either, and waits until its status is of that.
func touch(ctx context.Context, c client.Client, seed int) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"token": garbage(seed, token.MaxTokenBytes)}})
	if err != nil {
		return err
	}
	key := &api.LicenseKey{ObjectMeta: metav1.ObjectMeta{Name: keyNamed(0).name}}
	if err := c.Patch(ctx, key, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("changing a key: %w", err)
	}
	changed := key.Generation
	for deadline := time.Now().Add(touchPatience); key.Status.ObservedGeneration < changed; {
		if time.Now().After(deadline) {
			return fmt.Errorf("the status of %s does not tell of its change after %s", key.Name, touchPatience)
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(key), key); err != nil {
			return fmt.Errorf("reading a key: %w", err)
		}
	}
	return nil
}

// garbage is text of a length, the same for the same seed.
func garbage(seed, length int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewPCG(uint64(seed), uint64(length)))
	text := make([]byte, length)
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	return string(text)
}

// awaitQuiet waits until a manager is quiet, and tells what it has used since it had used so much.
func awaitQuiet(ctx context.Context, manager *controlplane.Manager, before time.Duration) (work, error) {
	used, since := before, time.Now()
	for deadline := since.Add(touchPatience); ; {
		if err := pause(ctx, lookEvery); err != nil {
			return work{}, err
		}
		now, err := manager.CPUTime()
		switch {
		case err != nil:
			return work{}, err
		case now-used > quietCPU:
			used, since = now, time.Now()
		case time.Since(since) >= quietFor:
			return work{cpu: now - before}, nil
		}
		if time.Now().After(deadline) {
			return work{cpu: now - before, unfinished: true}, nil
		}
	}
}
