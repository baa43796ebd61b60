// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
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
