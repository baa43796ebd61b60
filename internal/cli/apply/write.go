// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
)

// write applies the key with server-side apply. It takes over fields that were set with kubectl, because both commands
// are for the same people. The LicenseKey must still be the one of the preview. With dryRun the API server only says
// whether it would accept the key.
func (o *options) write(ctx context.Context, key *input, found *preview, dryRun bool) error {
	options := []client.ApplyOption{client.FieldOwner(kubeclient.FieldOwner)}
	if dryRun {
		options = append(options, client.DryRunAll)
	}
	manifest := client.ApplyConfigurationFromUnstructured(key.manifest(found.existing))
	err := o.client.Apply(ctx, manifest, options...)
	if c := conflictsOf(err); len(c.managers) > 0 && !slices.ContainsFunc(c.managers, isForeign) {
		err = o.client.Apply(ctx, manifest, append(options, client.ForceOwnership)...)
	}
	if err != nil {
		return key.explain(err, dryRun)
	}
	return nil
}

// conflicts are fields that other field managers have set to other values, and these managers.
type conflicts struct{ managers, fields []string }

// conflictShape is how the API server names the other manager in a conflict.
var conflictShape = regexp.MustCompile(`^conflict with "([^"]*)"`)

// conflictsOf reads the conflicts from an API server's error; it has none if the error has another reason.
func conflictsOf(err error) (c conflicts) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return c
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		manager := "another manager"
		if match := conflictShape.FindStringSubmatch(cause.Message); match != nil {
			manager = match[1]
		}
		if !slices.Contains(c.managers, manager) {
			c.managers = append(c.managers, manager)
		}
		if !slices.Contains(c.fields, cause.Field) {
			c.fields = append(c.fields, cause.Field)
		}
	}
	return c
}

// isForeign returns false for the field managers of kubectl: apply, create, edit and so on each have one.
func isForeign(manager string) bool {
	return manager != "kubectl" && !strings.HasPrefix(manager, "kubectl-")
}

// explain turns the API server's error into a message without the token, which the error could quote.
func (c *input) explain(err error, dryRun bool) error {
	message := strings.ReplaceAll(err.Error(), c.Token, "<token>")
	others := conflictsOf(err)
	switch {
	case len(others.managers) > 0:
		return c.explainConflicts(others, message)
	case apierrors.IsConflict(err):
		return c.overtaken()
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return kubeclient.NotInstalled()
	case apierrors.IsForbidden(err):
		return command.FailWithHint("Nothing was applied. Ask a cluster administrator for create and patch on "+
			kubeclient.Keys+", or to do this for you.", "%s", message)
	case apierrors.IsInvalid(err):
		return command.FailWithHint("Nothing was applied. Correct the fields that it names, and apply the key again.",
			"%s", message)
	case !dryRun && isUnanswered(err):
		cause := "LicenseKey " + c.name + " may or may not have been applied"
		if errors.Is(err, context.Canceled) {
			cause = "interrupted: " + cause
		} else {
			cause += ": " + message
		}
		return command.FailWithHint("Check it, and apply it again if necessary: kubectl get lk "+c.name, "%s", cause)
	default:
		return command.FailWithHint("Nothing was applied. Check the connection with: kubectl get lk",
			"cannot apply LicenseKey %s: %s", c.name, message)
	}
}

// overtaken is the failure when the LicenseKey is no longer the one that was shown.
func (c *input) overtaken() error {
	return command.FailWithHint("Nothing was applied. Run the command again: it then shows what there is now.",
		"LicenseKey %s has changed in the meantime", c.name)
}

func (c *input) explainConflicts(others conflicts, message string) error {
	managers, fields := strings.Join(others.managers, " and "), strings.Join(others.fields, ", ")
	if slices.ContainsFunc(others.fields, func(field string) bool { return strings.HasPrefix(field, ".spec.") }) {
		return command.FailWithHint(fmt.Sprintf("Nothing was applied. %s would change the key back: replace the token "+
			"at its source, for example in a Git repository. Or apply this key under another name.", managers),
			"LicenseKey %s belongs to %s: %s", c.name, managers, message)
	}
	return command.FailWithHint(fmt.Sprintf("Nothing was applied. Remove %s from the manifest, or change it at the "+
		"source of %s.", fields, managers), "%s has set %s of LicenseKey %s: %s", managers, fields, c.name, message)
}

// isUnanswered returns true if the request may have had an effect despite the error: the connection was lost, or the
// API server itself does not know the result.
func isUnanswered(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError
}
