// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/restriction"
)

type resumeOptions struct{ productRequest }

// NewResumeCommand is kubectl license resume.
func NewResumeCommand(env command.Environment) *cobra.Command {
	o := &resumeOptions{productRequest: newProductRequest(env)}
	cmd := &cobra.Command{
		Use: "resume PRODUCT [flags]", Short: "End the pause of a product's restriction", Long: resumeLong,
		Example: resumeExample, RunE: command.InSteps(o.complete, o.validate, o.run),
	}
	o.attach(cmd)
	return cmd
}

func (o *resumeOptions) complete(args []string) error {
	o.pending = "The annotations are removed: the operator acts on it as soon as it can."
	return o.Complete(args)
}

func (o *resumeOptions) run(ctx context.Context) error {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	before, err := o.read(ctx)
	if err != nil {
		return err
	}
	_, paused := before.Annotations[api.RestrictionPauseAnnotation]
	_, explained := before.Annotations[api.RestrictionPauseReasonAnnotation]
	if !paused && !explained {
		_, err := fmt.Fprintf(o.Out, "LicensedProduct %s is not paused. Restriction: %s\n", o.Product,
			cmp.Or(overview.RestrictionOf(before), "none yet"))
		return err
	}
	annotations := map[string]any{api.RestrictionPauseAnnotation: nil, api.RestrictionPauseReasonAnnotation: nil}
	if err := o.annotate(ctx, annotations); err != nil {
		return err
	}
	after, err := o.await(ctx, func(product *api.LicensedProduct) bool {
		status := restriction.StatusOf(product)
		return status.Pause == nil && status.State != api.RestrictionPaused &&
			(status.State != api.RestrictionActive || status.InForce != nil)
	})
	if err != nil {
		return err
	}
	return o.tell(before, o.settled(ctx, after))
}

func (o *resumeOptions) tell(before, after *api.LicensedProduct) error {
	t := &term.Table{}
	t.Add("Product:", after.Name)
	t.Add("Restriction:", stateChange(overview.RestrictionOf(before), overview.RestrictionOf(after)))
	if inForce := restriction.StatusOf(after).InForce; inForce != nil {
		t.Add("In force:", overview.ExtentText(inForce))
	}
	warnUnready(o.ErrOut, after)
	return t.Write(o.Out)
}
