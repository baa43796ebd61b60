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
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
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
	// maxTime is 9999-12-31T23:59:59Z, the last second that RFC 3339 can express.
	maxTime = 253402300799
)

var limitName = regexp.MustCompile(`^[A-Za-z0-9][-_.A-Za-z0-9]{0,62}$`)

// parseClaims reads a payload whose signature has been verified. All its errors are ClaimsInvalid.
func parseClaims(payload []byte) (*license.Claims, *Error) {
	claims, err := decodeClaims(payload)
	if err != nil {
		return nil, fail(api.ReasonClaimsInvalid, "Invalid license: %v. Ask the vendor for a corrected key.", err)
	}
	return claims, nil
}

// checkIssued checks that the key was not issued in the future. It returns when to check again. The message does not
// depend on the time.
func checkIssued(claims *license.Claims, now time.Time) (failure *Error, recheck time.Time) {
	recheck = claims.IssuedTime.Add(-license.IssuedAhead)
	if !now.Before(recheck) {
		return nil, time.Time{}
	}
	return fail(api.ReasonClaimsInvalid,
		"The issue time %s is in the future (claim iat). Correct the clock, or wait.",
		text.Time(claims.IssuedTime)), recheck
}

// decodeClaims reads a payload. It checks neither the signature nor the time, and ignores unknown claims. Its errors
// complete a sentence.
func decodeClaims(payload []byte) (*license.Claims, error) {
	members, err := decodeObject(payload)
	if err != nil {
		return nil, fmt.Errorf("the payload %w", err)
	}
	reader := claimReader{members: members}
	claims := &license.Claims{
		Customer:    reader.string("sub", required, maxSubjectLength),
		Audience:    reader.audience(),
		ID:          reader.string("jti", required, maxIDLength),
		Issuer:      reader.string("iss", optional, maxIssuerLength),
		IssuedTime:  reader.time("iat"),
		Expiry:      reader.time("exp"),
		GracePeriod: time.Duration(reader.integer("grace_period", optional, maxGracePeriod)) * time.Second,
		Features:    reader.strings("features", 0, maxFeatures, maxFeatureLength),
		Limits:      reader.limits(),
		ClusterUIDs: reader.strings("cluster_uids", 1, maxClusterUIDs, maxClusterUIDLength),
	}
	claims.NotBefore = claims.IssuedTime
	if _, ok := members["nbf"]; ok {
		claims.NotBefore = reader.time("nbf")
	}
	if reader.err != nil {
		return nil, reader.err
	}
	return claims, checkRelations(claims)
}

// checkRelations checks valid claims against each other.
func checkRelations(claims *license.Claims) error {
	switch {
	case claims.Expiry.Before(claims.IssuedTime):
		return fmt.Errorf("claim exp (%s) is before claim iat (%s)", text.Time(claims.Expiry),
			text.Time(claims.IssuedTime))
	case claims.Expiry.Before(claims.NotBefore):
		return fmt.Errorf("claim exp (%s) is before claim nbf (%s)",
			text.Time(claims.Expiry), text.Time(claims.NotBefore))
	case claims.GraceEnd().Unix() > maxTime:
		return fmt.Errorf("claims exp and grace_period end after %s", text.Time(time.Unix(maxTime, 0)))
	}
	for i, feature := range claims.Features {
		if slices.Contains(claims.Features[:i], feature) {
			return fmt.Errorf("claim features contains %s twice", quote(feature))
		}
	}
	return nil
}

// Whether a claim may be missing.
const required, optional = true, false

// claimReader reads claims one by one and keeps the first error. A null claim is invalid, not missing.
type claimReader struct {
	members map[string]any
	err     error
}

// value returns a claim; nil if it is missing.
func (r *claimReader) value(name string, isRequired bool) (value any, ok bool) {
	value, ok = r.members[name]
	if !ok && isRequired {
		r.fail(name, "is missing")
	}
	return value, ok
}

func (r *claimReader) fail(name, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("claim %s %s", name, fmt.Sprintf(format, args...))
	}
}

func (r *claimReader) string(name string, isRequired bool, maxLength int) string {
	value, ok := r.value(name, isRequired)
	if !ok {
		return ""
	}
	return r.checkString(name, value, maxLength)
}

