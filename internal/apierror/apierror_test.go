// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apierror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"
)

var (
	tiers    = schema.GroupResource{Group: "projectcalico.org", Resource: "tiers"}
	policies = schema.GroupResource{Group: "projectcalico.org", Resource: "globalnetworkpolicies"}
)

func unexpected(code int) error {
	return apierrors.NewGenericServerResponse(code, "get", tiers, "a", "", 0, true)
}

func forbidden(resource schema.GroupResource, name, text string) error {
	return apierrors.NewForbidden(resource, name, errors.New(text))
}

// broken is a connection that broke, from a port that is another each time.
func broken(port int, errno syscall.Errno) error {
	return &url.Error{Op: "Get", URL: "https://10.96.0.1/apis", Err: &net.OpError{
		Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: port}, Err: os.NewSyscallError("read", errno),
	}}
}

func TestSame(t *testing.T) {
	for name, test := range map[string]struct {
		a, b error
		want bool
	}{
		"none":                 {nil, nil, true},
		"none and one":         {nil, io.EOF, false},
		"a refusal by another": {forbidden(tiers, "a", "no"), forbidden(tiers, "b", "not today"), true},
		"wrapped": {
			fmt.Errorf("writing: %w", forbidden(tiers, "a", "no")), forbidden(tiers, "a", "no"), true,
		},
		"of another kind": {forbidden(tiers, "a", "no"), forbidden(policies, "a", "no"), false},
		"another reason":  {forbidden(tiers, "a", "no"), apierrors.NewNotFound(tiers, "a"), false},
		"another code":    {unexpected(502), unexpected(599), false},
		"a permission, and a webhook": {
			&MissingPermissionError{Err: forbidden(tiers, "a", "no")}, forbidden(tiers, "a", "no"), false,
		},
		"the same permission": {
			fmt.Errorf("writing: %w", &MissingPermissionError{Err: forbidden(tiers, "a", "no")}),
			&MissingPermissionError{Err: forbidden(tiers, "b", "no")}, true,
		},
		"connections from two ports": {broken(40001, syscall.ECONNRESET), broken(40002, syscall.ECONNRESET), true},
		"reset, and refused":         {broken(40001, syscall.ECONNRESET), broken(40001, syscall.ECONNREFUSED), false},
		"a deadline":                 {fmt.Errorf("a: %w", context.DeadlineExceeded), context.DeadlineExceeded, true},
		"a deadline, and an end":     {context.Canceled, context.DeadlineExceeded, false},
		"two ends of a stream":       {io.EOF, io.ErrUnexpectedEOF, false},
		"text alone, the same":       {errors.New("held"), fmt.Errorf("deleting: %w", errors.New("held")), true},
		"text alone, another":        {errors.New("held"), errors.New("altered"), false},
		"joined in another order": {
			errors.Join(io.EOF, forbidden(tiers, "a", "no")), errors.Join(forbidden(tiers, "b", "no"), io.EOF), true,
		},
		"joined, and one fewer": {
			errors.Join(io.EOF, forbidden(tiers, "a", "no")), forbidden(tiers, "a", "no"), false,
		},
		"a wrapper that wraps nothing": {&url.Error{}, &url.Error{Op: "Get"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Same(test.a, test.b); got != test.want {
				t.Errorf("got %t", got)
			}
			if got := Same(test.b, test.a); got != test.want {
				t.Errorf("the other way round: got %t", got)
			}
		})
	}
}

func TestOfRead(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"none":                {nil, false},
		"not found":           {apierrors.NewNotFound(tiers, ""), false},
		"forbidden":           {fmt.Errorf("listing: %w", forbidden(tiers, "", "no")), true},
		"known to be missing": {&MissingPermissionError{Err: forbidden(tiers, "", "no")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := OfRead(test.err)
			if IsPermissionMissing(got) != test.want || !errors.Is(got, test.err) {
				t.Errorf("got %#v", got)
			}
		})
	}
}

func TestOfWrite(t *testing.T) {
	create := authorizationv1.ResourceAttributes{
		Verb: "create", Group: "projectcalico.org", Resource: "globalnetworkpolicies", Name: "a",
	}
	getTier := authorizationv1.ResourceAttributes{Verb: "get", Group: "projectcalico.org", Resource: "tiers"}
	askedCreate := map[string]any{
		"verb": "create", "group": "projectcalico.org", "resource": "globalnetworkpolicies", "name": "a",
	}
	askedGetTier := map[string]any{"verb": "get", "group": "projectcalico.org", "resource": "tiers"}
	refusal := fmt.Errorf("writing: %w", forbidden(policies, "a", "no"))
	allowed := map[string]any{"allowed": true}
	denied := map[string]any{"allowed": false, "evaluationError": "a role is missing"}
	unanswered := errors.New("no connection")
	for name, test := range map[string]struct {
		err     error
		answers []any // of the API server; an error or a status
		asked   []any
		want    bool
	}{
		"no error":                {nil, nil, nil, false},
		"not a refusal":           {apierrors.NewNotFound(policies, "a"), nil, nil, false},
		"a permission is missing": {refusal, []any{denied}, []any{askedCreate}, true},
		"the other one":           {refusal, []any{allowed, denied}, []any{askedCreate, askedGetTier}, true},
		"a webhook refuses":       {refusal, []any{allowed, allowed}, []any{askedCreate, askedGetTier}, false},
		"no answer": {
			refusal, []any{unanswered, unanswered}, []any{askedCreate, askedGetTier}, false,
		},
		"an answer without a status": {
			refusal, []any{map[string]any{}, allowed}, []any{askedCreate, askedGetTier}, false,
		},
		"an answer of another kind": {
			refusal, []any{map[string]any{"allowed": "no"}, allowed}, []any{askedCreate, askedGetTier}, false,
		},
		"asked before": {&MissingPermissionError{Err: refusal}, nil, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewSimpleDynamicClient(runtime.NewScheme())
			var asked []any
			answer := func(action clienttesting.Action) (bool, runtime.Object, error) {
				review := action.(clienttesting.CreateAction).GetObject().(*unstructured.Unstructured).DeepCopy()
				want := authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview")
				if review.GroupVersionKind() != want {
					t.Errorf("created a %s", review.GroupVersionKind())
				}
				attributes, _, _ := unstructured.NestedMap(review.Object, "spec", "resourceAttributes")
				answer := test.answers[len(asked)]
				asked = append(asked, attributes)
				if err, failed := answer.(error); failed {
					return true, nil, err
				}
				review.Object["status"] = answer
				return true, review, nil
			}
			client.PrependReactor("create", "selfsubjectaccessreviews", answer)
			got := NewReviewer(client).OfWrite(t.Context(), test.err, create, getTier)
			if IsPermissionMissing(got) != test.want || !errors.Is(got, test.err) {
				t.Errorf("got %#v", got)
			}
			if diff := cmp.Diff(test.asked, asked); diff != "" {
				t.Errorf("asked: -want +got:\n%s", diff)
			}
		})
	}
}
