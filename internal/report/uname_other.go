// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package report

import "runtime"

// uname is the system and the machine. The operator runs on Linux; the plugin, which only checks reports, is built for
// others too.
func uname() (string, error) { return runtime.GOOS + " " + runtime.GOARCH, nil }
