// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version says which build of the project a binary is.
package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// unreleased is the version of a build without one.
const unreleased = "dev"

// version is set by the linker for a release: -ldflags '-X
// github.com/license-operator/license-operator/internal/version.version=v1.2.3'.
var version = unreleased

// Get returns the version of this binary: the one set by the linker, else the module's version (go install), else
// "dev".
func Get() string {
	info, _ := debug.ReadBuildInfo()
	return versionFrom(version, info)
}

// Long returns the version with the commit, the toolchain and the platform.
func Long() string {
	info, _ := debug.ReadBuildInfo()
	return long(version, info)
}

func versionFrom(linked string, info *debug.BuildInfo) string {
	linked = cmp.Or(linked, unreleased)
	if linked != unreleased || info == nil || info.Main.Version == "(devel)" {
		return linked
	}
	return cmp.Or(info.Main.Version, linked)
}

func long(linked string, info *debug.BuildInfo) string {
	platform := fmt.Sprintf("%s, %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if commit := commitFrom(info); commit != "" {
		platform = "commit " + commit + ", " + platform
	}
	return fmt.Sprintf("%s (%s)", versionFrom(linked, info), platform)
}

// commitFrom returns the commit of the build, marked if the tree had changes; empty if the build did not record it.
func commitFrom(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	var revision, suffix string
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value
		case "vcs.modified":
			if setting.Value == "true" {
				suffix = "-dirty"
			}
		}
	}
	if revision == "" {
		return ""
	}
	const abbreviated = 12
	return revision[:min(len(revision), abbreviated)] + suffix
}
