// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package issuer has the commands of those who issue license keys: ca, signer and issue.
package issuer

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

// placeholderProduct stands for a name that the vendor has to choose. It is no valid name: a manifest with it is
// refused, not created.
const placeholderProduct = "PRODUCT"

// caCreateOptions are what ca create was asked.
type caCreateOptions struct {
	command.Environment
	command *cobra.Command

	folder string
	vendor string

	// now is the instant at which the certificates begin.
	now time.Time
}

// NewCACommand is kubectl license ca.
func NewCACommand(env command.Environment) *cobra.Command {
	return command.NewParent("ca", "Make the certificates that a vendor's licenses rest on", newCACreateCommand(env))
}

func newCACreateCommand(env command.Environment) *cobra.Command {
	o := &caCreateOptions{Environment: env}
	cmd := &cobra.Command{
		Use:     "create --dir DIR --vendor NAME",
		Short:   "Make a root and a first signer",
		Long:    caLong,
		Example: caExample,
		Args:    command.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			o.complete()
			if err := o.validate(); err != nil {
				return err
			}
			return o.run()
		},
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

func (o *caCreateOptions) complete() { o.now = o.ThisSecond() }

func (o *caCreateOptions) validate() error {
	return command.RequireFlags(o.command, "dir", "vendor")
}

func (o *caCreateOptions) run() error {
	authority, err := token.NewAuthority(o.vendor, o.now)
	if err != nil {
		return command.UsageError(o.command, "--vendor: %v", err)
	}
	signer, err := authority.NewSigner(defaultSignerName(o.now), o.now)
	if err != nil {
		return err
	}
	made, err := authorityFiles(authority, signer)
	if err != nil {
		return err
	}
	if err := files.WriteNew(o.folder, made...); err != nil {
		return cannotWrite(err)
	}
	return o.tell(authority, signer)
}

func authorityFiles(authority *token.Authority, signer *token.Signer) ([]files.File, error) {
	key, err := authority.KeyPEM()
	if err != nil {
		return nil, err
	}
	ofSigner, err := signerFiles(signer)
	if err != nil {
		return nil, err
	}
	return append([]files.File{
		{Name: authorityCertificateFile, Data: authority.CertificatePEM(), Mode: files.ModePublic},
		{Name: authorityKeyFile, Data: key, Mode: files.ModePrivate},
	}, ofSigner...), nil
}

func (o *caCreateOptions) tell(authority *token.Authority, signer *token.Signer) error {
	chain := signer.Chain()
	leaf, root := chain[0], chain[len(chain)-1]
	manifest, err := productSnippet(o.vendor, string(authority.CertificatePEM()))
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

Move ca.key to a safe place that is offline, and keep a copy. Whoever has it can issue licenses in
your name; only 'kubectl license signer create' ever needs it. Guard signer.key: it issues licenses.

Customers trust your keys by the root's certificate in the LicensedProduct that comes with your
product. Replace %s by its name:

%s
Then issue a license:
  kubectl license issue --signer %s --product %s --customer NAME --valid-for 365d > key.yaml
`,
		text.Printable(o.folder), text.Time(root.NotAfter), text.Time(leaf.NotAfter),
		token.CertificateSHA256(root.Raw), token.CertificateSHA256(leaf.Raw),
		placeholderProduct, manifest, text.ShellQuote(o.folder), placeholderProduct)
	return err
}

// productSnippet is the least that a LicensedProduct needs.
func productSnippet(vendor, anchors string) (string, error) {
	manifest, err := yaml.Marshal(manifest.New(manifest.KindLicensedProduct, placeholderProduct,
		map[string]any{"vendor": vendor, "trustAnchors": anchors}))
	return string(manifest), err
}
