// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/token"
)

// Formats of issue's output.
const (
	outputManifest = "manifest"
	outputToken    = "token"
)

const (
	defaultGrace = 30 * day
	// maxGrace is the bound of the claim grace_period.
	maxGrace = 3650 * day
)

// Limits that have a flag of their own.
const (
	limitNodes = "nodes"
	limitCores = "cores"
)

// issueOptions are what issue was asked.
type issueOptions struct {
	environment
	command *cobra.Command

	signerFolder string
	product      string
	audience     string
	customer     string
	expires      instantFlag
	validFor     durationFlag
	notBefore    instantFlag
	grace        durationFlag
	id           string
	limits       limitFlags
	features     []string
	clusterUIDs  []string
	name         string
	output       string

	// now is the time of issue.
	now time.Time
}

// issueLong is the help of issue.
const issueLong = `Issue a license key: a LicenseKey manifest for the customer to apply, or the bare token.
Works offline.

The key goes to the standard output, and what it says to the standard error. It is issued as of now.
It begins now or at --not-before, expires at --expires or --valid-for after its begin, and
everything goes on working until its grace period is over. It cannot outlive its signer, the grace
period included.

The license ID is what a revocation names. Without --id it is the product, the date and something
random. The manifest's name comes from the product and the ID: a key issued again with the same --id
takes the place of the one before, any other key stands beside it.`

// issueExample is the help of issue: how it is used.
const issueExample = `  # A year from now, for 100 nodes
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --valid-for 365d --nodes 100 > key.yaml

  # Through the last day of 2027 in UTC
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --expires 2027-12-31 > key.yaml

  # A renewal that follows on without a gap, to be applied at any time before
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --not-before 2028-01-01 --expires 2028-12-31 > renewal.yaml

  # The token alone, for the cluster whose namespace kube-system has this uid
  kubectl license issue --signer acme-ca --product acme-mesh --customer "Example GmbH" \
    --valid-for 90d --grace 7d --feature federation --limit gateways=5 \
    --cluster 5d1f1c3a-7f0e-4c1b-9a53-0f3a9a6f2f10 -o token > license.jwt`

func newIssueCommand(env environment) *cobra.Command {
	o := &issueOptions{environment: env, grace: durationFlag(defaultGrace), expires: instantFlag{throughDay: true}}
	command := &cobra.Command{
		Use: `issue --signer DIR --product NAME --customer NAME
    (--expires TIME | --valid-for DURATION) [flags]`,
		Short:   "Issue a license key",
		Long:    issueLong,
		Example: issueExample,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			if err := o.complete(); err != nil {
				return err
			}
			return o.run()
		},
	}
	o.command = command
	o.addFlags()
	return command
}

