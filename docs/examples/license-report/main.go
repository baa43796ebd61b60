// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Recompute the checksum of a license report, response.json on the standard input, with nothing but the standard
// library.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"os"
)

func main() {
	var report map[string]any
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	if err := decoder.Decode(&report); err != nil {
		log.Fatal(err)
	}
	delete(report, "checksum")
	var canonical bytes.Buffer
	encoder := json.NewEncoder(&canonical) // It sorts the members, and leaves no white space but a new line at the end.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(report); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%x\n", sha256.Sum256(bytes.TrimSuffix(canonical.Bytes(), []byte("\n"))))
}
