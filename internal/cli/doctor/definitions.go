// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
)

// definedTypes are the Go types of the kinds, by the plural names of the kinds.
var definedTypes = []struct {
	name         string
	spec, status reflect.Type
}{
	{"licensedproducts", reflect.TypeFor[api.LicensedProductSpec](), reflect.TypeFor[api.LicensedProductStatus]()},
	{"licensekeys", reflect.TypeFor[api.LicenseKeySpec](), reflect.TypeFor[api.LicenseKeyStatus]()},
}

func (i *snapshot) checkDefinitions() check {
	var missing, unusable []string
	var unknown *check
	var all fieldDrift
	lists := []error{i.products.err, i.keys.err}
	for n, defined := range definedTypes {
		definition := i.definitions[n].value
		// Without the permission to read definitions, discovery still tells whether the kind exists.
		if c, is := unread(&i.definitions[n]); is && !kubeclient.IsNotServed(lists[n]) {
			unknown = &c
			continue
		}
		if definition == nil {
			missing = append(missing, defined.name)
			continue
		}
		served, flaw := servedVersion(definition)
		if flaw != "" {
			unusable = append(unusable, defined.name+" "+flaw)
			continue
		}
		if served.Schema != nil && served.Schema.OpenAPIV3Schema != nil {
			properties := served.Schema.OpenAPIV3Schema.Properties
			all.compare(" of "+defined.name, "spec", defined.spec, properties["spec"])
			all.compare(" of "+defined.name, "status", defined.status, properties["status"])
		}
	}
	switch {
	case len(missing) == len(definedTypes):
		return fail("Install it (docs/installation.md), or choose another cluster with --context.",
			"license-operator is not installed in this cluster: it has neither licensedproducts nor licensekeys")
	case len(missing) > 0:
		return fail(i.reinstall(), "there is no CRD of %s", someNames(missing))
	case len(unusable) > 0:
		return fail(i.reinstall(), "the CRD of %s", strings.Join(unusable, "; the CRD of "))
	case unknown != nil:
		return *unknown
	case len(all.lacking) > 0:
		slices.Sort(all.lacking)
		return warn(i.reinstall(), "the CRDs are older than this plugin: they lack %s", someNames(all.lacking))
	case len(all.unknown) > 0:
		slices.Sort(all.unknown)
		return warn(samePlugin, "the CRDs are newer than this plugin, which does not know %s", someNames(all.unknown))
	default:
		return pass("licensedproducts and licensekeys are served and stored as %s, with the fields that this plugin "+
			"knows", api.GroupVersion.Version)
	}
}

// servedVersion is the version that the plugin uses, or why it cannot be used.
func servedVersion(
	definition *apiextensionsv1.CustomResourceDefinition,
) (served apiextensionsv1.CustomResourceDefinitionVersion, flaw string) {
	for _, version := range definition.Spec.Versions {
		if version.Name == api.GroupVersion.Version {
			served = version
		}
	}
	switch {
	case !slices.ContainsFunc(definition.Status.Conditions, isEstablished):
		return served, "is not established"
	case !served.Served:
		return served, "does not serve " + api.GroupVersion.Version
	case !served.Storage:
		return served, "does not store " + api.GroupVersion.Version
	default:
		return served, ""
	}
}

func isEstablished(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
	return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
}

// fieldDrift is which fields the plugin knows and the cluster lacks, and the other way round.
type fieldDrift struct{ lacking, unknown []string }

// compare compares the fields of a Go type with those of a schema, and recurses into the types of our API.
func (d *fieldDrift) compare(of, path string, known reflect.Type, schema apiextensionsv1.JSONSchemaProps) {
	fields := map[string]bool{}
	for n := range known.NumField() {
		name, _, _ := strings.Cut(known.Field(n).Tag.Get("json"), ",")
		fields[name] = true
		property, exists := schema.Properties[name]
		if !exists {
			d.lacking = append(d.lacking, path+"."+name+of)
			continue
		}
		if property.Items != nil && property.Items.Schema != nil {
			property = *property.Items.Schema
		}
		held := known.Field(n).Type
		for held.Kind() == reflect.Pointer || held.Kind() == reflect.Slice {
			held = held.Elem()
		}
		if held.Kind() == reflect.Struct && held.PkgPath() == reflect.TypeFor[api.LicensedProduct]().PkgPath() {
			d.compare(of, path+"."+name, held, property)
		}
	}
	for name := range schema.Properties {
		if !fields[name] {
			d.unknown = append(d.unknown, path+"."+name+of)
		}
	}
}
