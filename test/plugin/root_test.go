// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

var _ = Describe("kubectl license", func() {
	It("is found by kubectl, and says on the standard error what was wrong", func(ctx SpecContext) {
		s := newSession(adminKubeconfig)
		s.show(ctx, "inpsect")
		s.show(ctx, "inspect")
		s.showThis(ctx, command{args: []string{"inspect", "-"}, stdin: "no key", width: 80})
		s.compare("root")
	})

	It("tells who has to log in again that it is that, whatever the command", func(ctx SpecContext) {
		config := rest.AnonymousClientConfig(plane.Admin())
		config.BearerToken = "expired"
		kubeconfig := filepath.Join(GinkgoT().TempDir(), "kubeconfig")
		Expect(plane.WriteKubeconfig(kubeconfig, config)).To(Succeed())
		a := newApplier(kubeconfig)
		a.writeKey("key.yaml", "acme-mesh-1", a.issue("L-1", 0, nil))
		for _, args := range []string{
			"status", "status --watch", "keys", "request acme-mesh", "apply key.yaml --yes", "explain acme-mesh",
			"report", "simulate",
			"pause acme-mesh --for 1h --reason x", "resume acme-mesh", "clock reset acme-mesh", "doctor",
		} {
			got := a.run(ctx, command{args: strings.Fields(args)})
			Expect(got.code).To(Equal(1), args)
			Expect(got.stdout).To(BeEmpty(), args)
			Expect(got.stderr).
				To(MatchRegexp(
					`^error: the API server does not know you: .*\nLog in again, or check whether kubectl works: `+
						`kubectl auth whoami\n$`), args)
		}
	})
})
