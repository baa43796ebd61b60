// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package issuer

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/text"
	"github.com/license-operator/license-operator/internal/token"
)

type signerCreateOptions struct {
	command.Environment
	command                       *cobra.Command
	authorityFolder, folder, name string
}

// NewSignerCommand is kubectl license signer.
func NewSignerCommand(env command.Environment) *cobra.Command {
	return command.NewParent("signer", "Make more signers, so that the root can stay offline",
		newSignerCreateCommand(env))
}

func newSignerCreateCommand(env command.Environment) *cobra.Command {
	o := &signerCreateOptions{Environment: env}
	cmd := &cobra.Command{
		Use: "create --ca DIR --out DIR [flags]", Short: "Make another signer",
		Long: signerLong, Example: signerExample, Args: command.NoArguments,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	o.command = cmd
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.authorityFolder, "ca", "", "the folder `DIR` with ca.crt and ca.key")
	flags.StringVar(&o.folder, "out", "", "the folder `DIR` to write into, created if it is missing")
	flags.StringVar(&o.name, "name", "", "the signer's `NAME` in its certificate, at most 64 characters (default "+
		"\"License Signer\" and the date)")
	command.CompleteFolders(cmd, "ca")
	command.CompleteFolders(cmd, "out")
	command.CompleteFlag(cmd, "name")
	return cmd
}

func (o *signerCreateOptions) run() error {
	if err := command.RequireFlags(o.command, "ca", "out"); err != nil {
		return err
	}
	authority, err := readPair(o.authorityFolder, authorityName, "authority", "'kubectl license ca create'",
		token.ParseAuthority, o.ErrOut)
	if err != nil {
		return err
	}
	now := o.ThisSecond()
	signer, err := authority.NewSigner(cmp.Or(o.name, defaultSignerName(now)), now)
	if err != nil {
		return command.UsageError(o.command, "cannot make a signer: %v", err)
	}
	key, err := signer.KeyPEM()
	if err != nil {
		return err
	}
	if err := writeFiles(o.folder, pairFiles(signerName, signer.CertificatePEM(), key)); err != nil {
		return err
	}
	leaf := signer.Chain()[0]
	_, err = fmt.Fprintf(o.Out, `Made in %s:
  signer.crt  the signer's certificate and its issuer's, valid until %s
  signer.key  the signer's private key

SHA-256 fingerprint:
  signer  %s

Products that trust the root accept its keys at once. Keep signer.key safe, and take ca.key offline
again.

Issue a license:
  kubectl license issue --signer %s --product %s --customer NAME --valid-for 365d > key.yaml
`, text.Printable(o.folder), text.Time(leaf.NotAfter), token.CertificateSHA256(leaf.Raw), text.ShellQuote(o.folder),
		placeholderProduct)
	return err
}