func (o *issueOptions) addFlags() {
	flags := o.command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.signerFolder, "signer", "", "the folder `DIR` with signer.crt and signer.key")
	flags.StringVar(&o.product, "product", "", "the `NAME` of the LicensedProduct that the key is for")
	flags.StringVar(&o.customer, "customer", "", "the `NAME` of the customer, at most 256 characters")
	flags.Var(&o.expires, "expires", "when the key expires: a time such as 2027-12-31T12:00:00Z, or a date, through "+
		"which it stays valid in UTC")
	flags.Var(&o.validFor, "valid-for", "instead of --expires: how long the key is valid from its begin, such as "+
		"365d or 1d12h (a day has 24 hours)")
	flags.Var(&o.notBefore, "not-before",
		"when the key begins: a time or, for a date, the date's beginning in UTC (default now)")
	flags.Var(&o.grace, "grace", "how long everything goes on working after the key has expired, at most 3650d")
	flags.Var(o.limits.named(limitNodes), limitNodes, "how many nodes are licensed")
	flags.Var(o.limits.named(limitCores), limitCores, "how many cores are licensed")
	flags.Var(o.limits.any(), "limit", "another limit, such as gateways=5 (repeatable)")
	flags.StringArrayVar(&o.features, "feature", nil, "a `FEATURE` that the key grants (repeatable)")
	flags.StringArrayVar(&o.clusterUIDs, "cluster", nil, "the `UID` of the namespace kube-system of a cluster that "+
		"the key is for (repeatable; default any cluster)")
	flags.StringVar(&o.id, "id", "",
		"the license `ID`, at most 253 characters (default the product, the date and something random)")
	flags.StringVar(&o.name, "name", "",
		"the `NAME` of the LicenseKey in the manifest (default from the product and the ID)")
	flags.StringVar(&o.audience, "audience", "", "what the key is issued for, if the LicensedProduct sets "+
		"spec.audience: that `AUDIENCE` (default the product)")
	flags.StringVarP(&o.output, "output", "o", outputManifest, "`FORMAT` of the key: manifest or token")
	completeWithFolders(o.command, "signer")
	completeWith(o.command, "output", outputManifest, outputToken)
	completeWith(o.command, "valid-for", "30d", "90d", "365d")
	completeWith(o.command, "grace", "0s", "7d", "30d", "90d")
	completeWith(o.command, "limit", "nodes=", "cores=")
	for _, flag := range []string{"product", "customer", "expires", "not-before", limitNodes, limitCores, "feature",
		"cluster", "id", "name", "audience"} {
		completeWith(o.command, flag)
	}
}

// validate checks what can be checked without the clock and without the signer.
func (o *issueOptions) validate() error {
	if err := requireFlags(o.command, "signer", "product", "customer"); err != nil {
		return err
	}
	expires, validFor := o.command.Flags().Changed("expires"), o.command.Flags().Changed("valid-for")
	switch {
	case !expires && !validFor:
		return misused(o.command, "--expires or --valid-for is missing: every license has an end")
	case expires && validFor:
		return misused(o.command, "--expires and --valid-for exclude each other")
	case validFor && o.validFor == 0:
		return misused(o.command, "--valid-for 0s: a license needs a term")
	case time.Duration(o.grace) > maxGrace:
		return misused(o.command, "--grace %s: at most %s", &o.grace, formatDuration(maxGrace))
	case o.output != outputManifest && o.output != outputToken:
		return misused(o.command, "--output %q: want manifest or token", o.output)
	case o.name != "" && o.output == outputToken:
		return misused(o.command, "--name is for manifests: a bare token has no name")
	}
	return checkNames(o.command, "product", "name")
}

// checkNames refuses flags whose values are given and cannot be the names of objects.
func checkNames(command *cobra.Command, flags ...string) error {
	for _, flag := range flags {
		if err := checkName(command, flag, command.Flags().Lookup(flag).Value.String()); err != nil {
			return err
		}
	}
	return nil
}

func checkName(command *cobra.Command, flag, name string) error {
	if !command.Flags().Changed(flag) {
		return nil
	}
	if !isObjectName(name) {
		return misused(command, "--%s %q cannot be the name of an object: %s", flag, name, objectNameShape)
	}
	return nil
}

// objectNameShape is what names of objects look like.
const objectNameShape = "lower case letters, digits, '-' and '.', at most 253, a letter or digit at either end"

func isObjectName(name string) bool { return len(validation.IsDNS1123Subdomain(name)) == 0 }

// complete reads the clock, and fills in what was left open.
func (o *issueOptions) complete() error {
	o.now = o.thisSecond()
	if o.notBefore.IsZero() {
		o.notBefore.Time = o.now
	}
	if o.validFor > 0 {
		o.expires.Time = o.notBefore.Add(time.Duration(o.validFor))
	}
	if !o.command.Flags().Changed("id") {
		id, err := newLicenseID(o.product, o.now, o.random)
		if err != nil {
			return err
		}
		o.id = id
	}
	o.name = cmp.Or(o.name, keyName(o.product, o.id))
	o.audience = cmp.Or(o.audience, o.product)
	return o.validateTerm()
}

