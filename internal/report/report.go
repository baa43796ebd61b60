// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report makes the license report: what is licensed and what is in use, for an administrator to share with a
// vendor. It is made only on request, from the statuses of products and keys at that moment, and goes to the caller and
// nowhere else.
package report

import (
	"cmp"
	"encoding/pem"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/internal/usage"
)

// unlicensed is the license key of a product that has none, as Kong's reports call it.
const unlicensed = "UNLICENSED"

// maxExact is the highest number that every reader of JSON holds exactly (RFC 7493, section 2.2), and the canonical
// form with it.
const maxExact = 1<<53 - 1

// Report is the license report. Its JSON form is an interface, described by docs/license-report.schema.json: fields are
// added, never renamed. Those that Kong Enterprise's report has too have its names. Counts are at most 2^53-1, times
// are in UTC and whole seconds.
type Report struct {
	Checksum          string      `json:"checksum,omitempty"`
	Timestamp         metav1.Time `json:"timestamp"`
	OperatorVersion   string      `json:"operator_version"`
	KubernetesVersion string      `json:"kubernetes_version,omitempty"`
	// DBVersion is that of the storage: the cluster's.
	DBVersion string `json:"db_version,omitempty"`
	// LicenseKey and License are those of the one product that the report is about; absent in a report of all.
	LicenseKey string   `json:"license_key,omitempty"`
	License    *License `json:"license,omitempty"`

	DeploymentInfo DeploymentInfo `json:"deployment_info"`
	SystemInfo     SystemInfo     `json:"system_info"`
	// WorkspacesCount is how many namespaces there are, and RBACUsers how many distinct users, groups and service
	// accounts role bindings name; nil: unknown.
	WorkspacesCount *int64 `json:"workspaces_count,omitempty"`
	RBACUsers       *int64 `json:"rbac_users,omitempty"`
	// Counters are the one product's; nil in a report of all.
	Counters *Counters `json:"counters,omitempty"`
	// Warnings say what is missing, and why.
	Warnings []string  `json:"warnings,omitempty"`
	Products []Product `json:"products"`
}

// License is the license of the one product that a report is about.
type License struct {
	// LicenseKey is the vendor's identifier of the active license, or UNLICENSED. The token is never in a report.
	LicenseKey string `json:"license_key"`
	// ExpirationDate is the day in UTC on which it expires.
	ExpirationDate string `json:"license_expiration_date,omitempty"`
}

// DeploymentInfo says where the operator runs.
type DeploymentInfo struct {
	Type       string `json:"type"`
	ClusterUID string `json:"cluster_uid"`
}

// SystemInfo is about the machine of the replica that made the report.
type SystemInfo struct {
	// Cores that the operator may run on.
	Cores int `json:"cores"`
	// Hostname is the operator's own, which is that of its pod.
	Hostname string `json:"hostname"`
	// Uname is the system and the machine, as uname -sm has them.
	Uname string `json:"uname"`
}

// Counters are what was counted month by month.
type Counters struct {
	Buckets []Bucket `json:"buckets"`
}

// Bucket has the peaks of a month: the most that was in use at a time.
type Bucket struct {
	// Bucket is the month in UTC, as in 2027-03.
	Bucket string
	// Peaks by the name of what is counted, in JSON as peak_NAME beside the month.
	Peaks map[string]int64
}

// MarshalJSONTo implements json.MarshalerTo. The peaks are in the order in which the operator counts.
func (b Bucket) MarshalJSONTo(out *jsontext.Encoder) error {
	tokens := []jsontext.Token{jsontext.BeginObject, jsontext.String("bucket"), jsontext.String(b.Bucket)}
	for _, name := range usage.Names() {
		if peak, ok := b.Peaks[name]; ok {
			tokens = append(tokens, jsontext.String("peak_"+name), jsontext.Int(peak))
		}
	}
	for _, t := range append(tokens, jsontext.EndObject) {
		if err := out.WriteToken(t); err != nil {
			return err
		}
	}
	return nil
}

