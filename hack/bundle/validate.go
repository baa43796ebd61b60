// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
	validator "github.com/operator-framework/api/pkg/validation/interfaces"
	"sigs.k8s.io/yaml"
)

// validators are the operator-framework's own: all that it has (validation.AllValidators) but
//
//   - PackageManifestValidator: it is about package.yaml of the format before bundles, and finds nothing in one;
//   - OperatorGroupValidator: a bundle has no OperatorGroup, and finds nothing either;
//   - MultipleArchitecturesValidator: it pulls the image and asks a container engine what it is for. The labels that it
//     compares that with are those of make docker-buildx;
//   - OperatorHubValidator: deprecated, and the same as the three that have taken its place.
//
// CommunityOperatorValidator is deprecated as well, for a tool that is about OpenShift's own catalogs, and stays while
// it is there.
var validators = validator.Validators{
	validation.ClusterServiceVersionValidator,
	validation.CustomResourceDefinitionValidator,
	validation.BundleValidator,
	validation.OperatorHubV2Validator,
	validation.StandardCapabilitiesValidator,
	validation.StandardCategoriesValidator,
	validation.ObjectValidator,
	validation.CommunityOperatorValidator,
	validation.AlphaDeprecatedAPIsValidator,
	validation.GoodPracticesValidator,
}

// accepted are the warnings that we live with. Any other is a failure.
var accepted = []*regexp.Regexp{
	// A rule has no version: of events.k8s.io the operator uses v1, which is what there is since Kubernetes 1.25, and
	// the validator has v1beta1 in mind.
	regexp.MustCompile(
		`removed in v1\.25\..* Migrate the API\(s\) for events: ` +
			`\(\["ClusterServiceVersion\.Spec\.InstallStrategy\.StrategySpec` +
			`\.ClusterPermissions\[0\]\.Rules\[\d+\]"\]\)$`),
}

// validate tells everything that the validators find in a bundle.
func validate(folder string) error {
	loaded, err := manifests.GetBundleFromDir(folder)
	if err != nil {
		return fmt.Errorf("%s is no bundle: %w", folder, err)
	}
	findings := []error{checkAnnotations(folder)}
	for _, result := range validators.Validate(loaded.ObjectsToValidate()...) {
		for _, finding := range result.Errors {
			findings = append(findings, finding)
		}
		for _, finding := range result.Warnings {
			if !slices.ContainsFunc(accepted,
				func(known *regexp.Regexp) bool { return known.MatchString(finding.Error()) }) {
				findings = append(findings, finding)
			}
		}
	}
	if err := errors.Join(findings...); err != nil {
		return fmt.Errorf("%s is not a good bundle:\n%w", folder, err)
	}
	return nil
}

// checkAnnotations reads what no validator does: a bundle without them is found in no catalog.
func checkAnnotations(folder string) error {
	path := filepath.Join(folder, "metadata", "annotations.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file manifests.AnnotationsFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if a := file.Annotations; a.PackageName == "" || a.Channels == "" || a.DefaultChannelName == "" {
		return fmt.Errorf("%s: package, channels and default channel have to be there: %+v", path, a)
	}
	return nil
}
