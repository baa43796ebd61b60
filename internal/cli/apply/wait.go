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

// await waits until the operator says what the preview says, or that it does not accept the key.
func (o *options) await(ctx context.Context, key *input, found *preview) (*operatorView, error) {
	said, err := wait.Poll(ctx, o.timeout, func(ctx context.Context, said *operatorView) error {
		if err := o.client.Get(ctx, types.NamespacedName{Name: key.name}, &said.key); err != nil {
			return err
		}
		return o.client.Get(ctx, types.NamespacedName{Name: key.ProductName}, &said.product)
	}, func(said *operatorView) bool { return said.accepts(found) || said.refuses() })
	const see = "See what it says: kubectl describe lk "
	switch {
	case err == nil && said.refuses():
		return nil, said.disagreement(found, o.timeout)
	case err == nil:
		found.ClusterUnknown = false // The operator knows, and accepts the key.
		return said, nil
	case errors.Is(err, wait.ErrInterrupted):
		return nil, command.FailWithHint("LicenseKey "+key.name+" is applied, and the operator takes it up as soon as "+
			"it can. "+see+key.name, "interrupted before the operator answered")
	case errors.Is(err, wait.ErrUnanswered):
		return nil, said.disagreement(found, o.timeout)
	case apierrors.IsForbidden(err):
		return nil,
			command.FailWithHint("Ask a cluster administrator for get on licensekeys and licensedproducts of "+
				"license-operator.io.",
				"LicenseKey %s is applied, but its status cannot be read: %v", key.name, err)
	default:
		return nil,
			command.FailWithHint("Check the connection with: kubectl get lk "+key.name,
				"LicenseKey %s is applied, but its status cannot be read: %v", key.name, err)
	}
}

// operatorView is a key and its product, with what the operator says of them.
type operatorView struct {
	key     api.LicenseKey
	product api.LicensedProduct
}

// conditions of the key as it is now, Ready and Active; nil: there are none yet.
func (v *operatorView) conditions() (ready, active *metav1.Condition) {
	status := &v.key.Status
	if v.key.Name == "" || status.ObservedGeneration != v.key.Generation {
		return nil, nil
	}
	return meta.FindStatusCondition(status.Conditions, api.ConditionReady),
		meta.FindStatusCondition(status.Conditions, api.ConditionActive)
}

// standing is what there is to say of a key that has been applied before.
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

// accepts tells whether the operator says what the preview says, and has finished ending a restriction where that was
// to end.
func (v *operatorView) accepts(found *preview) bool {
	ready, active := v.conditions()
	return ready != nil && active != nil && ready.Status == metav1.ConditionTrue &&
		(active.Status == metav1.ConditionTrue) == found.Active &&
		found.isReached(&v.product) &&
		(!found.endsRestriction() || overview.NotReady(&v.product).Reason != api.ReasonApplying)
}

// refuses tells whether the operator has looked at this very key, by the product's terms as they are, and does not
// accept it: waiting would not change that. A product that it has not seen yet it is going to see.
func (v *operatorView) refuses() bool {
	ready, _ := v.conditions()
	return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason != api.ReasonProductNotFound &&
		v.product.Status.ObservedGeneration == v.product.Generation
}

// disagreement says why the key does not count as the preview says.
func (v *operatorView) disagreement(found *preview, timeout time.Duration) error {
	name := found.LicenseKeyName
	see := "See more: kubectl describe lk " + name
	ready, active := v.conditions()
	switch {
	case ready == nil || active == nil:
		return command.FailWithHint("Is it running? kubectl get pods -A | grep license-operator\nIt takes the key up "+
			"as soon as "+
			"it can. "+see,
			"LicenseKey %s is applied, but the operator did not update its status within %s", name, timeout)
	case ready.Status != metav1.ConditionTrue:
		return command.FailWithHint(see, "LicenseKey %s is applied, but the operator does not accept it: %s. %s", name,
			ready.Reason, ready.Message)
	case (active.Status == metav1.ConditionTrue) != found.Active:
		return command.FailWithHint(see,
			"LicenseKey %s is applied and verified, but has another effect than shown: it is %s. %s", name,
			active.Reason, active.Message)
	default:
		return command.FailWithHint("See more: kubectl describe lprod "+found.ProductName,
			"LicenseKey %s is applied and verified, but LicensedProduct %s is not as shown after %s: it is %s, its "+
				"active key is %s", name, found.ProductName, timeout,
			v.product.Status.State, cmp.Or(v.product.Status.ActiveLicenseKeyName, "none"))
	}
}
