// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package licensing

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/assess"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/reconcile"
	"github.com/license-operator/license-operator/internal/text"
)

// keyStatus is the whole status of a key, as its product was assessed.
func keyStatus(key *api.LicenseKey, found *assess.Assessment) api.LicenseKeyStatus {
	f := found.Findings[key.Name]
	status := api.LicenseKeyStatus{ObservedGeneration: key.Generation, State: f.State}
	if c := f.Signed; c != nil {
		status.LicenseID, status.Customer = c.ID, c.Customer
		status.IssuedTime, status.NotBeforeTime = license.Instant(c.IssuedTime), license.Instant(c.NotBefore)
		status.ExpiryTime, status.GraceEndTime = license.Instant(c.Expiry), license.Instant(c.GraceEnd())
		if f.State == api.LicenseKeyValid || f.State == api.LicenseKeyGracePeriod {
			status.Features, status.Limits = c.Features, license.LimitList(c.Limits)
		}
	}
	ready := metav1.Condition{
		Type: api.ConditionReady, Status: reconcile.ConditionStatus(f.Reason == api.ReasonVerified),
		Reason: f.Reason, Message: f.Message,
	}
	status.Conditions = reconcile.Conditions(key.Status.Conditions, transitionTime(found), key.Generation,
		ready, activeCondition(key, &f, found))
	return status
}

func activeCondition(key *api.LicenseKey, f *assess.Finding, found *assess.Assessment) metav1.Condition {
	active := metav1.Condition{Type: api.ConditionActive, Status: metav1.ConditionFalse}
	switch claims := f.Claims; {
	case found.IsActive(key.Name):
		active.Status, active.Reason = metav1.ConditionTrue, api.ReasonInForce
		active.Message = fmt.Sprintf("This key decides the state of product %q.", key.Spec.ProductName)
	case f.State == api.LicenseKeyInvalid:
		active.Reason, active.Message = api.ReasonNotVerified, "Key is not verified: see condition Ready."
	case f.State == api.LicenseKeyNotYetValid:
		active.Reason = api.ReasonNotYetValid
		active.Message = fmt.Sprintf("Key becomes valid at %s.", text.Time(claims.NotBefore))
	case f.State == api.LicenseKeyExpired:
		active.Reason = api.ReasonExpired
		active.Message = fmt.Sprintf("Key expired at %s; grace period ended at %s. Another key decides the state of "+
			"product %q.", text.Time(claims.Expiry), text.Time(claims.GraceEnd()), key.Spec.ProductName)
	default:
		active.Reason = api.ReasonStandby
		// The product names the active key. With its name here, each change would be a write to every key.
		active.Message = fmt.Sprintf("Another key decides the state of product %q (kubectl get lprod).",
			key.Spec.ProductName)
	}
	return active
}

// keyEvents are the events of going from one status to another: one for each transition.
func keyEvents(from, to *api.LicenseKeyStatus, found *assess.Assessment) []reconcile.Event {
	before := reconcile.FindCondition(from.Conditions, api.ConditionReady)
	after := reconcile.FindCondition(to.Conditions, api.ConditionReady)
	switch {
	case before.Reason == after.Reason && from.State == to.State:
		return nil
	case after.Reason != api.ReasonVerified:
		return []reconcile.Event{{Warning: true, Reason: after.Reason, Note: after.Message}}
	}
	e := reconcile.Event{Reason: string(to.State), Note: keyNote(to)}
	// The end of a key that was renewed needs no warning.
	if isOver := to.State == api.LicenseKeyGracePeriod || to.State == api.LicenseKeyExpired; isOver &&
		meta.IsStatusConditionTrue(to.Conditions, api.ConditionActive) && !found.IsRenewed() {
		e.Warning, e.Note = true, e.Note+" "+renewal(found.Product)
	}
	return []reconcile.Event{e}
}

func keyNote(s *api.LicenseKeyStatus) string {
	expiry, graceEnd := text.Time(s.ExpiryTime.Time), text.Time(s.GraceEndTime.Time)
	switch s.State {
	case api.LicenseKeyNotYetValid:
		return fmt.Sprintf("License %q becomes valid at %s.", s.LicenseID, text.Time(s.NotBeforeTime.Time))
	case api.LicenseKeyValid:
		return fmt.Sprintf("License %q is valid until %s.", s.LicenseID, expiry)
	case api.LicenseKeyGracePeriod:
		return fmt.Sprintf("License %q expired at %s; grace period ends at %s.", s.LicenseID, expiry, graceEnd)
	default:
		return fmt.Sprintf("License %q expired at %s; grace period ended at %s.", s.LicenseID, expiry, graceEnd)
	}
}

// keyReconciler writes the statuses of LicenseKeys. It judges nothing: each status follows from the latest assessment
// of the key's product. It has a queue of its own, so that a key whose status cannot be written holds up no other.
type keyReconciler struct {
	client      client.Client
	recorder    events.EventRecorder
	assessments *reconcile.Board[*assess.Assessment]
}

// Reconcile writes the status of one key, if it is another than before.
func (r *keyReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	key := &api.LicenseKey{}
	if err := r.client.Get(ctx, request.NamespacedName, key); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	found, _ := r.assessments.Get(key.Spec.ProductName)
	if found == nil || !found.IsFor(key) {
		return ctrl.Result{}, nil // the next assessment requests this again
	}
	changed := key.DeepCopy()
	changed.Status = keyStatus(key, found)
	if equality.Semantic.DeepEqual(key.Status, changed.Status) {
		return ctrl.Result{}, nil
	}
	if err := reconcile.WriteStatus(ctx, r.client, changed, key); err != nil {
		return reconcile.AfterFailedWrite(err)
	}
	reconcile.Record(r.recorder, key, keyEvents(&key.Status, &changed.Status, found))
	return ctrl.Result{}, nil
}

func (r *keyReconciler) setup(mgr ctrl.Manager, trigger *reconcile.Trigger) error {
	return reconcile.NewController(mgr, "licensekey", reconcile.Options{}).
		For(&api.LicenseKey{}).WatchesRawSource(trigger).Complete(r)
}
