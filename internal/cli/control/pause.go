// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
)

type pauseOptions struct {
	productRequest
	length command.DurationFlag
	reason string
	begin  time.Time
}

// NewPauseCommand is kubectl license pause.
func NewPauseCommand(env command.Environment) *cobra.Command {
	o := &pauseOptions{productRequest: newProductRequest(env)}
	cmd := &cobra.Command{
		Use: "pause PRODUCT --for DURATION --reason TEXT [flags]", Short: "Pause a product's restriction for some time",
		Long: pauseLong, Example: pauseExample, RunE: command.InSteps(o.complete, o.validate, o.run),
	}
	cmd.Flags().Var(&o.length, "for",
		"how long, such as 72h or 3d (a day has 24 hours), at most "+text.Duration(restriction.MaxPause))
	cmd.Flags().StringVar(&o.reason, "reason", "",
		fmt.Sprintf("why, in one line of `TEXT` of at most %d characters, for others who see the pause",
			restriction.MaxPauseReason))
	command.CompleteFlag(cmd, "for", "24h", "72h", "7d", "14d")
	command.CompleteFlag(cmd, "reason")
	o.attach(cmd)
	return cmd
}

func (o *pauseOptions) complete(args []string) error {
	o.begin = o.ThisSecond()
	o.reason = strings.TrimSpace(o.reason)
	o.blockedBy = o.yetToBegin
	o.pending = "The pause remains: the operator acts on it as soon as it can. To cancel it: kubectl license resume " +
		args[0]
	return o.Complete(args)
}

func (o *pauseOptions) validate() error {
	length := time.Duration(o.length)
	switch {
	case length == 0 && o.Command.Flags().Changed("for"):
		return command.UsageError(o.Command, "--for 0s: want more than 0s")
	case length > restriction.MaxPause:
		return command.UsageError(o.Command, "--for %s: want at most %s; you can pause again before it ends", &o.length,
			text.Duration(restriction.MaxPause))
	case !utf8.ValidString(o.reason) || strings.ContainsFunc(o.reason, unicode.IsControl):
		return command.UsageError(o.Command, "--reason: want one line of text")
	case utf8.RuneCountInString(o.reason) > restriction.MaxPauseReason:
		return command.UsageError(o.Command, "--reason: want at most %d characters, not %d", restriction.MaxPauseReason,
			utf8.RuneCountInString(o.reason))
	}
	if err := command.RequireFlags(o.Command, "for", "reason"); err != nil {
		return err
	}
	return o.productRequest.validate()
}

// asked is the pause as the operator writes it to the status.
func (o *pauseOptions) asked() api.RestrictionPause {
	return api.RestrictionPause{
		SinceTime: new(metav1.NewTime(o.begin)), UntilTime: new(metav1.NewTime(o.begin.Add(time.Duration(o.length)))),
		Reason: o.reason,
	}
}

func (o *pauseOptions) run(ctx context.Context) error {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	before, err := o.read(ctx)
	if err != nil {
		return err
	}
	if before.Spec.Restriction == nil {
		return command.FailWithHint("", "LicensedProduct %s has no spec.restriction to pause", o.Product)
	}
	asked := o.asked()
	if err := o.annotate(ctx, map[string]any{
		api.RestrictionPauseAnnotation:       restriction.PauseAnnotation(asked.SinceTime.Time, asked.UntilTime.Time),
		api.RestrictionPauseReasonAnnotation: asked.Reason,
	}); err != nil {
		return err
	}
	after, err := o.await(ctx, func(product *api.LicensedProduct) bool {
		state := restriction.StatusOf(product).State
		return o.takenUp(product) && (state == api.RestrictionPaused || state == api.RestrictionNone)
	})
	if err != nil {
		return err
	}
	return o.tell(before, o.settled(ctx, after))
}

// warnUnready warns of a restriction that is not completely applied or removed.
func warnUnready(out io.Writer, product *api.LicensedProduct) {
	if text := overview.NotReadyText(product); text != "" {
		term.Warnf(out, "%s", text)
	}
}

// takenUp tells whether the operator has seen this pause.
func (o *pauseOptions) takenUp(product *api.LicensedProduct) bool {
	asked, pause := o.asked(), restriction.StatusOf(product).Pause
	if pause == nil || !pause.SinceTime.Equal(asked.SinceTime) || !pause.UntilTime.Equal(asked.UntilTime) {
		return false
	}
	// The operator removes characters from the reason that a terminal must not get.
	annotated, err := restriction.PauseOf(product)
	return err == nil && annotated != nil && pause.Reason == annotated.Reason
}

// yetToBegin explains why a running operator does not act: by its own clock, the pause has not started.
func (o *pauseOptions) yetToBegin(product *api.LicensedProduct) error {
	if !o.takenUp(product) {
		return nil
	}
	return command.FailWithHint("Compare this machine's clock with those of the cluster.\nThe pause remains. To "+
		"cancel it: kubectl license resume "+o.Product, "the operator has seen the pause, but by its clock it has not "+
		"started yet: it starts at %s", text.Time(o.begin))
}

func (o *pauseOptions) tell(before, after *api.LicensedProduct) error {
	now := restriction.StatusOf(after)
	until := o.asked().UntilTime.Time
	t := &term.Table{}
	t.Add("Product:", after.Name)
	t.Add("Paused:", fmt.Sprintf("until %s (%s), %s", text.Time(until), text.Duration(time.Duration(o.length)),
		term.Quote(o.reason)))
	if replaced, err := restriction.PauseOf(before); err == nil && replaced != nil &&
		o.begin.Before(replaced.UntilTime.Time) {
		t.Add("Replaced:", fmt.Sprintf("a pause until %s, %s", text.Time(replaced.UntilTime.Time),
			term.Quote(replaced.Reason)))
	}
	t.Add("Restriction:", stateChange(restrictionBefore(before), string(now.State)))
	switch due := now.EffectiveTime; {
	case now.State == api.RestrictionNone:
		term.Warnf(o.ErrOut, "the pause has no effect for now: by its terms or by --max-restriction, %s is not "+
			"restricted", o.Product)
	case due != nil && !due.Time.Before(until):
		term.Warnf(o.ErrOut, "the pause has no effect: the restriction of %s starts at %s, when the pause is over",
			o.Product, text.Time(due.Time))
	default:
		t.Add("Afterwards:", "in force, unless a license covers the product by then")
	}
	warnUnready(o.ErrOut, after)
	return t.Write(o.Out)
}

// restrictionBefore is the restriction before the pause; empty if it was paused, which is a line of its own.
func restrictionBefore(product *api.LicensedProduct) string {
	if restriction.StatusOf(product).State == api.RestrictionPaused {
		return ""
	}
	return overview.RestrictionOf(product)
}

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
