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

// The message says whether the key is applied, for every error.
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
		err    error
		dryRun bool
		want   *command.UserError
	}{
		"interrupted": {
			err:  fmt.Errorf("request: %w", context.Canceled),
			want: command.FailWithHint(see, "interrupted: LicenseKey key may or may not have been applied"),
		},
		"a request timeout": {err: hung, want: unknown(hung)},
		"a lost connection": {err: errors.New("EOF"), want: unknown(errors.New("EOF"))},
		"a timeout of the API server": {
			err:  apierrors.NewTimeoutError("slow", 1),
			want: unknown(errors.New("Timeout: slow")),
		},
		"an etcd error": {
			err:  apierrors.NewInternalError(errors.New("etcdserver: request timed out")),
			want: unknown(errors.New("Internal error occurred: etcdserver: request timed out")),
		},
		"a dry run": {
			err: hung, dryRun: true,
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
		"another manager set the token": {
			err: conflict(".spec.token", ".metadata.labels.team"),
			want: command.FailWithHint("Nothing was applied. argocd-controller would change the key back: replace "+
				"the token at its source, for example in a Git repository. Or apply this key under another name.",
				"LicenseKey key belongs to argocd-controller: Apply failed with conflicts"),
		},
		"another manager set a label": {
			err: conflict(".metadata.labels.team", ".metadata.annotations.x"),
			want: command.FailWithHint("Nothing was applied. Remove .metadata.labels.team, .metadata.annotations.x "+
				"from the manifest, or change it at the source of argocd-controller.",
				"argocd-controller has set .metadata.labels.team, .metadata.annotations.x of LicenseKey key: Apply "+
					"failed with conflicts"),
		},
		"it has changed": {
			err: apierrors.NewConflict(resource, "key", errors.New("the object has been modified")),
			want: command.FailWithHint("Nothing was applied. Run the command again: it then shows what there is now.",
				"LicenseKey key has changed in the meantime"),
		},
		"a token in the error": {
			err: apierrors.NewForbidden(resource, "key", errors.New("no eyJh.eyJi.c2ln here")),
			want: command.FailWithHint("Nothing was applied. Ask a cluster administrator for create and patch on "+
				"licensekeys.license-operator.io, or to do this for you.",
				`licensekeys.license-operator.io "key" is forbidden: no <token> here`),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := key.explain(test.err, test.dryRun)
			if difference := cmp.Diff(test.want, got, cmp.AllowUnexported(command.UserError{})); difference != "" {
				t.Error(difference)
			}
		})
	}
}
