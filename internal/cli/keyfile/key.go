// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
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

// Key is a license key as it was found in a file, not decoded yet.
type Key struct {
	Token string
	// Certificate and ProductName are from the spec of the manifest, if it was one.
	Certificate, ProductName string
	// Repaired is true if the token had line breaks or spaces: the operator would reject it as it is in the file.
	Repaired bool
}

// compactJWS is the shape of a token: three parts in base64url. Package token decodes them.
var compactJWS = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$`)

// Read finds the license key in a manifest, a Secret or a token, also after changes by a mail program. It takes the
// first of several keys.
func Read(data []byte) (Key, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return Key{}, Unreadable("Save it as UTF-8 and try again.", "this is UTF-16 text, as Windows writes it")
	}
	text := Text(data)
	if compactJWS.MatchString(text) {
		return Key{Token: text}, nil
	}
	objects, torn := manifest.Objects(text)
	switch holder := Holder(objects); {
	case holder == nil:
	case holder.Kind == manifest.KindSecret:
		return keyFromSecret(holder)
	default:
		return keyFromLicenseKey(holder)
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
		return Key{}, Unreadable(AskForKey, "this is a %s of %s, not a %s of %s", objects[0].Kind,
			objects[0].APIVersion, manifest.KindLicenseKey, api.GroupVersion)
	}
	return Key{}, Unreadable(AskForKey, "no license key found")
}

// Text is the content of a file without a byte order mark and surrounding white space.
func Text(data []byte) string { return strings.TrimSpace(strings.TrimPrefix(string(data), "\ufeff")) }

// Unreadable is the failure if there is no readable key.
func Unreadable(next, format string, args ...any) *command.UserError {
	return command.ExitError(command.ExitUnreadable, next, format, args...)
}

// AskForKey is the hint for a file without a key.
const AskForKey = "Give the file that the vendor sent: a LicenseKey manifest, or the token alone (three parts with " +
	"dots between them)."

// LicenseKeyKind is our kind of license keys: Calico also has a LicenseKey.
var LicenseKeyKind = schema.GroupKind{Group: api.GroupVersion.Group, Kind: manifest.KindLicenseKey}

// Holder is the first LicenseKey, or else the first Secret; nil if there is neither.
func Holder(objects []manifest.Object) *manifest.Object {
	for _, kind := range []schema.GroupKind{LicenseKeyKind, {Kind: manifest.KindSecret}} {
		if i := slices.IndexFunc(objects, func(o manifest.Object) bool { return o.Is(kind) }); i >= 0 {
			return &objects[i]
		}
	}
	return nil
}

func keyFromLicenseKey(o *manifest.Object) (Key, error) {
	var key api.LicenseKey
	if err := json.Unmarshal(o.Raw, &key); err != nil {
		return Key{}, Unreadable("Compare it with 'kubectl explain lk.spec'.", "the LicenseKey cannot be read: %s",
			manifest.DecodingProblem(err))
	}
	spec := &key.Spec
	token, ref := joined(spec.Token), spec.TokenSecretRef
	switch {
	case token == "" && ref != nil:
		return Key{}, Unreadable(fmt.Sprintf("In the namespace that license-operator runs in: kubectl get secret %s "+
			"-o yaml | kubectl license inspect -", text.ShellQuote(ref.Name)), "the token of LicenseKey %s is not in "+
			"the manifest, but in the entry %s of Secret %s", key.Name, ref.Key, ref.Name)
	case token == "":
		return Key{}, Unreadable("Ask the vendor for the complete manifest.", "LicenseKey %s has no spec.token",
			key.Name)
	}
	return Key{token, spec.Certificate, spec.ProductName, token != strings.TrimSpace(spec.Token)}, nil
}

// keyFromSecret takes the only entry that looks like a token.
func keyFromSecret(o *manifest.Object) (Key, error) {
	var secret corev1.Secret
	if err := json.Unmarshal(o.Raw, &secret); err != nil {
		return Key{}, Unreadable(AskForKey, "the Secret cannot be decoded")
	}
	entries := make(map[string]string, len(secret.Data)+len(secret.StringData))
	for name, value := range secret.Data {
		entries[name] = string(value)
	}
	maps.Copy(entries, secret.StringData)
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
