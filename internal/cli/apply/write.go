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

// write applies the key on the server's side. Fields that somebody has set with kubectl are taken over: whoever does
// that and whoever runs this command do the same thing. The LicenseKey of the name must be the one that the
// preview is about. tried: the API server is only asked whether it would do it.
func (o *options) write(ctx context.Context, key *input, found *preview, tried bool) error {
	options := []client.ApplyOption{client.FieldOwner(kubeclient.FieldOwner)}
	if tried {
		options = append(options, client.DryRunAll)
	}
	apply := func(options ...client.ApplyOption) error {
		return o.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(key.manifest(found.existing)), options...)
	}
	err := apply(options...)
	if c := conflictsOf(err); len(c.managers) > 0 && !slices.ContainsFunc(c.managers, isForeign) {
		err = apply(append(options, client.ForceOwnership)...)
	}
	if err != nil {
		return key.explain(err, tried)
	}
	return nil
}

// conflicts are the fields that are to be applied otherwise than other field managers have set them, and who these are.
type conflicts struct{ managers, fields []string }

// conflictShape is how the API server names in a conflict who else has set a field.
var conflictShape = regexp.MustCompile(`^conflict with "([^"]*)"`)

// conflictsOf are those that an API server's answer tells of; none where it is another one.
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

// isForeign tells whether a field manager is none of kubectl's: apply, create, edit and so on each have one.
func isForeign(manager string) bool {
	return manager != "kubectl" && !strings.HasPrefix(manager, "kubectl-")
}

// explain puts into words how the API server answers who applies the key, or only tries to. Its answer could quote the
// token.
func (c *input) explain(err error, tried bool) error {
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
			"licensekeys.license-operator.io, or to do this for you.", "%s", message)
	case apierrors.IsInvalid(err):
		return command.FailWithHint("Nothing was applied. Correct the fields that it names, and apply the key again.",
			"%s", message)
	case !tried && isUnanswered(err):
		return c.explainSilence(err, message)
	default:
		return command.FailWithHint("Nothing was applied. Check the connection with: kubectl get lk",
			"cannot apply LicenseKey %s: %s", c.name, message)
	}
}

// overtaken is the failure where the LicenseKey of the name is not the one any more that was shown.
func (c *input) overtaken() error {
	return command.FailWithHint("Nothing was applied. Run the command again: it then shows what there is now.",
		"LicenseKey %s has changed in the meantime", c.name)
}

func (c *input) explainConflicts(others conflicts, message string) error {
	managers, fields := strings.Join(others.managers, " and "), strings.Join(others.fields, ", ")
	if slices.ContainsFunc(others.fields, func(field string) bool { return strings.HasPrefix(field, ".spec.") }) {
		return command.FailWithHint("Nothing was applied. Whoever keeps the key there would put it back: replace the "+
			"token where "+
			managers+
			" has it from, in a Git repository for example. Or apply this key beside it, under another name.",
			"LicenseKey %s belongs to %s: %s", c.name, managers, message)
	}
	return command.FailWithHint(fmt.Sprintf("Nothing was applied. Take %s out of the manifest, or change it where %s "+
		"has it from.", fields, managers),
		"%s has set %s of LicenseKey %s: %s", managers, fields, c.name, message)
}

// isUnanswered tells of a request that may have been carried out all the same: it was cut off, or the API server has
// lost sight of it itself.
func isUnanswered(err error) bool {
	var status apierrors.APIStatus
	return !errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError
}

func (c *input) explainSilence(err error, message string) error {
	next := "Check it, and apply it again if necessary: kubectl get lk " + c.name
	if errors.Is(err, context.Canceled) {
		return command.FailWithHint(next, "interrupted: LicenseKey %s may or may not have been applied", c.name)
	}
	return command.FailWithHint(next, "LicenseKey %s may or may not have been applied: %s", c.name, message)
}
