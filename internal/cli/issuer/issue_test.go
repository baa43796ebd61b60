// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/manifest"
)

func TestNewLicenseID(t *testing.T) {
	shape := regexp.MustCompile(`^acme-mesh-20261122-[0-9a-hjkmnp-tv-z]{8}$`)
	random := rand.NewChaCha8([32]byte{1})
	seen := map[string]bool{}
	for range 1000 {
		id, err := newLicenseID("acme-mesh", clitest.Present, random)
		if err != nil || !shape.MatchString(id) || seen[id] {
			t.Fatalf("%q, %v (seen before: %t)", id, err, seen[id])
		}
		seen[id] = true
		if name := manifest.KeyName("acme-mesh", id); name != id {
			t.Fatalf("the key of %s is called %s", id, name)
		}
	}
	long := strings.Repeat("x", 252) + ".y"
	id, err := newLicenseID(long[:253], clitest.Present, random)
	if err != nil || len(id) > 253 {
		t.Errorf("%q has %d characters, %v", id, len(id), err)
	}
	if _, err := newLicenseID("p", clitest.Present, iotest.ErrReader(errors.New("no entropy"))); err == nil {
		t.Error("an ID without randomness")
	}
}
