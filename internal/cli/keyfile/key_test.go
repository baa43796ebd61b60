// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
)

// wrapped breaks text into lines of a width, as mail programs do with long words.
func wrapped(text string, width int, prefix, end string) string {
	var lines strings.Builder
	for len(text) > width {
		lines.WriteString(prefix + text[:width] + end)
		text = text[width:]
	}
	return lines.String() + prefix + text + end
}

func TestReadKey(t *testing.T) {
	token, manifest := clitest.Key(t)
	withCertificate := manifest + "  certificate: |\n" + clitest.Indented(clitest.PEM, "    ")
	asJSON := fmt.Sprintf(
		`{"apiVersion":"license-operator.io/v1alpha1","kind":"LicenseKey","spec":{"productName":"acme-mesh",`+
			`"token":%q}}`, token)
	bare := Key{Token: token}
	inManifest := Key{Token: token, ProductName: "acme-mesh"}
	repaired := Key{Token: token, Repaired: true}
	for name, test := range map[string]struct {
		text string
		want Key
	}{
		"a token":                           {token, bare},
		"a token and a line break":          {token + "\r\n", bare},
		"a token in white space":            {" \t\n" + token + "\n\n", bare},
		"a token behind a byte order mark":  {"\ufeff" + token, bare},
		"a manifest":                        {manifest, inManifest},
		"a manifest from Windows":           {strings.ReplaceAll(manifest, "\n", "\r\n"), inManifest},
		"a manifest with a byte order mark": {"\ufeff" + manifest, inManifest},
		"a manifest in JSON":                {asJSON, inManifest},
		"a manifest with a certificate": {
			withCertificate,
			Key{Token: token, ProductName: "acme-mesh", Certificate: clitest.PEM},
		},
		"the second document": {
			"# hello\n---\n" + clitest.Product("acme-mesh", clitest.PEM, "") + "---\n" + manifest,
			inManifest,
		},
		"the first of two keys": {
			manifest + "---\n" + strings.ReplaceAll(manifest, "acme-mesh", "other"),
			inManifest,
		},
		"a list": {"apiVersion: v1\nkind: List\nitems:\n- " +
			strings.ReplaceAll(strings.TrimSpace(manifest), "\n", "\n  "), inManifest},
		"a list in JSON": {
			`{"apiVersion":"license-operator.io/v1alpha1","kind":"LicenseKeyList","items":[` + asJSON + `]}`,
			inManifest,
		},
		"a Secret": {"apiVersion: v1\nkind: Secret\ndata:\n  other: eA==\n  jwt: " +
			base64.StdEncoding.EncodeToString([]byte(token+"\n")), bare},
		"a Secret with stringData":            {"apiVersion: v1\nkind: Secret\nstringData:\n  jwt: " + token, bare},
		"a token in lines":                    {wrapped(token, 76, "", "\n"), repaired},
		"a token in lines from Windows":       {wrapped(token, 76, "", "\r\n"), repaired},
		"a quoted token":                      {wrapped(token, 74, "> ", "\n"), repaired},
		"a token quoted twice":                {wrapped(token, 72, "> > ", "\n"), repaired},
		"a token quoted twice without spaces": {wrapped(token, 72, ">>", "\n"), repaired},
		"a token with lines of white space":   {wrapped(token, 72, "  ", " \n\n"), repaired},
		"a token as quoted-printable":         {wrapped(token, 75, "", "=\n"), repaired},
		"a token with soft hyphens":           {wrapped(token, 10, "", "\u00ad"), repaired},
		"a token with invisible spaces":       {wrapped(token, 10, "\u00a0", "\u200b"), repaired},
		"a token in an email": {
			"Dear customer,\n\nhere is your key:\n\n" + wrapped(token, 76, "", "\n") + "\nRegards\nBob", repaired,
		},
		"a token right above a name":      {"Your key: " + token + "\nBob", repaired},
		"a token right above a signature": {wrapped(token, 76, "", "\n") + "-- \nBob", repaired},
		"a quoted email": {
			"> Dear customer,\n> your key:\n> \n" + wrapped(token, 74, "> ", "\n") + "> \n> Bob", repaired,
		},
		"a quoted manifest": {clitest.Indented(manifest, "> "), inManifest},
		"a folded manifest": {
			strings.Replace(manifest, token, "\n"+wrapped(token, 70, "    ", "\n"), 1),
			Key{Token: token, ProductName: "acme-mesh", Repaired: true},
		},
		"a torn manifest": {strings.Replace(manifest, token, wrapped(token, 66, "", "\n"), 1), repaired},
		"a torn and quoted manifest with a certificate": {
			strings.Replace(clitest.Indented(withCertificate, "> "), token, wrapped(token, 60, "", "\n> "), 1),
			Key{Token: token, Certificate: clitest.PEM, Repaired: true},
		},
		"a torn manifest in JSON": {
			strings.Replace(asJSON, token, wrapped(token, 76, "", "\n"), 1), // which YAML can read
			Key{Token: token, ProductName: "acme-mesh", Repaired: true},
		},
	} {
		got, err := Read([]byte(test.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got != test.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, test.want)
		}
	}
}

