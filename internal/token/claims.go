// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// Names of the claims (RFC 7519, section 4.1, and our own).
const (
	claimIssuer      = "iss"
	claimSubject     = "sub"
	claimAudience    = "aud"
	claimID          = "jti"
	claimIssuedAt    = "iat"
	claimNotBefore   = "nbf"
	claimExpiry      = "exp"
	claimGracePeriod = "grace_period"
	claimFeatures    = "features"
	claimLimits      = "limits"
	claimClusterUIDs = "cluster_uids"
)

// Bounds of claims: lengths in characters, counts of entries, and seconds.
const (
	maxIssuerLength     = 256
	maxSubjectLength    = 256
	maxAudienceLength   = 253
	maxAudiences        = 16
	maxIDLength         = 253
	maxFeatureLength    = 128
	maxFeatures         = 128
	maxLimits           = 64
	maxClusterUIDLength = 63
	maxClusterUIDs      = 64
	// maxGracePeriod is ten years of 365 days.
	maxGracePeriod = 10 * 365 * 24 * 3600
	// maxInstant is 9999-12-31T23:59:59Z, the last instant that RFC 3339 can write.
	maxInstant = 253402300799
)

var limitName = regexp.MustCompile(`^[A-Za-z0-9][-_.A-Za-z0-9]{0,62}$`)

// parseClaims reads a payload whose signature has been verified. All its errors are ClaimsInvalid.
func parseClaims(payload []byte) (*license.Claims, *Error) {
	claims, err := decodeClaims(payload)
	if err != nil {
		return nil, invalidClaims(err)
	}
	return claims, nil
}

func invalidClaims(err error) *Error {
	return fail(api.ReasonClaimsInvalid, "The license cannot be used: %v. Ask the vendor for a corrected key.", err)
}

// checkIssued is the one check of a claim that time changes the outcome of. Its message does not depend on the time.
func checkIssued(claims *license.Claims, now time.Time) (failure *Error, recheck time.Time) {
	recheck = claims.IssuedTime.Add(-license.IssuedAhead)
	if !now.Before(recheck) {
		return nil, time.Time{}
	}
	return fail(api.ReasonClaimsInvalid,
		"Claim iat, the time of issue, is %s, which is more than 5 minutes ahead of the clock here: "+
			"correct the clock, or wait until the key has been issued.", instant(claims.IssuedTime)), recheck
}

// decodeClaims reads a payload whatever its signature and the time. Unknown claims are ignored. Its errors complete a
// sentence.
func decodeClaims(payload []byte) (*license.Claims, error) {
	members, err := decodeObject(payload)
	if err != nil {
		return nil, fmt.Errorf("the token's payload %w", err)
	}
	reader := claimReader{members: members}
	claims := &license.Claims{
		Customer:    reader.text(claimSubject, required, maxSubjectLength),
		Audience:    reader.audience(),
		ID:          reader.text(claimID, required, maxIDLength),
		Issuer:      reader.text(claimIssuer, optional, maxIssuerLength),
		IssuedTime:  reader.instant(claimIssuedAt),
		Expiry:      reader.instant(claimExpiry),
		GracePeriod: time.Duration(reader.integer(claimGracePeriod, optional, maxGracePeriod)) * time.Second,
		Features:    reader.texts(claimFeatures, 0, maxFeatures, maxFeatureLength),
		Limits:      reader.limits(),
		ClusterUIDs: reader.texts(claimClusterUIDs, 1, maxClusterUIDs, maxClusterUIDLength),
	}
	claims.NotBefore = claims.IssuedTime
	if reader.has(claimNotBefore) {
		claims.NotBefore = reader.instant(claimNotBefore)
	}
	if reader.err != nil {
		return nil, reader.err
	}
	return claims, checkRelations(claims)
}

// checkRelations checks claims that are well-formed one by one against each other.
func checkRelations(claims *license.Claims) error {
	switch {
	case claims.Expiry.Before(claims.IssuedTime):
		return fmt.Errorf("claim exp, %s, is before claim iat, %s", instant(claims.Expiry), instant(claims.IssuedTime))
	case claims.Expiry.Before(claims.NotBefore):
		return fmt.Errorf("claim exp, %s, is before claim nbf, %s", instant(claims.Expiry), instant(claims.NotBefore))
	case claims.GraceEnd().Unix() > maxInstant:
		return fmt.Errorf("claims exp and grace_period end after %s", instant(time.Unix(maxInstant, 0)))
	}
	seen := make(map[string]struct{}, len(claims.Features))
	for _, feature := range claims.Features {
		if _, duplicate := seen[feature]; duplicate {
			return fmt.Errorf("claim features has %s twice", quote(feature))
		}
		seen[feature] = struct{}{}
	}
	return nil
}

// presence says whether a claim may be missing.
type presence bool

const (
	required presence = true
	optional presence = false
)

// claimReader reads claims one after the other and keeps the first error. A claim that is null is wrong, not missing.
type claimReader struct {
	members map[string]any
	err     error
}

func (r *claimReader) has(name string) bool {
	_, ok := r.members[name]
	return ok
}

// value is nil if there is nothing to read.
func (r *claimReader) value(name string, presence presence) (value any, ok bool) {
	value, ok = r.members[name]
	if !ok && presence == required {
		r.fail(name, "is missing")
	}
	return value, ok
}

func (r *claimReader) fail(name, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("claim %s %s", name, fmt.Sprintf(format, args...))
	}
}

func (r *claimReader) text(name string, presence presence, maxLength int) string {
	value, ok := r.value(name, presence)
	if !ok {
		return ""
	}
	return r.checkText(name, value, maxLength)
}

