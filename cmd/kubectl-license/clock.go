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

	"github.com/license-operator/license-operator/api/v1alpha1"
)

// pollInterval is how often the product is read while the operator is awaited. A watch would need another permission for the sake of a few requests.
const pollInterval = 500 * time.Millisecond

// clockResetOptions are what clock reset was asked.
type clockResetOptions struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	timeout time.Duration

	client client.Client
	// request is the value of the annotation. The operator acts upon each new value once.
	request string
}

func newClockCommand(env environment) *cobra.Command {
	return newParentCommand("clock", "Lead the operator back to the right time", newClockResetCommand(env))
}

func newClockResetCommand(env environment) *cobra.Command {
	o := &clockResetOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:   "reset PRODUCT [flags]",
		Short: "Make the operator believe its clock again",
		Long: `Make the operator believe its clock again for one product. Talks to the cluster.

Time never runs backwards for a license: the operator records a recent time in status.timeMark of the
LicensedProduct, and takes that for the time while its own clock is behind. If the clocks were once
set wrong, into the future, the mark is wrong too. Once they are right, this command puts the mark
back to the present. Keys that expired only by the wrong time are in force again.

It sets an annotation on the LicensedProduct, and waits until the operator has acted upon it. The
operator does so only while its own clock and the API server's agree. You need the permissions get
and patch on the LicensedProduct.`,
		Example: `  # What does the operator say about its clock?
  kubectl get lprod acme-mesh -o jsonpath='{.status.conditions[?(@.type=="ClockSkewed")].message}'

  # Correct the clocks of the nodes first, then
  kubectl license clock reset acme-mesh`,
		Args: oneArgument("PRODUCT"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := o.complete(args); err != nil {
				return err
			}
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(command.Context())
		},
		ValidArgsFunction: func(command *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return productNames(command.Context(), o.connection), cobra.ShellCompDirectiveNoFileComp
		},
	}
	o.command = command
	command.Flags().SortFlags = false
	command.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the operator: a `DURATION` such as 2m")
	completeWith(command, "timeout", "30s", "2m")
	addConnectionFlags(command, o.connection)
	return command
}

func (o *clockResetOptions) complete(args []string) error {
	o.product = args[0]
	o.request = o.now().UTC().Format(time.RFC3339Nano)
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *clockResetOptions) validate() error {
	if o.timeout <= 0 {
		return misused(o.command, "--timeout %s: want more than 0s", o.timeout)
	}
	return nil
}

func (o *clockResetOptions) run(ctx context.Context) error {
	// From here on Ctrl-C ends the waiting, and says what remains.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	before := &v1alpha1.LicensedProduct{}
	if err := o.client.Get(ctx, types.NamespacedName{Name: o.product}, before); err != nil {
		return o.explain("read", err)
	}
	warnf(o.ErrOut, "keys of %s that expired only by the time that is now forgotten will be in force again", o.product)
	if err := o.annotate(ctx); err != nil {
		return err
	}
	after, err := o.await(ctx)
	if err != nil {
		return err
	}
	return o.tell(before, after)
}

func (o *clockResetOptions) annotate(ctx context.Context) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{v1alpha1.ClockResetAnnotation: o.request}},
	})
	if err != nil {
		return err
	}
	product := &v1alpha1.LicensedProduct{}
	product.Name = o.product
	if err := o.client.Patch(ctx, product, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldOwner)); err != nil {
		return o.explain("patch", err)
	}
	return nil
}

// await reads the product until the operator has handled this request, or a later one.
func (o *clockResetOptions) await(ctx context.Context) (*v1alpha1.LicensedProduct, error) {
	product := &v1alpha1.LicensedProduct{}
	var lastRead error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, o.timeout, true, func(ctx context.Context) (bool, error) {
		read := &v1alpha1.LicensedProduct{}
		if lastRead = o.client.Get(ctx, types.NamespacedName{Name: o.product}, read); lastRead != nil {
			// Others may pass: an API server that restarts, say.
			return false, onlyFinal(lastRead)
		}
		product = read
		return product.Status.LastHandledClockReset == o.request, nil
	})
	switch {
	case err == nil:
		return product, nil
	case ctx.Err() != nil:
		return nil, failf(o.pending(), "interrupted before the operator answered")
	case lastRead != nil && !errors.Is(lastRead, context.DeadlineExceeded):
		return nil, o.explain("read", lastRead)
	default:
		return nil, o.unanswered(product)
	}
}

// onlyFinal is the error where trying again is of no use.
func onlyFinal(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return err
	}
	return nil
}

// pending says what becomes of a request that nobody has answered yet.
func (o *clockResetOptions) pending() string {
	return fmt.Sprintf("The request stands: the operator acts upon it as soon as it can. Take it back with: kubectl annotate lprod %s %s-",
		o.product, v1alpha1.ClockResetAnnotation)
}

// unanswered says why the operator has probably not acted.
func (o *clockResetOptions) unanswered(product *v1alpha1.LicensedProduct) error {
	skewed := meta.FindStatusCondition(product.Status.Conditions, v1alpha1.ConditionClockSkewed)
	if skewed != nil && skewed.Status == "True" && skewed.Reason == v1alpha1.ReasonNodeClock {
		return failf("Correct the clocks first.\n"+o.pending(), "the operator does not act while its clock and the API server's disagree. It says: %s", skewed.Message)
	}
	return failf("Is it running? kubectl get pods -A | grep license-operator\n"+o.pending(), "no answer from the operator within %s", o.timeout)
}

func (o *clockResetOptions) tell(before, after *v1alpha1.LicensedProduct) error {
	t := &table{}
	t.add("Product:", after.Name)
	t.add("Time mark:", fmt.Sprintf("%s (was %s)", markText(after), markText(before)))
	t.add("State:", stateChange(string(before.Status.State), string(after.Status.State)))
	return t.write(o.Out)
}

func markText(product *v1alpha1.LicensedProduct) string {
	if product.Status.TimeMark == nil {
		return "none"
	}
	return formatInstant(product.Status.TimeMark.Time)
}

func stateChange(before, after string) string {
	if before == after || before == "" {
		return after
	}
	return fmt.Sprintf("%s (was %s)", after, before)
}

// namesProduct tells a missing object from a path that the API server does not know.
func namesProduct(err error, name string) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Name == name
}

// explain puts an API server's answer into words.
func (o *clockResetOptions) explain(verb string, err error) error {
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && !namesProduct(err, o.product):
		return failf("Install it, or choose another cluster with --context.", "license-operator is not installed in this cluster: it has no LicensedProducts")
	case apierrors.IsNotFound(err):
		return failf("See which there are: kubectl get lprod", "there is no LicensedProduct %s", o.product)
	case apierrors.IsForbidden(err):
		return failf("Ask whoever administers the cluster for get and patch on licensedproducts.license-operator.io, or for doing this.", "%v", err)
	default:
		return failf("Check the connection with: kubectl get lprod "+o.product, "cannot %s LicensedProduct %s: %v", verb, o.product, err)
	}
}
