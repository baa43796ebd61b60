// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// licensed are the claims of a license for so many nodes that was issued a number of days ago, begins then or later,
// and lasts a number of days.
func licensed(id string, issued, begins, lasts int, nodes int64) *license.Claims {
	begin := clitest.Present.AddDate(0, 0, begins)
	return &license.Claims{
		ID: id, Customer: "Example GmbH", Audience: []string{"acme-mesh"},
		IssuedTime: clitest.Present.AddDate(0, 0, -issued), NotBefore: begin, Expiry: begin.AddDate(0, 0, lasts),
		GracePeriod: 30 * text.Day,
		Features:    []string{"federation"}, Limits: map[string]int64{"nodes": nodes},
	}
}

// foundKey is a LicenseKey with the status of a verified license.
func foundKey(name, product string, claims *license.Claims) api.LicenseKey {
	return api.LicenseKey{
		ObjectMeta: metav1.ObjectMeta{Name: name, Generation: 1},
		Spec:       api.LicenseKeySpec{ProductName: product, Token: "the token of " + claims.ID},
		Status: api.LicenseKeyStatus{
			ObservedGeneration: 1, State: claims.StateAt(clitest.Present),
			LicenseID: claims.ID, Customer: claims.Customer,
			Conditions: []metav1.Condition{{Type: api.ConditionReady, Status: metav1.ConditionTrue}},
			IssuedTime: license.Instant(claims.IssuedTime), NotBeforeTime: license.Instant(claims.NotBefore),
			ExpiryTime: license.Instant(claims.Expiry), GraceEndTime: license.Instant(claims.GraceEnd()),
			Features: claims.Features, Limits: license.LimitList(claims.Limits),
		},
	}
}

func TestPreview(t *testing.T) {
	golden := clitest.Goldens(t)
	e := clitest.NewTranscript(t)
	unlicensed := func() *api.LicensedProduct {
		return &api.LicensedProduct{
			ObjectMeta: metav1.ObjectMeta{
				Name:              "acme-mesh",
				CreationTimestamp: metav1.NewTime(clitest.Present.AddDate(0, 0, -90)),
			},
			Status: api.LicensedProductStatus{Usage: []api.Usage{{Name: api.UsageNodes, Value: new(int64(73))}}},
		}
	}
	restricts := func() *api.LicensedProduct {
		product := unlicensed()
		product.Spec.Restriction = &api.RestrictionSpec{
			Mode:         api.RestrictionDefaultTierOnly,
			TierSelector: &metav1.LabelSelector{},
		}
		return product
	}
	paused := func() *api.LicensedProduct {
		product := restricts()
		product.Annotations = map[string]string{
			api.RestrictionPauseAnnotation:       "2026-11-21T00:00:00Z/2026-11-23T00:00:00Z",
			api.RestrictionPauseReasonAnnotation: "Holidays",
		}
		return product
	}
	shortlyPaused := func() *api.LicensedProduct {
		product := paused()
		product.CreationTimestamp = metav1.NewTime(clitest.Present)
		return product
	}
	running := foundKey("acme-mesh-2026", "acme-mesh", licensed("L-2026", 300, -300, 365, 100))
	over := foundKey("acme-mesh-2025", "acme-mesh", licensed("L-2025", 700, -700, 365, 100))
	unseen := foundKey("acme-mesh-unseen", "acme-mesh", licensed("L-unseen", 1, -1, 365, 10))
	unseen.Generation, unseen.Status = 2, api.LicenseKeyStatus{ObservedGeneration: 1}
	foreign := foundKey("acme-db-2026", "acme-db", licensed("L-db", 1, -1, 3650, 10))

	for _, test := range []struct {
		note    string
		product *api.LicensedProduct
		keys    []api.LicenseKey
		name    string
		claims  *license.Claims
		width   int

		clusterErr error
	}{
		{
			"The first license. Keys of other products do not count.", unlicensed(),
			[]api.LicenseKey{foreign},
			"first", licensed("L-1", 0, 0, 365, 100), 0, nil,
		},
		{
			"A key for certain clusters; it is unknown whether this is one.", unlicensed(),
			nil, "bound", licensed("L-1", 0, 0, 365, 100), 0, errors.New(`namespaces "kube-system" is forbidden`),
		},
		{
			"A renewal for fewer nodes than are in use.", unlicensed(),
			[]api.LicenseKey{running},
			"renewal", licensed("L-1", 0, 0, 365, 50), 0, nil,
		},
		{
			"On a narrow terminal.", unlicensed(),
			[]api.LicenseKey{running},
			"renewal", licensed("L-1", 0, 0, 365, 50), 60, nil,
		},
		{
			"An older key, which is never active.", unlicensed(),
			[]api.LicenseKey{running},
			"older", licensed("L-0", 400, -400, 420, 10), 0, nil,
		},
		{
			"An older key that lasts longer, and is active once the other is in its grace period.", unlicensed(),
			[]api.LicenseKey{running},
			"older", licensed("L-0", 400, -400, 800, 10), 0, nil,
		},
		{
			"A key that begins when the other ends, for fewer nodes.", unlicensed(),
			[]api.LicenseKey{running},
			"next", licensed("L-2", 0, 65, 365, 50), 0, nil,
		},
		{
			"A key that begins after a gap.", unlicensed(),
			[]api.LicenseKey{over},
			"next", licensed("L-2", 0, 30, 365, 100), 0, nil,
		},
		{
			"A key that has expired.", unlicensed(),
			[]api.LicenseKey{running},
			"over", licensed("L-2025", 700, -700, 365, 100), 0, nil,
		},
		{
			"A shorter key replaces the active one.", unlicensed(),
			[]api.LicenseKey{running},
			running.Name, licensed("L-3", 0, 0, 30, 100), 0, nil,
		},
		{
			"A key that is not yet valid replaces the active one.", unlicensed(),
			[]api.LicenseKey{running},
			running.Name, licensed("L-3", 0, 30, 365, 100), 0, nil,
		},
		{
			"The same license under another name, and a key that is not reconciled.", unlicensed(),
			[]api.LicenseKey{running, unseen},
			"twin", licensed("L-2026", 300, -300, 365, 100), 0, nil,
		},
		{
			"A restriction is in force and ends.", restricts(),
			[]api.LicenseKey{over},
			"rescue", licensed("L-1", 0, 0, 365, 100), 0, nil,
		},
		{
			"A restriction stays in force.", restricts(),
			[]api.LicenseKey{over},
			"too-late", licensed("L-1", 400, -400, 300, 100), 0, nil,
		},
		{
			"A restriction stays in force until the key begins.", restricts(),
			[]api.LicenseKey{over},
			"staged", licensed("L-1", 0, 10, 365, 100), 0, nil,
		},
		{
			"A pause that ends long before a restriction is due.", shortlyPaused(),
			nil, "first", licensed("L-1", 0, 0, 365, 100), 0, nil,
		},
		{
			"Only a pause prevents the restriction.", paused(),
			[]api.LicenseKey{over},
			"too-late", licensed("L-1", 400, -400, 300, 100), 0, nil,
		},
		{
			"The restriction is paused, and takes effect before the key begins.", paused(),
			[]api.LicenseKey{over},
			"staged", licensed("L-1", 0, 10, 365, 100), 0, nil,
		},
	} {
		key := &input{
			Key:  keyfile.Key{Token: "the token of " + test.claims.ID, ProductName: "acme-mesh"},
			name: test.name,
		}
		found := newPreview(&acceptance{product: test.product, claims: test.claims, clusterErr: test.clusterErr},
			test.keys, key, clitest.Present)
		e.Note("%s", test.note)
		var text, warnings, encoded strings.Builder
		if err := found.print(term.Screen{Writer: &text, Width: test.width}); err != nil {
			t.Fatal(err)
		}
		found.warn(&warnings)
		if err := output.Write(&encoded, output.YAML, found); err != nil {
			t.Fatal(err)
		}
		e.Section("preview", text.String())
		e.Section("warnings", warnings.String())
		e.Section("in the end", found.outcome()+"\n")
		if test.width == 0 {
			e.Section("yaml", encoded.String())
		}
		e.Record.WriteString("\n")
	}
	e.Compare(golden, "preview")
}

