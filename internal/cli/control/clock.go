// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/text"
)

type clockResetOptions struct {
	productRequest
	// request is the value of the annotation. The operator acts once on each new value.
	request string
}

// NewClockCommand is kubectl license clock.
func NewClockCommand(env command.Environment) *cobra.Command {
	return command.NewParent("clock", "Correct the operator's time", newClockResetCommand(env))
}

func newClockResetCommand(env command.Environment) *cobra.Command {
	o := &clockResetOptions{productRequest: newProductRequest(env)}
	cmd := &cobra.Command{
		Use: "reset PRODUCT [flags]", Short: "Make the operator trust its clock again", Long: clockLong,
		Example: clockExample, RunE: command.InSteps(o.complete, o.validate, o.run),
	}
	o.attach(cmd)
	return cmd
}

func (o *clockResetOptions) complete(args []string) error {
	o.request = o.Now().UTC().Format(time.RFC3339Nano)
	o.blockedBy = o.clocksDisagree
	o.pending = fmt.Sprintf("The request remains: the operator acts on it as soon as it can. To cancel it: kubectl "+
		"annotate lprod %s %s-", args[0], api.ClockResetAnnotation)
	return o.Complete(args)
}

func (o *clockResetOptions) run(ctx context.Context) error {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	before, err := o.read(ctx)
	if err != nil {
		return err
	}
	term.Warnf(o.ErrOut, "keys of %s that expired only by the wrong time will be valid again", o.Product)
	if err := o.annotate(ctx, map[string]any{api.ClockResetAnnotation: o.request}); err != nil {
		return err
	}
	after, err := o.await(ctx,
		func(product *api.LicensedProduct) bool { return product.Status.LastHandledClockReset == o.request })
	if err != nil {
		return err
	}
	return o.tell(before, after)
}

// clocksDisagree is the only reason why a running operator does not reset the mark.
func (o *clockResetOptions) clocksDisagree(product *api.LicensedProduct) error {
	skewed := meta.FindStatusCondition(product.Status.Conditions, api.ConditionClockSkewed)
	if skewed == nil || skewed.Status != metav1.ConditionTrue || skewed.Reason != api.ReasonNodeClock {
		return nil
	}
	return command.FailWithHint("Correct the clocks first.\n"+o.pending,
		"the operator does not act while its clock and the API server's disagree. It says: %s", skewed.Message)
}

func (o *clockResetOptions) tell(before, after *api.LicensedProduct) error {
	t := &term.Table{}
	t.Add("Product:", after.Name)
	t.Add("Time mark:", fmt.Sprintf("%s (was %s)", markText(after), markText(before)))
	t.Add("State:", stateChange(string(before.Status.State), string(after.Status.State)))
	return t.Write(o.Out)
}

func markText(product *api.LicensedProduct) string {
	if product.Status.TimeMark == nil {
		return "none"
	}
	return text.Time(product.Status.TimeMark.Time)
}
