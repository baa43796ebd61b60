// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/text"
)

// The pages that this package's behavior is documented on.
const (
	tokenFormatPage = "../../docs/token-format.md"
	badKeysPage     = "../../docs/bad-keys.md"
)

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fences are the code blocks of a page in one language.
func fences(page, language string) []string {
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)\n```").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

func TestTokenFormatQuotesTheVector(t *testing.T) {
	page := readPage(t, tokenFormatPage)
	vector := readVector(t, vectorPath(vectorDocumentName))
	jws, failure := parseCompact(vector.Token)
	if failure != nil {
		t.Fatal(failure)
	}
	header, err := strictBase64URL.DecodeString(strings.SplitN(vector.Token, ".", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	blocks := append(fences(page, "text"), fences(page, "json")...)
	for name, want := range map[string]string{
		"root's key": vectorRootSeed, "signer's key": vectorSignerSeed,
		"trust anchor": strings.TrimSpace(vector.TrustAnchors),
		"header":       string(header), "payload": string(jws.payload), "token": vector.Token,
	} {
		if !slices.Contains(blocks, want) {
			t.Errorf("the page does not quote the vector's %s: %s", name, want)
		}
	}
}

// TestTokenFormatSchema holds the schema on the page against the bounds of the code.
func TestTokenFormatSchema(t *testing.T) {
	type schema struct {
		Required   []string `json:"required"`
		Properties map[string]struct {
			Ref           string  `json:"$ref"`
			MaxLength     int     `json:"maxLength"`
			MaxItems      int     `json:"maxItems"`
			MaxProperties int     `json:"maxProperties"`
			Maximum       float64 `json:"maximum"`
			Items         struct {
				MaxLength int `json:"maxLength"`
			} `json:"items"`
			OneOf []struct {
				MaxItems int `json:"maxItems"`
			} `json:"oneOf"`
			PropertyNames struct {
				Pattern string `json:"pattern"`
			} `json:"propertyNames"`
		} `json:"properties"`
		Definitions map[string]struct {
			MaxLength int     `json:"maxLength"`
			Maximum   float64 `json:"maximum"`
			Pattern   string  `json:"pattern"`
		} `json:"$defs"`
	}
	var found schema
	for _, block := range fences(readPage(t, tokenFormatPage), "json") {
		if strings.Contains(block, `"$schema"`) {
			if err := json.Unmarshal([]byte(block), &found); err != nil {
				t.Fatal(err)
			}
		}
	}
	property := found.Properties
	names := slices.Sorted(maps.Keys(property))
	if want := []string{
		"aud", "cluster_uids", "exp", "features", "grace_period", "iat", "iss",
		"jti", "limits", "nbf", "sub",
	}; !slices.Equal(names, want) {
		t.Errorf("claims: got %v, want %v", names, want)
	}
	if want := []string{"sub", "aud", "jti", "iat", "exp"}; !slices.Equal(found.Required,
		want) {
		t.Errorf("required: got %v, want %v", found.Required, want)
	}
	for name, pair := range map[string][2]any{
		"sub":            {property["sub"].MaxLength, maxSubjectLength},
		"jti":            {property["jti"].MaxLength, maxIDLength},
		"iss":            {property["iss"].MaxLength, maxIssuerLength},
		"aud":            {property["aud"].OneOf[1].MaxItems, maxAudiences},
		"an aud":         {found.Definitions["audience"].MaxLength, maxAudienceLength},
		"features":       {property["features"].MaxItems, maxFeatures},
		"a feature":      {property["features"].Items.MaxLength, maxFeatureLength},
		"limits":         {property["limits"].MaxProperties, maxLimits},
		"a limit's name": {property["limits"].PropertyNames.Pattern, limitName.String()},
		"cluster_uids":   {property["cluster_uids"].MaxItems, maxClusterUIDs},
		"a cluster_uid":  {property["cluster_uids"].Items.MaxLength, maxClusterUIDLength},
		"grace_period":   {property["grace_period"].Maximum, float64(maxGracePeriod)},
		"instants":       {found.Definitions["instant"].Maximum, float64(maxTime)},
		"exp":            {property["exp"].Ref, "#/$defs/instant"},
		"iat":            {property["iat"].Ref, "#/$defs/instant"},
		"nbf":            {property["nbf"].Ref, "#/$defs/instant"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: the page says %v, the code %v", name, pair[0], pair[1])
		}
	}
	checkTextPattern(t, found.Definitions["text"].Pattern)
}

// checkTextPattern compares the characters that the schema refuses with those that the code refuses. ECMA-262 and Go
// write them differently.
func checkTextPattern(t *testing.T, pattern string) {
	t.Helper()
	accepted := regexp.MustCompile(regexp.MustCompile(`\\u([0-9a-f]{4})`).ReplaceAllString(pattern, `\x{$1}`))
	for r := rune(0); r <= 0xffff; r++ {
		if r >= 0xd800 && r <= 0xdfff {
			continue
		}
		if accepted.MatchString(string(r)) == text.IsDeceptive(r) {
			t.Errorf("U+%04X: accepted by the schema is %t", r, accepted.MatchString(string(r)))
		}
	}
}

// TestOpenSSL runs the shell code on the page, once with each algorithm, and verifies the tokens that it makes.
func TestOpenSSL(t *testing.T) {
	unable := t.Skipf
	if os.Getenv("CI") != "" {
		unable = t.Fatalf // The gate installs what this needs.
	}
	for _, tool := range []string{"sh", "openssl", "awk", "xxd"} {
		if _, err := exec.LookPath(tool); err != nil {
			unable("no %s", tool)
		}
	}
	if version, err := exec.Command("openssl", "version").Output(); err != nil ||
		!strings.HasPrefix(string(version), "OpenSSL 3") {
		unable("not OpenSSL 3: %s", version)
	}
	blocks := fences(readPage(t, tokenFormatPage), "sh")
	if len(blocks) != 4 {
		t.Fatalf("%d blocks of shell code, want one for each of three algorithms, and the script", len(blocks))
	}
	for i, algorithm := range algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			command := exec.Command("sh", "-c", blocks[i]+"\n"+blocks[3])
			command.Dir = directory
			if output, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			read := func(name string) string { return readPage(t, filepath.Join(directory, name)) }
			product := &api.LicensedProduct{Spec: api.LicensedProductSpec{
				Audience:     "acme-mesh",
				TrustAnchors: read("ca.crt"),
			}}
			result := Verify(read("token"), "", termsOf(t, product), "", time.Now())
			if result.Err != nil || result.Claims.Customer != "Initech" || result.Claims.Limits["nodes"] != 100 {
				t.Errorf("got %+v (%v)", result.Claims, result.Err)
			}
			if _, err := ParseSigner([]byte(read("signer.crt")+read("ca.crt")),
				[]byte(read("signer.key"))); err != nil {
				t.Errorf("its signer: %v", err)
			}
			if _, err := ParseAuthority([]byte(read("ca.crt")), []byte(read("ca.key"))); err != nil {
				t.Errorf("its root: %v", err)
			}
		})
	}
}

func TestBadKeysPageHasEveryReason(t *testing.T) {
	page := readPage(t, badKeysPage)
	for _, reason := range append(slices.Clone(readyReasons), api.ReasonVerified, api.ReasonProductNotFound,
		api.ReasonSecretNotFound,
		api.ReasonTrustAnchorsInvalid) {
		if !strings.Contains(page, "`"+reason+"`") {
			t.Errorf("no %s", reason)
		}
	}
}
