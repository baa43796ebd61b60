// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inspect has the command that shows what a license key says, whether it verifies, and its state.
package inspect

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

type options struct {
	keyfile.Source
	command *cobra.Command

	trustAnchorFile, productFile, clusterUID, output string

	at              command.TimeFlag
	requireValidFor command.DurationFlag

	// now is the current time, and judgedAt the time for which the key's state is shown.
	now, judgedAt time.Time
}

// NewCommand is kubectl license inspect.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Source: keyfile.Source{Environment: env}}
	cmd := &cobra.Command{
		Use:     "inspect FILE|- [flags]",
		Short:   "Show what a license key says, whether it verifies, and its state",
		Long:    long,
		Example: example,
		Args:    command.OneArgument("FILE (or - for the standard input)"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.File = args[0]
			o.now = o.Now()
			o.judgedAt = o.now
			if !o.at.IsZero() {
				o.judgedAt = o.at.Time
			}
			if err := o.validate(); err != nil {
				return err
			}
			return o.run()
		},
	}
	o.command = cmd
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.productFile, "product", "", "verify against the LicensedProduct in this manifest `FILE`: "+
		"trust anchors, audience and revocations")
	flags.StringVar(&o.trustAnchorFile, "trust-anchor", "",
		"verify against the CA certificates in this PEM `FILE`, for any product")
	flags.StringVar(&o.clusterUID, "cluster", "", "also verify that the key can be used on the cluster with this "+
		"`UID` (that of the namespace kube-system)")
	flags.Var(&o.at, "at", "judge the key as of this time or, for a date, the date's beginning in UTC (default now)")
	flags.Var(&o.requireValidFor, "require-valid-for", "exit with 5 unless the key stays Valid for at least this "+
		"long, such as 60d; the grace period does not count")
	output.AddFlag(cmd, &o.output, "a table", output.JSON, output.YAML)
	command.CompleteFiles(cmd, "product", "yaml", "yml", "json")
	command.CompleteFiles(cmd, "trust-anchor", "crt", "pem", "cer")
	command.CompleteFlag(cmd, "cluster")
	command.CompleteFlag(cmd, "at")
	command.CompleteFlag(cmd, "require-valid-for", "30d", "60d", "90d")
	return cmd
}

func (o *options) validate() error {
	switch {
	case o.productFile != "" && o.trustAnchorFile != "":
		return command.UsageError(o.command,
			"--product and --trust-anchor exclude each other: a product has its own trust anchors")
	case o.clusterUID != "" && o.productFile == "" && o.trustAnchorFile == "":
		return command.UsageError(o.command, "--cluster needs --product or --trust-anchor: without them nothing is "+
			"verified")
	}
	return output.Check(o.command, o.output, output.JSON, output.YAML)
}

func (o *options) run() error {
	data, err := o.ReadFile()
	if err != nil {
		return err
	}
	key, err := keyfile.Read(data)
	if err != nil {
		return o.InSource(err)
	}
	found, err := o.inspect(key)
	if err != nil {
		return err
	}
	if key.Repaired {
		term.Warnf(o.ErrOut, "the token in %s has line breaks or spaces, as from an email: this shows the repaired "+
			"token, but the operator would reject it as it is; ask the vendor for a file", o.SourceName())
	}
	if err := found.print(o.Out, o.output); err != nil {
		return err
	}
	return o.judge(found)
}

// inspect decodes a key and, with --product or --trust-anchor, verifies it.
func (o *options) inspect(key keyfile.Key) (*inspection, error) {
	var decoded token.Result
	decoded.Claims, decoded.Chain, decoded.Err = token.PeekUnverified(key.Token, key.Certificate)
	if decoded.Err != nil && decoded.Err.Reason == api.ReasonTokenMalformed {
		return nil, o.InSource(keyfile.Unreadable(keyfile.AskForKey, "%s", decoded.Err.Message))
	}
	terms, err := o.terms(key)
	if err != nil {
		return nil, err
	}
	if terms == nil {
		return newInspection(o.judgedAt, key, decoded, false), nil
	}
	// An earlier --at does not change the time of the verification: a key that was issued later is genuine, and was not
	// valid yet.
	verifiedAt := o.now
	if o.judgedAt.After(o.now) {
		verifiedAt = o.judgedAt
	}
	result := token.Verify(key.Token, key.Certificate, terms, o.clusterUID, verifiedAt)
	result.Claims = cmp.Or(result.Claims, decoded.Claims)
	if result.Chain == nil {
		result.Chain = decoded.Chain
	}
	return newInspection(o.judgedAt, key, result, true), nil
}

