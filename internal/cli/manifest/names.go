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

// NameShape describes valid names of objects.
const NameShape = "lower case letters, digits, '-' and '.', at most 253, a letter or digit at either end"

// MaxNameLength is the maximum length of a name, in characters.
const MaxNameLength = validation.DNS1123SubdomainMaxLength

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// IsName returns true if an object can have the name.
func IsName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

// CheckNameFlags returns an error if a flag is set and its value cannot be the name of an object.
func CheckNameFlags(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if flag := cmd.Flags().Lookup(name); flag.Changed && !IsName(flag.Value.String()) {
			return command.UsageError(cmd, "--%s %q cannot be the name of an object: %s", name, flag.Value, NameShape)
		}
	}
	return nil
}

// KeyName is the name of the LicenseKey for a license: the product and the ID, without repeating the product. If the ID
// is too long or has characters that names cannot have, a hash keeps the names of similar IDs different.
func KeyName(product, id string) string {
	if strings.HasPrefix(id, product+"-") && IsName(id) {
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

// NameOf is a text as a part of a name: a hyphen replaces characters that names cannot have.
func NameOf(text string) string {
	return strings.Trim(notInNames.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

// ShortenName cuts a name to at most maxLength characters, and removes characters that cannot be at its end.
func ShortenName(name string, maxLength int) string {
	return strings.TrimRight(name[:min(len(name), maxLength)], "-.")
}