// Names cannot send control characters to the terminal.
func TestPreviewIsPrintable(t *testing.T) {
	const hostile = "x\x1b[2K\nLicense:        forged\u202e"
	claims := licensed(hostile, 0, 0, 365, 100)
	claims.Customer, claims.Features, claims.Limits = hostile, []string{hostile}, map[string]int64{hostile: 1}
	product := &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{
		Name:              hostile,
		CreationTimestamp: metav1.NewTime(clitest.Present),
	}}
	replaced := foundKey(hostile, hostile, licensed(hostile, 1, -1, 365, 100))
	for _, keys := range [][]api.LicenseKey{nil, {replaced}} {
		found := newPreview(&acceptance{product: product, claims: claims}, keys,
			&input{name: hostile, Key: keyfile.Key{Token: "t", ProductName: hostile}}, clitest.Present)
		var text strings.Builder
		if err := found.print(term.Screen{Writer: &text}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(text.String(), "\x1b\u202e") ||
			strings.Contains(text.String(), "\nLicense:        forged") {
			t.Errorf("%q", text.String())
		}
	}
}

// A key that is applied already is not applied again.
func TestChangeOfKey(t *testing.T) {
	claims := licensed("L-1", 0, 0, 365, 100)
	for name, test := range map[string]struct {
		existing func(key *api.LicenseKey)
		want     keyChange
	}{
		"the same": {func(*api.LicenseKey) {}, keyUnchanged},
		"the same in white space": {
			func(key *api.LicenseKey) { key.Spec.Token = "\n" + key.Spec.Token + "\n" },
			keyUnchanged,
		},
		"with more labels":       {func(key *api.LicenseKey) { key.Labels["more"] = "" }, keyUnchanged},
		"another name":           {func(key *api.LicenseKey) { key.Name = "other" }, keyCreated},
		"another token":          {func(key *api.LicenseKey) { key.Spec.Token = "x" }, keyTokenReplaced},
		"another chain":          {func(key *api.LicenseKey) { key.Spec.Certificate = "x" }, keyChanged},
		"another label":          {func(key *api.LicenseKey) { key.Labels["team"] = "x" }, keyChanged},
		"without the annotation": {func(key *api.LicenseKey) { key.Annotations = nil }, keyChanged},
		"another product":        {func(key *api.LicenseKey) { key.Spec.ProductName = "acme-db" }, keyCreated},
	} {
		t.Run(name, func(t *testing.T) {
			existing := foundKey("key", "acme-mesh", claims)
			existing.Labels, existing.Annotations = map[string]string{"team": "network"},
				map[string]string{"ticket": "42"}
			test.existing(&existing)
			key := &input{
				Key: keyfile.Key{Token: "the token of L-1", ProductName: "acme-mesh"}, name: "key",
				labels: map[string]string{"team": "network"}, annotations: map[string]string{"ticket": "42"},
			}
			product := &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"}}
			if got := newPreview(&acceptance{product: product, claims: claims}, []api.LicenseKey{existing}, key,
				clitest.Present.Add(time.Hour)).Change; got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
