// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package report

import "golang.org/x/sys/unix"

// uname is the system and the machine, as uname -sm has them.
func uname() (string, error) {
	var names unix.Utsname
	if err := unix.Uname(&names); err != nil {
		return "", err
	}
	return unix.ByteSliceToString(names.Sysname[:]) + " " + unix.ByteSliceToString(names.Machine[:]), nil
}
