// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// Values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
	dryRunServer = "server"
)

var dryRunModes = []string{dryRunNone, dryRunClient, dryRunServer}

// dryRunFlag is one of these modes. It says so as soon as it is read: what is taken for the mode by mistake, "-o" after
// a bare --dry-run say, is missing elsewhere, and that would be the error.
type dryRunFlag string

func (f *dryRunFlag) Type() string { return "MODE" }

func (f *dryRunFlag) String() string { return string(*f) }

// Set reads the flag's value.
func (f *dryRunFlag) Set(text string) error {
	if !slices.Contains(dryRunModes, text) {
		return fmt.Errorf("want %s", anyOf(dryRunModes))
	}
	*f = dryRunFlag(text)
	return nil
}

// applyOptions are what apply was asked.
type applyOptions struct {
	keySource
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	name    string
	yes     bool
	dryRun  dryRunFlag
	output  string
	timeout time.Duration

	now    time.Time
	client client.Client
}

// applyLong is the help of apply.
const applyLong = `Verify a license key against its product as the cluster has it, show what applying it would change,
ask, apply it, and wait until the operator says that it counts. Talks to the cluster.

FILE is a LicenseKey manifest, a Secret with a token in it, a token alone, or one of these as a mail
program left it. A manifest names its product; without one, --product does, or the key is for the one
product that accepts it. The LicenseKey has the name of the manifest, or of --name, or one made of the
product and the license ID, as 'kubectl license issue' makes it. A LicenseKey of that name that is
there gets the new token, and keeps its labels and annotations. If that has changed while you were
asked, nothing is applied. A token through a pipe leaves nobody to ask: it takes --yes or --dry-run.

A key that does not verify is not applied. What it would change comes from the same code that the
operator runs. A key may begin in the future, and it may be older than the one that counts: it says so.
Tokens are never printed.

It applies on the server's side, as field manager kubectl-license. Where another manager that is not
kubectl has set the token, GitOps for example, it changes nothing and says who that is.

You need the permissions get on licensedproducts (list, where the product is to be found by the key),
list on licensekeys, and get, create and patch on the LicenseKey; get on the namespace kube-system, whose
uid a key may be bound to: without it, whether it is bound to this cluster remains for the operator.

Exit codes:
  0  the key counts as was foretold, whether applied now or before, or it is a dry run
  1  a mistake on the command line, no permission, you said no, or the operator does not say what was
     foretold, or nothing: the message tells whether the key is applied
  2  FILE holds nothing that can be read as one license key
  3  the key does not verify: nothing was applied

With -o json or yaml the fields are:
  licenseKeyName, productName, licenseID, customer
  change            Created, TokenReplaced (then replacedLicenseID), Changed (its certificate, labels or
                    annotations), Unchanged
  applied           false of a dry run, and where nothing was to be done
  state, active     of the key, as soon as it is applied
  clusterUnknown    true where the key is for certain clusters, and you may not see whether this is one
  before, after     the product now, and as soon as the key is applied: state, activeLicenseKeyName,
                    expiryTime, graceEndTime, coverageEndTime, features, limits (name, value),
                    restriction (state, effectiveTime)
  takeoverTime      when the key becomes the active one, where that is later, and atTakeover: the product
                    then
  restrictionStartTime: when the restriction next comes into force with the key applied, as things are
  usage             what is in use now (name, value)`

// applyExample is the help of apply: how it is used.
const applyExample = `  # See what a renewal changes, say yes or no, and wait until it is in force
  kubectl license apply key.yaml

  # A token alone
  kubectl license apply license.jwt --product acme-mesh

  # Only see what it would change
  kubectl license apply key.yaml --dry-run=server

  # In a pipeline: the token from a vault, without a question
  vault kv get -field=token licenses/acme | kubectl license apply - --product acme-mesh --yes`

