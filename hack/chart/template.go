// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chart

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// templated is an object some of whose fields are template text. Until it is written each has a marker there, so that
// YAML knows nothing of templates, nor the template of what the object itself says in braces.
type templated struct {
	object  *unstructured.Unstructured
	markers []marker
}

type marker struct {
	text string
	// line is for text that takes the place of the whole line, indented as that was.
	line bool
}

const markerPrefix = "helm-template-text-"

var (
	scalarMarker = regexp.MustCompile(markerPrefix + `(\d+)-`)
	lineMarker   = regexp.MustCompile(`(?m)^( *).*` + markerPrefix + `(\d+)-line.*$`)
)

func (t *templated) mark(text string, line bool) string {
	t.markers = append(t.markers, marker{text, line})
	name := markerPrefix + strconv.Itoa(len(t.markers)-1) + "-"
	if line {
		name += "line"
	}
	return name
}

// get is the value of a field, or nil.
func (t *templated) get(path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(t.object.Object, path...)
	return value
}

// read reads a field that has to be there.
func (t *templated) read(into any, path ...string) error {
	value, target := reflect.ValueOf(t.get(path...)), reflect.ValueOf(into).Elem()
	if !value.IsValid() || value.Type() != target.Type() {
		return fmt.Errorf("%s is no %s, of which the chart could make a value", strings.Join(path, "."), target.Type())
	}
	target.Set(value)
	return nil
}

// parent is the map that has a field, made if need be.
func (t *templated) parent(path []string) map[string]any {
	at := t.object.Object
	for _, key := range path[:len(path)-1] {
		next, ok := at[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[key] = next
		}
		at = next
	}
	return at
}

// set makes an expression the value of a field.
func (t *templated) set(expression string, path ...string) {
	t.parent(path)[path[len(path)-1]] = t.mark(expression, false)
}

// block puts text, which names the key, in the place of a field. INDENT and NESTED in it are how far the field, and
// what is below it, is indented.
func (t *templated) block(text string, path ...string) {
	t.parent(path)[path[len(path)-1]] = t.mark(text, true)
}

// insert puts text beside the fields of a map.
func (t *templated) insert(text string, path ...string) {
	t.parent(append(slices.Clone(path), ""))[t.mark(text, true)] = ""
}

// inNamespace has the object, and whatever it names, in the release's namespace rather than in this one.
func (t *templated) inNamespace(namespace string) error {
	var walk func(at string, value any) (any, error)
	walk = func(at string, value any) (any, error) {
		var err error
		switch value := value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				if value[key], err = walk(at+"."+key, value[key]); err != nil {
					return nil, err
				}
			}
		case []any:
			for i := range value {
				if value[i], err = walk(fmt.Sprintf("%s[%d]", at, i), value[i]); err != nil {
					return nil, err
				}
			}
		case string:
			if value == namespace {
				return t.mark("{{ .Release.Namespace | quote }}", false), nil
			}
			if strings.Contains(value, namespace) {
				return nil, fmt.Errorf("%s has the namespace %s within it: the chart would not know it in another",
					strings.TrimPrefix(at, "."), namespace)
			}
		}
		return value, nil
	}
	_, err := walk("", t.object.Object)
	return err
}

// text is the template.
func (t *templated) text() (string, error) {
	content, err := yaml.Marshal(t.object.Object)
	if err != nil {
		return "", err
	}
	// What the object says in braces is no template.
	text := strings.ReplaceAll(string(content), "{{", `{{ "{{" }}`)
	used := 0
	text = lineMarker.ReplaceAllStringFunc(text, func(line string) string {
		match := lineMarker.FindStringSubmatch(line)
		used++
		return t.lines(match[1], match[2])
	})
	text = scalarMarker.ReplaceAllStringFunc(text, func(found string) string {
		used++
		return t.markers[number(scalarMarker.FindStringSubmatch(found)[1])].text
	})
	if used != len(t.markers) {
		return "", fmt.Errorf("%d of its fields were to become template text, and %d did: none may say %q itself",
			len(t.markers), used, markerPrefix)
	}
	return text, nil
}

func (t *templated) lines(indent, index string) string {
	text := strings.NewReplacer("INDENT", strconv.Itoa(len(indent)), "NESTED", strconv.Itoa(len(indent)+2)).
		Replace(t.markers[number(index)].text)
	return indent + strings.ReplaceAll(text, "\n", "\n"+indent)
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // what matched are digits
	return n
}
