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

	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/term"
	licensereport "github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/text"
)

// sizeLimit bounds a report. One of a thousand products has about a mebibyte.
var sizeLimit = files.Limit{Bytes: 64 << 20, Why: "as no license report is"}

// document is a report, and the checksum that it should have.
type document struct {
	licensereport.Report
	computed string
}

// productText is a product of a report in a few words.
func productText(p *licensereport.Product) string {
	words := p.Name
	if p.Vendor != "" {
		words += " of " + p.Vendor
	}
	if p.State != "" {
		words += ", " + string(p.State)
	}
	return text.Printable(words)
}

// readDocument reads a report as JSON, or in a tar archive.
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
	if json.Unmarshal(data, &document.Report) != nil {
		return nil, errors.New("its fields are not those of a report")
	}
	if document.Checksum == "" || document.Timestamp.IsZero() {
		return nil, errors.New("it has no checksum or no timestamp")
	}
	return document, nil
}

// unpack takes the report out of a tar archive in memory, which must have nothing else: what is verified is all
// that there is.
func unpack(data []byte) ([]byte, error) {
	content := bytes.NewReader(data)
	archive := tar.NewReader(content)
	entry, err := archive.Next()
	if err != nil {
		return nil, errors.New("it is neither a JSON object nor a tar archive")
	}
	switch {
	case path.Clean(entry.Name) != licensereport.ArchivedName:
		return nil, fmt.Errorf("the archive has %q in it instead of a file %s", entry.Name, licensereport.ArchivedName)
	case entry.Typeflag != tar.TypeReg:
		return nil, fmt.Errorf("%s in the archive is not a regular file", licensereport.ArchivedName)
	}
	document, err := files.ReadFromUpTo(archive, "its "+licensereport.ArchivedName, sizeLimit)
	if err != nil {
		return nil, err
	}
	switch entry, err = archive.Next(); {
	case err == nil:
		return nil, fmt.Errorf("the archive has more in it than one %s: %q", licensereport.ArchivedName, entry.Name)
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the archive cannot be read to its end: %w", err)
	case len(bytes.Trim(data[len(data)-content.Len():], "\x00")) > 0: // which is what tar fills up with
		return nil, errors.New("there is something behind the end of the archive")
	}
	return document, nil
}

func (d *document) matches() bool { return d.Checksum == d.computed }

// write tells what the report is, and how its checksum stands.
func (d *document) write(out io.Writer) error {
	t := &term.Table{}
	t.Add("Made:", text.Time(d.Timestamp.Time))
	label := "Products:"
	if len(d.Products) == 0 {
		t.Add(label, "none")
	}
	for i := range d.Products {
		t.Add(label, productText(&d.Products[i]))
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
