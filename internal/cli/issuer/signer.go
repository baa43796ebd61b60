// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

// signerCreateOptions are what signer create was asked.
type signerCreateOptions struct {
	command.Environment
	command *cobra.Command

	authorityFolder string
	folder          string
	name            string

	// now is the instant at which the certificate begins.
	now time.Time
}

// NewSignerCommand is kubectl license signer.
func NewSignerCommand(env command.Environment) *cobra.Command {
	return command.NewParent("signer", "Make further signers, so that the root can stay offline",
		newSignerCreateCommand(env))
}

func newSignerCreateCommand(env command.Environment) *cobra.Command {
	o := &signerCreateOptions{Environment: env}
	cmd := &cobra.Command{
		Use:     "create --ca DIR --out DIR [flags]",
		Short:   "Make another signer",
		Long:    signerLong,
		Example: signerExample,
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
	flags.StringVar(&o.authorityFolder, "ca", "", "the folder `DIR` with ca.crt and ca.key")
	flags.StringVar(&o.folder, "out", "", "the folder `DIR` to write into, made where it is missing")
	flags.StringVar(&o.name, "name", "", "the signer's `NAME` in its certificate, at most 64 characters (default "+
		"\"License Signer\" and the date)")
	command.CompleteFolders(cmd, "ca")
	command.CompleteFolders(cmd, "out")
	command.CompleteFlag(cmd, "name")
	return cmd
}

func (o *signerCreateOptions) complete() {
	o.now = o.ThisSecond()
	o.name = cmp.Or(o.name, defaultSignerName(o.now))
}

func (o *signerCreateOptions) validate() error {
	return command.RequireFlags(o.command, "ca", "out")
}

func (o *signerCreateOptions) run() error {
	authority, err := readAuthority(o.authorityFolder, o.ErrOut)
	if err != nil {
		return err
	}
	signer, err := authority.NewSigner(o.name, o.now)
	if err != nil {
		return command.UsageError(o.command, "cannot make a signer: %v", err)
	}
	made, err := signerFiles(signer)
	if err != nil {
		return err
	}
	if err := files.WriteNew(o.folder, made...); err != nil {
		return cannotWrite(err)
	}
	return o.tell(signer)
}

func (o *signerCreateOptions) tell(signer *token.Signer) error {
	leaf := signer.Chain()[0]
	_, err := fmt.Fprintf(o.Out, `Made in %s:
  signer.crt  the signer's certificate and its issuer's, valid until %s
  signer.key  the signer's private key

SHA-256 fingerprint:
  signer  %s

Products that trust the root accept the keys it issues at once. Guard signer.key, and take ca.key
offline again.

Issue a license:
  kubectl license issue --signer %s --product %s --customer NAME --valid-for 365d > key.yaml
`, text.Printable(o.folder), text.Time(leaf.NotAfter), token.CertificateSHA256(leaf.Raw), text.ShellQuote(o.folder),
		placeholderProduct)
	return err
}