func newApplyCommand(env environment) *cobra.Command {
	o := &applyOptions{keySource: keySource{environment: env}, connection: newConnection(), dryRun: dryRunNone}
	command := &cobra.Command{
		Use:     "apply FILE|- [flags]",
		Short:   "Verify a license key, show what it changes, and apply it",
		Long:    applyLong,
		Example: applyExample,
		Args:    oneArgument("FILE (or - for the standard input)"),
		RunE:    inSteps(o),
	}
	o.command = command
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.product, "product", "",
		"the `NAME` of the LicensedProduct that the key is for, where FILE does not say")
	flags.StringVar(&o.name, "name", "", "the `NAME` of the LicenseKey, where FILE does not say (default from the "+
		"product and the license ID)")
	flags.BoolVarP(&o.yes, "yes", "y", false, "apply without asking")
	flags.Var(&o.dryRun, "dry-run", "change nothing: `MODE` client only shows what the key would change, server "+
		"also asks the API server whether it would take it (none, client or server)")
	addOutputFlag(command, &o.output, "text", outputJSON, outputYAML, outputName)
	addTimeoutFlag(command, &o.timeout)
	completeWith(command, "name")
	completeWith(command, "dry-run", dryRunModes...)
	mustRegister(command.RegisterFlagCompletionFunc("product", func(command *cobra.Command, _ []string,
		typed string) ([]string, cobra.ShellCompDirective) {
		return completeProduct(o.connection)(command, nil, typed)
	}))
	addConnectionFlags(command, o.connection)
	return command
}

func (o *applyOptions) complete(args []string) error {
	o.file = args[0]
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *applyOptions) validate() error {
	if err := checkNames(o.command, "product", "name"); err != nil {
		return err
	}
	if err := checkTimeout(o.command, o.timeout); err != nil {
		return err
	}
	if err := checkOutput(o.command, o.output, outputJSON, outputYAML, outputName); err != nil {
		return err
	}
	if o.file == standardInput && !o.yes && o.dryRun == dryRunNone && !isTerminal(o.In) {
		return failf(sayYesBefore, "the key comes from the standard input, so there is nobody to say yes")
	}
	return nil
}

func (o *applyOptions) run(ctx context.Context) error {
	key, err := o.read()
	if err != nil {
		return err
	}
	found, err := o.foresee(ctx, key)
	if err != nil {
		return err
	}
	if found.Change == keyUnchanged {
		return o.confirm(ctx, key, found)
	}
	if err := found.tell(o.previewScreen()); err != nil {
		return err
	}
	found.warn(o.ErrOut)
	return o.apply(ctx, key, found)
}

// foresee verifies the key and tells what it changes, as things are now.
func (o *applyOptions) foresee(ctx context.Context, key *candidate) (*prospect, error) {
	o.now = o.thisSecond()
	accepted, err := o.verify(ctx, key)
	if err != nil {
		return nil, err
	}
	key.productName = accepted.product.Name
	key.name = cmp.Or(key.name, keyName(key.productName, accepted.claims.ID))
	keys, err := o.listKeys(ctx)
	if err != nil {
		return nil, err
	}
	if err := key.fits(keys); err != nil {
		return nil, err
	}
	return foresee(accepted, keys, key, o.now), nil
}

// read reads the file, and says what of it is not applied as it stands there.
func (o *applyOptions) read() (*candidate, error) {
	data, err := o.readInput()
	if err != nil {
		return nil, err
	}
	key, err := readCandidate(data)
	if err != nil {
		return nil, o.inSource(err)
	}
	switch {
	case key.name != "" && o.name != "" && key.name != o.name:
		return nil, misused(o.command, "--name %s: the LicenseKey in %s is %s", o.name, o.source(), key.name)
	case key.productName != "" && o.product != "" && key.productName != o.product:
		return nil, misused(o.command, "--product %s: the LicenseKey in %s is for product %s", o.product, o.source(),
			key.productName)
	}
	key.name, key.productName = cmp.Or(key.name, o.name), cmp.Or(key.productName, o.product)
	if key.repaired {
		warnf(o.ErrOut, "the token in %s is not in one piece, as after a journey by mail: what is applied is the "+
			"token put together again", o.source())
	}
	if len(key.left) > 0 {
		warnf(o.ErrOut, "only the key is applied, and nothing else that is in %s: %s", o.source(),
			strings.Join(key.left, ", "))
	}
	return key, nil
}

func (o *applyOptions) listKeys(ctx context.Context) ([]api.LicenseKey, error) {
	var keys api.LicenseKeyList
	if err := o.client.List(ctx, &keys); err != nil {
		return nil, explainList(licenseKeys, err)
	}
	return keys.Items, nil
}

