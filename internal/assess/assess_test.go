// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// world is a vendor with a product.
type world struct {
	signer  *token.Signer
	product *api.LicensedProduct
}

func newWorld(t *testing.T) *world {
	t.Helper()
	authority, err := token.NewAuthority("Acme", now.Add(-365*day))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := authority.NewSigner("Acme", now.Add(-day))
	if err != nil {
		t.Fatal(err)
	}
	product := &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "mesh", UID: "product", CreationTimestamp: metav1.NewTime(now.Add(-day))},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", TrustAnchors: string(authority.CertificatePEM())},
	}
	return &world{signer: signer, product: product}
}

// key is one that is valid from begin for a day, with another day of grace.
func (w *world) key(t *testing.T, name string, begin time.Time) Key {
	t.Helper()
	issued := begin
	if issued.After(now) {
		issued = now
	}
	signed, err := w.signer.Sign(&license.Claims{
		ID: "license-of-" + name, Customer: "Initech", Audience: []string{"mesh"}, IssuedTime: issued,
		NotBefore: begin, Expiry: begin.Add(day), GracePeriod: day,
	})
	if err != nil {
		t.Fatal(err)
	}
	return Key{
		LicenseKey: &api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: "1", Generation: 1},
			Spec:       api.LicenseKeySpec{ProductName: "mesh", Token: signed},
		},
		Token: signed,
	}
}

func at(t time.Time) license.ClockReading {
	return license.ClockReading{Now: t, Agreement: license.ClocksAgree}
}

// said is what an assessment says of a key.
type said struct {
	State           api.LicenseKeyState
	Reason, Message string
	Active          bool
}

func saidOf(a *Assessment) map[string]said {
	all := map[string]said{}
	for name, f := range a.Findings {
		all[name] = said{f.State, f.Reason, f.Message, a.IsActive(name)}
	}
	return all
}

