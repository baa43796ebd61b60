// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// checksumField is the one member of a report that its checksum is not computed over.
const checksumField = "checksum"

// Checksum is that of a report as it was given out: the SHA-256, in hexadecimal, of the canonical JSON (RFC 8785) of
// everything in it but the checksum itself. Layout and the order of members do not count. It fails for what is not a
// JSON object, for a name that occurs twice, and for text that is not UTF-8. It is not a signature: anyone can compute
// it.
func Checksum(document []byte) (string, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(document, &members); err != nil {
		return "", fmt.Errorf("decoding a report: %w", err)
	}
	if members == nil {
		return "", errors.New("decoding a report: it is null")
	}
	delete(members, checksumField)
	rest, err := json.Marshal(members)
	if err != nil {
		return "", fmt.Errorf("encoding a report: %w", err)
	}
	return checksumOf(rest)
}

// checksumOf is that of JSON without a checksum, which it leaves in its canonical form.
func checksumOf(content jsontext.Value) (string, error) {
	if err := content.Canonicalize(); err != nil {
		return "", fmt.Errorf("bringing a report into its canonical form: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}
