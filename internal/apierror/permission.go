// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apierror tells errors of API requests apart by type, code and reason: texts change from one release of an
// API server to the next, and have addresses and ports in them.
package apierror

import (
	"context"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// MissingPermissionError is an API server's refusal that granting a permission would end.
type MissingPermissionError struct {
	// Err is the refusal.
	Err error
}

func (e *MissingPermissionError) Error() string { return e.Err.Error() }

// Unwrap returns the refusal.
func (e *MissingPermissionError) Unwrap() error { return e.Err }

// IsPermissionMissing reports whether an error is, or wraps, a *MissingPermissionError.
func IsPermissionMissing(err error) bool {
	_, isMissing := errors.AsType[*MissingPermissionError](err)
	return isMissing
}

// OfRead returns the error of a get, list or watch, as a *MissingPermissionError where it is a refusal: nothing but a
// missing permission forbids to read.
func OfRead(err error) error {
	if !apierrors.IsForbidden(err) || IsPermissionMissing(err) {
		return err
	}
	return &MissingPermissionError{Err: err}
}

// reviewTimeout limits a review: it only explains a failure.
const reviewTimeout = 10 * time.Second

// Reviewer asks the API server what the operator itself may do. Every authenticated user may ask that.
type Reviewer struct{ reviews dynamic.ResourceInterface }

// NewReviewer returns a Reviewer that asks with a client.
func NewReviewer(client dynamic.Interface) *Reviewer {
	return &Reviewer{client.Resource(authorizationv1.SchemeGroupVersion.WithResource("selfsubjectaccessreviews"))}
}

// OfWrite returns the error of a write, as a *MissingPermissionError where it is a refusal and one of the permissions
// that the write needs is missing. Webhooks, quotas and namespaces that are being deleted refuse with the same status,
// and no permission would help there.
func (r *Reviewer) OfWrite(ctx context.Context, err error, needed ...authorizationv1.ResourceAttributes) error {
	if !apierrors.IsForbidden(err) || IsPermissionMissing(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	for i := range needed {
		if allowed, errReview := r.isAllowed(ctx, &needed[i]); errReview == nil && !allowed {
			return &MissingPermissionError{Err: err}
		}
	}
	return err
}

// isAllowed returns what the API server says about one permission.
func (r *Reviewer) isAllowed(ctx context.Context, permission *authorizationv1.ResourceAttributes) (bool, error) {
	attributes, err := runtime.DefaultUnstructuredConverter.ToUnstructured(permission)
	if err != nil {
		return false, fmt.Errorf("encoding an access review: %w", err)
	}
	review := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"resourceAttributes": attributes},
	}}
	review.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"))
	answer, err := r.reviews.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("creating an access review: %w", err)
	}
	allowed, isAnswered, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	if err == nil && !isAnswered {
		err = errors.New("it has no status.allowed")
	}
	if err != nil {
		return false, fmt.Errorf("reading an access review: %w", err)
	}
	return allowed, nil
}
