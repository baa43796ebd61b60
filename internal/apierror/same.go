// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apierror

import (
	"errors"
	"maps"
	"reflect"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Same reports whether two errors mean the same failure. A caller that keeps the first one shows a text that does not
// change with each attempt.
func Same(a, b error) bool {
	failuresOfA, failuresOfB := map[failure]bool{}, map[failure]bool{}
	collect(a, false, failuresOfA)
	collect(b, false, failuresOfB)
	return maps.Equal(failuresOfA, failuresOfB)
}

// failure is what identifies an error.
type failure struct {
	// Of an answer of an API server.
	reason      metav1.StatusReason
	code        int32
	group, kind string
	// missingPermission distinguishes answers that are otherwise equal.
	missingPermission bool
	// Of any other error.
	typeOf reflect.Type
	errno  syscall.Errno
	text   string
}

// textOnly is the type of errors without a type of their own: their text is all they have.
var textOnly = reflect.TypeOf(errors.New(""))

// collect adds the failures at the leaves of an error's tree. What wraps them says where they happened, not what.
func collect(err error, missingPermission bool, failures map[failure]bool) {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case nil:
	case *MissingPermissionError:
		collect(e.Err, true, failures)
	case apierrors.APIStatus:
		status := e.Status()
		f := failure{reason: status.Reason, code: status.Code, missingPermission: missingPermission}
		if status.Details != nil {
			f.group, f.kind = status.Details.Group, status.Details.Kind
		}
		failures[f] = true
	case syscall.Errno:
		failures[failure{errno: e, typeOf: reflect.TypeOf(e)}] = true
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			collect(inner, missingPermission, failures)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			collect(inner, missingPermission, failures)
			return
		}
		failures[failure{typeOf: reflect.TypeOf(e)}] = true
	default:
		f := failure{typeOf: reflect.TypeOf(err)}
		if f.typeOf == textOnly {
			f.text = err.Error()
		}
		failures[f] = true
	}
}
