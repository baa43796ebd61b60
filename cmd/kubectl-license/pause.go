// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
)

// pauseOptions are what pause was asked.
type pauseOptions struct {
	productRequest
	length durationFlag
	reason string

	begin time.Time
}

// pauseLong is the help of pause.
const pauseLong = `Put the restriction of a product off for a while: one that is in force is lifted, one that would
come meanwhile does not. Talks to the cluster.

A pause is for the cluster owner, for the day when a renewal is late and the restriction comes at the
worst time. It begins now and lasts 14 days at most. When it is over the restriction is in force by
itself, unless a license covers the product by then. It is no license: keys and products have the
states that they have without it, and alerts go on.

It sets two annotations on the LicensedProduct, and waits until the operator has taken them up. The
product's status says who waits for what: status.restriction.pause has the reason. You need the
permissions get and patch on the LicensedProduct.`

// pauseExample is the help of pause: how it is used.
const pauseExample = `  # Three days for the renewal to arrive
  kubectl license pause acme-mesh --for 72h --reason "Renewal is signed, key expected on Monday"

  # What would the restriction do once the pause is over?
  kubectl license simulate acme-mesh

  # End the pause early
  kubectl license resume acme-mesh`

func newPauseCommand(env environment) *cobra.Command {
	o := &pauseOptions{productRequest: newProductRequest(env)}
	command := &cobra.Command{
		Use:     "pause PRODUCT --for DURATION --reason TEXT [flags]",
		Short:   "Put a product's restriction off for a while",
		Long:    pauseLong,
		Example: pauseExample,
		RunE:    inSteps(o),
	}
	command.Flags().Var(&o.length, "for",
		"how long, such as 72h or 3d (a day has 24 hours), at most "+formatDuration(restriction.MaxPause))
	command.Flags().StringVar(&o.reason, "reason", "",
		fmt.Sprintf("why, in one line of `TEXT` of at most %d characters, for whoever finds the pause",
			restriction.MaxPauseReason))
	completeWith(command, "for", "24h", "72h", "7d", "14d")
	completeWith(command, "reason")
	o.attach(command)
	return command
}

func (o *pauseOptions) complete(args []string) error {
	o.begin = o.thisSecond()
	o.reason = strings.TrimSpace(o.reason)
	o.hindrance = o.yetToBegin
	if err := o.productRequest.complete(args); err != nil {
		return err
	}
	o.pending = "The pause stands: the operator takes it up as soon as it can. Take it back with: kubectl license " +
		"resume " + o.product
	return nil
}

func (o *pauseOptions) validate() error {
	length := time.Duration(o.length)
	switch {
	case length == 0 && o.command.Flags().Changed("for"):
		return misused(o.command, "--for 0s: want more than 0s")
	case length > restriction.MaxPause:
		return misused(o.command,
			"--for %s: at most %s, since the operator ends a pause then; pause again before it is over", &o.length,
			formatDuration(restriction.MaxPause))
	case !utf8.ValidString(o.reason) || strings.ContainsFunc(o.reason, unicode.IsControl):
		return misused(o.command, "--reason: want one line of text")
	case utf8.RuneCountInString(o.reason) > restriction.MaxPauseReason:
		return misused(o.command, "--reason: want at most %d characters, not %d", restriction.MaxPauseReason,
			utf8.RuneCountInString(o.reason))
	}
	if err := requireFlags(o.command, "for", "reason"); err != nil {
		return err
	}
	return o.productRequest.validate()
}

// asked is the pause as the operator puts it into the status.
func (o *pauseOptions) asked() api.RestrictionPause {
	return api.RestrictionPause{
		SinceTime: new(metav1.NewTime(o.begin)),
		UntilTime: new(metav1.NewTime(o.begin.Add(time.Duration(o.length)))),
		Reason:    o.reason,
	}
}

func (o *pauseOptions) run(ctx context.Context) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	before, err := o.read(ctx)
	if err != nil {
		return err
	}
	if before.Spec.Restriction == nil {
		return failf("", "LicensedProduct %s has no spec.restriction: there is nothing to pause", o.product)
	}
	asked := o.asked()
	if err := o.annotate(ctx, map[string]any{
		api.RestrictionPauseAnnotation:       restriction.PauseAnnotation(asked.SinceTime.Time, asked.UntilTime.Time),
		api.RestrictionPauseReasonAnnotation: asked.Reason,
	}); err != nil {
		return err
	}
	after, err := o.await(ctx, func(product *api.LicensedProduct) bool {
		state := restrictionOf(product).State
		return o.takenUp(product) && (state == api.RestrictionPaused || state == api.RestrictionNone)
	})
	if err != nil {
		return err
	}
	return o.tell(before, o.settled(ctx, after))
}

