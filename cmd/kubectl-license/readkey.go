// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/token"
)

// Kinds that a file may hold.
const (
	kindLicenseKey      = "LicenseKey"
	kindLicensedProduct = "LicensedProduct"
	kindSecret          = "Secret"
)

// presentedKey is a license key as it was found in a file; nothing of it has been looked into.
type presentedKey struct {
	token string
	// certificate is spec.certificate of the manifest, where it has one.
	certificate string
	// productName is spec.productName of the manifest, where it was one.
	productName string
	// repaired tells that the token was not in one piece: as it stands in the file, it would be refused.
	repaired bool
}

// compactJWS is the shape of a token: three parts in base64url. Whether they can be decoded is for package token to
// say.
var compactJWS = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`)

// readKey finds the license key in whatever a customer has at hand: a manifest, a Secret, a bare token, or one of these
// as a mail program left it. Where there are several keys it takes the first.
func readKey(data []byte) (presentedKey, error) {
	if isUTF16(data) {
		return presentedKey{},
			unreadable("Save it as UTF-8 and try again.", "this is UTF-16 text, as Windows writes it")
	}
	text := keyText(data)
	if compactJWS.MatchString(text) {
		return presentedKey{token: text}, nil
	}
	objects, torn := readObjects(text)
	if holder := keyHolder(objects); holder != nil {
		return keyFromObject(holder)
	}
	if len(objects) == 0 || torn {
		if key, found := keyFromProse(text); found {
			return key, nil
		}
		if token := joined(text); looksLikeToken(token) {
			return presentedKey{token: token, repaired: token != text}, nil
		}
	}
	if len(objects) > 0 {
		return presentedKey{}, unreadable(askForKey, "this is a %s of %s, not a %s of %s",
			objects[0].Kind, objects[0].APIVersion, kindLicenseKey, api.GroupVersion)
	}
	return presentedKey{}, unreadable(askForKey, "there is no license key in it")
}

// keyText is what was read without what may be around it.
func keyText(data []byte) string {
	return strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
}

func unreadable(next, format string, args ...any) *failure {
	return verdict(exitUnreadable, next, format, args...)
}

const askForKey = "Give the file that the vendor sent: a LicenseKey manifest, or the token alone (three parts with " +
	"dots between them)."

// keyHolders are the kinds of objects that a key can be in, the likelier one first.
var keyHolders = []schema.GroupKind{licenseKeyKind, {Kind: kindSecret}}

var licenseKeyKind = schema.GroupKind{Group: api.GroupVersion.Group, Kind: kindLicenseKey}

// keyHolder is the first LicenseKey, or else the first Secret; nil where there is neither.
func keyHolder(objects []object) *object {
	for _, kind := range keyHolders {
		if i := slices.IndexFunc(objects, func(o object) bool { return o.is(kind) }); i >= 0 {
			return &objects[i]
		}
	}
	return nil
}

func keyFromObject(o *object) (presentedKey, error) {
	if o.Kind == kindSecret {
		return keyFromSecret(o)
	}
	return keyFromLicenseKey(o)
}

func keyFromLicenseKey(o *object) (presentedKey, error) {
	var key api.LicenseKey
	if err := json.Unmarshal(o.raw, &key); err != nil {
		return presentedKey{},
			unreadable("Compare it with 'kubectl explain lk.spec'.", "the LicenseKey cannot be read: %s",
				decodingProblem(err))
	}
	token := joined(key.Spec.Token)
	ref := key.Spec.TokenSecretRef
	switch {
	case token == "" && ref != nil:
		return presentedKey{}, unreadable(
			fmt.Sprintf("In the namespace that license-operator runs in: kubectl get secret %s -o yaml | kubectl "+
				"license inspect -", shellWord(ref.Name)),
			"the token of LicenseKey %s is not in the manifest, but in the entry %s of Secret %s", key.Name, ref.Key,
			ref.Name)
	case token == "":
		return presentedKey{},
			unreadable("Ask the vendor for the complete manifest.", "LicenseKey %s has no spec.token", key.Name)
	}
	return presentedKey{
		token:       token,
		certificate: key.Spec.Certificate,
		productName: key.Spec.ProductName,
		repaired:    token != strings.TrimSpace(key.Spec.Token),
	}, nil
}

// decodingProblem says what is wrong with an object's fields, without the names that they have in Go.
func decodingProblem(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Sprintf("its %s is of type %s", wrongType.Field, wrongType.Value)
	}
	return err.Error()
}

// keyFromSecret takes the one entry that looks like a token.
func keyFromSecret(o *object) (presentedKey, error) {
	var secret corev1.Secret
	if err := json.Unmarshal(o.raw, &secret); err != nil {
		return presentedKey{}, unreadable(askForKey, "the Secret cannot be read as one")
	}
	entries := make(map[string]string, len(secret.Data)+len(secret.StringData))
	for name, value := range secret.Data {
		entries[name] = string(value)
	}
	for name, value := range secret.StringData {
		entries[name] = value
	}
	var found []string
	var key presentedKey
	for name, value := range entries {
		if token := joined(value); compactJWS.MatchString(token) {
			found = append(found, name)
			key = presentedKey{token: token, repaired: token != strings.TrimSpace(value)}
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return presentedKey{}, unreadable(askForKey, "no entry of Secret %s is a token", secret.Name)
	case 1:
		return key, nil
	default:
		return presentedKey{}, unreadable("Give one of them alone.", "Secret %s has several tokens: %s", secret.Name,
			strings.Join(found, ", "))
	}
}

// object is one object of a manifest, of whatever kind.
type object struct {
	metav1.TypeMeta
	raw []byte
}

func (o *object) is(kind schema.GroupKind) bool {
	return o.GroupVersionKind().GroupKind() == kind
}

// readObjects reads a manifest of one document or more, in YAML or JSON, and the items of lists such as kubectl get
// prints. Marks of quotation are taken off where nothing can be read with them. torn tells that there is something
// besides the objects that cannot be read.
func readObjects(text string) (objects []object, torn bool) {
	for _, candidate := range []string{text, unquoted(text)} {
		if objects, torn = decodeDocuments(candidate); len(objects) > 0 {
			break
		}
	}
	return objects, torn
}

func decodeDocuments(text string) (objects []object, torn bool) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for range maxDocuments {
		document, err := documents.Read()
		if err != nil {
			return objects, torn || !errors.Is(err, io.EOF)
		}
		// The parser's errors are not shown: they may quote the token.
		raw, err := yaml.YAMLToJSON(document)
		torn = torn || err != nil
		objects = append(objects, expand(raw)...)
	}
	return objects, true
}

// maxDocuments bounds how many documents of a manifest are read.
const maxDocuments = 1000

// expand is an object, or the items of a list.
func expand(raw []byte) []object {
	var found object
	if json.Unmarshal(raw, &found) != nil || found.Kind == "" {
		return nil
	}
	found.raw = raw
	if !strings.HasSuffix(found.Kind, "List") {
		return []object{found}
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	var items []object
	for _, item := range list.Items {
		var found object
		if json.Unmarshal(item, &found) == nil && !strings.HasSuffix(found.Kind, "List") {
			found.raw = item
			items = append(items, found)
		}
	}
	return items
}

// joined takes out what mail programs put into a token: marks of quotation, line breaks, the marks of soft ones, spaces
// of any kind, hyphens that do not show. None of it can be part of a token.
func joined(text string) string {
	var whole strings.Builder
	for line := range strings.Lines(unquoted(text)) {
		whole.WriteString(solid(line))
	}
	return whole.String()
}

// solid is joined for one line without marks of quotation.
func solid(line string) string {
	line = strings.TrimRightFunc(line, unicode.IsSpace)
	line = strings.TrimSuffix(line, "=") // a soft line break of quoted-printable
	return strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, line)
}

// isInvisible is true of white space and of characters that only say how to lay out a text (soft hyphen, zero-width
// space, byte order mark).
func isInvisible(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

var quotation = regexp.MustCompile(`(?m)^[ \t]*(?:>[ \t]?)+`)

// unquoted takes the marks of quotation ("> ", "> > ", ">>") off each line.
func unquoted(text string) string { return quotation.ReplaceAllString(text, "") }

// tokenStart is the base64url of a JSON object that begins without white space, as the headers of tokens do.
const tokenStart = "eyJ"

const maxSignatureLength = 683

var (
	tokenPart = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	// signatureLengths are those of EdDSA and ES256, and of RS256 with keys of 2048, 3072 and 4096 bits, in base64url.
	signatureLengths = []int{86, 342, 512, maxSignatureLength}
)

// maxTries bounds how many words of a text are tried as the beginning of a token. A letter has one; a file that has
// thousands is none.
const maxTries = 16

// keyFromProse is the last resort: a token somewhere in a mail, or in a manifest that line breaks have torn.
func keyFromProse(text string) (presentedKey, bool) {
	lines := strings.Split(unquoted(text), "\n")
	tries := 0
	for i, line := range lines {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		start := bareWord(words[len(words)-1])
		if !strings.HasPrefix(start, tokenStart) || !tokenPart.MatchString(start) {
			continue
		}
		if found := continued(start, lines[i+1:]); compactJWS.MatchString(found) {
			return presentedKey{token: found, certificate: pemIn(lines), repaired: true}, true
		}
		if tries++; tries == maxTries {
			break
		}
	}
	return presentedKey{}, false
}

// continued is the beginning of a token and the lines after it, as long as they can belong to it and until it is
// complete: what follows may be a name below a letter.
func continued(start string, lines []string) string {
	found := []byte(start)
	for _, line := range lines {
		part := bareWord(line)
		if complete(found) || len(found) > token.MaxTokenBytes || part != "" && !tokenPart.MatchString(part) {
			break
		}
		found = append(found, part...)
	}
	return string(found)
}

// complete tells whether the last of three parts has the length of a signature.
func complete(found []byte) bool {
	tail := found[max(0, len(found)-maxSignatureLength-1):]
	dot := bytes.LastIndexByte(tail, '.')
	return slices.Contains(signatureLengths, len(tail)-dot-1) && bytes.Count(found, []byte{'.'}) == 2
}

// looksLikeToken is true of what has the shape of a token, and of what begins like one: package token says best what is
// wrong with a part of a token.
func looksLikeToken(text string) bool {
	return compactJWS.MatchString(text) || strings.HasPrefix(text, tokenStart) && tokenPart.MatchString(text)
}

// bareWord is a word, or a line of one word, without what JSON puts around it.
func bareWord(text string) string { return strings.Trim(solid(text), `"',`) }

// pemIn is the PEM certificates among lines, without whatever indents them.
func pemIn(lines []string) string {
	var found strings.Builder
	inside := false
	for _, line := range lines {
		line = strings.TrimSpace(line)
		inside = inside || line == "-----BEGIN CERTIFICATE-----"
		if inside {
			found.WriteString(line + "\n")
		}
		inside = inside && line != "-----END CERTIFICATE-----"
	}
	return found.String()
}
