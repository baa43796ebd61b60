// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"os/exec"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	"github.com/onsi/gomega/gexec"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/internal/license"
)

// clockStory is what a product and its key say while the clock is doubted.
type clockStory struct {
	Product, Key, Skew string
}

func clockStoryOf(ctx context.Context, product, key string) func(Gomega) clockStory {
	return func(g Gomega) clockStory {
		p, k := getProduct(ctx, g, product), getKey(ctx, g, key)
		return clockStory{string(p.Status.State), string(k.Status.State), reason(p.Status.Conditions, "ClockSkewed")}
	}
}

var _ = Describe("A clock that is wrong", Ordered, func() {
	var product, key string
	var expiry time.Time

	// The spec ends behind the mark: what comes after has to find the clock ahead of it.
	BeforeEach(func(ctx SpecContext) {
		product, key = unique("clock"), unique("key")
		expiry = now().Add(40 * days).Truncate(time.Second)
		create(ctx, newProduct(product), newKey(key, product, acme.issue(product, now(), 40*days, 12*hour)))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Valid", "Valid", ""}))
		DeferCleanup(func() { machine.setTo(expiry.Add(30 * days)) })
	})

	It("revives nothing when it is set back a month", func(ctx SpecContext) {
		machine.setTo(expiry.Add(12 * hour))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", ""}))
		machine.setTo(expiry.Add(-30 * days))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", "BehindMark"}))
		operator.stop()
		operator = startOperator(ctx)
		Consistently(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", "BehindMark"}))
		machine.setTo(expiry.Add(13 * hour))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", ""}))
	})

	It("takes nothing away for good when the node's is a day ahead and then corrected", func(ctx SpecContext) {
		machine.setTo(expiry.Add(-hour))
		Eventually(timeMark(ctx, product)).Should(HaveValue(HaveField("Time", BeTemporally("==", expiry.Add(-hour)))))
		machine.setLocally(expiry.Add(23 * hour))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", "NodeClock"}))
		Expect(timeMark(ctx, product)(Default)).To(HaveValue(HaveField("Time", BeTemporally("==", expiry.Add(-hour)))))
		machine.setLocally(expiry.Add(-hour))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Valid", "Valid", ""}))
	})

	It("is trusted again on request, where all clocks were a day ahead", func(ctx SpecContext) {
		machine.setTo(expiry.Add(23 * hour))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", ""}))
		machine.setTo(expiry.Add(-hour))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Expired", "Expired", "BehindMark"}))

		session := kubectlLicense(ctx, "clock", "reset", product)
		Eventually(session, "30s").Should(gexec.Exit(0))
		Expect(session.Out).To(gbytes.Say("Valid"))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Valid", "Valid", ""}))
		Eventually(eventReasons(ctx, "LicensedProduct", product)).Should(ContainElements("ClockSkewed", "ClockReset",
			"ClockInOrder"))
	})

	It("lets an older license stand by, and not come back", func(ctx SpecContext) {
		standby := unique("standby")
		create(ctx,
			newKey(standby, product,
				acme.issue(product, now().Add(-hour), 20*days,
					0, func(c *license.Claims) { c.IssuedTime = now().Add(-hour) })))
		machine.setTo(expiry.Add(-10 * days))
		Eventually(keySummary(ctx, standby)).Should(Equal(summary{"Expired", "Verified", "Expired"}))
		Eventually(timeMark(ctx, product)).
			Should(HaveValue(HaveField("Time", BeTemporally("==", expiry.Add(-10*days)))))
		machine.setTo(expiry.Add(-30 * days))
		Eventually(clockStoryOf(ctx, product, key)).Should(Equal(clockStory{"Valid", "Valid", "BehindMark"}))
		Consistently(keySummary(ctx, standby)).Should(Equal(summary{"Expired", "Verified", "Expired"}))
	})
})

// timeMark is the time that a product has on record; nil: none yet.
func timeMark(ctx context.Context, product string) func(Gomega) *metav1.Time {
	return func(g Gomega) *metav1.Time { return getProduct(ctx, g, product).Status.TimeMark }
}

// kubectlLicense runs the plugin as an administrator of the control plane.
func kubectlLicense(ctx context.Context, args ...string) *gexec.Session {
	GinkgoHelper()
	kubeconfig := filepath.Join(plane.Dir(), "admin.kubeconfig")
	Expect(plane.WriteKubeconfig(kubeconfig, plane.Admin())).To(Succeed())
	session, err := gexec.Start(exec.CommandContext(ctx, filepath.Join(binaries, "kubectl-license"),
		append(args, "--kubeconfig", kubeconfig)...), GinkgoWriter, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	return session
}
