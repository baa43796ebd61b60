// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime/schema"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/token"
)

// inspectOptions are what inspect was asked.
type inspectOptions struct {
	keySource
	command *cobra.Command

	trustAnchorFile string
	productFile     string
	clusterUID      string
	at              instantFlag
	requireValidFor durationFlag
	output          string

	// now is the present, and judgedAt the instant that the key's state is told for.
	now, judgedAt time.Time
}

// inspectLong is the help of inspect.
const inspectLong = `Show what a license key says, whether it verifies, and its state now or at another time.
Works offline.

FILE is a LicenseKey manifest, a Secret with a token in it, a token alone, or one of these as a mail
program left it: quoted, or with line breaks. Where it holds several keys, the first one is shown.

A key is verified with the vendor's certificates: those in a LicensedProduct (--product) or in a PEM
file (--trust-anchor). Without either the key is shown as it stands, unverified: anyone can have
written it.

Exit codes:
  0  the key is usable: Valid, or in its GracePeriod
  1  a mistake on the command line, or a file that cannot be read
  2  FILE holds nothing that can be read as a license key
  3  the key does not verify
  4  the key is not usable at that time: NotYetValid, or Expired
  5  the key is usable, but not Valid for as long as --require-valid-for demands
Codes 0, 4 and 5 say that the key is genuine only if --product or --trust-anchor was given.

With -o json or yaml the fields are: verification (result: Verified, Failed or NotChecked; reason;
message), state, checkedTime, licenseID, customer, issuer, audience, productName (of the manifest),
issuedTime, notBeforeTime, expiryTime, graceEndTime, features, limits (name, value), clusterUIDs,
signer (subject, certificateSHA256, notBeforeTime, notAfterTime), and repaired (true where the token
was not in one piece). What a key does not have is absent. The state of a key that does not verify
is Invalid.`

// inspectExample is the help of inspect: how it is used.
const inspectExample = `  # What does the key in this manifest say, and is it genuine?
  kubectl license inspect key.yaml --product product.yaml

  # The same with the terms that the cluster has now
  kubectl get lprod acme-mesh -o yaml > product.yaml
  kubectl license inspect key.yaml --product product.yaml

  # A key of the cluster
  kubectl get lk acme-mesh-2027 -o yaml | kubectl license inspect -

  # What will its state be at the end of next year?
  kubectl license inspect key.yaml --at 2027-12-31T23:59:59Z

  # In a pipeline: fail if the key is not genuine, or not valid for another 60 days
  kubectl license inspect key.yaml --product product.yaml --require-valid-for 60d`

func newInspectCommand(env environment) *cobra.Command {
	o := &inspectOptions{keySource: keySource{environment: env}}
	command := &cobra.Command{
		Use:     "inspect FILE|- [flags]",
		Short:   "Show what a license key says, whether it verifies, and its state",
		Long:    inspectLong,
		Example: inspectExample,
		Args:    oneArgument("FILE (or - for the standard input)"),
		RunE: func(_ *cobra.Command, args []string) error {
			o.complete(args)
			if err := o.validate(); err != nil {
				return err
			}
			return o.run()
		},
	}
	o.command = command
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.productFile, "product", "", "verify against the LicensedProduct in this manifest `FILE`: "+
		"trust anchors, audience and revocations")
	flags.StringVar(&o.trustAnchorFile, "trust-anchor", "",
		"verify against the CA certificates in this PEM `FILE`, whatever the key's product")
	flags.StringVar(&o.clusterUID, "cluster", "", "also verify that the key may be used on the cluster with this "+
		"`UID` (that of the namespace kube-system)")
	flags.Var(&o.at, "at", "judge the key as of this time or, for a date, the date's beginning in UTC (default now)")
	flags.Var(&o.requireValidFor, "require-valid-for", "exit with 5 unless the key stays Valid for at least this "+
		"long, such as 60d; the grace period does not count")
	addOutputFlag(command, &o.output, "a table", outputJSON, outputYAML)
	completeWithFiles(command, "product", "yaml", "yml", "json")
	completeWithFiles(command, "trust-anchor", "crt", "pem", "cer")
	completeWith(command, "cluster")
	completeWith(command, "at")
	completeWith(command, "require-valid-for", "30d", "60d", "90d")
	return command
}

func (o *inspectOptions) complete(args []string) {
	o.file = args[0]
	o.now = o.environment.now()
	o.judgedAt = o.now
	if !o.at.IsZero() {
		o.judgedAt = o.at.Time
	}
}

func (o *inspectOptions) validate() error {
	switch {
	case o.productFile != "" && o.trustAnchorFile != "":
		return misused(o.command,
			"--product and --trust-anchor exclude each other: a product has its own trust anchors")
	case o.clusterUID != "" && o.productFile == "" && o.trustAnchorFile == "":
		return misused(o.command, "--cluster needs --product or --trust-anchor: without them nothing is verified")
	}
	return checkOutput(o.command, o.output, outputJSON, outputYAML)
}

func (o *inspectOptions) run() error {
	data, err := o.readInput()
	if err != nil {
		return err
	}
	key, err := readKey(data)
	if err != nil {
		return o.inSource(err)
	}
	found, err := o.inspect(key)
	if err != nil {
		return err
	}
	if key.repaired {
		warnf(o.ErrOut, "the token in %s is not in one piece, as after a journey by mail: what is shown is the "+
			"token put together again, but "+
			"applied as it stands it would be refused; ask the vendor for a file", o.source())
	}
	if err := found.print(o.Out, o.output); err != nil {
		return err
	}
	return o.judge(found)
}