// terms are what the key is verified against; nil without --product and --trust-anchor.
func (o *options) terms(key keyfile.Key) (*token.Terms, error) {
	switch {
	case o.trustAnchorFile != "":
		data, err := files.Read(o.trustAnchorFile)
		if err != nil {
			return nil, command.FailWithHint("--trust-anchor takes the vendor's CA certificates, ca.crt for example.",
				"%v", err)
		}
		terms, err := token.NewTermsFromAnchors(string(data))
		if err != nil {
			return nil, command.FailWithHint("--trust-anchor takes the vendor's CA certificates in PEM and nothing "+
				"else.", "%s: %v", o.trustAnchorFile, err)
		}
		return terms, nil
	case o.productFile != "":
		product, err := o.readProduct(key)
		if err != nil {
			return nil, err
		}
		terms, err := token.NewTerms(product)
		if err != nil {
			return nil, command.FailWithHint("The operator would not accept this product either: ask its vendor.",
				"%s: %v", o.productFile, err)
		}
		return terms, nil
	default:
		return nil, nil
	}
}

// readProduct finds the product that the key's manifest names or, for a token alone, the only product.
func (o *options) readProduct(key keyfile.Key) (*api.LicensedProduct, error) {
	const next = "--product takes the manifest of the LicensedProduct that the key is for: kubectl get lprod NAME " +
		"-o yaml"
	data, err := files.Read(o.productFile)
	if err != nil {
		return nil, command.FailWithHint(next, "%v", err)
	}
	objects, torn := manifest.Objects(string(data))
	if torn {
		return nil, command.FailWithHint(next, "%s: it has a document that is not YAML", o.productFile)
	}
	var products []*api.LicensedProduct
	var names []string
	for i := range objects {
		if !objects[i].Is(schema.GroupKind{Group: api.GroupVersion.Group, Kind: manifest.KindLicensedProduct}) {
			continue
		}
		product := &api.LicensedProduct{}
		if err := json.Unmarshal(objects[i].Raw, product); err != nil {
			return nil, command.FailWithHint(next, "%s: its LicensedProduct cannot be read: %s", o.productFile,
				manifest.DecodingProblem(err))
		}
		products, names = append(products, product), append(names, product.Name)
	}
	named := slices.Index(names, key.ProductName)
	switch {
	case len(products) == 0:
		return nil, command.FailWithHint(next, "%s: there is no LicensedProduct in it", o.productFile)
	case named >= 0:
		return products[named], nil
	case key.ProductName != "":
		return nil, command.FailWithHint(next, "the key is for product %s, and %s has %s", key.ProductName,
			o.productFile, strings.Join(names, ", "))
	case len(products) > 1:
		return nil, command.FailWithHint("A token alone does not name its product: give a manifest with that product "+
			"only.", "%s has several products: %s", o.productFile, strings.Join(names, ", "))
	default:
		return products[0], nil
	}
}

// judge returns the exit code for the result.
func (o *options) judge(found *inspection) error {
	claims := found.claims
	required := time.Duration(o.requireValidFor)
	switch {
	case found.Verification.Result == verificationFailed:
		return command.ExitError(command.ExitUnverified, "", "the key does not verify. %s", found.Verification.Message)
	case found.State == api.LicenseKeyNotYetValid:
		return command.ExitError(command.ExitNotUsable, "It can be applied at any time before, and takes over by "+
			"itself when it begins.", "the key is not valid yet: it begins at %s", text.Time(claims.NotBefore))
	case found.State == api.LicenseKeyExpired:
		return command.ExitError(command.ExitNotUsable, askForRenewal,
			"the key has expired, and its grace period ended at %s", text.Time(claims.GraceEnd()))
	case required > 0 && claims.Expiry.Before(o.judgedAt.Add(required)):
		return command.ExitError(command.ExitEndsSoon, askForRenewal,
			"the key expires at %s, sooner than --require-valid-for %s allows",
			text.Time(claims.Expiry), text.Duration(required))
	default:
		return nil
	}
}

const askForRenewal = "Ask the vendor for a renewal, quoting the license ID."