func TestAssess(t *testing.T) {
	w := newWorld(t)
	good, staged := w.key(t, "good", now.Add(-time.Hour)), w.key(t, "staged", now.Add(day))
	missing, broken := w.key(t, "missing", now), w.key(t, "broken", now)
	missing.Missing = "Secret not found."
	broken.Token = strings.Repeat("x", 3)
	got := NewAssessor("uid").Assess(at(now), "mesh", w.product, []Key{good, staged, missing, broken})
	want := map[string]said{
		"good": {
			api.LicenseKeyValid, api.ReasonVerified,
			`License "license-of-good", issued to "Initech", is verified.`, true,
		},
		"staged": {
			api.LicenseKeyNotYetValid, api.ReasonVerified,
			`License "license-of-staged", issued to "Initech", is verified.`, false,
		},
		"missing": {api.LicenseKeyInvalid, api.ReasonSecretNotFound, "Secret not found.", false},
		"broken": {
			api.LicenseKeyInvalid, api.ReasonTokenMalformed,
			got.Findings["broken"].Message, false,
		},
	}
	if diff := cmp.Diff(want, saidOf(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.Evaluation.State != api.LicensedProductValid || !got.IsRenewed() || !got.HasTerms || got.TermsErr != nil {
		t.Errorf("got %+v", got.Evaluation)
	}
}

func TestAssessWithoutAProduct(t *testing.T) {
	w := newWorld(t)
	got := NewAssessor("uid").Assess(at(now), "mesh", nil, []Key{w.key(t, "a", now)})
	want := map[string]said{"a": {
		api.LicenseKeyInvalid, api.ReasonProductNotFound,
		got.Findings["a"].Message, false,
	}}
	if diff := cmp.Diff(want, saidOf(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(got.Findings["a"].Message, `"mesh"`) {
		t.Errorf("the message does not name the product: %s", got.Findings["a"].Message)
	}
}

// What is remembered of a key must not outlive a change of anything that its verification depends on.
func TestWhatIsRememberedFollowsChanges(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	a := NewAssessor("uid")
	good := w.key(t, "k", now.Add(-time.Hour))
	reason := func(product *api.LicensedProduct, key Key) string {
		return a.Assess(at(now), "mesh", product, []Key{key}).Findings["k"].Reason
	}
	expect := func(what, want, got string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	expect("at first", api.ReasonVerified, reason(w.product, good))

	changed := good
	changed.Token = "x"
	expect("the same versions", api.ReasonVerified, reason(w.product, changed))
	changed.LicenseKey = good.DeepCopy()
	changed.ResourceVersion = "2"
	expect("a new version of the key", api.ReasonTokenMalformed, reason(w.product, changed))
	changed.Token, changed.SecretVersion = good.Token, "1"
	expect("a Secret instead", api.ReasonVerified, reason(w.product, changed))
	changed.Token, changed.SecretVersion = "x", "2"
	expect("a new version of the Secret", api.ReasonTokenMalformed, reason(w.product, changed))
	expect("back again", api.ReasonVerified, reason(w.product, good))

	distrusting := w.product.DeepCopy()
	distrusting.Spec.TrustAnchors = other.product.Spec.TrustAnchors
	expect("other trust anchors", api.ReasonUntrustedCertificate, reason(distrusting, good))
	revoking := w.product.DeepCopy()
	revoking.Spec.Revocations = []api.Revocation{{LicenseID: "license-of-k"}}
	expect("a revocation", api.ReasonLicenseRevoked, reason(revoking, good))

	replaced := good
	replaced.LicenseKey = good.DeepCopy()
	replaced.UID, replaced.Token = "another", "x"
	expect("another key of the same name and version", api.ReasonTokenMalformed, reason(w.product, replaced))

	a.Assess(at(now), "mesh", w.product, nil)
	if len(a.examined) != 0 {
		t.Errorf("keys that are gone are still remembered: %v", a.examined)
	}
}

func TestChanged(t *testing.T) {
	w := newWorld(t)
	a := NewAssessor("uid")
	one, two := w.key(t, "one", now.Add(-time.Hour)), w.key(t, "two", now.Add(-2*time.Hour))
	assess := func(instant time.Time, product *api.LicensedProduct, keys ...Key) *Assessment {
		return a.Assess(at(instant), "mesh", product, keys)
	}
	edited := one
	edited.LicenseKey = one.DeepCopy()
	edited.Generation, edited.ResourceVersion = 2, "2"
	written := one
	written.LicenseKey = one.DeepCopy()
	written.ResourceVersion = "3" // a status was written
	first := assess(now, w.product, one, two)
	for name, test := range map[string]struct {
		before, after *Assessment
		want          []string
	}{
		"the first":       {nil, first, []string{"one", "two"}},
		"nothing":         {first, assess(now.Add(time.Minute), w.product, one, two), nil},
		"a key is edited": {first, assess(now, w.product, edited, two), []string{"one"}},
		"a key is gone":   {first, assess(now, w.product, two), []string{"two"}}, // it is the active one now
		"the active one expires": {
			first, assess(now.Add(day-90*time.Minute), w.product, one, two),
			[]string{"one", "two"},
		},
		"the product goes": {first, assess(now, nil, one, two), []string{"one", "two"}},
		"the product comes": {
			assess(now, nil, one, two), assess(now, w.product, one, two),
			[]string{"one", "two"},
		},
		"there is no key at all": {first, assess(now, w.product), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.after.Changed(test.before)
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := assess(now, w.product, one, two).IsFor(edited.LicenseKey); got {
		t.Error("an assessment is for a key that was edited since")
	}
}

func TestTermsFallBack(t *testing.T) {
	w := newWorld(t)
	errBroken := errors.New("broken")
	parse := func(p *api.LicensedProduct) (*token.Terms, error) {
		if p.Spec.TrustAnchors == "broken" {
			return nil, errBroken
		}
		return token.NewTerms(p)
	}
	broken := w.product.DeepCopy()
	broken.Spec.TrustAnchors = "broken"
	standsIn := broken.DeepCopy()
	standsIn.Status.TrustAnchors = w.product.Spec.TrustAnchors
	nothing := broken.DeepCopy()
	nothing.Status.TrustAnchors = "broken"
	for name, test := range map[string]struct {
		product  *api.LicensedProduct
		hasTerms bool
		err      error
	}{
		"valid":                         {w.product, true, nil},
		"invalid, and always were":      {broken, false, errBroken},
		"invalid, with valid ones":      {standsIn, true, errBroken},
		"invalid, and the earlier ones": {nothing, false, errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			terms, err := Terms(test.product, parse)
			if (terms != nil) != test.hasTerms || !errors.Is(err, test.err) {
				t.Errorf("got terms %t and error %v", terms != nil, err)
			}
		})
	}
}
