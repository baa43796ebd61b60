// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
	"github.com/license-operator/license-operator/internal/usage"
)

const (
	// Formats of the output.
	outputManifest, outputToken = "manifest", "token"

	defaultGrace = 30 * text.Day
	// maxGrace is the limit of the claim grace_period.
	maxGrace = 3650 * text.Day
)

type issueOptions struct {
	command.Environment
	command *cobra.Command

	signerFolder, product, audience, customer, id, name, output string

	expires, notBefore    command.TimeFlag
	validFor, grace       command.DurationFlag
	limits                map[string]int64
	features, clusterUIDs []string

	// now is the time of issue.
	now time.Time
}

// NewIssueCommand is kubectl license issue.
func NewIssueCommand(env command.Environment) *cobra.Command {
	o := &issueOptions{
		Environment: env, grace: command.DurationFlag(defaultGrace), expires: command.TimeFlag{ThroughDay: true},
		limits: map[string]int64{},
	}
	cmd := &cobra.Command{
		Use: `issue --signer DIR --product NAME --customer NAME
    (--expires TIME | --valid-for DURATION) [flags]`,
		Short: "Issue a license key", Long: issueLong, Example: issueExample, Args: command.NoArguments,
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
	o.command = cmd
	o.addFlags()
	return cmd
}

func (o *issueOptions) addFlags() {
	flags := o.command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.signerFolder, "signer", "", "the folder `DIR` with signer.crt and signer.key")
	flags.StringVar(&o.product, "product", "", "the `NAME` of the LicensedProduct for the key")
	flags.StringVar(&o.customer, "customer", "", "the `NAME` of the customer, at most 256 characters")
	flags.Var(&o.expires, "expires", "when the key expires: a time such as 2027-12-31T12:00:00Z, or a date, the last "+
		"day of the key in UTC")
	flags.Var(&o.validFor, "valid-for", "instead of --expires: how long the key is valid from its start, such as 365d "+
		"or 1d12h (a day has 24 hours)")
	flags.Var(&o.notBefore, "not-before",
		"when the key starts: a time, or a date, which starts at 00:00 UTC (default now)")
	flags.Var(&o.grace, "grace", "how long everything still works after the key has expired, at most 3650d")
	var counted []string
	for _, name := range usage.Names() {
		flags.Var(&limitFlag{o.limits, name}, name, fmt.Sprintf("how many %s are licensed", name))
		command.CompleteFlag(o.command, name)
		counted = append(counted, name+"=")
	}
	flags.Var(&limitFlag{limits: o.limits}, "limit", "another limit, such as gateways=5 (repeatable)")
	flags.StringArrayVar(&o.features, "feature", nil, "a `FEATURE` that the key grants (repeatable)")
	flags.StringArrayVar(&o.clusterUIDs, "cluster", nil, "the `UID` of the namespace kube-system of a cluster that "+
		"the key is for (repeatable; default any cluster)")
	flags.StringVar(&o.id, "id", "",
		"the license `ID`, at most 253 characters (default the product, the date and random characters)")
	flags.StringVar(&o.name, "name", "",
		"the `NAME` of the LicenseKey in the manifest (default from the product and the ID)")
	flags.StringVar(&o.audience, "audience", "", "the `AUDIENCE` of the key: spec.audience of the LicensedProduct, "+
		"if it is set (default the product)")
	flags.StringVarP(&o.output, "output", "o", outputManifest, "`FORMAT` of the key: manifest or token")
	command.CompleteFolders(o.command, "signer")
	command.CompleteFlag(o.command, "output", outputManifest, outputToken)
	command.CompleteFlag(o.command, "valid-for", "30d", "90d", "365d")
	command.CompleteFlag(o.command, "grace", "0s", "7d", "30d", "90d")
	command.CompleteFlag(o.command, "limit", counted...)
	for _, flag := range []string{
		"product", "customer", "expires", "not-before", "feature", "cluster", "id", "name", "audience",
	} {
		command.CompleteFlag(o.command, flag)
	}
}

// validate checks the flags that do not need the clock or the signer.
func (o *issueOptions) validate() error {
	if err := command.RequireFlags(o.command, "signer", "product", "customer"); err != nil {
		return err
	}
	expires, validFor := o.command.Flags().Changed("expires"), o.command.Flags().Changed("valid-for")
	switch {
	case !expires && !validFor:
		return command.UsageError(o.command, "--expires or --valid-for is missing: every license expires")
	case expires && validFor:
		return command.UsageError(o.command, "cannot use both --expires and --valid-for")
	case validFor && o.validFor == 0:
		return command.UsageError(o.command, "--valid-for 0s: want more than 0s")
	case time.Duration(o.grace) > maxGrace:
		return command.UsageError(o.command, "--grace %s: at most %s", &o.grace, text.Duration(maxGrace))
	case o.output != outputManifest && o.output != outputToken:
		return command.UsageError(o.command, "--output %q: want manifest or token", o.output)
	case o.name != "" && o.output == outputToken:
		return command.UsageError(o.command, "--name is for manifests: a token does not have a name")
	}
	return manifest.CheckNameFlags(o.command, "product", "name")
}

