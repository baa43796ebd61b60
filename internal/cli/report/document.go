// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/go-json-experiment/json"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/term"
	licensereport "github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/text"
)

// sizeLimit is the limit of a report, in bytes. A report of 1000 products has about 1 MiB.
var sizeLimit int64 = 64 << 20

// document is what the plugin shows of a report. It is never written: what is not read here, such as the peaks of the
// buckets, stays in the bytes of the report.
type document struct {
	Checksum  string      `json:"checksum"`
	Timestamp metav1.Time `json:"timestamp"`
	Products  []struct {
		Name   string `json:"name"`
		Vendor string `json:"vendor"`
		State  string `json:"state"`
	} `json:"products"`
	// computed is the checksum that the report should have.
	computed string
}

// readDocument reads a report, as JSON or in a tar archive.
func readDocument(data []byte) (*document, error) {
	if content := bytes.TrimLeft(data, " \t\r\n"); !bytes.HasPrefix(content, []byte("{")) {
		var err error
		if data, err = unpack(data); err != nil {
			return nil, err
		}
	}
	computed, err := licensereport.Checksum(data)
	if err != nil {
		return nil, err
	}
	document := &document{computed: computed}
	if json.Unmarshal(data, document) != nil {
		return nil, errors.New("its fields are not those of a report")
	}
	if document.Checksum == "" || document.Timestamp.IsZero() {
		return nil, errors.New("it has no checksum or no timestamp")
	}
	return document, nil
}

// unpack takes the report out of a tar archive, which must not have anything else: the checksum covers only the report.
func unpack(data []byte) ([]byte, error) {
	content := bytes.NewReader(data)
	archive := tar.NewReader(content)
	entry, err := archive.Next()
	if err != nil {
		return nil, errors.New("it is neither a JSON object nor a tar archive")
	}
	switch {
	case path.Clean(entry.Name) != licensereport.ArchivedName:
		return nil, fmt.Errorf("the archive has the file %q instead of %s", entry.Name, licensereport.ArchivedName)
	case entry.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("%s in the archive is not a regular file", licensereport.ArchivedName)
	}
	document, err := files.ReadFromUpTo(archive, "its "+licensereport.ArchivedName, sizeLimit)
	if err != nil {
		return nil, err
	}
	switch entry, err = archive.Next(); {
	case err == nil:
		return nil, fmt.Errorf("the archive has more than one file: %q", entry.Name)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the archive cannot be read to its end: %w", err)
	case len(bytes.Trim(data[len(data)-content.Len():], "\x00")) > 0: // tar pads with zeros
		return nil, errors.New("the file has more data after the end of the archive")
	}
	return document, nil
}

func (d *document) matches() bool { return d.Checksum == d.computed }

// write prints what the report is about, and whether its checksum matches.
func (d *document) write(out io.Writer) error {
	t := &term.Table{}
	t.Add("Made:", text.Time(d.Timestamp.Time))
	label := "Products:"
	if len(d.Products) == 0 {
		t.Add(label, "none")
	}
	for _, product := range d.Products {
		words := product.Name
		if product.Vendor != "" {
			words += " of " + product.Vendor
		}
		if product.State != "" {
			words += ", " + product.State
		}
		t.Add(label, text.Printable(words))
		label = ""
	}
	if d.matches() {
		t.Add("Checksum:", "matches")
	} else {
		t.Add("Checksum:", "does not match")
		t.Add("  in it:", text.Printable(d.Checksum))
		t.Add("  computed:", d.computed)
	}
	return t.Write(out)
}
