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

// definedTypes are the types of the kinds, in the order of their definitions.
var definedTypes = []struct {
	name         string
	spec, status reflect.Type
}{
	{"licensedproducts", reflect.TypeFor[api.LicensedProductSpec](), reflect.TypeFor[api.LicensedProductStatus]()},
	{"licensekeys", reflect.TypeFor[api.LicenseKeySpec](), reflect.TypeFor[api.LicenseKeyStatus]()},
}

func (i *snapshot) checkDefinitions() check {
	const name = "CRDs"
	var missing, unfit, older, newer []string
	var unknown *check
	lists := []error{i.products.err, i.keys.err}
	for n := range i.definitions {
		definition, defined := i.definitions[n].value, definedTypes[n]
		c, isUnread := unread(name, &i.definitions[n])
		// Whoever may not read definitions is told by discovery that there is no such kind.
		if isUnread && !kubeclient.IsNotServed(lists[n]) {
			unknown = &c
			continue
		}
		if definition == nil {
			missing = append(missing, defined.name)
			continue
		}
		if flaw := flawOf(definition); flaw != "" {
			unfit = append(unfit, defined.name+" "+flaw)
			continue
		}
		lacking, additional := drift(definition, defined.spec, defined.status)
		for _, field := range lacking {
			older = append(older, field+" of "+defined.name)
		}
		for _, field := range additional {
			newer = append(newer, field+" of "+defined.name)
		}
	}
	switch {
	case len(missing) == len(definedTypes):
		return problem(name, "Install it (docs/installation.md), or choose another cluster with --context.",
			"license-operator is not installed in this cluster: it has neither licensedproducts nor licensekeys")
	case len(missing) > 0:
		return problem(name, i.mended(), "there is no CRD of %s", someNames(missing))
	case len(unfit) > 0:
		return problem(name, i.mended(), "the CRD of %s", strings.Join(unfit, "; that of "))
	case unknown != nil:
		return *unknown
	case len(older) > 0:
		return warning(name, i.mended(), "they are older than this plugin: they lack %s", someNames(older))
	case len(newer) > 0:
		return warning(name, samePlugin, "they are newer than this plugin, which does not know %s", someNames(newer))
	default:
		return good(name, "licensedproducts and licensekeys are served and stored as %s, with the fields that this "+
			"plugin knows", api.GroupVersion.Version)
	}
}

// flawOf says why a kind cannot be used as the plugin knows it; empty: it can.
func flawOf(definition *apiextensionsv1.CustomResourceDefinition) string {
	established := slices.ContainsFunc(definition.Status.Conditions,
		func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
			return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
		})
	served := versionOf(definition)
	switch {
	case !established:
		return "is not established"
	case served == nil || !served.Served:
		return "does not serve " + api.GroupVersion.Version
	case !served.Storage:
		return "does not store " + api.GroupVersion.Version
	default:
		return ""
	}
}

func versionOf(definition *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinitionVersion {
	for n := range definition.Spec.Versions {
		if definition.Spec.Versions[n].Name == api.GroupVersion.Version {
			return &definition.Spec.Versions[n]
		}
	}
	return nil
}

// drift is which fields the plugin knows and the cluster does not have, and the other way round.
func drift(
	definition *apiextensionsv1.CustomResourceDefinition, spec, status reflect.Type,
) (lacking, unknown []string) {
	served := versionOf(definition)
	if served.Schema == nil || served.Schema.OpenAPIV3Schema == nil {
		return nil, nil
	}
	properties := served.Schema.OpenAPIV3Schema.Properties
	for name, known := range map[string]reflect.Type{"spec": spec, "status": status} {
		schema := properties[name]
		l, u := compareFields(name, known, &schema)
		lacking, unknown = append(lacking, l...), append(unknown, u...)
	}
	slices.Sort(lacking)
	slices.Sort(unknown)
	return lacking, unknown
}

// compareFields compares the fields of a type of ours with those of a schema, and so on with theirs.
func compareFields(at string, known reflect.Type, schema *apiextensionsv1.JSONSchemaProps) (lacking, unknown []string) {
	fields := map[string]reflect.Type{}
	collectFields(known, fields)
	for name, field := range fields {
		property, there := schema.Properties[name]
		if !there {
			lacking = append(lacking, at+"."+name)
			continue
		}
		inner := &property
		if property.Items != nil && property.Items.Schema != nil {
			inner = property.Items.Schema
		}
		if isOurStruct(field) {
			l, u := compareFields(at+"."+name, field, inner)
			lacking, unknown = append(lacking, l...), append(unknown, u...)
		}
	}
	for name := range schema.Properties {
		if _, there := fields[name]; !there {
			unknown = append(unknown, at+"."+name)
		}
	}
	return lacking, unknown
}

// collectFields finds the fields of a type by their names in JSON, each with the type that it holds one or several of.
func collectFields(of reflect.Type, fields map[string]reflect.Type) {
	for n := range of.NumField() {
		field := of.Field(n)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		held := field.Type
		for held.Kind() == reflect.Pointer || held.Kind() == reflect.Slice {
			held = held.Elem()
		}
		if name == "" && isOurStruct(held) {
			collectFields(held, fields)
		} else if name != "" && name != "-" {
			fields[name] = held
		}
	}
}

// isOurStruct tells of a type whose fields are ours to know; others are Kubernetes'.
func isOurStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[api.LicensedProduct]().PkgPath()
}