// inspect looks into a key and, where it can, verifies it.
func (o *inspectOptions) inspect(key presentedKey) (*inspection, error) {
	claims, chain, failure := token.PeekUnverified(key.token, key.certificate)
	if failure != nil && failure.Reason == api.ReasonTokenMalformed {
		return nil, o.inSource(unreadable(askForKey, "%s", failure.Message))
	}
	terms, err := o.terms(key)
	if err != nil {
		return nil, err
	}
	if terms == nil {
		return newInspection(o.judgedAt, key, claims, chain, failure, false), nil
	}
	result := token.Verify(key.token, key.certificate, terms, o.clusterUID, o.verifiedAt())
	if result.Claims != nil {
		claims = result.Claims
	}
	if result.Chain != nil {
		chain = result.Chain
	}
	return newInspection(o.judgedAt, key, claims, chain, result.Err, true), nil
}

// verifiedAt is the present even when an earlier state was asked for: a key that has been issued since is genuine, and
// was not valid yet.
func (o *inspectOptions) verifiedAt() time.Time {
	if o.judgedAt.After(o.now) {
		return o.judgedAt
	}
	return o.now
}

// terms are what the key is verified against; nil where nothing was given.
func (o *inspectOptions) terms(key presentedKey) (*token.Terms, error) {
	switch {
	case o.trustAnchorFile != "":
		data, err := readFile(o.trustAnchorFile)
		if err != nil {
			return nil, failf("--trust-anchor takes the vendor's CA certificates, ca.crt for example.", "%v", err)
		}
		terms, err := token.NewTermsFromAnchors(string(data))
		if err != nil {
			return nil, failf("--trust-anchor takes the vendor's CA certificates in PEM and nothing else.", "%s: %v",
				o.trustAnchorFile, err)
		}
		return terms, nil
	case o.productFile != "":
		product, err := o.readProduct(key)
		if err != nil {
			return nil, err
		}
		terms, err := token.NewTerms(product)
		if err != nil {
			return nil, failf("The operator would not accept this product either: ask its vendor.", "%s: %v",
				o.productFile, err)
		}
		return terms, nil
	default:
		return nil, nil
	}
}

// readProduct finds the product that the key's manifest names, or the only one.
func (o *inspectOptions) readProduct(key presentedKey) (*api.LicensedProduct, error) {
	const next = "--product takes the manifest of the LicensedProduct that the key is for: kubectl get lprod NAME " +
		"-o yaml"
	data, err := readFile(o.productFile)
	if err != nil {
		return nil, failf(next, "%v", err)
	}
	products, err := productsIn(data)
	if err != nil {
		return nil, failf(next, "%s: %v", o.productFile, err)
	}
	var names []string
	for _, product := range products {
		if product.Name == key.productName || key.productName == "" && len(products) == 1 {
			return product, nil
		}
		names = append(names, product.Name)
	}
	if key.productName == "" {
		return nil, failf("A token alone does not name its product: give a manifest with that product only.",
			"%s has several products: %s",
			o.productFile, strings.Join(names, ", "))
	}
	return nil, failf(next, "the key is for product %s, and %s has %s", key.productName, o.productFile,
		strings.Join(names, ", "))
}

func productsIn(data []byte) ([]*api.LicensedProduct, error) {
	objects, torn := readObjects(string(data))
	if torn {
		return nil, errors.New("it has a document that is not YAML")
	}
	var products []*api.LicensedProduct
	for i := range objects {
		if !objects[i].is(schema.GroupKind{Group: api.GroupVersion.Group, Kind: kindLicensedProduct}) {
			continue
		}
		product := &api.LicensedProduct{}
		if err := json.Unmarshal(objects[i].raw, product); err != nil {
			return nil, errors.New("its LicensedProduct cannot be read: " + decodingProblem(err))
		}
		products = append(products, product)
	}
	if len(products) == 0 {
		return nil, errors.New("there is no LicensedProduct in it")
	}
	return products, nil
}

// judge turns what was found into the exit code.
func (o *inspectOptions) judge(found *inspection) error {
	claims := found.claims
	required := time.Duration(o.requireValidFor)
	switch {
	case found.Verification.Result == verificationFailed:
		return verdict(exitUnverified, "", "the key does not verify. %s", found.Verification.Message)
	case found.State == api.LicenseKeyNotYetValid:
		return verdict(exitNotUsable, "It can be applied at any time before, and takes over by itself when it begins.",
			"the key is not valid yet: it begins at %s", formatInstant(claims.NotBefore))
	case found.State == api.LicenseKeyExpired:
		return verdict(exitNotUsable, askForRenewal, "the key has expired, and its grace period ended at %s",
			formatInstant(claims.GraceEnd()))
	case required > 0 && claims.Expiry.Before(o.judgedAt.Add(required)):
		return verdict(exitEndsSoon, askForRenewal, "the key expires at %s, sooner than --require-valid-for %s allows",
			formatInstant(claims.Expiry), formatDuration(required))
	default:
		return nil
	}
}

const askForRenewal = "Ask the vendor for a renewal, quoting the license ID."
