// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxNesting is how deep objects and arrays may be nested in a header or in claims. Nothing that is read is deeper than
// 2; the rest is ignored.
const maxNesting = 16

// decodeObject reads exactly one JSON object (RFC 8259) into strings, json.Number, bool, nil, []any and map[string]any.
// It is stricter than encoding/json where two readers might understand a token differently: names are case-sensitive, a
// name that occurs twice in an object at any level is refused, as are invalid UTF-8, nesting deeper than maxNesting and
// anything after the object. Its errors complete a sentence that begins with what was read.
func decodeObject(raw []byte) (map[string]any, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("is not valid UTF-8")
	}
	if !json.Valid(raw) {
		return nil, errors.New("is not valid JSON")
	}
	if bytes.TrimLeft(raw, " \t\r\n")[0] != '{' {
		return nil, errors.New("is not a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	value, err := decodeValue(decoder, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return object, nil
}

func decodeValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := nextToken(decoder)
	if err != nil {
		return nil, err
	}
	delimiter, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth == maxNesting {
		return nil, fmt.Errorf("is nested deeper than %d levels", maxNesting)
	}
	if delimiter == '{' {
		return decodeMembers(decoder, depth+1)
	}
	return decodeElements(decoder, depth+1)
}

func decodeMembers(decoder *json.Decoder, depth int) (map[string]any, error) {
	members := map[string]any{}
	for decoder.More() {
		token, err := nextToken(decoder)
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("is not valid JSON")
		}
		if _, exists := members[name]; exists {
			return nil, fmt.Errorf("has the member %s twice", quote(name))
		}
		if members[name], err = decodeValue(decoder, depth); err != nil {
			return nil, err
		}
	}
	_, err := nextToken(decoder) // the closing brace
	return members, err
}

func decodeElements(decoder *json.Decoder, depth int) ([]any, error) {
	elements := []any{}
	for decoder.More() {
		element, err := decodeValue(decoder, depth)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	_, err := nextToken(decoder) // the closing bracket
	return elements, err
}

// nextToken hides the decoder's own errors, which quote what they stumble over.
func nextToken(decoder *json.Decoder) (json.Token, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, errors.New("is not valid JSON")
	}
	return token, nil
}
