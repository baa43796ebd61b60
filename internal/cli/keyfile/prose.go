// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/token"
)

const (
	// tokenStart is the base64url of a JSON object that begins without white space, as the headers of tokens do.
	tokenStart = "eyJ"
	// maxSignatureLength is the greatest of signatureLengths.
	maxSignatureLength = 683
	// maxTries is how many words of a text are tried as the start of a token. An email has one such word.
	maxTries = 16
)

var (
	tokenPart = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	// signatureLengths are those of EdDSA and ES256, and of RS256 with keys of 2048, 3072 and 4096 bits, in base64url.
	signatureLengths = []int{86, 342, 512, maxSignatureLength}
)

// joined removes what mail programs add to a token: quotation marks, line breaks, soft line breaks, spaces of any kind,
// and invisible hyphens. They cannot be part of a token.
func joined(text string) string {
	var whole strings.Builder
	for line := range strings.Lines(manifest.Unquote(text)) {
		whole.WriteString(solid(line))
	}
	return whole.String()
}

// solid is joined for one line without quotation marks. It also removes invisible characters such as soft hyphens,
// zero-width spaces and byte order marks.
func solid(line string) string {
	line = strings.TrimRightFunc(line, unicode.IsSpace)
	line = strings.TrimSuffix(line, "=") // a soft line break of quoted-printable
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, line)
}

// keyFromProse is the last attempt: a token anywhere in an email, or in a manifest with additional line breaks.
func keyFromProse(text string) (Key, bool) {
	lines := strings.Split(manifest.Unquote(text), "\n")
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
			return Key{Token: found, Certificate: pemIn(lines), Repaired: true}, true
		}
		if tries++; tries == maxTries {
			break
		}
	}
	return Key{}, false
}

// continued is the start of a token and the lines after it, until it is complete or a line cannot belong to it: the
// next line can be the name below an email.
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

// complete returns true if the last of three parts has the length of a signature.
func complete(found []byte) bool {
	tail := found[max(0, len(found)-maxSignatureLength-1):]
	dot := bytes.LastIndexByte(tail, '.')
	return slices.Contains(signatureLengths, len(tail)-dot-1) && bytes.Count(found, []byte{'.'}) == 2
}

// looksLikeToken returns true for the shape of a token and for the start of one: package token describes best what is
// wrong with it.
func looksLikeToken(text string) bool {
	return compactJWS.MatchString(text) || strings.HasPrefix(text, tokenStart) && tokenPart.MatchString(text)
}

// bareWord is a word, or a line of one word, without the quotes and commas of JSON.
func bareWord(text string) string { return strings.Trim(solid(text), `"',`) }

// pemIn is the PEM certificates in lines, without indentation.
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
