// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package control has the commands pause, resume and clock reset. They set annotations of a product, and wait for the
// operator.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
)

// productRequest is what these commands share: they set annotations of a LicensedProduct, and read the answer in its
// status.
type productRequest struct {
	kubeclient.ProductCommand
	timeout time.Duration
	// pending says what happens to a request that the operator has not answered yet.
	pending string
	// blockedBy says why the operator has not answered, for the product as it was last read; nil, as a function or as
	// its result: unknown.
	blockedBy func(product *api.LicensedProduct) error
}

func newProductRequest(env command.Environment) productRequest {
	return productRequest{ProductCommand: kubeclient.ProductCommand{Environment: env}}
}

// attach adds the argument and the flags of these commands, after a command's own flags.
func (r *productRequest) attach(cmd *cobra.Command) {
	cmd.Args = command.OneArgument("PRODUCT")
	wait.AddTimeoutFlag(cmd, &r.timeout)
	r.Attach(cmd)
}

func (r *productRequest) validate() error { return wait.CheckTimeout(r.Command, r.timeout) }

func (r *productRequest) read(ctx context.Context) (*api.LicensedProduct, error) {
	product := &api.LicensedProduct{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: r.Product}, product); err != nil {
		return nil, r.explain("read", err)
	}
	return product, nil
}

// annotate sets annotations of the product in one request, and removes those whose value is nil.
func (r *productRequest) annotate(ctx context.Context, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	product := &api.LicensedProduct{}
	product.Name = r.Product
	if err := r.Client.Patch(ctx, product, client.RawPatch(types.MergePatchType, patch),
		client.FieldOwner(kubeclient.FieldOwner)); err != nil {
		return r.explain("patch", err)
	}
	return nil
}

// await reads the product until the operator has answered.
func (r *productRequest) await(
	ctx context.Context, answered func(product *api.LicensedProduct) bool,
) (*api.LicensedProduct, error) {
	product, err := wait.Poll(ctx, r.timeout, func(ctx context.Context, product *api.LicensedProduct) error {
		return r.Client.Get(ctx, types.NamespacedName{Name: r.Product}, product)
	}, answered)
	switch {
	case err == nil:
		return product, nil
	case errors.Is(err, wait.ErrInterrupted):
		return nil, command.FailWithHint(r.pending, "interrupted before the operator answered")
	case errors.Is(err, wait.ErrUnanswered):
		return nil, r.unanswered(product)
	default:
		return nil, r.explain("read", err)
	}
}

// unanswered says why the operator has probably not answered.
func (r *productRequest) unanswered(product *api.LicensedProduct) error {
	if r.blockedBy != nil {
		if err := r.blockedBy(product); err != nil {
			return err
		}
	}
	return command.FailWithHint("Is it running? kubectl get pods -A | grep license-operator\n"+r.pending,
		"no answer from the operator within %s", r.timeout)
}

func (r *productRequest) explain(verb string, err error) error {
	return kubeclient.ProductError(r.Product, verb, "get and patch", err)
}

// settled waits until the restriction is applied or removed, which follows the change of its state, and returns the
// product then. If that takes too long it returns the product as it was: its condition says why.
func (r *productRequest) settled(ctx context.Context, product *api.LicensedProduct) *api.LicensedProduct {
	later, err := r.await(ctx, func(product *api.LicensedProduct) bool {
		return overview.NotReady(product).Reason != api.ReasonApplying
	})
	if err != nil {
		return product
	}
	return later
}

func stateChange(before, after string) string {
	if before == after || before == "" {
		return after
	}
	return fmt.Sprintf("%s (was %s)", after, before)
}
