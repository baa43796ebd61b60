// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/manifest"
)

// What has become of the key, and what to do now, is to be true of every answer, and of none.
func TestExplainWrite(t *testing.T) {
	key := &input{Key: keyfile.Key{Token: "eyJh.eyJi.c2ln"}, name: "key"}
	resource := api.GroupVersion.WithResource("licensekeys").GroupResource()
	conflict := func(fields ...string) error {
		causes := make([]metav1.StatusCause, len(fields))
		for i, field := range fields {
			causes[i] = metav1.StatusCause{
				Type: metav1.CauseTypeFieldManagerConflict, Field: field,
				Message: `conflict with "argocd-controller" using license-operator.io/v1alpha1`,
			}
		}
		return apierrors.NewApplyConflict(causes, "Apply failed with conflicts")
	}
	const see = "Check it, and apply it again if necessary: kubectl get lk key"
	unknown := func(err error) *command.UserError {
		return command.FailWithHint(see, "LicenseKey key may or may not have been applied: %v", err)
	}
	hung := &url.Error{Op: "Patch", URL: "https://api", Err: context.DeadlineExceeded}
	for name, test := range map[string]struct {
		err   error
		tried bool
		want  *command.UserError
	}{
		"interrupted": {
			err:  fmt.Errorf("request: %w", context.Canceled),
			want: command.FailWithHint(see, "interrupted: LicenseKey key may or may not have been applied"),
		},
		"a request timeout": {err: hung, want: unknown(hung)},
		"a connection lost": {err: errors.New("EOF"), want: unknown(errors.New("EOF"))},
		"the server's":      {err: apierrors.NewTimeoutError("slow", 1), want: unknown(errors.New("Timeout: slow"))},
		"a trouble of etcd's": {
			err:  apierrors.NewInternalError(errors.New("etcdserver: request timed out")),
			want: unknown(errors.New("Internal error occurred: etcdserver: request timed out")),
		},
		"a dry run, tried": {
			err: hung, tried: true,
			want: command.FailWithHint("Nothing was applied. Check the connection with: kubectl get lk",
				"cannot apply LicenseKey key: %v", hung),
		},
		"overloaded": {
			err: apierrors.NewTooManyRequestsError("later"),
			want: command.FailWithHint("Nothing was applied. Check the connection with: kubectl get lk",
				"cannot apply LicenseKey key: Too many requests: later"),
		},
		"a bad label": {
			err: apierrors.NewInvalid(api.GroupVersion.WithKind(manifest.KindLicenseKey).GroupKind(), "key",
				field.ErrorList{
					field.Invalid(field.NewPath("metadata", "labels"), "a b", "no label"),
				}),
			want: command.FailWithHint("Nothing was applied. Correct the fields that it names, and apply the "+
				"key again.",
				`LicenseKey.license-operator.io "key" is invalid: metadata.labels: Invalid value: "a b": no label`),
		},
		"the token is another's": {
			err: conflict(".spec.token", ".metadata.labels.team"),
			want: command.FailWithHint("Nothing was applied. Whoever keeps the key there would put it back: replace "+
				"the token "+
				"where argocd-controller has it from, in a Git repository for example. "+
				"Or apply this key beside it, under another name.",
				"LicenseKey key belongs to argocd-controller: Apply failed with conflicts"),
		},
		"a label is another's": {
			err: conflict(".metadata.labels.team", ".metadata.annotations.x"),
			want: command.FailWithHint("Nothing was applied. Take .metadata.labels.team, .metadata.annotations.x out "+
				"of the "+
				"manifest, or change it where argocd-controller has it from.",
				"argocd-controller has set .metadata.labels.team, .metadata.annotations.x of LicenseKey key: Apply "+
					"failed with conflicts"),
		},
		"it has changed": {
			err: apierrors.NewConflict(resource, "key", errors.New("the object has been modified")),
			want: command.FailWithHint("Nothing was applied. Run the command again: it then shows what there is now.",
				"LicenseKey key has changed in the meantime"),
		},
		"a token in the answer": {
			err: apierrors.NewForbidden(resource, "key", errors.New("no eyJh.eyJi.c2ln here")),
			want: command.FailWithHint("Nothing was applied. Ask a cluster administrator for create and patch on "+
				"licensekeys.license-operator.io, or to do this for you.",
				`licensekeys.license-operator.io "key" is forbidden: no <token> here`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := key.explain(test.err, test.tried)
			if difference := cmp.Diff(test.want, got, cmp.AllowUnexported(command.UserError{})); difference != "" {
				t.Error(difference)
			}
		})
	}
}
