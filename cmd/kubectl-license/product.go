// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// pollInterval is how often things are read while the operator is awaited. A watch would need another permission for
// the sake of a few requests.
const pollInterval = 500 * time.Millisecond

// productRequest is what commands have in common that ask something of the operator by annotations of a
// LicensedProduct, and read the answer in its status.
type productRequest struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	timeout time.Duration

	client client.Client
	// pending says what becomes of a request that nobody has answered yet.
	pending string
	// hindrance says, of a product as it was last read, why the operator has not answered; nil, as a function and as
	// its result: nothing is known of it.
	hindrance func(product *api.LicensedProduct) error
}

func newProductRequest(env environment) productRequest {
	return productRequest{environment: env, connection: newConnection()}
}

// attach gives the command the flags and the completion of such requests. Its own flags come before.
func (r *productRequest) attach(command *cobra.Command) {
	r.command = command
	command.Args = oneArgument("PRODUCT")
	command.ValidArgsFunction = completeProduct(r.connection)
	command.Flags().SortFlags = false
	addTimeoutFlag(command, &r.timeout)
	addConnectionFlags(command, r.connection)
}

// addTimeoutFlag is for commands that wait for the operator.
func addTimeoutFlag(command *cobra.Command, timeout *time.Duration) {
	command.Flags().DurationVar(timeout, "timeout", 30*time.Second,
		"how long to wait for the operator: a `DURATION` such as 2m")
	completeWith(command, "timeout", "30s", "2m")
}

func checkTimeout(command *cobra.Command, timeout time.Duration) error {
	if timeout <= 0 {
		return misused(command, "--timeout %s: want more than 0s", timeout)
	}
	return nil
}

func (r *productRequest) complete(args []string) error {
	r.product = args[0]
	var err error
	r.client, err = newClient(r.connection, r.ErrOut)
	return err
}

func (r *productRequest) validate() error { return checkTimeout(r.command, r.timeout) }

// interruptible has Ctrl-C end the waiting from here on, so that what remains can be said.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt)
}

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
		client.FieldOwner(fieldOwner)); err != nil {
		return r.explain("patch", err)
	}
	return nil
}

// await reads the product until the operator has answered.
func (r *productRequest) await(
	ctx context.Context, answered func(product *api.LicensedProduct) bool,
) (*api.LicensedProduct, error) {
	product, err := poll(ctx, r.timeout, func(ctx context.Context, product *api.LicensedProduct) error {
		return r.client.Get(ctx, types.NamespacedName{Name: r.product}, product)
	}, answered)
	switch {
	case err == nil:
		return product, nil
	case errors.Is(err, errInterrupted):
		return nil, failf(r.pending, "interrupted before the operator answered")
	case errors.Is(err, errUnanswered):
		return nil, r.unanswered(product)
	default:
		return nil, r.explain("read", err)
	}
}

// Why polling ends without an answer, unless reading fails.
var (
	errInterrupted = errors.New("interrupted")
	errUnanswered  = errors.New("no answer")
)

// poll reads something of the cluster until it has the answer. What was read last is returned in any case; empty where
// nothing was. Where the time ends while the API server is in trouble, or silent, that is the error.
func poll[T any](
	ctx context.Context, timeout time.Duration, read func(context.Context, *T) error, answered func(*T) bool,
) (*T, error) {
	last := new(T)
	var lastRead error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, timeout, true, func(ctx context.Context) (bool, error) {
		next, slow := new(T), time.AfterFunc(pollInterval, func() {})
		err := read(ctx, next)
		inTime := slow.Stop()
		if err != nil && ctx.Err() != nil && inTime {
			return false, nil // The time is over, which says nothing of what is read.
		}
		if lastRead = err; err != nil {
			// Others may pass: an API server that restarts, say.
			return false, onlyFinal(err)
		}
		last = next
		return answered(last), nil
	})
	switch {
	case err == nil:
		return last, nil
	case ctx.Err() != nil:
		return last, errInterrupted
	case lastRead != nil:
		return last, lastRead
	default:
		return last, errUnanswered
	}
}

// onlyFinal is the error where trying again is of no use.
func onlyFinal(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return err
	}
	return nil
}

// unanswered says why the operator has probably not acted.
func (r *productRequest) unanswered(product *api.LicensedProduct) error {
	if r.hindrance != nil {
		if err := r.hindrance(product); err != nil {
			return err
		}
	}
	return failf("Is it running? kubectl get pods -A | grep license-operator\n"+r.pending,
		"no answer from the operator within %s", r.timeout)
}

// namesObject tells a missing object from a path that the API server does not know.
func namesObject(err error, name string) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Name == name
}

// notInstalled is the failure where the cluster does not know our kinds.
func notInstalled() error {
	return failf("Install it, or choose another cluster with --context.",
		"license-operator is not installed in this cluster: it has no LicensedProducts")
}

func noSuchProduct(name string) error {
	return failf("See which there are: kubectl get lprod", "there is no LicensedProduct %s", name)
}

// explain puts an API server's answer into words.
func (r *productRequest) explain(verb string, err error) error {
	return explainProduct(r.product, verb, "get and patch", err)
}

// explainProduct puts an API server's answer about one product into words. rights are what the command needs.
func explainProduct(name, verb, rights string, err error) error {
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && !namesObject(err, name):
		return notInstalled()
	case apierrors.IsNotFound(err):
		return noSuchProduct(name)
	case apierrors.IsForbidden(err):
		return failf(fmt.Sprintf("Ask whoever administers the cluster for %s on %s, or for doing this.", rights,
			licensedProducts), "%v", err)
	case apierrors.IsUnauthorized(err):
		return notLoggedIn(err)
	default:
		return failf("Check the connection with: kubectl get lprod "+name, "cannot %s LicensedProduct %s: %v", verb,
			name, err)
	}
}
