// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apply has the command that verifies a license key, shows what it changes, applies it, and waits until the
// operator counts it.
package apply

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
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/keyfile"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/text"
)

type options struct {
	keyfile.Source
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product, name, output string
	yes                   bool
	dryRun                dryRunFlag
	timeout               time.Duration

	now    time.Time
	client client.Client
}

// NewCommand is kubectl license apply.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Source: keyfile.Source{Environment: env}, connection: kubeclient.NewFlags(), dryRun: dryRunNone}
	cmd := &cobra.Command{
		Use:     "apply FILE|- [flags]",
		Short:   "Verify a license key, show what it changes, and apply it",
		Long:    long,
		Example: example,
		Args:    command.OneArgument("FILE (or - for the standard input)"),
		RunE:    command.InSteps(o.complete, o.validate, o.run),
	}
	o.command = cmd
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.product, "product", "",
		"the `NAME` of the LicensedProduct that the key is for, if FILE does not say it")
	flags.StringVar(&o.name, "name", "",
		"the `NAME` of the LicenseKey, if FILE does not say it (default from the product and the license ID)")
	flags.BoolVarP(&o.yes, "yes", "y", false, "apply without asking")
	flags.Var(&o.dryRun, "dry-run", "change nothing: `MODE` client only shows what the key would change, server "+
		"also validates it on the API server (none, client or server)")
	output.AddFlag(cmd, &o.output, "text", output.JSON, output.YAML, output.Name)
	wait.AddTimeoutFlag(cmd, &o.timeout)
	command.CompleteFlag(cmd, "name")
	command.CompleteFlag(cmd, "dry-run", dryRunModes...)
	command.Must(cmd.RegisterFlagCompletionFunc("product",
		func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return kubeclient.CompleteProduct(o.connection)(cmd, nil, typed)
		}))
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}

func (o *options) complete(args []string) error {
	o.File = args[0]
	var err error
	o.client, err = kubeclient.New(o.connection, o.ErrOut)
	return err
}

func (o *options) validate() error {
	if err := manifest.CheckNameFlags(o.command, "product", "name"); err != nil {
		return err
	}
	if err := wait.CheckTimeout(o.command, o.timeout); err != nil {
		return err
	}
	if err := output.Check(o.command, o.output, output.JSON, output.YAML, output.Name); err != nil {
		return err
	}
	if o.File == files.StandardInput && !o.yes && o.dryRun == dryRunNone && !term.IsTerminal(o.In) {
		return command.FailWithHint(passYes,
			"the key comes from standard input, so the command cannot ask for confirmation")
	}
	return nil
}

func (o *options) run(ctx context.Context) error {
	key, err := o.read()
	if err != nil {
		return err
	}
	found, err := o.preview(ctx, key)
	if err != nil {
		return err
	}
	if found.Change == keyUnchanged {
		return o.confirm(ctx, key, found)
	}
	if err := found.print(o.previewScreen()); err != nil {
		return err
	}
	found.warn(o.ErrOut)
	return o.apply(ctx, key, found)
}

// preview verifies the key, and computes what it changes in the cluster as it is now.
func (o *options) preview(ctx context.Context, key *input) (*preview, error) {
	o.now = o.ThisSecond()
	accepted, err := o.verify(ctx, key)
	if err != nil {
		return nil, err
	}
	key.ProductName = accepted.product.Name
	key.name = cmp.Or(key.name, manifest.KeyName(key.ProductName, accepted.claims.ID))
	var keys api.LicenseKeyList
	if err := o.client.List(ctx, &keys); err != nil {
		return nil, kubeclient.ListError(kubeclient.Keys, err)
	}
	if err := key.fits(keys.Items); err != nil {
		return nil, err
	}
	return newPreview(accepted, keys.Items, key, o.now), nil
}

// read reads the file, and warns about what is not applied as it is in the file.
func (o *options) read() (*input, error) {
	data, err := o.ReadFile()
	if err != nil {
		return nil, err
	}
	key, err := readInput(data)
	if err != nil {
		return nil, o.InSource(err)
	}
	switch {
	case key.name != "" && o.name != "" && key.name != o.name:
		return nil, command.UsageError(o.command, "--name %s: the LicenseKey in %s is %s", o.name, o.SourceName(),
			key.name)
	case key.ProductName != "" && o.product != "" && key.ProductName != o.product:
		return nil, command.UsageError(o.command, "--product %s: the LicenseKey in %s is for product %s", o.product,
			o.SourceName(), key.ProductName)
	}
	key.name, key.ProductName = cmp.Or(key.name, o.name), cmp.Or(key.ProductName, o.product)
	if key.Repaired {
		term.Warnf(o.ErrOut, "the token in %s has line breaks or spaces, as from an email: applying it without them",
			o.SourceName())
	}
	if len(key.ignored) > 0 {
		term.Warnf(o.ErrOut, "applying only the key; ignored in %s: %s", o.SourceName(),
			strings.Join(key.ignored, ", "))
	}
	return key, nil
}

