// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersionFrom(t *testing.T) {
	installed := &debug.BuildInfo{Main: debug.Module{Version: "v0.3.1"}}
	for name, test := range map[string]struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		"a release":                    {"v1.2.3", installed, "v1.2.3"},
		"go install of a tag":          {unreleased, installed, "v0.3.1"},
		"go build in a checkout":       {unreleased, &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "dev"},
		"a build that recorded none":   {unreleased, &debug.BuildInfo{}, "dev"},
		"a build without any metadata": {unreleased, nil, "dev"},
		"an empty flag of the linker":  {"", nil, "dev"},
	} {
		if got := versionFrom(test.linked, test.info); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestLong(t *testing.T) {
	platform := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH
	settings := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"},
		{Key: "vcs.modified", Value: "true"},
	}
	for name, test := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"no metadata": {nil, "v1.2.3 (" + platform + ")"},
		"no commit":   {&debug.BuildInfo{}, "v1.2.3 (" + platform + ")"},
		"a changed tree": {
			&debug.BuildInfo{Settings: settings},
			"v1.2.3 (commit 0123456789ab-dirty, " + platform + ")",
		},
		"a clean tree": {&debug.BuildInfo{Settings: settings[:1]}, "v1.2.3 (commit 0123456789ab, " + platform + ")"},
	} {
		if got := long("v1.2.3", test.info); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