// Product is what there is to say of one product, all of it from its status and that of its active key.
type Product struct {
	Name         string                   `json:"name"`
	Vendor       string                   `json:"vendor"`
	CreationTime metav1.Time              `json:"creation_time"`
	State        api.LicensedProductState `json:"state,omitempty"`
	LicenseKey   string                   `json:"license_key"`

	NotBeforeTime   *metav1.Time `json:"not_before_time,omitempty"`
	ExpiryTime      *metav1.Time `json:"expiry_time,omitempty"`
	GraceEndTime    *metav1.Time `json:"grace_end_time,omitempty"`
	CoverageEndTime *metav1.Time `json:"coverage_end_time,omitempty"`
	// EffectiveTime is when a restriction takes effect.
	EffectiveTime *metav1.Time `json:"effective_time,omitempty"`

	Limits       map[string]int64 `json:"limits"`
	Usage        map[string]int64 `json:"usage"`
	MonthlyPeaks []MonthlyPeak    `json:"monthly_peaks"`
	Restriction  *Restriction     `json:"restriction,omitempty"`
	// TrustAnchors are the SHA-256 fingerprints of the certificates that keys are verified with.
	TrustAnchors []string `json:"trust_anchors_sha256"`

	// isLicensed tells whether LicenseKey is one.
	isLicensed bool
}

// MonthlyPeak is the most that was ever in use at a time in a month, of each thing that is counted.
type MonthlyPeak struct {
	Month string           `json:"month"`
	Usage map[string]int64 `json:"usage"`
}

// Restriction is what the terms ask for, and what the cluster owner allows of it. Tiers are counted, not named.
type Restriction struct {
	State api.RestrictionState `json:"state,omitempty"`
	// AskedMode is that of the terms, Ceiling the strongest that the cluster owner allows, and Mode what comes of both.
	AskedMode api.RestrictionMode `json:"asked_mode"`
	Ceiling   api.RestrictionMode `json:"ceiling,omitempty"`
	Mode      api.RestrictionMode `json:"mode"`
	// SinceTime is when the restriction came into force; nil: it is not.
	SinceTime *metav1.Time `json:"since_time,omitempty"`
	// RestrictedTiers is in how many tiers it is in force, and ExemptedTiers how many the cluster owner has exempted.
	RestrictedTiers int    `json:"restricted_tiers_count"`
	ExemptedTiers   int    `json:"exempted_tiers_count"`
	Pause           *Pause `json:"pause,omitempty"`
}

// Pause is a time for which the cluster owner puts a restriction off. Its reason is free text, and stays in the
// cluster.
type Pause struct {
	SinceTime *metav1.Time `json:"since_time"`
	UntilTime *metav1.Time `json:"until_time"`
}

// Facts are what a report is made from.
type Facts struct {
	// Time of the report.
	Time time.Time
	// OperatorVersion and System are of the replica that makes it.
	OperatorVersion string
	System          SystemInfo
	ClusterUID      string
	Cluster         Cluster
	// Products that the report is about, in the order of their names. They stay as they are.
	Products []*api.LicensedProduct
	// OfAll: it was asked for every product there is, and not for one of them.
	OfAll bool
	// Keys are all LicenseKeys, by name.
	Keys map[string]*api.LicenseKey
}

// Cluster is what the API server says of the cluster.
type Cluster struct {
	// Version of Kubernetes, as in v1.37.2.
	Version string
	// Namespaces and Users are counts; nil where the operator may not count them, which Warnings say.
	Namespaces, Users *int64
	Warnings          []string
}

// Make makes a report, but for its checksum.
func Make(facts *Facts) *Report {
	r := &Report{
		Timestamp:       metav1.NewTime(facts.Time.UTC().Truncate(time.Second)),
		OperatorVersion: facts.OperatorVersion, KubernetesVersion: facts.Cluster.Version,
		DeploymentInfo: DeploymentInfo{Type: "kubernetes", ClusterUID: facts.ClusterUID}, SystemInfo: facts.System,
		WorkspacesCount: facts.Cluster.Namespaces, RBACUsers: facts.Cluster.Users, Warnings: facts.Cluster.Warnings,
	}
	if facts.Cluster.Version != "" {
		r.DBVersion = "kubernetes " + facts.Cluster.Version
	}
	for _, product := range facts.Products {
		r.Products = append(r.Products, productOf(product, facts.Keys))
	}
	if !facts.OfAll {
		r.setProduct(facts.Products)
	}
	return r
}

