// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// actsVariable has the test binary be the example: race detector and all.
const actsVariable = "DATA_COLLECTION_TEST_ACTS"

// raceOptions spare it the second that the race detector waits at the end for races to come.
const raceOptions = "GORACE=atexit_sleep_ms=50"

// name is that of the product in the manifests.
const name = "acme-mesh"

func TestMain(m *testing.M) {
	if os.Getenv(actsVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The operator does not run in these tests: statuses are written by hand.

func TestLife(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.startExample()
	s.Eventually(func() string { return s.example.LogTail(10) }, "30s").
		Should(ContainSubstring("could not find the requested resource"), "nobody knows the kind yet")
	s.Expect(s.plane.InstallOperator(t.Context())).To(Succeed())
	s.says("off (there is no such LicensedProduct)")

	s.create("other")
	s.write("other", licensed("Valid", farAway))
	s.create(name)
	s.says("off (the operator has yet to look at the LicensedProduct)")
	s.write(name, licensed("Valid", farAway))
	s.says("on (Valid, licensed until 2999-12-31T00:00:00Z)")
	s.write(name, licensed("GracePeriod", farAway))
	s.says("on (GracePeriod, licensed until 2999-12-31T00:00:00Z)")
	s.write(name, expired)
	s.says(`off (Expired: LicenseKey "acme-1" expired. Renew at https://acme.example/renew.)`)
	s.write(name, licensed("Valid", farAway))
	s.says("on (Valid, licensed until 2999-12-31T00:00:00Z)")

	s.Expect(s.admin.Delete(t.Context(), newProduct(name))).To(Succeed())
	s.says("off (there is no such LicensedProduct)")
	s.create(name)
	s.says("off (the operator has yet to look at the LicensedProduct)")
	s.write(name, licensed("Valid", farAway))
	s.says("on (Valid, licensed until 2999-12-31T00:00:00Z)")
	s.Expect(s.example.Stop()).To(Succeed())
	s.says("off (stopping)")
}

func TestOutage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Expect(s.plane.InstallOperator(t.Context())).To(Succeed())
	s.create(name)
	s.create("other")
	s.checkRights()

	s.write(name, licensed("Valid", farAway))
	s.startExample()
	s.says("on (Valid, licensed until 2999-12-31T00:00:00Z)")
	end := time.Now().Add(4 * time.Second).UTC().Truncate(time.Second)
	s.write(name, licensed("GracePeriod", end))
	s.says("on (GracePeriod, licensed until " + end.Format(time.RFC3339) + ")")
	s.Expect(s.plane.StopAPIServer()).To(Succeed())
	s.says("off (licensed until " + end.Format(time.RFC3339) + ", and no renewal was seen)")
	s.Expect(time.Now()).To(BeTemporally(">=", end), "it was time that ended it, not that the API server was away")

	s.Expect(s.plane.StartAPIServer(t.Context())).To(Succeed())
	s.write(name, licensed("Valid", farAway))
	s.says("on (Valid, licensed until 2999-12-31T00:00:00Z)")
	s.Expect(s.example.Stop()).To(Succeed())
	s.says("off (stopping)")
}

func TestVerdict(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	type answer struct {
		on  bool
		why string
	}
	for title, test := range map[string]struct {
		status api.LicensedProductStatus
		want   answer
	}{
		"a second before the end": {
			licensed("GracePeriod", now.Add(time.Second)),
			answer{true, "GracePeriod, licensed until 2027-03-01T00:00:01Z"},
		},
		"at the end": {
			licensed("GracePeriod", now),
			answer{false, "licensed until 2027-03-01T00:00:00Z, and no renewal was seen"},
		},
		"the end in another zone": {
			licensed("Valid", now.Add(time.Hour).In(time.FixedZone("", 3600))),
			answer{true, "Valid, licensed until 2027-03-01T01:00:00Z"},
		},
		"expired before the clock": {ended("Expired", "Renew.", now.Add(time.Hour)), answer{false, "Expired: Renew."}},
		"never licensed":           {ended("Unlicensed", "No key.", time.Time{}), answer{false, "Unlicensed: No key."}},
		"no end":                   {licensed("Valid", time.Time{}), answer{true, "Valid"}},
	} {
		t.Run(title, func(t *testing.T) {
			var got answer
			got.on, got.why = verdict(&api.LicensedProduct{Status: test.status}, now)
			NewWithT(t).Expect(got).To(Equal(test.want))
		})
	}
}

// stage is a control plane with what the example's manifests put there, and the example.
type stage struct {
	*WithT
	t       *testing.T
	plane   *controlplane.ControlPlane
	admin   client.Client
	account *rest.Config
	example *controlplane.Process
	said    []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{WithT: NewWithT(t), t: t}
	var err error
	s.plane, err = controlplane.Start(t.Context(), controlplane.Options{})
	s.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { s.Expect(s.plane.Stop()).To(Succeed()) })
	s.Expect(s.plane.InstallFolder(t.Context(), "docs/examples/data-collection")).To(Succeed())
	s.account, err = s.plane.AccountConfig(t.Context(), "acme-mesh", "data-collection")
	s.Expect(err).NotTo(HaveOccurred())
	s.admin = newClient(s, s.plane.Admin())
	return s
}

