// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/text"
)

// Key is a license key as it was found in a file; nothing of it has been looked into.
type Key struct {
	Token string
	// Certificate is spec.certificate of the manifest, where it has one.
	Certificate string
	// ProductName is spec.productName of the manifest, where it was one.
	ProductName string
	// Repaired tells that the token was not in one piece: as it stands in the file, it would be refused.
	Repaired bool
}

// compactJWS is the shape of a token: three parts in base64url. Whether they can be decoded is for package token to
// say.
var compactJWS = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`)

// Read finds the license key in whatever a customer has at hand: a manifest, a Secret, a bare token, or one of these
// as a mail program left it. Where there are several keys it takes the first.
func Read(data []byte) (Key, error) {
	if isUTF16(data) {
		return Key{},
			Unreadable("Save it as UTF-8 and try again.", "this is UTF-16 text, as Windows writes it")
	}
	text := Text(data)
	if compactJWS.MatchString(text) {
		return Key{Token: text}, nil
	}
	objects, torn := manifest.Objects(text)
	if holder := Holder(objects); holder != nil {
		return keyFromObject(holder)
	}
	if len(objects) == 0 || torn {
		if key, found := keyFromProse(text); found {
			return key, nil
		}
		if token := joined(text); looksLikeToken(token) {
			return Key{Token: token, Repaired: token != text}, nil
		}
	}
	if len(objects) > 0 {
		return Key{}, Unreadable(AskForKey, "this is a %s of %s, not a %s of %s",
			objects[0].Kind, objects[0].APIVersion, manifest.KindLicenseKey, api.GroupVersion)
	}
	return Key{}, Unreadable(AskForKey, "no license key found")
}

// Text is what was read without what may be around it.
func Text(data []byte) string {
	return strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff"))
}

func isUTF16(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
}

// Unreadable is the failure where there is nothing to be read as a key.
func Unreadable(next, format string, args ...any) *command.UserError {
	return command.ExitError(command.ExitUnreadable, next, format, args...)
}

// AskForKey says what to give instead of what is no key.
const AskForKey = "Give the file that the vendor sent: a LicenseKey manifest, or the token alone (three parts with " +
	"dots between them)."

// keyHolders are the kinds of objects that a key can be in, the likelier one first.
var keyHolders = []schema.GroupKind{LicenseKeyKind, {Kind: manifest.KindSecret}}

// LicenseKeyKind is our kind of license keys: others have one of that name.
var LicenseKeyKind = schema.GroupKind{Group: api.GroupVersion.Group, Kind: manifest.KindLicenseKey}

// Holder is the first LicenseKey, or else the first Secret; nil where there is neither.
func Holder(objects []manifest.Object) *manifest.Object {
	for _, kind := range keyHolders {
		if i := slices.IndexFunc(objects, func(o manifest.Object) bool { return o.Is(kind) }); i >= 0 {
			return &objects[i]
		}
	}
	return nil
}

func keyFromObject(o *manifest.Object) (Key, error) {
	if o.Kind == manifest.KindSecret {
		return keyFromSecret(o)
	}
	return keyFromLicenseKey(o)
}

func keyFromLicenseKey(o *manifest.Object) (Key, error) {
	var key api.LicenseKey
	if err := json.Unmarshal(o.Raw, &key); err != nil {
		return Key{},
			Unreadable("Compare it with 'kubectl explain lk.spec'.", "the LicenseKey cannot be read: %s",
				manifest.DecodingProblem(err))
	}
	token := joined(key.Spec.Token)
	ref := key.Spec.TokenSecretRef
	switch {
	case token == "" && ref != nil:
		return Key{}, Unreadable(
			fmt.Sprintf("In the namespace that license-operator runs in: kubectl get secret %s -o yaml | kubectl "+
				"license inspect -", text.ShellQuote(ref.Name)),
			"the token of LicenseKey %s is not in the manifest, but in the entry %s of Secret %s", key.Name, ref.Key,
			ref.Name)
	case token == "":
		return Key{},
			Unreadable("Ask the vendor for the complete manifest.", "LicenseKey %s has no spec.token", key.Name)
	}
	return Key{
		Token:       token,
		Certificate: key.Spec.Certificate,
		ProductName: key.Spec.ProductName,
		Repaired:    token != strings.TrimSpace(key.Spec.Token),
	}, nil
}

// keyFromSecret takes the one entry that looks like a token.
func keyFromSecret(o *manifest.Object) (Key, error) {
	var secret corev1.Secret
	if err := json.Unmarshal(o.Raw, &secret); err != nil {
		return Key{}, Unreadable(AskForKey, "the Secret cannot be read as one")
	}
	entries := make(map[string]string, len(secret.Data)+len(secret.StringData))
	for name, value := range secret.Data {
		entries[name] = string(value)
	}
	for name, value := range secret.StringData {
		entries[name] = value
	}
	var found []string
	var key Key
	for name, value := range entries {
		if token := joined(value); compactJWS.MatchString(token) {
			found = append(found, name)
			key = Key{Token: token, Repaired: token != strings.TrimSpace(value)}
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return Key{}, Unreadable(AskForKey, "no entry of Secret %s is a token", secret.Name)
	case 1:
		return key, nil
	default:
		return Key{}, Unreadable("Give one of them alone.", "Secret %s has several tokens: %s", secret.Name,
			strings.Join(found, ", "))
	}
}