// settled is the product once what has been decided is done: policies are put in place and taken away after the state
// is written. It is the product as it was where that takes too long, and its condition says why.
func (r *productRequest) settled(ctx context.Context, product *api.LicensedProduct) *api.LicensedProduct {
	later, err := r.await(ctx, func(product *api.LicensedProduct) bool {
		return unready(product).Reason != api.ReasonApplying
	})
	if err != nil {
		return product
	}
	return later
}

// unready is the condition RestrictionReady where it is False; empty otherwise.
func unready(product *api.LicensedProduct) metav1.Condition {
	ready := meta.FindStatusCondition(product.Status.Conditions, api.ConditionRestrictionReady)
	if ready == nil || ready.Status != metav1.ConditionFalse {
		return metav1.Condition{}
	}
	return *ready
}

// warnUnready tells of a restriction that has not been put into force, or lifted, completely.
func warnUnready(out io.Writer, product *api.LicensedProduct) {
	if text := unreadyText(product); text != "" {
		warnf(out, "%s", text)
	}
}

// unreadyText says what is not done yet of putting a restriction into force, or of lifting it; empty: all is.
func unreadyText(product *api.LicensedProduct) string {
	condition := unready(product)
	if condition.Reason == "" {
		return ""
	}
	return fmt.Sprintf("not all of it is done (%s): %s", condition.Reason, condition.Message)
}

// restrictionOf is what the status says of a product's restriction; empty where it says nothing yet.
func restrictionOf(product *api.LicensedProduct) api.RestrictionStatus {
	if product.Status.Restriction == nil {
		return api.RestrictionStatus{}
	}
	return *product.Status.Restriction
}

// takenUp tells whether the operator has seen this pause.
func (o *pauseOptions) takenUp(product *api.LicensedProduct) bool {
	asked, pause := o.asked(), restrictionOf(product).Pause
	if pause == nil || !pause.SinceTime.Equal(asked.SinceTime) || !pause.UntilTime.Equal(asked.UntilTime) {
		return false
	}
	// The reason may have been cleaned of what a terminal must not see.
	annotated, err := restriction.PauseOf(product)
	return err == nil && annotated != nil && pause.Reason == annotated.Reason
}

// yetToBegin is why a running operator may not act: it goes by its own clock.
func (o *pauseOptions) yetToBegin(product *api.LicensedProduct) error {
	if !o.takenUp(product) {
		return nil
	}
	return failf("Compare this machine's clock with those of the cluster.\nThe pause stands. Take it back with: "+
		"kubectl license resume "+o.product,
		"the operator knows of the pause, which by its clock has yet to begin: it begins at %s", formatInstant(o.begin))
}

func (o *pauseOptions) tell(before, after *api.LicensedProduct) error {
	now := restrictionOf(after)
	until := o.asked().UntilTime.Time
	t := &table{}
	t.add("Product:", after.Name)
	t.add("Paused:", fmt.Sprintf("until %s (%s), %s", formatInstant(until), formatDuration(time.Duration(o.length)),
		quoted(o.reason)))
	if replaced, err := restriction.PauseOf(before); err == nil && replaced != nil &&
		o.begin.Before(replaced.UntilTime.Time) {
		t.add("Replaced:", fmt.Sprintf("a pause until %s, %s", formatInstant(replaced.UntilTime.Time),
			quoted(replaced.Reason)))
	}
	t.add("Restriction:", stateChange(restrictionBefore(before), string(now.State)))
	switch due := now.EffectiveTime; {
	case now.State == api.RestrictionNone:
		warnf(o.ErrOut, "nothing is restricted for %s, by its terms or by --max-restriction: the pause puts nothing "+
			"off for now", o.product)
	case due != nil && !due.Time.Before(until):
		warnf(o.ErrOut, "the restriction of %s is due at %s, when the pause is over: it puts nothing off", o.product,
			formatInstant(due.Time))
	default:
		t.add("Afterwards:", "in force by itself, unless a license covers the product by then")
	}
	warnUnready(o.ErrOut, after)
	return t.write(o.Out)
}

