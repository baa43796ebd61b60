// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	licensereport "github.com/license-operator/license-operator/internal/report"
)

// reportSize bounds a report. One of a thousand products has about a mebibyte.
var reportSize = sizeLimit{bytes: 64 << 20, why: "as no license report is"}

// reportVerifyOptions are what report verify was asked.
type reportVerifyOptions struct {
	environment
	file string
}

// reportVerifyLong is the help of report verify.
const reportVerifyLong = `Compute the checksum of a license report anew, and compare it with the one in it. Works offline.

FILE is the report as JSON, or a tar archive that holds it as response.json. Its layout and the order
of its fields do not count, so that it may have been formatted anew.

A checksum that matches shows that nothing was lost or changed by accident. It does not prove who
wrote the report: anybody can compute it.

Exit codes:
  0  the checksum matches
  1  a mistake on the command line, or a file that is no license report
  3  the checksum does not match`

// reportVerifyExample is the help of report verify: how it is used.
const reportVerifyExample = `  kubectl license report verify report-2026_11_22_10_05_AM.tar

  # Is what was fetched the same as what the vendor has?
  kubectl license report verify - < response.json`

func newReportVerifyCommand(env environment) *cobra.Command {
	o := &reportVerifyOptions{environment: env}
	return &cobra.Command{
		Use:     "verify FILE|-",
		Short:   "Check that a license report is as it was made",
		Long:    reportVerifyLong,
		Example: reportVerifyExample,
		Args:    oneArgument("FILE (or - for the standard input)"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.file = args[0]
			return o.run()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return []string{outputJSON, outputTar}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
}

func (o *reportVerifyOptions) run() error {
	data, err := o.read()
	if err != nil {
		return failf("Name a license report that can be read, or - for the standard input.", "%v", err)
	}
	document, err := readReport(data)
	if err != nil {
		return failf("Give the file that 'kubectl license report' has written.", "%s is no license report: %v",
			sourceName(o.file), err)
	}
	if err := document.write(o.Out); err != nil {
		return err
	}
	if !document.matches() {
		return verdict(exitUnverified, "Ask whoever made it for the file once more, or for a new one.",
			"the checksum does not match: something in the report was changed, or lost, since it was made")
	}
	_, err = fmt.Fprintln(o.Out,
		"\n"+fold("The report is as it was made. That does not prove who wrote it: anybody can compute a checksum.", "",
			""))
	return err
}

func (o *reportVerifyOptions) read() ([]byte, error) {
	if o.file != standardInput {
		return readFileUpTo(o.file, reportSize)
	}
	return readUpTo(o.In, sourceName(o.file), reportSize)
}

// reportDocument is a report, and the checksum that it should have.
type reportDocument struct {
	licensereport.Report
	computed string
}

// reportedText is a product of a report in a few words.
func reportedText(p *licensereport.Product) string {
	text := p.Name
	if p.Vendor != "" {
		text += " of " + p.Vendor
	}
	if p.State != "" {
		text += ", " + string(p.State)
	}
	return printable(text)
}

// readReport reads a report as JSON, or in a tar archive.
func readReport(data []byte) (*reportDocument, error) {
	if content := bytes.TrimLeft(data, " \t\r\n"); !bytes.HasPrefix(content, []byte("{")) {
		var err error
		if data, err = unpackReport(data); err != nil {
			return nil, err
		}
	}
	computed, err := licensereport.Checksum(data)
	if err != nil {
		return nil, err
	}
	document := &reportDocument{computed: computed}
	if json.Unmarshal(data, &document.Report) != nil {
		return nil, errors.New("its fields are not those of a report")
	}
	if document.Checksum == "" || document.Timestamp.IsZero() {
		return nil, errors.New("it has no checksum or no timestamp")
	}
	return document, nil
}

// unpackReport takes the report out of a tar archive in memory, which must have nothing else: what is verified is all
// that there is.
func unpackReport(data []byte) ([]byte, error) {
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
		return nil, fmt.Errorf("%s in the archive is no regular file", licensereport.ArchivedName)
	}
	document, err := readUpTo(archive, "its "+licensereport.ArchivedName, reportSize)
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

func (d *reportDocument) matches() bool { return d.Checksum == d.computed }

// write tells what the report is, and how its checksum stands.
func (d *reportDocument) write(out io.Writer) error {
	t := &table{}
	t.add("Made:", formatInstant(d.Timestamp.Time))
	label := "Products:"
	if len(d.Products) == 0 {
		t.add(label, "none")
	}
	for i := range d.Products {
		t.add(label, reportedText(&d.Products[i]))
		label = ""
	}
	if d.matches() {
		t.add("Checksum:", "matches")
	} else {
		t.add("Checksum:", "does not match")
		t.add("  in it:", printable(d.Checksum))
		t.add("  computed:", d.computed)
	}
	return t.write(out)
}
