// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/license-operator/license-operator/internal/cli/command"
)

// NameShape is what names of objects look like.
const NameShape = "lower case letters, digits, '-' and '.', at most 253, a letter or digit at either end"

// MaxNameLength is how long a name may be.
const MaxNameLength = validation.DNS1123SubdomainMaxLength

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// IsName tells whether an object can have a name.
func IsName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

// CheckNameFlags refuses flags whose values are given and cannot be the names of objects.
func CheckNameFlags(cmd *cobra.Command, flags ...string) error {
	for _, flag := range flags {
		if err := checkName(cmd, flag, cmd.Flags().Lookup(flag).Value.String()); err != nil {
			return err
		}
	}
	return nil
}

func checkName(cmd *cobra.Command, flag, name string) error {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	if !IsName(name) {
		return command.UsageError(cmd, "--%s %q cannot be the name of an object: %s", flag, name, NameShape)
	}
	return nil
}

// KeyName is the name of the LicenseKey for a license: the product and the ID, the product not twice. An ID that does
// not fit into a name as it is, or is too long for it, is told from others that look alike by a hash.
func KeyName(product, id string) string {
	if strings.HasPrefix(id, product+"-") && len(validation.IsDNS1123Subdomain(id)) == 0 {
		return id
	}
	slug := NameOf(id)
	name := product + "-" + slug
	if slug == id && len(name) <= MaxNameLength {
		return name
	}
	const hashLength = 8
	sum := sha256.Sum256([]byte(id))
	return ShortenName(name, MaxNameLength-1-hashLength) + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

// NameOf is a text as a part of a name: what names cannot have becomes a hyphen.
func NameOf(text string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// ShortenName cuts a name, and what it then must not end in.
func ShortenName(name string, maxLength int) string {
	return strings.TrimRight(name[:min(len(name), maxLength)], "-.")
}
