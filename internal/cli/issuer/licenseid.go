// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"fmt"
	"io"
	"time"

	"github.com/license-operator/license-operator/internal/cli/manifest"
)

// randomAlphabet is Crockford's base 32 in lower case: no letter that can be taken for a digit.
const randomAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newLicenseID is an ID that people can read out and sort by date: the product, the date, and 40 random bits.
func newLicenseID(product string, now time.Time, random io.Reader) (string, error) {
	const length = 8
	bits := make([]byte, length)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", fmt.Errorf("cannot read random numbers: %w", err)
	}
	for i := range bits {
		bits[i] = randomAlphabet[int(bits[i])%len(randomAlphabet)]
	}
	suffix := now.Format("-20060102-") + string(bits)
	return manifest.ShortenName(product, manifest.MaxNameLength-len(suffix)) + suffix, nil
}
