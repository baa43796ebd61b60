// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package control has the commands that ask something of the operator by annotations of a product, and wait for it:
// pause, resume and clock reset.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
)

// productRequest is what commands have in common that ask something of the operator by annotations of a
// LicensedProduct, and read the answer in its status.
type productRequest struct {
	command.Environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	timeout time.Duration

	client client.Client
	// pending says what becomes of a request that nobody has answered yet.
	pending string
	// blockedBy says, of a product as it was last read, why the operator has not answered; nil, as a function and as
	// its result: nothing is known of it.
	blockedBy func(product *api.LicensedProduct) error
}

func newProductRequest(env command.Environment) productRequest {
	return productRequest{Environment: env, connection: kubeclient.NewFlags()}
}

// attach gives the command the flags and the completion of such requests. Its own flags come before.
func (r *productRequest) attach(cmd *cobra.Command) {
	r.command = cmd
	cmd.Args = command.OneArgument("PRODUCT")
	cmd.ValidArgsFunction = kubeclient.CompleteProduct(r.connection)
	cmd.Flags().SortFlags = false
	wait.AddTimeoutFlag(cmd, &r.timeout)
	kubeclient.AddFlags(cmd, r.connection)
}

func (r *productRequest) complete(args []string) error {
	r.product = args[0]
	var err error
	r.client, err = kubeclient.New(r.connection, r.ErrOut)
	return err
}

func (r *productRequest) validate() error { return wait.CheckTimeout(r.command, r.timeout) }

func (r *productRequest) read(ctx context.Context) (*api.LicensedProduct, error) {
	product := &api.LicensedProduct{}
	if err := r.client.Get(ctx, types.NamespacedName{Name: r.product}, product); err != nil {
		return nil, r.explain("read", err)
	}
	return product, nil
}

// annotate sets annotations of the product, all in one request, and removes those whose value is nil.
func (r *productRequest) annotate(ctx context.Context, annotations map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	product := &api.LicensedProduct{}
	product.Name = r.product
	if err := r.client.Patch(ctx, product, client.RawPatch(types.MergePatchType, patch),
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
		return r.client.Get(ctx, types.NamespacedName{Name: r.product}, product)
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

// unanswered says why the operator has probably not acted.
func (r *productRequest) unanswered(product *api.LicensedProduct) error {
	if r.blockedBy != nil {
		if err := r.blockedBy(product); err != nil {
			return err
		}
	}
	return command.FailWithHint("Is it running? kubectl get pods -A | grep license-operator\n"+r.pending,
		"no answer from the operator within %s", r.timeout)
}

// explain puts an API server's answer into words.
func (r *productRequest) explain(verb string, err error) error {
	return kubeclient.ProductError(r.product, verb, "get and patch", err)
}

// settled is the product once what has been decided is done: policies are put in place and taken away after the state
// is written. It is the product as it was where that takes too long, and its condition says why.
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
