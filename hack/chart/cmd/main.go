// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command chart writes the Helm chart into a folder: make chart.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/license-operator/license-operator/hack/chart"
)

func main() {
	version := flag.String("version", "", "the version of the release: v1.2.3")
	installation := flag.String("installation", "", "a file with what hack/manifests prints")
	monitoring := flag.String("monitoring", "", "a file with what kustomize makes of config/prometheus")
	flag.Parse()
	if err := write(*version, *installation, *monitoring, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func write(version, installation, monitoring, folder string) error {
	if folder == "" {
		return fmt.Errorf("into which folder?")
	}
	in := chart.Input{Version: version}
	for _, source := range []struct {
		path string
		into *io.Reader
	}{{installation, &in.Installation}, {monitoring, &in.Monitoring}} {
		content, err := os.ReadFile(source.path)
		if err != nil {
			return err
		}
		*source.into = bytes.NewReader(content)
	}
	files, err := chart.Files(in)
	if err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // for everybody to read
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil { //nolint:gosec // for everybody to read
			return err
		}
	}
	return nil
}
