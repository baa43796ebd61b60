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

// joined takes out what mail programs put into a token: marks of quotation, line breaks, the marks of soft ones, spaces
// of any kind, hyphens that do not show. None of it can be part of a token.
func joined(text string) string {
	var whole strings.Builder
	for line := range strings.Lines(manifest.Unquote(text)) {
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

// keyFromProse is the last resort: a token somewhere in a mail, or in a manifest that line breaks have torn.
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