func (o *issueOptions) validateTerm() error {
	switch {
	case !o.expires.After(o.now):
		return misused(o.command, "the license would have expired already, at %s", formatInstant(o.expires.Time))
	case !o.expires.After(o.notBefore.Time):
		return misused(o.command, "the license would expire at %s, which is not after its begin at %s",
			formatInstant(o.expires.Time), formatInstant(o.notBefore.Time))
	}
	return nil
}

func (o *issueOptions) run() error {
	signer, err := readSigner(o.signerFolder, o.ErrOut)
	if err != nil {
		return err
	}
	if err := o.validateAgainst(signer); err != nil {
		return err
	}
	claims := o.claims(signer)
	signed, err := signer.Sign(claims)
	if err != nil {
		return misused(o.command, "%s", inFlags(err.Error()))
	}
	if err := o.verify(signer, signed); err != nil {
		return err
	}
	if err := o.print(signed); err != nil {
		return err
	}
	return o.tell(claims)
}

// validateAgainst says early, and in terms of the flags, what Sign would refuse: a license that outlives its signer.
func (o *issueOptions) validateAgainst(signer *token.Signer) error {
	first := slices.MinFunc(signer.Chain(), func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	grace := time.Duration(o.grace)
	if !o.expires.Add(grace).After(first.NotAfter) {
		return nil
	}
	return failf("Choose an earlier end, a shorter --grace, or a newer signer: kubectl license signer create --ca "+
		"DIR --out DIR",
		"the license would outlive the certificate %s, which ends at %s: with --grace %s the last possible end is "+
			"--expires %s",
		first.Subject, formatInstant(first.NotAfter), formatDuration(grace), formatInstant(first.NotAfter.Add(-grace)))
}

func (o *issueOptions) claims(signer *token.Signer) *license.Claims {
	return &license.Claims{
		ID:          o.id,
		Customer:    o.customer,
		Issuer:      vendorOf(signer),
		Audience:    []string{o.audience},
		IssuedTime:  o.now,
		NotBefore:   o.notBefore.Time,
		Expiry:      o.expires.Time,
		GracePeriod: time.Duration(o.grace),
		Features:    o.features,
		Limits:      o.limits,
		ClusterUIDs: o.clusterUIDs,
	}
}

// vendorOf is the organization in the signer's certificate; empty where it names none.
func vendorOf(signer *token.Signer) string {
	if organizations := signer.Chain()[0].Subject.Organization; len(organizations) > 0 {
		return organizations[0]
	}
	return ""
}

// verify makes sure that the customer's operator will accept the key, as far as that can be known here: against the
// last certificate of the signer's chain. A chain of the signer alone is left to the trust anchors of the product.
func (o *issueOptions) verify(signer *token.Signer, signed string) error {
	chain := signer.Chain()
	if len(chain) < 2 {
		return nil
	}
	terms, err := token.NewTermsFromAnchors(certificatePEM(chain[len(chain)-1]))
	if err != nil {
		return failf("Make a signer with 'kubectl license signer create'.", "the signer's chain cannot be used: %v",
			err)
	}
	if failure := token.Verify(signed, "", terms, "", o.now).Err; failure != nil {
		return failf("Make a signer with 'kubectl license signer create'.", "the key would not verify: %v", failure)
	}
	return nil
}

// claimFlags are the flags that claims come from, for errors about claims.
var claimFlags = strings.NewReplacer(
	"claim sub ", "--customer ",
	"claim aud ", "--product or --audience ",
	"claim jti ", "--id ",
	"claim exp, ", "--expires, ",
	"claims exp and grace_period ", "--expires and --grace ",
	"claim grace_period ", "--grace ",
	"claim features", "--feature",
	"claim limits", "--limit",
	"claim cluster_uids", "--cluster",
)

func inFlags(message string) string { return claimFlags.Replace(message) }

func (o *issueOptions) print(signed string) error {
	if o.output == outputToken {
		_, err := fmt.Fprintln(o.Out, signed)
		return err
	}
	text, err := yaml.Marshal(manifestOf(kindLicenseKey, o.name, licenseKeySpec{ProductName: o.product, Token: signed}))
	if err != nil {
		return err
	}
	_, err = o.Out.Write(text)
	return err
}

// licenseKeySpec is as much of a LicenseKey's spec as is issued.
type licenseKeySpec struct {
	ProductName string `json:"productName"`
	Token       string `json:"token"`
}

// tell says on the standard error what was issued, since nobody can read that in a token.
func (o *issueOptions) tell(claims *license.Claims) error {
	t := &table{}
	t.add("License ID:", printable(claims.ID))
	t.add("Customer:", printable(claims.Customer))
	t.add("Begins:", formatInstant(claims.NotBefore))
	t.add("Expires:", formatInstant(claims.Expiry))
	t.add("Grace ends:", formatInstant(claims.GraceEnd()))
	return t.write(o.ErrOut)
}

// randomAlphabet is Crockford's base 32 in lower case: no letter that can be taken for a digit.
const randomAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// newLicenseID is an ID that people can read out and sort by date: the product, the date, and 40 random bits.
func newLicenseID(product string, now time.Time, random io.Reader) (string, error) {
	const length = 8
	bits := make([]byte, length)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", fmt.Errorf("cannot read random numbers: %w", err)
	}
	for i := range bits {
		bits[i] = randomAlphabet[int(bits[i])%len(randomAlphabet)]
	}
	suffix := now.Format("-20060102-") + string(bits)
	return shortened(product, maxNameLength-len(suffix)) + suffix, nil
}