func (s *stage) startExample() {
	s.t.Helper()
	kubeconfig := filepath.Join(s.plane.Dir(), "data-collection.kubeconfig")
	s.Expect(s.plane.WriteKubeconfig(kubeconfig, s.account)).To(Succeed())
	self, err := os.Executable()
	s.Expect(err).NotTo(HaveOccurred())
	s.example, err = s.plane.StartProcess(controlplane.ProcessOptions{
		Name: "data-collection", Path: self, Args: []string{name},
		Env: append(os.Environ(), actsVariable+"=1", raceOptions, "KUBECONFIG="+kubeconfig),
	})
	s.Expect(err).NotTo(HaveOccurred())
}

// checkRights holds the role to what it is for.
func (s *stage) checkRights() {
	s.t.Helper()
	ctx, account := s.t.Context(), newClient(s, s.account)
	named := func(name string) client.ListOption { return client.MatchingFields{"metadata.name": name} }
	var found api.LicensedProductList
	s.Expect(account.List(ctx, &found, named(name))).To(Succeed())
	s.Expect(found.Items).To(HaveExactElements(HaveField("Name", name)))
	for what, err := range map[string]error{
		"listing another product": account.List(ctx, &found, named("other")),
		"listing every product":   account.List(ctx, &found),
		"listing the keys":        account.List(ctx, &api.LicenseKeyList{}),
		"writing its own status":  account.Status().Update(ctx, newProduct(name)),
		"changing the terms":      account.Update(ctx, newProduct(name)),
		"deleting the product":    account.Delete(ctx, newProduct(name)),
	} {
		s.Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s: %v", what, err)
	}
}

// says is what the example has to say next. All that it has ever said is looked at.
func (s *stage) says(what string) {
	s.t.Helper()
	s.said = append(s.said, "data collection: "+what)
	s.Eventually(func() []string { return linesOf(s.example) }, "45s", "20ms").Should(Equal(s.said),
		"it looks every second, and its informer tries again after some seconds")
}

func (s *stage) create(name string) {
	s.t.Helper()
	s.Expect(s.admin.Create(s.t.Context(), newProduct(name))).To(Succeed())
}

func (s *stage) write(name string, status api.LicensedProductStatus) {
	s.t.Helper()
	s.Eventually(func() error {
		product := &api.LicensedProduct{}
		if err := s.admin.Get(s.t.Context(), client.ObjectKey{Name: name}, product); err != nil {
			return err
		}
		product.Status = status
		return s.admin.Status().Update(s.t.Context(), product)
	}, "30s").Should(Succeed(), "an API server that has just come back may have to find the kind first")
}

// linesOf is what the example has said, without what its informer logs.
func linesOf(example *controlplane.Process) []string {
	lines := []string{}
	for line := range strings.Lines(example.LogTail(1000)) {
		if strings.HasPrefix(line, "data collection: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// farAway is after any run of this test.
var farAway = time.Date(2999, 12, 31, 0, 0, 0, 0, time.UTC)

var expired = ended("Expired", `LicenseKey "acme-1" expired. Renew at https://acme.example/renew.`,
	time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

func licensed(state api.LicensedProductState, end time.Time) api.LicensedProductStatus {
	return statusOf(metav1.Condition{Status: metav1.ConditionTrue, Reason: string(state)}, end)
}

func ended(state api.LicensedProductState, message string, end time.Time) api.LicensedProductStatus {
	return statusOf(metav1.Condition{Status: metav1.ConditionFalse, Reason: string(state), Message: message}, end)
}

func statusOf(condition metav1.Condition, end time.Time) api.LicensedProductStatus {
	condition.Type, condition.LastTransitionTime = api.ConditionLicensed, metav1.NewTime(farAway)
	status := api.LicensedProductStatus{
		Conditions: []metav1.Condition{condition},
		State:      api.LicensedProductState(condition.Reason),
	}
	if !end.IsZero() {
		status.CoverageEndTime = &metav1.Time{Time: end}
	}
	return status
}

func newProduct(name string) *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", TrustAnchors: "-----BEGIN CERTIFICATE-----"},
	}
}

func newClient(g Gomega, config *rest.Config) client.Client {
	scheme := runtime.NewScheme()
	g.Expect(api.AddToScheme(scheme)).To(Succeed())
	c, err := client.New(config, client.Options{Scheme: scheme})
	g.Expect(err).NotTo(HaveOccurred())
	return c
}