// setProduct sets what a report says of the one product that it is about.
func (r *Report) setProduct(products []*api.LicensedProduct) {
	r.License, r.Counters = &License{LicenseKey: unlicensed}, &Counters{}
	if len(products) > 0 {
		p := &r.Products[0]
		r.License.LicenseKey = p.LicenseKey
		if p.isLicensed && p.ExpiryTime != nil {
			r.License.ExpirationDate = p.ExpiryTime.UTC().Format(time.DateOnly)
		}
		for _, peak := range products[0].Status.MonthlyPeaks {
			r.Counters.Buckets = append(r.Counters.Buckets, Bucket{Bucket: peak.Month, Peaks: countsOf(peak.Usage)})
		}
	}
	r.LicenseKey = r.License.LicenseKey
}

func productOf(product *api.LicensedProduct, keys map[string]*api.LicenseKey) Product {
	status := &product.Status
	p := Product{
		Name: product.Name, Vendor: text.SingleLine(product.Spec.Vendor),
		CreationTime: metav1.NewTime(product.CreationTimestamp.UTC()), State: status.State, LicenseKey: unlicensed,
		ExpiryTime: inUTC(status.ExpiryTime), GraceEndTime: inUTC(status.GraceEndTime),
		CoverageEndTime: inUTC(status.CoverageEndTime), Limits: map[string]int64{}, Usage: countsOf(status.Usage),
		// Keys are verified with the last valid ones.
		TrustAnchors: fingerprintsIn(cmp.Or(status.TrustAnchors, product.Spec.TrustAnchors)),
	}
	// The key may be gone, and the product not have heard of it yet.
	if key := keys[status.ActiveLicenseKeyName]; key != nil && key.Spec.ProductName == product.Name &&
		key.Status.LicenseID != "" {
		p.isLicensed, p.LicenseKey, p.NotBeforeTime = true, key.Status.LicenseID, inUTC(key.Status.NotBeforeTime)
	}
	for _, limit := range status.Limits {
		if limit.Value != nil {
			p.Limits[limit.Name] = exact(*limit.Value)
		}
	}
	for _, peak := range status.MonthlyPeaks {
		p.MonthlyPeaks = append(p.MonthlyPeaks, MonthlyPeak{Month: peak.Month, Usage: countsOf(peak.Usage)})
	}
	if status.Restriction != nil {
		p.EffectiveTime = inUTC(status.Restriction.EffectiveTime)
	}
	p.Restriction = restrictionOf(product)
	return p
}

// restrictionOf is nil where the terms ask for none.
func restrictionOf(product *api.LicensedProduct) *Restriction {
	if product.Spec.Restriction == nil {
		return nil
	}
	asked := product.Spec.Restriction.Mode
	r := &Restriction{AskedMode: asked, Mode: asked}
	status := product.Status.Restriction
	if status == nil {
		return r
	}
	r.State = status.State
	if status.MaxMode != "" {
		r.Ceiling, r.Mode = status.MaxMode, restriction.Gentler(asked, status.MaxMode)
	}
	switch {
	case status.InForce != nil:
		// A Windows node may have made it gentler still.
		r.Mode, r.SinceTime = status.InForce.Mode, inUTC(status.InForce.SinceTime)
		r.RestrictedTiers = len(status.InForce.Tiers)
	case status.Preview != nil:
		r.Mode = status.Preview.Mode
	}
	for _, spared := range status.SparedTiers {
		if spared.Reason == api.TierSparedNever {
			r.ExemptedTiers++
		}
	}
	if pause := status.Pause; pause != nil {
		r.Pause = &Pause{SinceTime: inUTC(pause.SinceTime), UntilTime: inUTC(pause.UntilTime)}
	}
	return r
}

func countsOf(used []api.Usage) map[string]int64 {
	counts := make(map[string]int64, len(used))
	for _, u := range used {
		if u.Value != nil {
			counts[u.Name] = exact(*u.Value)
		}
	}
	return counts
}

func exact(value int64) int64 { return min(value, maxExact) }

// fingerprintsIn are those of the certificates in a PEM text.
func fingerprintsIn(text string) []string {
	var found []string
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			found = append(found, token.CertificateSHA256(block.Bytes))
		}
	}
	return found
}

// inUTC is a time as it is to be written: a client sees the time zone in which it was written.
func inUTC(t *metav1.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
