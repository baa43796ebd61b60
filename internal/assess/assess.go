// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package assess judges the keys of a product: which of them verify, and what the product and its keys amount to at an
// instant. The operator and the plugin judge by it, so that they agree. It is pure: what it needs is handed to it.
package assess

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// Key is a LicenseKey with its token.
type Key struct {
	*api.LicenseKey
	// Token is the one of the key, or of the Secret that it names.
	Token string
	// SecretVersion changes with the content of that Secret; empty where the key has its token itself.
	SecretVersion string
	// Missing says why there is no token, and what to do; empty where there is one.
	Missing string
}

// Finding is what an assessment found out about one key.
type Finding struct {
	license.Key
	// Object is the LicenseKey as it was assessed.
	Object *api.LicenseKey
	// State of the key at the time of the assessment.
	State api.LicenseKeyState
	// Reason and Message of the condition Ready.
	Reason, Message string
	// Signed are the claims of a key whose signature is valid, whether the key is accepted or not.
	Signed *license.Claims

	// examination that the claims are from; nil where there is none.
	examination *token.Examination
}

// Assessment is what a product and its keys amount to at an instant. It is not changed once it is made.
type Assessment struct {
	// Time that counts for the product.
	Time license.TrustedTime
	// Product as it was assessed; nil where there is no product of the name that the keys ask for. The evaluation is
	// then empty.
	Product *api.LicensedProduct
	// TermsErr says why the trust anchors of the product cannot be used. HasTerms is true all the same where earlier
	// ones stand in for them.
	TermsErr error
	HasTerms bool
	// Findings about each of the keys, by name.
	Findings map[string]Finding
	// Evaluation of the product and its keys.
	Evaluation license.Evaluation
}

// IsRenewed tells whether other keys cover the product beyond the grace period of the active key.
func (a *Assessment) IsRenewed() bool {
	e := &a.Evaluation
	return license.Usable(e.State) && e.CoverageEnd.After(e.GraceEnd)
}

// IsFor tells whether the assessment is about that key as it is now.
func (a *Assessment) IsFor(key *api.LicenseKey) bool {
	f, known := a.Findings[key.Name]
	return known && f.Object.UID == key.UID && f.Object.Generation == key.Generation
}

// Changed are the names of the keys whose statuses follow from this assessment and not from the one before, in no
// order. Without one before, nil, these are all keys.
func (a *Assessment) Changed(before *Assessment) []string {
	var names []string
	if before == nil {
		before = &Assessment{}
	}
	for name, f := range a.Findings {
		was, known := before.Findings[name]
		if !known || f.Object.UID != was.Object.UID || f.Object.Generation != was.Object.Generation ||
			f.State != was.State || f.Reason != was.Reason || f.Message != was.Message ||
			f.examination != was.examination || a.IsActive(name) != before.IsActive(name) {
			names = append(names, name)
		}
	}
	return names
}

// IsActive tells whether a key is the active one.
func (a *Assessment) IsActive(key string) bool {
	return a.Product != nil && a.Evaluation.ActiveKeyName == key
}

// Assessor assesses products, and remembers what it verified. It may be used concurrently.
type Assessor struct {
	verifier   *token.Verifier
	clusterUID string

	mu sync.Mutex
	// examined remembers the keys of each product, so that an assessment hashes only what has changed since the last.
	examined map[string]map[types.UID]examined
}

// examined is what is remembered of a key.
type examined struct {
	version, secretVersion string
	*token.Examination
}

// NewAssessor returns an assessor for the cluster with that uid.
func NewAssessor(clusterUID string) *Assessor {
	return &Assessor{
		verifier: token.NewVerifier(), clusterUID: clusterUID, examined: map[string]map[types.UID]examined{},
	}
}

// Assess assesses the product of that name with all its keys. A nil product means that there is none: its keys then are
// judged under the name they ask for.
func (a *Assessor) Assess(
	reading license.ClockReading, name string, product *api.LicensedProduct, keys []Key,
) *Assessment {
	found := &Assessment{
		Time: license.ResolveTime(reading, product), Product: product, Findings: make(map[string]Finding, len(keys)),
	}
	var terms *token.Terms
	if product != nil {
		terms, found.TermsErr = Terms(product, a.verifier.Terms)
		found.HasTerms = terms != nil
	}
	a.mu.Lock()
	before := a.examined[name]
	a.mu.Unlock()
	remembered := make(map[types.UID]examined, len(keys))
	judged := make([]license.Key, 0, len(keys))
	for i := range keys {
		f := a.judge(&keys[i], found, terms, before, remembered)
		found.Findings[f.Name] = f
		judged = append(judged, f.Key)
	}
	a.mu.Lock()
	if a.examined[name] = remembered; len(remembered) == 0 {
		delete(a.examined, name)
	}
	a.mu.Unlock()
	if product != nil {
		found.Evaluation = license.Evaluate(found.Time, product, judged)
	}
	return found
}

// judge finds out about one key, by what is remembered of it where nothing has changed.
func (a *Assessor) judge(
	key *Key, of *Assessment, terms *token.Terms, before, remembered map[types.UID]examined,
) Finding {
	f := Finding{Key: license.Key{Name: key.Name}, Object: key.LicenseKey, State: api.LicenseKeyInvalid}
	switch {
	case of.Product == nil:
		f.Reason = api.ReasonProductNotFound
		f.Message = fmt.Sprintf("LicensedProduct %q not found. Apply it, or create a new LicenseKey with the "+
			"correct spec.productName.", key.Spec.ProductName)
		return f
	case key.Missing != "":
		f.Reason, f.Message = api.ReasonSecretNotFound, key.Missing
		return f
	case terms == nil:
		f.Reason = api.ReasonUntrustedCertificate
		f.Message = fmt.Sprintf("LicensedProduct %q has invalid trust anchors: see its condition Ready, and correct "+
			"spec.trustAnchors.", of.Product.Name)
		return f
	}
	e, known := before[key.UID]
	if !known || e.version != key.ResourceVersion || e.secretVersion != key.SecretVersion || !e.IsFor(terms) {
		examination := a.verifier.Examine(key.Token, key.Spec.Certificate, terms)
		e = examined{key.ResourceVersion, key.SecretVersion, examination}
	}
	if key.UID != "" {
		remembered[key.UID] = e
	}
	result := e.Judge(terms, a.clusterUID, of.Time.Now)
	f.examination, f.Signed, f.RecheckTime = e.Examination, result.Claims, result.RecheckTime
	if result.Err != nil {
		f.Reason, f.Message = result.Err.Reason, result.Err.Message
		return f
	}
	f.Claims, f.State, f.Reason = result.Claims, result.Claims.StateAt(of.Time.Now), api.ReasonVerified
	f.Message = fmt.Sprintf("License %q, issued to %q, is verified.", result.Claims.ID, result.Claims.Customer)
	return f
}

// Terms are those that a product's keys are verified by: what parse, token.NewTerms or the like, makes of its spec.
// Where it makes nothing of the trust anchors, and err says why, the last valid ones stand in, those in the product's
// status: a typing error takes no license away, and a renewal still counts. The revocations of the spec always count.
func Terms(
	product *api.LicensedProduct, parse func(*api.LicensedProduct) (*token.Terms, error),
) (terms *token.Terms, err error) {
	terms, err = parse(product)
	if err == nil || product.Status.TrustAnchors == "" {
		return terms, err
	}
	before := product.DeepCopy()
	before.Spec.TrustAnchors = product.Status.TrustAnchors
	if terms, errBefore := parse(before); errBefore == nil {
		return terms, err
	}
	return nil, err
}