// asks tells whether somebody will be asked.
func (o *applyOptions) asks() bool { return !o.yes && o.dryRun == dryRunNone && isTerminal(o.In) }

// previewScreen is where the change is shown: with -o the standard output is for programs, and who is not asked need
// not see it. Who is asked sees it beside the question, wherever the standard output goes.
func (o *applyOptions) previewScreen() screen {
	switch {
	case o.asks() && (o.output != "" || !isTerminal(o.Out)):
		return screenOf(o.ErrOut)
	case o.output != "":
		return screen{Writer: io.Discard}
	default:
		return screenOf(o.Out)
	}
}

// confirm waits until the operator says of a key that is there already what is foretold of it: whether it counts is
// what those want to know too who run this again.
func (o *applyOptions) confirm(ctx context.Context, key *candidate, found *prospect) error {
	said := &verdictOfOperator{key: *found.existing}
	if o.dryRun == dryRunNone {
		ctx, stop := interruptible(ctx)
		defer stop()
		var err error
		if said, err = o.await(ctx, key, found); err != nil {
			return err
		}
	}
	return o.print(found, said.standing())
}

// apply asks and applies, unless it is a dry run. The API server is asked first whether it would take the key, since
// then nobody says yes in vain.
func (o *applyOptions) apply(ctx context.Context, key *candidate, shown *prospect) error {
	if o.dryRun != dryRunClient {
		if err := o.write(ctx, key, shown, true); err != nil {
			return err
		}
	}
	if o.dryRun != dryRunNone {
		return o.print(shown, "Nothing was applied: it is a dry run.")
	}
	if !o.yes {
		if err := o.ask(ctx); err != nil {
			return err
		}
	}
	// Whoever was asked took time for the answer. Other keys may have come meanwhile, and this one may have begun; of
	// the LicenseKey that it replaces the answer was about what was shown.
	found, err := o.foresee(ctx, key)
	switch {
	case err != nil:
		return err
	case !found.concernsSame(shown):
		return key.overtaken()
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	if err := o.write(ctx, key, found, false); err != nil {
		return err
	}
	found.Applied = true
	said, err := o.await(ctx, key, found)
	if err != nil {
		return err
	}
	if unready := unreadyText(&said.product); unready != "" && found.endsRestriction() {
		warnf(o.ErrOut, "%s", unready)
	}
	return o.print(found, found.outcome())
}

// ask has whoever sits there say yes.
func (o *applyOptions) ask(ctx context.Context) error {
	if !isTerminal(o.In) {
		return failf("Nothing was applied. "+sayYesBefore,
			"the standard input is no terminal, so there is nobody to say yes")
	}
	_, _ = fmt.Fprint(o.ErrOut, "Apply it? [y/N] ")
	answer, err := o.answer(ctx)
	if err != nil { // What is printed next would stand behind the question.
		_, _ = fmt.Fprintln(o.ErrOut)
	}
	switch {
	case errors.Is(err, errInterrupted):
		return failf("", "interrupted: nothing was applied")
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return failf("To apply it, run the command again and answer y.",
			"nothing was applied, since you did not say yes")
	}
}

// sayYesBefore is what there is to do where nobody can be asked.
const sayYesBefore = "Apply it without a question: --yes"

// answer is the line that somebody types, unless Ctrl-C is.
func (o *applyOptions) answer(ctx context.Context) (string, error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	type line struct {
		text string
		err  error
	}
	typed := make(chan line, 1)
	go func() { // It reads on after Ctrl-C, and ends with the process.
		text, err := bufio.NewReader(io.LimitReader(o.In, 1024)).ReadString('\n')
		typed <- line{text, err}
	}()
	select {
	case got := <-typed:
		return got.text, got.err
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// print prints the result for programs or, where nobody asked for that, a sentence.
func (o *applyOptions) print(found *prospect, sentence string) error {
	switch o.output {
	case "":
		gap := "\n"
		if found.Change == keyUnchanged || o.previewScreen().Writer != o.Out { // Nothing was shown above.
			gap = ""
		}
		_, err := fmt.Fprintln(o.Out, gap+fold(printable(sentence), "", ""))
		return err
	case outputName:
		_, err := fmt.Fprintln(o.Out, keyReference(found.LicenseKeyName))
		return err
	default:
		return writeEncoded(o.Out, o.output, found)
	}
}
