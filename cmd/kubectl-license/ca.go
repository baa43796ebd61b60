// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/token"
)

// placeholderProduct stands for a name that the vendor has to choose. It is no valid name: a manifest with it is
// refused, not created.
const placeholderProduct = "PRODUCT"

// caCreateOptions are what ca create was asked.
type caCreateOptions struct {
	environment
	command *cobra.Command

	folder string
	vendor string

	// now is the instant at which the certificates begin.
	now time.Time
}

func newCACommand(env environment) *cobra.Command {
	return newParentCommand("ca", "Make the certificates that a vendor's licenses rest on", newCACreateCommand(env))
}

// caCreateLong is the help of ca create.
const caCreateLong = `Make a vendor's root and a first signer. A vendor does this once. Works offline.

These files are written into the folder, which is made where it is missing. Nothing is ever
overwritten.
  ca.crt      the root's certificate, valid for 20 years: it goes into the LicensedProduct
  ca.key      its private key: keep it offline
  signer.crt  the first signer's certificate, valid for 10 years, followed by the root's
  signer.key  its private key: it issues licenses

A license cannot outlive its signer, its grace period included. Make another signer in good time
with 'kubectl license signer create'.`

// caCreateExample is the help of ca create: how it is used.
const caCreateExample = `  kubectl license ca create --dir acme-ca --vendor Acme`

func newCACreateCommand(env environment) *cobra.Command {
	o := &caCreateOptions{environment: env}
	command := &cobra.Command{
		Use:     "create --dir DIR --vendor NAME",
		Short:   "Make a root and a first signer",
		Long:    caCreateLong,
		Example: caCreateExample,
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
	flags.StringVar(&o.folder, "dir", "", "the folder `DIR` to write into")
	flags.StringVar(&o.vendor, "vendor", "",
		"the vendor's `NAME`, at most 48 characters: customers see it in certificates and messages")
	completeWithFolders(command, "dir")
	completeWith(command, "vendor")
	return command
}

func (o *caCreateOptions) complete() { o.now = o.thisSecond() }

func (o *caCreateOptions) validate() error {
	return requireFlags(o.command, "dir", "vendor")
}

func (o *caCreateOptions) run() error {
	authority, err := token.NewAuthority(o.vendor, o.now)
	if err != nil {
		return misused(o.command, "--vendor: %v", err)
	}
	signer, err := authority.NewSigner(defaultSignerName(o.now), o.now)
	if err != nil {
		return err
	}
	made, err := authorityFiles(authority, signer)
	if err != nil {
		return err
	}
	if err := writeNew(o.folder, made...); err != nil {
		return cannotWrite(err)
	}
	return o.tell(authority, signer)
}

func authorityFiles(authority *token.Authority, signer *token.Signer) ([]newFile, error) {
	key, err := authority.KeyPEM()
	if err != nil {
		return nil, err
	}
	ofSigner, err := signerFiles(signer)
	if err != nil {
		return nil, err
	}
	return append([]newFile{
		{name: authorityCertificateFile, data: authority.CertificatePEM(), mode: modePublic},
		{name: authorityKeyFile, data: key, mode: modePrivate},
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
		printable(o.folder), formatInstant(root.NotAfter), formatInstant(leaf.NotAfter),
		token.CertificateSHA256(root.Raw), token.CertificateSHA256(leaf.Raw),
		placeholderProduct, manifest, shellWord(o.folder), placeholderProduct)
	return err
}

// productSnippet is the least that a LicensedProduct needs.
func productSnippet(vendor, anchors string) (string, error) {
	manifest, err := yaml.Marshal(manifestOf(kindLicensedProduct, placeholderProduct,
		map[string]any{"vendor": vendor, "trustAnchors": anchors}))
	return string(manifest), err
}

// manifest is an object of ours without what only a cluster adds: a status, a time of creation.
type manifest struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Metadata   manifestMetadata `json:"metadata"`
	Spec       any              `json:"spec"`
}

type manifestMetadata struct {
	Name string `json:"name"`
}

func manifestOf(kind, name string, spec any) manifest {
	return manifest{APIVersion: api.GroupVersion.String(), Kind: kind, Metadata: manifestMetadata{Name: name},
		Spec: spec}
}

// defaultSignerName tells signers apart by the day they were made. The certificate names the vendor besides.
func defaultSignerName(now time.Time) string { return "License Signer " + now.Format(time.DateOnly) }

func cannotWrite(err error) error {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	return failf("Nothing was left behind: name a folder that you can write to.", "%v", err)
}

// shellWord quotes a word for a shell where it needs that.
func shellWord(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,="
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