// complete reads the clock, and sets the defaults.
func (o *issueOptions) complete() error {
	o.now = o.ThisSecond()
	if o.notBefore.IsZero() {
		o.notBefore.Time = o.now
	}
	if o.validFor > 0 {
		o.expires.Time = o.notBefore.Add(time.Duration(o.validFor))
	}
	if !o.command.Flags().Changed("id") {
		id, err := newLicenseID(o.product, o.now, o.Random)
		if err != nil {
			return err
		}
		o.id = id
	}
	o.name = cmp.Or(o.name, manifest.KeyName(o.product, o.id))
	o.audience = cmp.Or(o.audience, o.product)
	switch {
	case !o.expires.After(o.now):
		return command.UsageError(o.command, "the license would already be expired, at %s", text.Time(o.expires.Time))
	case !o.expires.After(o.notBefore.Time):
		return command.UsageError(o.command, "the license would expire at %s, which is not after its start at %s",
			text.Time(o.expires.Time), text.Time(o.notBefore.Time))
	}
	return nil
}

func (o *issueOptions) run() error {
	signer, err := readPair(o.signerFolder, signerName, "signer", "'kubectl license ca create' or 'signer create'",
		token.ParseSigner, o.ErrOut)
	if err != nil {
		return err
	}
	if err := o.validateAgainst(signer); err != nil {
		return err
	}
	claims := o.claims(signer)
	signed, err := signer.Sign(claims)
	if err != nil {
		return command.UsageError(o.command, "%s", claimFlags.Replace(err.Error()))
	}
	if err := o.verify(signer, signed); err != nil {
		return err
	}
	if err := o.print(signed); err != nil {
		return err
	}
	return o.tell(claims)
}

// validateAgainst refuses a license that ends after its signer. Sign does too, but does not name the flags.
func (o *issueOptions) validateAgainst(signer *token.Signer) error {
	first := slices.MinFunc(signer.Chain(), func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	grace := time.Duration(o.grace)
	if !o.expires.Add(grace).After(first.NotAfter) {
		return nil
	}
	return command.FailWithHint("Choose an earlier end, a shorter --grace, or a newer signer: kubectl license signer "+
		"create --ca DIR --out DIR", "the license would end after the certificate %s, which ends at %s. With --grace "+
		"%s the latest end is --expires %s", first.Subject, text.Time(first.NotAfter), text.Duration(grace),
		text.Time(first.NotAfter.Add(-grace)))
}

func (o *issueOptions) claims(signer *token.Signer) *license.Claims {
	claims := &license.Claims{
		ID: o.id, Customer: o.customer, Audience: []string{o.audience}, IssuedTime: o.now,
		NotBefore: o.notBefore.Time, Expiry: o.expires.Time, GracePeriod: time.Duration(o.grace), Features: o.features,
		Limits: o.limits, ClusterUIDs: o.clusterUIDs,
	}
	if organizations := signer.Chain()[0].Subject.Organization; len(organizations) > 0 {
		claims.Issuer = organizations[0]
	}
	return claims
}

// verify checks that the customer's operator will accept the key, with the last certificate of the signer's chain as
// the trust anchor. It cannot check a chain of the signer only, whose issuer is in the product's trust anchors.
func (o *issueOptions) verify(signer *token.Signer, signed string) error {
	chain := signer.Chain()
	if len(chain) < 2 {
		return nil
	}
	const hint = "Make a signer with 'kubectl license signer create'."
	anchor := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[len(chain)-1].Raw})
	terms, err := token.NewTermsFromAnchors(string(anchor))
	if err != nil {
		return command.FailWithHint(hint, "cannot use the signer's chain: %v", err)
	}
	if failure := token.Verify(signed, "", terms, "", o.now).Err; failure != nil {
		return command.FailWithHint(hint, "the key would not verify: %v", failure)
	}
	return nil
}

// claimFlags replaces claims with their flags in error messages.
var claimFlags = strings.NewReplacer(
	"claim sub ", "--customer ",
	"claim aud ", "--product or --audience ",
	"claim jti ", "--id ",
	"claim exp ", "--expires ",
	"claims exp and grace_period ", "--expires and --grace ",
	"claim grace_period ", "--grace ",
	"claim features", "--feature",
	"claim limits", "--limit",
	"claim cluster_uids", "--cluster",
)

func (o *issueOptions) print(signed string) error {
	if o.output == outputToken {
		_, err := fmt.Fprintln(o.Out, signed)
		return err
	}
	text, err := yaml.Marshal(manifest.New(manifest.KindLicenseKey, o.name,
		map[string]string{"productName": o.product, "token": signed}))
	if err != nil {
		return err
	}
	_, err = o.Out.Write(text)
	return err
}

// tell prints the claims on the standard error: people cannot read a token.
func (o *issueOptions) tell(claims *license.Claims) error {
	t := &term.Table{}
	t.Add("License ID:", text.Printable(claims.ID))
	t.Add("Customer:", text.Printable(claims.Customer))
	t.Add("Begins:", text.Time(claims.NotBefore))
	t.Add("Expires:", text.Time(claims.Expiry))
	t.Add("Grace ends:", text.Time(claims.GraceEnd()))
	return t.Write(o.ErrOut)
}
