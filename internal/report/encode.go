// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ArchivedName is what a report is called within a tar, as in Kong's recipe.
const ArchivedName = "response.json"

// nameLayout is that of Kong's recipe, which has a clock of twelve hours.
const nameLayout = "report-2006_01_02_03_04_PM"

// Encode is the report with its checksum, as JSON that ends in a new line.
func (r *Report) Encode() ([]byte, error) {
	r.Checksum = ""
	bare, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding the report: %w", err)
	}
	// The checksum goes before what is encoded already.
	encoded := make([]byte, 0, len(bare)+128)
	encoded = append(encoded, bare...)
	if r.Checksum, err = checksumOf(bare); err != nil {
		return nil, err
	}
	encoded = slices.Insert(encoded, len("{"), fmt.Appendf(nil, "%q:%q,", checksumField, r.Checksum)...)
	return append(encoded, '\n'), nil
}

// Archive is an encoded report in a tar, alone and as ArchivedName.
func Archive(encoded []byte, made time.Time) ([]byte, error) {
	var archive bytes.Buffer
	// What a tar adds: a header, padding, and its end.
	archive.Grow(len(encoded) + 10<<10)
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{
		Name: ArchivedName, Mode: 0o644, Size: int64(len(encoded)),
		ModTime: made.UTC().Truncate(time.Second), Format: tar.FormatUSTAR,
	})
	_, errWrite := w.Write(encoded)
	if err := errors.Join(err, errWrite, w.Close()); err != nil {
		return nil, fmt.Errorf("archiving the report: %w", err)
	}
	return archive.Bytes(), nil
}

// fileName is the name for a report that is made at a time, as json or tar.
func fileName(made time.Time, format string) string {
	return made.UTC().Format(nameLayout) + "." + format
}

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