// restrictionBefore is how a restriction stood before a pause; another pause is told of by itself.
func restrictionBefore(product *api.LicensedProduct) string {
	if restrictionOf(product).State == api.RestrictionPaused {
		return ""
	}
	return restrictionText(product)
}

// quoted is text of somebody's, safe for a terminal.
func quoted(text string) string { return `"` + printable(text) + `"` }

// restrictionText is how a product's restriction stands, as its status has it.
func restrictionText(product *api.LicensedProduct) string {
	return restrictionStatusText(restrictionOf(product))
}

func restrictionStatusText(status api.RestrictionStatus) string {
	switch {
	case status.State == api.RestrictionActive && status.InForce != nil:
		return fmt.Sprintf("Active since %s, %s", formatInstant(status.InForce.SinceTime.Time), status.InForce.Mode)
	case status.State == api.RestrictionPaused && status.Pause != nil:
		return fmt.Sprintf("Paused until %s", formatInstant(status.Pause.UntilTime.Time))
	case status.State == api.RestrictionScheduled && status.EffectiveTime != nil:
		return fmt.Sprintf("Scheduled for %s", formatInstant(status.EffectiveTime.Time))
	default:
		return string(status.State)
	}
}

// resumeOptions are what resume was asked.
type resumeOptions struct{ productRequest }

// resumeLong is the help of resume.
const resumeLong = `End the pause of a product's restriction, and show how the restriction stands then: in force, if it
is due. Talks to the cluster.

It removes the annotations that pause has set, and waits until the operator has seen that. A product
that is not paused is left as it is. You need the permissions get and patch on the LicensedProduct.`

// resumeExample is the help of resume: how it is used.
const resumeExample = `  # What would that put into force?
  kubectl license simulate acme-mesh

  kubectl license resume acme-mesh`

func newResumeCommand(env environment) *cobra.Command {
	o := &resumeOptions{productRequest: newProductRequest(env)}
	command := &cobra.Command{
		Use:     "resume PRODUCT [flags]",
		Short:   "End the pause of a product's restriction",
		Long:    resumeLong,
		Example: resumeExample,
		RunE:    inSteps(o),
	}
	o.attach(command)
	return command
}

func (o *resumeOptions) complete(args []string) error {
	if err := o.productRequest.complete(args); err != nil {
		return err
	}
	o.pending = "The annotations are removed: the operator sees that as soon as it can."
	return nil
}

func (o *resumeOptions) run(ctx context.Context) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	before, err := o.read(ctx)
	if err != nil {
		return err
	}
	_, paused := before.Annotations[api.RestrictionPauseAnnotation]
	_, explained := before.Annotations[api.RestrictionPauseReasonAnnotation]
	if !paused && !explained {
		_, err := fmt.Fprintf(o.Out, "LicensedProduct %s is not paused. Restriction: %s\n", o.product,
			cmp.Or(restrictionText(before), "none yet"))
		return err
	}
	if err := o.annotate(ctx, map[string]any{
		api.RestrictionPauseAnnotation:       nil,
		api.RestrictionPauseReasonAnnotation: nil,
	}); err != nil {
		return err
	}
	after, err := o.await(ctx, func(product *api.LicensedProduct) bool {
		status := restrictionOf(product)
		return status.Pause == nil && status.State != api.RestrictionPaused &&
			(status.State != api.RestrictionActive || status.InForce != nil)
	})
	if err != nil {
		return err
	}
	return o.tell(before, o.settled(ctx, after))
}

func (o *resumeOptions) tell(before, after *api.LicensedProduct) error {
	t := &table{}
	t.add("Product:", after.Name)
	t.add("Restriction:", stateChange(restrictionText(before), restrictionText(after)))
	if inForce := restrictionOf(after).InForce; inForce != nil {
		t.add("In force:", extentText(inForce))
	}
	warnUnready(o.ErrOut, after)
	return t.write(o.Out)
}

// extentText is how far a restriction goes.
func extentText(inForce *api.RestrictionInForce) string {
	text := "in " + plural(int64(len(inForce.Tiers)), "tier")
	if policies := inForce.Policies; policies != nil && policies.Total != nil {
		text += " with " + counted(int64(*policies.Total), "policy", "policies")
	}
	return text
}
