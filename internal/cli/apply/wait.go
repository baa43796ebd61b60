// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
)

// await waits until the operator confirms the preview, or does not accept the key.
func (o *options) await(ctx context.Context, key *input, found *preview) (*operatorView, error) {
	said, err := wait.Poll(ctx, o.timeout, func(ctx context.Context, said *operatorView) error {
		if err := o.client.Get(ctx, types.NamespacedName{Name: key.name}, &said.key); err != nil {
			return err
		}
		return o.client.Get(ctx, types.NamespacedName{Name: key.ProductName}, &said.product)
	}, func(said *operatorView) bool { return said.accepts(found) || said.refuses() })
	hint := "Check the connection with: kubectl get lk " + key.name
	switch {
	case err == nil && !said.refuses():
		found.ClusterUnknown = false // The operator knows, and accepts the key.
		return said, nil
	case err == nil || errors.Is(err, wait.ErrUnanswered):
		return nil, said.disagreement(found, o.timeout)
	case errors.Is(err, wait.ErrInterrupted):
		return nil, command.FailWithHint("LicenseKey "+key.name+" is applied, and the operator reconciles it as soon "+
			"as it can. See its status: kubectl describe lk "+key.name, "interrupted before the operator answered")
	case apierrors.IsForbidden(err):
		hint = "Ask a cluster administrator for get on licensekeys and licensedproducts of license-operator.io."
	}
	return nil, command.FailWithHint(hint, "LicenseKey %s is applied, but its status cannot be read: %v", key.name, err)
}

// operatorView is a key and its product, with the status from the operator.
type operatorView struct {
	key     api.LicenseKey
	product api.LicensedProduct
}

// conditions are Ready and Active of the key's current generation; nil if the operator has not set them yet.
func (v *operatorView) conditions() (ready, active *metav1.Condition) {
	status := &v.key.Status
	if v.key.Name == "" || status.ObservedGeneration != v.key.Generation {
		return nil, nil
	}
	return meta.FindStatusCondition(status.Conditions, api.ConditionReady),
		meta.FindStatusCondition(status.Conditions, api.ConditionActive)
}

// standing is the message for a key that was applied before.
func (v *operatorView) standing() string {
	text := fmt.Sprintf("Nothing to do: LicenseKey %s already has this token.", v.key.Name)
	ready, active := v.conditions()
	switch {
	case ready == nil || active == nil:
		return text + " The operator has not reconciled it yet."
	case ready.Status != metav1.ConditionTrue:
		return fmt.Sprintf("%s The operator does not accept it: %s. %s", text, ready.Reason, ready.Message)
	default:
		return fmt.Sprintf("%s It is %s. %s", text, v.key.Status.State, active.Message)
	}
}

// accepts returns true if the operator confirms the preview, and has finished ending a restriction that ends.
func (v *operatorView) accepts(found *preview) bool {
	ready, active := v.conditions()
	return ready != nil && active != nil && ready.Status == metav1.ConditionTrue &&
		(active.Status == metav1.ConditionTrue) == found.Active && found.isReached(&v.product) &&
		(!found.endsRestriction() || overview.NotReady(&v.product).Reason != api.ReasonApplying)
}

// refuses returns true if the operator has verified the current key by the current terms and does not accept it. It
// will find a product that it has not found yet.
func (v *operatorView) refuses() bool {
	ready, _ := v.conditions()
	return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason != api.ReasonProductNotFound &&
		v.product.Status.ObservedGeneration == v.product.Generation
}

// disagreement says why the result is not as in the preview.
func (v *operatorView) disagreement(found *preview, timeout time.Duration) error {
	name := found.LicenseKeyName
	see := "See more: kubectl describe lk " + name
	ready, active := v.conditions()
	switch {
	case ready == nil || active == nil:
		return command.FailWithHint("Is it running? kubectl get pods -A | grep license-operator\nIt reconciles the "+
			"key as soon as it can. "+see,
			"LicenseKey %s is applied, but the operator did not update its status within %s", name, timeout)
	case ready.Status != metav1.ConditionTrue:
		return command.FailWithHint(see, "LicenseKey %s is applied, but the operator does not accept it: %s. %s", name,
			ready.Reason, ready.Message)
	case (active.Status == metav1.ConditionTrue) != found.Active:
		return command.FailWithHint(see, "LicenseKey %s is applied and verified, but its effect differs from the "+
			"preview: it is %s. %s", name, active.Reason, active.Message)
	default:
		return command.FailWithHint("See more: kubectl describe lprod "+found.ProductName,
			"LicenseKey %s is applied and verified, but LicensedProduct %s differs from the preview after %s: it is "+
				"%s, its active key is %s", name, found.ProductName, timeout, v.product.Status.State,
			cmp.Or(v.product.Status.ActiveLicenseKeyName, "none"))
	}
}
