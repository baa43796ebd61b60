// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/timeline"
	"github.com/license-operator/license-operator/internal/usage"
)

// keyChange is what applying a key does to the LicenseKey of its name.
type keyChange string

// Changes of a LicenseKey.
const (
	keyCreated       keyChange = "Created"       // it did not exist
	keyTokenReplaced keyChange = "TokenReplaced" // it had another token
	keyChanged       keyChange = "Changed"       // it has the token, but other fields differ
	keyUnchanged     keyChange = "Unchanged"     // there is nothing to apply
)

// preview is what applying a key changes. Its JSON form is an interface, which --help describes: fields are added,
// never renamed, and have the names of the API.
type preview struct {
	LicenseKeyName       string              `json:"licenseKeyName"`
	ProductName          string              `json:"productName"`
	Change               keyChange           `json:"change"`
	Applied              bool                `json:"applied"`
	LicenseID            string              `json:"licenseID"`
	Customer             string              `json:"customer"`
	ReplacedLicenseID    string              `json:"replacedLicenseID,omitempty"`
	State                api.LicenseKeyState `json:"state"`
	Active               bool                `json:"active"`
	ClusterUnknown       bool                `json:"clusterUnknown,omitempty"`
	Before               productView         `json:"before"`
	After                productView         `json:"after"`
	TakeoverTime         *metav1.Time        `json:"takeoverTime,omitempty"`
	AtTakeover           *productView        `json:"atTakeover,omitempty"`
	RestrictionStartTime *metav1.Time        `json:"restrictionStartTime,omitempty"`
	Usage                []api.Usage         `json:"usage,omitempty"`

	claims *license.Claims
	now    time.Time
	// existing is the LicenseKey of that name; nil if there is none.
	existing *api.LicenseKey
	// clusterErr is why ClusterUnknown is true.
	clusterErr error
	// stale are keys of the product that the operator has not reconciled since they were changed.
	stale []string
	// pauseEnds is true if the restriction takes effect at RestrictionStartTime because a pause ends then.
	pauseEnds bool
	// twin is another LicenseKey with the same license.
	twin string
}

// productView is the state of a product at a time.
type productView struct {
	State                api.LicensedProductState `json:"state"`
	ActiveLicenseKeyName string                   `json:"activeLicenseKeyName,omitempty"`
	ExpiryTime           *metav1.Time             `json:"expiryTime,omitempty"`
	GraceEndTime         *metav1.Time             `json:"graceEndTime,omitempty"`
	CoverageEndTime      *metav1.Time             `json:"coverageEndTime,omitempty"`
	Features             []string                 `json:"features,omitempty"`
	Limits               []api.Limit              `json:"limits,omitempty"`
	// Restriction is absent if the product's terms do not have one.
	Restriction *restrictionView `json:"restriction,omitempty"`
}

// restrictionView is a restriction at a time.
type restrictionView struct {
	State         api.RestrictionState `json:"state"`
	EffectiveTime *metav1.Time         `json:"effectiveTime,omitempty"`

	text string
}

// newPreview computes what applying a verified key changes, with the operator's code and the keys as it found them.
func newPreview(accepted *acceptance, keys []api.LicenseKey, c *input, now time.Time) *preview {
	product, claims := accepted.product, accepted.claims
	p := &preview{
		LicenseKeyName: c.name, ProductName: product.Name, Change: keyCreated, LicenseID: claims.ID,
		Customer: claims.Customer, Usage: product.Status.Usage, claims: claims, now: now,
		clusterErr: accepted.clusterErr, ClusterUnknown: accepted.clusterErr != nil,
	}
	p.look(keys, c)
	caps := restriction.Caps{MaxMode: cmp.Or(restriction.StatusOf(product).MaxMode, api.RestrictionDefaultTierOnly)}
	known := timeline.KeysOf(product.Name, keys)
	p.Before = viewOf(timeline.New(product, known, caps, now))

	then := slices.DeleteFunc(known, func(key license.Key) bool { return key.Name == c.name })
	then = append(then, license.Key{Name: c.name, Claims: claims})
	start, pauseEnds := timeline.New(product, then, caps, now).RestrictionStart()
	p.RestrictionStartTime, p.pauseEnds = license.Instant(start), pauseEnds
	future := timeline.New(product, then, caps, now)
	p.After = viewOf(future)
	p.State, p.Active = claims.StateAt(future.Evaluation.Time.Now), future.Evaluation.ActiveKeyName == c.name
	if at := future.Takeover(c.name); !p.Active && !at.IsZero() {
		p.TakeoverTime, p.AtTakeover = license.Instant(at), new(viewOf(future))
	}
	return p
}