// previewScreen is where the preview is shown. With -o, the standard output is for programs: the preview is then only
// shown beside the question, if there is one.
func (o *options) previewScreen() term.Screen {
	asks := !o.yes && o.dryRun == dryRunNone && term.IsTerminal(o.In)
	switch {
	case asks && (o.output != "" || !term.IsTerminal(o.Out)):
		return term.NewScreen(o.ErrOut)
	case o.output != "":
		return term.Screen{Writer: io.Discard}
	default:
		return term.NewScreen(o.Out)
	}
}

// confirm waits until the operator confirms the preview of a key that was applied before, so that the command can be
// run again.
func (o *options) confirm(ctx context.Context, key *input, found *preview) error {
	said := &operatorView{key: *found.existing}
	if o.dryRun == dryRunNone {
		ctx, stop := wait.Interruptible(ctx)
		defer stop()
		var err error
		if said, err = o.await(ctx, key, found); err != nil {
			return err
		}
	}
	return o.print(found, said.standing())
}

// apply asks and applies, unless it is a dry run. Before the question, the API server says whether it accepts the key.
func (o *options) apply(ctx context.Context, key *input, shown *preview) error {
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
	// During the question, other keys can have been applied, and this one can have become valid. But the answer was for
	// the LicenseKey that was shown.
	found, err := o.preview(ctx, key)
	switch {
	case err != nil:
		return err
	case !found.concernsSame(shown):
		return key.overtaken()
	}
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	if err := o.write(ctx, key, found, false); err != nil {
		return err
	}
	found.Applied = true
	said, err := o.await(ctx, key, found)
	if err != nil {
		return err
	}
	if unready := overview.NotReadyText(&said.product); unready != "" && found.endsRestriction() {
		term.Warnf(o.ErrOut, "%s", unready)
	}
	return o.print(found, found.outcome())
}

// passYes is the fix if the command cannot ask.
const passYes = "To apply it without confirmation: --yes"

// ask returns nil only if the user confirms.
func (o *options) ask(ctx context.Context) error {
	if !term.IsTerminal(o.In) {
		return command.FailWithHint("Nothing was applied. "+passYes,
			"standard input is not a terminal, so the command cannot ask for confirmation")
	}
	_, _ = fmt.Fprint(o.ErrOut, "Apply it? [y/N] ")
	answer, err := o.answer(ctx)
	if err != nil { // Otherwise the next output would be on the line of the question.
		_, _ = fmt.Fprintln(o.ErrOut)
	}
	switch {
	case errors.Is(err, wait.ErrInterrupted):
		return command.FailWithHint("", "interrupted: nothing was applied")
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return command.FailWithHint("To apply it, run the command again and answer y.",
			"nothing was applied: not confirmed")
	}
}

// answer is the line that the user types; Ctrl-C interrupts it.
func (o *options) answer(ctx context.Context) (string, error) {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	var line string
	read := make(chan error, 1)
	go func() { // It continues to read after Ctrl-C, and ends with the process.
		text, err := bufio.NewReader(io.LimitReader(o.In, 1024)).ReadString('\n')
		line = text
		read <- err
	}()
	select {
	case err := <-read:
		return line, err
	case <-ctx.Done():
		return "", wait.ErrInterrupted
	}
}

// print prints the result for programs with -o, else a sentence.
func (o *options) print(found *preview, sentence string) error {
	switch o.output {
	case "":
		gap := "\n"
		if found.Change == keyUnchanged || o.previewScreen().Writer != o.Out { // Nothing was shown above.
			gap = ""
		}
		_, err := fmt.Fprintln(o.Out, gap+term.Wrap(text.Printable(sentence), "", ""))
		return err
	case output.Name:
		_, err := fmt.Fprintln(o.Out, kubeclient.KeyReference(found.LicenseKeyName))
		return err
	default:
		return output.Write(o.Out, o.output, found)
	}
}

// Values of --dry-run, as kubectl has them.
const (
	dryRunNone   = "none"
	dryRunClient = "client"
)

var dryRunModes = []string{dryRunNone, dryRunClient, "server"}

// dryRunFlag is one of these modes. It is checked when it is read: otherwise "--dry-run -o json" would be an error
// about a missing argument.
type dryRunFlag string

func (f *dryRunFlag) Type() string { return "MODE" }

func (f *dryRunFlag) String() string { return string(*f) }

// Set reads the flag's value.
func (f *dryRunFlag) Set(words string) error {
	if !slices.Contains(dryRunModes, words) {
		return fmt.Errorf("want %s", text.Or(dryRunModes))
	}
	*f = dryRunFlag(words)
	return nil
}