const maxNameLength = validation.DNS1123SubdomainMaxLength

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// keyName is the name of the LicenseKey for a license: the product and the ID, the product not twice. An ID that does
// not fit into a name as it is, or is too long for it, is told from others that look alike by a hash.
func keyName(product, id string) string {
	if strings.HasPrefix(id, product+"-") && len(validation.IsDNS1123Subdomain(id)) == 0 {
		return id
	}
	slug := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(id), "-"), "-")
	name := product + "-" + slug
	if slug == id && len(name) <= maxNameLength {
		return name
	}
	const hashLength = 8
	sum := sha256.Sum256([]byte(id))
	return shortened(name, maxNameLength-1-hashLength) + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

// shortened cuts a name, and what it then must not end in.
func shortened(name string, maxLength int) string {
	return strings.TrimRight(name[:min(len(name), maxLength)], "-.")
}

// limitFlags are the limits that several flags add up to.
type limitFlags map[string]int64

// any is the flag that takes a limit's name and value.
func (l *limitFlags) any() *limitFlag { return &limitFlag{limits: l} }

// named is the flag of one limit.
func (l *limitFlags) named(name string) *limitFlag { return &limitFlag{limits: l, name: name} }

// limitFlag is one flag that sets limits. A limit that is set twice is a mistake: which one would count?
type limitFlag struct {
	limits *limitFlags
	// name of the one limit that the flag sets; empty for any.
	name string
}

func (f *limitFlag) String() string { return "" }

// Type is how the help calls the value.
func (f *limitFlag) Type() string {
	if f.name != "" {
		return "N"
	}
	return "NAME=N"
}

// Set reads the flag's value.
func (f *limitFlag) Set(text string) error {
	name := f.name
	if name == "" {
		var found bool
		if name, text, found = strings.Cut(text, "="); !found || name == "" {
			return fmt.Errorf("want NAME=N, such as gateways=5")
		}
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 {
		return fmt.Errorf("want a whole number, 0 or more")
	}
	if *f.limits == nil {
		*f.limits = limitFlags{}
	}
	if _, exists := (*f.limits)[name]; exists {
		return fmt.Errorf("limit %q is set twice", name)
	}
	(*f.limits)[name] = value
	return nil
}
