// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package issuer has the vendors' commands ca, signer and issue.
package issuer

import (
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

// placeholderProduct is replaced by the vendor. It is not a valid name, so the API server refuses a manifest with it.
const placeholderProduct = "PRODUCT"

type caCreateOptions struct {
	command.Environment
	command        *cobra.Command
	folder, vendor string
}

// NewCACommand is kubectl license ca.
func NewCACommand(env command.Environment) *cobra.Command {
	return command.NewParent("ca", "Make the certificates for a vendor's licenses", newCACreateCommand(env))
}

func newCACreateCommand(env command.Environment) *cobra.Command {
	o := &caCreateOptions{Environment: env}
	cmd := &cobra.Command{
		Use: "create --dir DIR --vendor NAME", Short: "Make a root and a first signer", Long: caLong,
		Example: caExample, Args: command.NoArguments, RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	o.command = cmd
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.folder, "dir", "", "the folder `DIR` to write into")
	flags.StringVar(&o.vendor, "vendor", "",
		"the vendor's `NAME`, at most 48 characters: customers see it in certificates and messages")
	command.CompleteFolders(cmd, "dir")
	command.CompleteFlag(cmd, "vendor")
	return cmd
}

func (o *caCreateOptions) run() error {
	if err := command.RequireFlags(o.command, "dir", "vendor"); err != nil {
		return err
	}
	now := o.ThisSecond()
	authority, err := token.NewAuthority(o.vendor, now)
	if err != nil {
		return command.UsageError(o.command, "--vendor: %v", err)
	}
	signer, err := authority.NewSigner(defaultSignerName(now), now)
	if err != nil {
		return err
	}
	key, err := authority.KeyPEM()
	if err != nil {
		return err
	}
	signerKey, err := signer.KeyPEM()
	if err != nil {
		return err
	}
	made := append(pairFiles(authorityName, authority.CertificatePEM(), key),
		pairFiles(signerName, signer.CertificatePEM(), signerKey)...)
	if err := writeFiles(o.folder, made); err != nil {
		return err
	}
	return o.tell(authority, signer)
}

func (o *caCreateOptions) tell(authority *token.Authority, signer *token.Signer) error {
	chain := signer.Chain()
	leaf, root := chain[0], chain[len(chain)-1]
	manifest, err := yaml.Marshal(manifest.New(manifest.KindLicensedProduct, placeholderProduct,
		map[string]any{"vendor": o.vendor, "trustAnchors": string(authority.CertificatePEM())}))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Out, `Made in %s:
  ca.crt      the root's certificate, valid until %s
  ca.key      the root's private key
  signer.crt  the first signer's certificate and the root's, valid until %s
  signer.key  the first signer's private key

SHA-256 fingerprints:
  root    %s
  signer  %s

Move ca.key to a safe place that is offline, and keep a copy. Anyone who has it can issue licenses in
your name. Only 'kubectl license signer create' needs it. Keep signer.key safe: it issues licenses.

Your customers' clusters trust your keys by the root's certificate in the LicensedProduct of your
product. Replace %s with its name:

%s
Then issue a license:
  kubectl license issue --signer %s --product %s --customer NAME --valid-for 365d > key.yaml
`,
		text.Printable(o.folder), text.Time(root.NotAfter), text.Time(leaf.NotAfter), token.CertificateSHA256(root.Raw),
		token.CertificateSHA256(leaf.Raw), placeholderProduct, manifest, text.ShellQuote(o.folder), placeholderProduct)
	return err
}
