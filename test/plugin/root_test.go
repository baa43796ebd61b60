// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	. "github.com/onsi/ginkgo/v2"
)

var _ = Describe("kubectl license", func() {
	It("is found by kubectl, and says on the standard error what was wrong", func(ctx SpecContext) {
		s := newSession(adminKubeconfig)
		s.show(ctx, "inpsect")
		s.show(ctx, "inspect")
		s.showThis(ctx, command{args: []string{"inspect", "-"}, stdin: "no key", width: 80})
		s.compare("root")
	})
})
