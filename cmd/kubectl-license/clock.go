// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// clockResetOptions are what clock reset was asked.
type clockResetOptions struct {
	productRequest
	// request is the value of the annotation. The operator acts upon each new value once.
	request string
}

func newClockCommand(env environment) *cobra.Command {
	return newParentCommand("clock", "Lead the operator back to the right time", newClockResetCommand(env))
}

// clockResetLong is the help of clock reset.
const clockResetLong = `Make the operator believe its clock again for one product. Talks to the cluster.

Time never runs backwards for a license: the operator records a recent time in status.timeMark of the
LicensedProduct, and takes that for the time while its own clock is behind. If the clocks were once
set wrong, into the future, the mark is wrong too. Once they are right, this command puts the mark
back to the present. Keys that expired only by the wrong time are in force again.

It sets an annotation on the LicensedProduct, and waits until the operator has acted upon it. The
operator does so only while its own clock and the API server's agree. You need the permissions get
and patch on the LicensedProduct.`

// clockResetExample is the help of clock reset: how it is used.
const clockResetExample = `  # What does the operator say about its clock?
  kubectl get lprod acme-mesh -o jsonpath='{.status.conditions[?(@.type=="ClockSkewed")].message}'

  # Correct the clocks of the nodes first, then
  kubectl license clock reset acme-mesh`

func newClockResetCommand(env environment) *cobra.Command {
	o := &clockResetOptions{productRequest: newProductRequest(env)}
	command := &cobra.Command{
		Use:     "reset PRODUCT [flags]",
		Short:   "Make the operator believe its clock again",
		Long:    clockResetLong,
		Example: clockResetExample,
		RunE:    inSteps(o),
	}
	o.attach(command)
	return command
}

func (o *clockResetOptions) complete(args []string) error {
	o.request = o.now().UTC().Format(time.RFC3339Nano)
	o.hindrance = o.clocksDisagree
	if err := o.productRequest.complete(args); err != nil {
		return err
	}
	o.pending = fmt.Sprintf("The request stands: the operator acts upon it as soon as it can. Take it back with: "+
		"kubectl annotate lprod %s %s-",
		o.product, api.ClockResetAnnotation)
	return nil
}

func (o *clockResetOptions) run(ctx context.Context) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	before, err := o.read(ctx)
	if err != nil {
		return err
	}
	warnf(o.ErrOut, "keys of %s that expired only by the time that is now forgotten will be in force again", o.product)
	if err := o.annotate(ctx, map[string]any{api.ClockResetAnnotation: o.request}); err != nil {
		return err
	}
	after, err := o.await(ctx, func(product *api.LicensedProduct) bool {
		return product.Status.LastHandledClockReset ==
			o.request
	})
	if err != nil {
		return err
	}
	return o.tell(before, after)
}

// clocksDisagree is the one thing that keeps a running operator from forgetting the mark.
func (o *clockResetOptions) clocksDisagree(product *api.LicensedProduct) error {
	skewed := meta.FindStatusCondition(product.Status.Conditions, api.ConditionClockSkewed)
	if skewed == nil || skewed.Status != metav1.ConditionTrue || skewed.Reason != api.ReasonNodeClock {
		return nil
	}
	return failf("Correct the clocks first.\n"+o.pending,
		"the operator does not act while its clock and the API server's disagree. It says: %s", skewed.Message)
}

func (o *clockResetOptions) tell(before, after *api.LicensedProduct) error {
	t := &table{}
	t.add("Product:", after.Name)
	t.add("Time mark:", fmt.Sprintf("%s (was %s)", markText(after), markText(before)))
	t.add("State:", stateChange(string(before.Status.State), string(after.Status.State)))
	return t.write(o.Out)
}

func markText(product *api.LicensedProduct) string {
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
