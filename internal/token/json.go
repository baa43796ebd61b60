// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxNesting bounds the nesting of objects and arrays in a header or in claims. Nothing that is read is nested deeper
// than 2.
const maxNesting = 16

var errNesting = fmt.Errorf("is nested deeper than %d levels", maxNesting)

// readValues keeps numbers as they are written and bounds the nesting.
var readValues = json.WithUnmarshalers(json.UnmarshalFromFunc(func(decoder *jsontext.Decoder, value *any) error {
	switch kind := decoder.PeekKind(); {
	case kind == '0':
		*value = jsontext.Value(nil)
	case (kind == '{' || kind == '[') && decoder.StackDepth() >= maxNesting:
		return errNesting
	}
	return errors.ErrUnsupported // Continue as without this function.
}))

// decodeObject reads one JSON object (RFC 8259) into string, bool, nil, []any, map[string]any and jsontext.Value for
// numbers. The library rejects what two readers may understand differently: a name that occurs twice in an object at
// any level, invalid UTF-8 and half a surrogate pair. Errors complete a sentence that begins with what was read. They
// omit the library's error, which may quote the token.
func decodeObject(raw []byte) (map[string]any, error) {
	var value any
	if err := json.Unmarshal(raw, &value, readValues); err != nil {
		var syntax *jsontext.SyntacticError
		switch {
		case errors.Is(err, errNesting):
			return nil, errNesting
		case errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName):
			return nil, fmt.Errorf("has the member %s twice", quote(syntax.JSONPointer.LastToken()))
		default:
			return nil, errors.New("is not valid JSON")
		}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("is not a JSON object")
	}
	return object, nil
}