func (r *claimReader) checkText(name string, value any, maxLength int) string {
	text, ok := value.(string)
	switch {
	case !ok:
		r.fail(name, "must be a string")
	case text == "" || utf8.RuneCountInString(text) > maxLength:
		r.fail(name, "must have 1 to %d characters", maxLength)
	case strings.ContainsFunc(text, isDeceptive):
		r.fail(name, "has a control character, a line separator, a bidirectional control or U+FFFD")
	}
	return text
}

// isDeceptive is true of characters that could forge a line of a log or the look of a table: the names go there.
// U+FFFD is among them because it stands for text that was damaged.
func isDeceptive(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError ||
		unicode.Is(unicode.Bidi_Control, r)
}

// texts reads an optional array of strings; nil for none.
func (r *claimReader) texts(name string, minCount, maxCount, maxLength int) []string {
	value, ok := r.value(name, optional)
	if !ok {
		return nil
	}
	elements, ok := value.([]any)
	if !ok || len(elements) < minCount || len(elements) > maxCount {
		r.fail(name, "must be an array of %d to %d strings", minCount, maxCount)
		return nil
	}
	var texts []string
	for i, element := range elements {
		texts = append(texts, r.checkText(fmt.Sprintf("%s[%d]", name, i), element, maxLength))
	}
	return texts
}

// audience may be one string instead of an array (RFC 7519, section 4.1.3).
func (r *claimReader) audience() []string {
	value, ok := r.value(claimAudience, required)
	if !ok {
		return nil
	}
	if _, isArray := value.([]any); isArray {
		return r.texts(claimAudience, 1, maxAudiences, maxAudienceLength)
	}
	return []string{r.checkText(claimAudience, value, maxAudienceLength)}
}

func (r *claimReader) integer(name string, presence presence, maximum int64) int64 {
	value, ok := r.value(name, presence)
	if !ok {
		return 0
	}
	return r.checkInteger(name, value, maximum)
}

// checkInteger accepts JSON numbers without fraction and exponent, 0 to maximum.
func (r *claimReader) checkInteger(name string, value any, maximum int64) int64 {
	number, ok := value.(jsontext.Value)
	if !ok || strings.ContainsAny(number.String(), ".eE") {
		r.fail(name, "must be an integer")
		return 0
	}
	integer, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || integer < 0 || integer > maximum {
		r.fail(name, "must be from 0 to %d", maximum)
		return 0
	}
	return integer
}

// instant reads a required number of seconds since 1970.
func (r *claimReader) instant(name string) time.Time {
	return time.Unix(r.integer(name, required, maxInstant), 0).UTC()
}

// limits returns nil for none. It reads in the order of the names, so that the same payload always fails with the same
// message.
func (r *claimReader) limits() map[string]int64 {
	value, ok := r.value(claimLimits, optional)
	if !ok {
		return nil
	}
	members, ok := value.(map[string]any)
	if !ok || len(members) > maxLimits {
		r.fail(claimLimits, "must be an object of at most %d integers", maxLimits)
		return nil
	}
	if len(members) == 0 {
		return nil
	}
	limits := make(map[string]int64, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !limitName.MatchString(name) {
			r.fail(claimLimits, "has the name %s, but names have 1 to 63 letters, digits, '-', '_' and '.', and "+
				"begin with a letter or digit", quote(name))
			return nil
		}
		limits[name] = r.checkInteger(claimLimits+"."+name, members[name], math.MaxInt64)
	}
	return limits
}

// payload is the JSON form of claims.
type payload struct {
	Issuer      string           `json:"iss,omitempty"`
	Subject     string           `json:"sub"`
	Audience    any              `json:"aud"`
	ID          string           `json:"jti"`
	IssuedAt    int64            `json:"iat"`
	NotBefore   *int64           `json:"nbf,omitzero"`
	Expiry      int64            `json:"exp"`
	GracePeriod int64            `json:"grace_period,omitzero"`
	Features    []string         `json:"features,omitempty"`
	Limits      map[string]int64 `json:"limits,omitempty"`
	ClusterUIDs []string         `json:"cluster_uids,omitempty"`
}

// encodeClaims returns a payload that decodeClaims accepts, or why there is none. A zero NotBefore is left out, and
// means IssuedTime.
func encodeClaims(claims *license.Claims) ([]byte, error) {
	if err := checkWholeSeconds(claims); err != nil {
		return nil, err
	}
	members := payload{
		Issuer:      claims.Issuer,
		Subject:     claims.Customer,
		Audience:    claims.Audience,
		ID:          claims.ID,
		IssuedAt:    claims.IssuedTime.Unix(),
		Expiry:      claims.Expiry.Unix(),
		GracePeriod: int64(claims.GracePeriod / time.Second),
		Features:    claims.Features,
		Limits:      claims.Limits,
		ClusterUIDs: claims.ClusterUIDs,
	}
	if len(claims.Audience) == 1 {
		members.Audience = claims.Audience[0]
	}
	if !claims.NotBefore.IsZero() {
		notBefore := claims.NotBefore.Unix()
		members.NotBefore = &notBefore
	}
	encoded, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding the claims: %w", err)
	}
	_, err = decodeClaims(encoded)
	return encoded, err
}

func checkWholeSeconds(claims *license.Claims) error {
	for _, t := range []time.Time{claims.IssuedTime, claims.NotBefore, claims.Expiry} {
		if t.Nanosecond() != 0 {
			return errors.New("claims iat, nbf and exp must be whole seconds")
		}
	}
	if claims.GracePeriod%time.Second != 0 {
		return errors.New("claim grace_period must be whole seconds")
	}
	return nil
}