// TestReadKeyWrappedAtAnyWidth: lines of any width, with any text around them.
func TestReadKeyWrappedAtAnyWidth(t *testing.T) {
	token, _ := clitest.Key(t)
	for width := 1; width <= len(token)+1; width += 1 + width/20 {
		for _, mail := range []string{
			wrapped(token, width, "", "\n"),
			wrapped(token, width, "> ", "\r\n"),
			"Hello,\n\n" + wrapped(token, max(width, 8), "", "\n") + "\nBye,\nBob\n",
		} {
			if got, err := Read([]byte(mail)); err != nil || got.Token != token {
				t.Fatalf("width %d: %+v, %v from\n%s", width, got, err, mail)
			}
		}
	}
}

func TestReadKeyRefuses(t *testing.T) {
	token, manifest := clitest.Key(t)
	head := "apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nmetadata: {name: k}\n"
	for name, test := range map[string]struct{ text, want string }{
		"nothing":             {"", "no license key found"},
		"white space":         {" \n\t", "no license key found"},
		"prose":               {"Dear customer,\nplease find attached.", "no license key found"},
		"YAML without a kind": {"a: b\n", "no license key found"},
		"something else": {
			"apiVersion: v1\nkind: ConfigMap\ndata:\n  t: " + token,
			"this is a ConfigMap of v1, not a LicenseKey of license-operator.io/v1alpha1",
		},
		"a kubeconfig with a token": {
			"apiVersion: v1\nkind: Config\nusers:\n- user:\n    token: " + token,
			"this is a Config of v1, not a LicenseKey of license-operator.io/v1alpha1",
		},
		"Calico's kind of the same name": {
			"apiVersion: projectcalico.org/v3\nkind: LicenseKey\nspec: {token: x}",
			"this is a LicenseKey of projectcalico.org/v3, not a LicenseKey of license-operator.io/v1alpha1",
		},
		"no token": {head + "spec: {productName: p}\n", "LicenseKey k has no spec.token"},
		"no spec":  {head, "LicenseKey k has no spec.token"},
		"a reference": {
			head + "spec: {tokenSecretRef: {name: s, key: e}}\n",
			"the token of LicenseKey k is not in the manifest, but in the entry e of Secret s",
		},
		"a token of another type": {
			head + "spec: {token: [1]}\n",
			"the LicenseKey cannot be read: its spec.token is of type array",
		},
		"an empty Secret": {
			"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
			"no entry of Secret s is a token",
		},
		"an invalid Secret": {
			"apiVersion: v1\nkind: Secret\ndata: 1\n",
			"the Secret cannot be decoded",
		},
		"an empty list": {"apiVersion: v1\nkind: List\nitems: []\n", "no license key found"},
		"UTF-16":        {"\xff\xfe" + manifest, "this is UTF-16 text, as Windows writes it"},
	} {
		_, err := Read([]byte(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("%s:\ngot  %v\nwant %s", name, err, test.want)
		}
	}
}

// TestReadKeyQuotesCommands: content of a manifest must not run as a part of a command that users copy.
func TestReadKeyQuotesCommands(t *testing.T) {
	_, err := Read([]byte("apiVersion: license-operator.io/v1alpha1\nkind: LicenseKey\nspec: {tokenSecretRef: " +
		"{name: 'x; reboot', key: e}}\n"))
	refused, ok := err.(*command.UserError) //nolint:errorlint // it is not wrapped
	if !ok || !strings.Contains(refused.Hint, "secret 'x; reboot' -o") {
		t.Errorf("got %+v", err)
	}
}

// TestReadKeyOfHugeFiles: files that are made to be slow do not take too long. To keep the test short, they are a
// fraction of the largest file that is read; the time grows in proportion.
func TestReadKeyOfHugeFiles(t *testing.T) {
	for _, unit := range []string{
		"eyJ\n", "eyJ.\n", "eyJ ", "e", ".", ">", "> eyJ\n", "[", "{", "- ", "---\n", "a: ",
		"-----BEGIN CERTIFICATE-----\n", "\u00ad", "=\n", "&a *a ", "\"",
	} {
		started := time.Now()
		if _, err := Read([]byte(strings.Repeat(unit, files.MaxBytes/64/len(unit)))); err != nil &&
			command.PrintError(io.Discard, err) != command.ExitUnreadable {
			t.Errorf("%q: %v", unit, err)
		}
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("a file of %q took %s", unit, took)
		}
	}
}

func FuzzReadKey(f *testing.F) {
	token, manifest := clitest.Key(f)
	for _, seed := range []string{
		"", token, manifest, wrapped(token, 76, "> ", "\r\n"), clitest.Indented(manifest, "> "),
		wrapped(manifest, 40, "", "\n"), "eyJ", "eyJ.eyJ.", "> > >",
		"apiVersion: v1\nkind: List\nitems:\n- null\n- kind: List\n", "apiVersion: v1\nkind: Secret\ndata: {a: b}\n",
		"---\n---\n--- |\n", "a: &a [*a]",
		"-----BEGIN CERTIFICATE-----\n", "\ufeff\xff\xfe",
		"kind: LicenseKey\napiVersion: license-operator.io/v2\nspec: {token: '>\n> e'}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := Read(data)
		if err != nil {
			if command.PrintError(io.Discard, err) != command.ExitUnreadable {
				t.Fatalf("not an answer: %v", err)
			}
			return
		}
		if key.Token == "" || strings.ContainsFunc(key.Token, unicode.IsSpace) {
			t.Fatalf("%q is not a token", key.Token)
		}
		again, err := Read([]byte(key.Token))
		if err == nil && again.Token != key.Token {
			t.Fatalf("%q was read again as %q", key.Token, again.Token)
		}
	})
}
