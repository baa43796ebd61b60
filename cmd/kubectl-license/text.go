// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable makes text of unknown origin safe for a terminal: what does not print, control characters and those that turn the direction of writing among
// it, becomes an escape.
func printable(text string) string {
	var safe strings.Builder
	for _, r := range text {
		if r != utf8.RuneError && unicode.IsPrint(r) {
			safe.WriteRune(r)
		} else {
			safe.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return safe.String()
}

// printableList is printable for several texts, and a dash for none.
func printableList(texts []string, none string) string {
	if len(texts) == 0 {
		return none
	}
	safe := make([]string, len(texts))
	for i, text := range texts {
		safe[i] = printable(text)
	}
	return strings.Join(safe, ", ")
}

// table is a list of labels and values, aligned.
type table struct{ rows [][2]string }

func (t *table) add(label, value string) { t.rows = append(t.rows, [2]string{label, value}) }

// write prints the table; a line that continues a value has an empty label.
func (t *table) write(out io.Writer) error {
	width := 0
	for _, row := range t.rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("%-*s  %s", width, row[0], row[1]), " ")); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint is the SHA-256 fingerprint of a certificate in the notation of openssl, which LicensedProduct's revocations take.
func fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

// warnf tells of something that is no error.
func warnf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "warning: %s\n", printable(fmt.Sprintf(format, args...)))
}
