// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/license-operator/license-operator/internal/token"
)

// signerCreateOptions are what signer create was asked.
type signerCreateOptions struct {
	environment
	command *cobra.Command

	authorityFolder string
	folder          string
	name            string

	// now is the instant at which the certificate begins.
	now time.Time
}

func newSignerCommand(env environment) *cobra.Command {
	return newParentCommand("signer", "Make further signers, so that the root can stay offline",
		newSignerCreateCommand(env))
}

// signerCreateLong is the help of signer create.
const signerCreateLong = `Make another signer: signer.crt, valid for 10 years but not longer than the root, and signer.key.
Works offline.

Keys that it issues verify wherever the root is trusted; no product has to be changed. Do this
before the present signer comes to its end, for each team or machine that issues licenses, and when
a signer.key may have been stolen: then revoke the old signer by its fingerprint in the
LicensedProduct (spec.revocations, certificateSHA256).

Nothing is ever overwritten.`

// signerCreateExample is the help of signer create: how it is used.
const signerCreateExample = `  # With ca.crt and ca.key at hand
  kubectl license signer create --ca acme-ca --out acme-signer-2`

func newSignerCreateCommand(env environment) *cobra.Command {
	o := &signerCreateOptions{environment: env}
	command := &cobra.Command{
		Use:     "create --ca DIR --out DIR [flags]",
		Short:   "Make another signer",
		Long:    signerCreateLong,
		Example: signerCreateExample,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			o.complete()
			if err := o.validate(); err != nil {
				return err
			}
			return o.run()
		},
	}
	o.command = command
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.authorityFolder, "ca", "", "the folder `DIR` with ca.crt and ca.key")
	flags.StringVar(&o.folder, "out", "", "the folder `DIR` to write into, made where it is missing")
	flags.StringVar(&o.name, "name", "", "the signer's `NAME` in its certificate, at most 64 characters (default "+
		"\"License Signer\" and the date)")
	completeWithFolders(command, "ca")
	completeWithFolders(command, "out")
	completeWith(command, "name")
	return command
}

func (o *signerCreateOptions) complete() {
	o.now = o.thisSecond()
	o.name = cmp.Or(o.name, defaultSignerName(o.now))
}

func (o *signerCreateOptions) validate() error {
	return requireFlags(o.command, "ca", "out")
}

func (o *signerCreateOptions) run() error {
	authority, err := readAuthority(o.authorityFolder, o.ErrOut)
	if err != nil {
		return err
	}
	signer, err := authority.NewSigner(o.name, o.now)
	if err != nil {
		return misused(o.command, "cannot make a signer: %v", err)
	}
	made, err := signerFiles(signer)
	if err != nil {
		return err
	}
	if err := writeNew(o.folder, made...); err != nil {
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
`, printable(o.folder), formatInstant(leaf.NotAfter), token.CertificateSHA256(leaf.Raw), shellWord(o.folder),
		placeholderProduct)
	return err
}