func (r *claimReader) checkString(name string, value any, maxLength int) string {
	str, ok := value.(string)
	switch {
	case !ok:
		r.fail(name, "must be a string")
	case str == "" || utf8.RuneCountInString(str) > maxLength:
		r.fail(name, "must have 1 to %d characters", maxLength)
	case strings.ContainsFunc(str, text.IsDeceptive):
		r.fail(name, "contains a control character, a line separator, a bidirectional control or U+FFFD")
	}
	return str
}

// strings reads an optional array of strings; nil for none.
func (r *claimReader) strings(name string, minCount, maxCount, maxLength int) []string {
	value, ok := r.value(name, optional)
	if !ok {
		return nil
	}
	elements, ok := value.([]any)
	if !ok || len(elements) < minCount || len(elements) > maxCount {
		r.fail(name, "must be an array of %d to %d strings", minCount, maxCount)
		return nil
	}
	var list []string
	for i, element := range elements {
		list = append(list, r.checkString(fmt.Sprintf("%s[%d]", name, i), element, maxLength))
	}
	return list
}

// audience reads one string or an array (RFC 7519, section 4.1.3).
func (r *claimReader) audience() []string {
	value, ok := r.value("aud", required)
	if !ok {
		return nil
	}
	if _, isArray := value.([]any); isArray {
		return r.strings("aud", 1, maxAudiences, maxAudienceLength)
	}
	return []string{r.checkString("aud", value, maxAudienceLength)}
}

func (r *claimReader) integer(name string, isRequired bool, maximum int64) int64 {
	value, ok := r.value(name, isRequired)
	if !ok {
		return 0
	}
	return r.checkInteger(name, value, maximum)
}

// checkInteger accepts JSON numbers from 0 to maximum without fraction and exponent.
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

// time reads a required number of seconds since 1970.
func (r *claimReader) time(name string) time.Time {
	return time.Unix(r.integer(name, required, maxTime), 0).UTC()
}

// limits returns nil for none. It checks names in alphabetical order, so that the message for a payload never changes.
func (r *claimReader) limits() map[string]int64 {
	value, ok := r.value("limits", optional)
	if !ok {
		return nil
	}
	members, ok := value.(map[string]any)
	if !ok || len(members) > maxLimits {
		r.fail("limits", "must be an object of at most %d integers", maxLimits)
		return nil
	}
	if len(members) == 0 {
		return nil
	}
	limits := make(map[string]int64, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !limitName.MatchString(name) {
			r.fail("limits", "has an invalid name, %s: names have 1 to 63 letters, digits, '-', '_' or '.', "+
				"and begin with a letter or digit", quote(name))
			return nil
		}
		limits[name] = r.checkInteger("limits."+name, members[name], math.MaxInt64)
	}
	return limits
}

// payload has the claims in JSON.
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

// encodeClaims returns a payload that decodeClaims accepts. A zero NotBefore is left out and means IssuedTime.
func encodeClaims(claims *license.Claims) ([]byte, error) {
	for _, t := range []time.Time{claims.IssuedTime, claims.NotBefore, claims.Expiry} {
		if t.Nanosecond() != 0 {
			return nil, errors.New("claims iat, nbf and exp must be whole seconds")
		}
	}
	if claims.GracePeriod%time.Second != 0 {
		return nil, errors.New("claim grace_period must be whole seconds")
	}
	members := payload{
		Issuer: claims.Issuer, Subject: claims.Customer, Audience: claims.Audience, ID: claims.ID,
		IssuedAt: claims.IssuedTime.Unix(), Expiry: claims.Expiry.Unix(),
		GracePeriod: int64(claims.GracePeriod / time.Second),
		Features:    claims.Features, Limits: claims.Limits, ClusterUIDs: claims.ClusterUIDs,
	}
	if len(claims.Audience) == 1 {
		members.Audience = claims.Audience[0]
	}
	if !claims.NotBefore.IsZero() {
		members.NotBefore = new(claims.NotBefore.Unix())
	}
	encoded, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding the claims: %w", err)
	}
	_, err = decodeClaims(encoded)
	return encoded, err
}