// look finds the LicenseKey that the key replaces, and others to warn about.
func (p *preview) look(keys []api.LicenseKey, c *input) {
	for i := range keys {
		key := &keys[i]
		isSeen := key.Status.ObservedGeneration == key.Generation
		switch {
		case key.Spec.ProductName != p.ProductName:
			continue
		case key.Name != c.name && !isSeen:
			p.stale = append(p.stale, key.Name)
		case key.Name != c.name && key.Status.LicenseID == p.LicenseID && timeline.ClaimsOf(&key.Status) != nil:
			p.twin = key.Name
		case key.Name == c.name:
			p.existing, p.Change = key, c.changeOf(key)
			if p.Change == keyTokenReplaced && isSeen {
				p.ReplacedLicenseID = key.Status.LicenseID
			}
		}
	}
}

// concernsSame returns true if both previews are about the same LicenseKey with the same spec. Its status can differ.
func (p *preview) concernsSame(other *preview) bool {
	if p.existing == nil || other.existing == nil {
		return p.existing == other.existing
	}
	return p.existing.UID == other.existing.UID && p.existing.Generation == other.existing.Generation
}

func viewOf(c *timeline.Timeline) productView {
	e := &c.Evaluation
	found := productView{
		State: e.State, ActiveLicenseKeyName: e.ActiveKeyName,
		ExpiryTime: license.Instant(e.Expiry), GraceEndTime: license.Instant(e.GraceEnd),
		CoverageEndTime: license.Instant(e.CoverageEnd), Features: e.Features, Limits: e.Limits,
	}
	if c.Product.Spec.Restriction != nil {
		found.Restriction = &restrictionView{
			State: c.State, EffectiveTime: license.Instant(e.EffectiveTime),
			text: overview.RestrictionText(c.Restriction()),
		}
	}
	return found
}

// isReached returns true if the product's status is as in the preview, and a restriction that ends has ended.
func (p *preview) isReached(product *api.LicensedProduct) bool {
	status := &product.Status
	said, expected := productView{
		State: status.State, ActiveLicenseKeyName: status.ActiveLicenseKeyName,
		ExpiryTime: status.ExpiryTime, GraceEndTime: status.GraceEndTime, CoverageEndTime: status.CoverageEndTime,
		Features: status.Features, Limits: status.Limits,
	}, p.After
	expected.Restriction = nil
	return equality.Semantic.DeepEqual(said, expected) &&
		(!p.endsRestriction() || restriction.StatusOf(product).State != api.RestrictionActive)
}

func (p *preview) endsRestriction() bool { return p.Before.isRestricted() && !p.After.isRestricted() }

// startsMeanwhile returns true if the restriction takes effect before the key takes over or, if the key never does,
// because a pause ends.
func (p *preview) startsMeanwhile() bool {
	switch {
	case p.RestrictionStartTime == nil || p.After.isRestricted():
		return false
	case p.TakeoverTime != nil:
		return p.RestrictionStartTime.Before(p.TakeoverTime)
	default:
		return p.pauseEnds
	}
}

func (o *productView) isRestricted() bool {
	return o.Restriction != nil && o.Restriction.State == api.RestrictionActive
}

// settled is the product with the limits and features of the key: as soon as it is applied or, if the key takes over
// later, then.
func (p *preview) settled() *productView {
	if p.AtTakeover != nil {
		return p.AtTakeover
	}
	return &p.After
}

// exceeded are the limits of the key that are below the usage.
func (p *preview) exceeded() []usage.Excess {
	if !p.Active && p.AtTakeover == nil {
		return nil
	}
	_, exceeded := usage.Compare(p.settled().Limits, p.Usage)
	return exceeded
}
