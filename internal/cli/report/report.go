// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report has the commands that fetch the license report from the operator, and verify the checksum of one.
package report

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/files"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/manifest"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/cli/wait"
	"github.com/license-operator/license-operator/internal/text"
)

// outputTar is a report as a tar archive that holds it.
const outputTar = "tar"

// allProducts stands for all products of the cluster in one report.
const allProducts = "*"

// options are what report was asked.
type options struct {
	command.Environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product   string
	namespace string
	output    string
	out       string
	timeout   time.Duration

	config *rest.Config
	token  string
	// folder and file are what to write; no folder: the standard output. Without file it has the name that the operator
	// gives it.
	folder, file string
}

// NewCommand is kubectl license report.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use:     "report [flags]",
		Short:   "Fetch the license report from the operator, for the vendor",
		Long:    long,
		Example: example,
		Args:    command.UnknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			if err := o.complete(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	o.command = cmd
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.product, "product", "",
		"the `NAME` of the LicensedProduct, or '*' for all; needed where there are several")
	flags.StringVarP(&o.output, "output", "o", output.JSON, "`FORMAT`: json or tar")
	flags.StringVar(&o.out, "out", "", "write to this `FILE` instead of the standard output; in a folder: by the "+
		"name that the operator gives the report")
	operator.AddNamespaceFlag(cmd, &o.namespace)
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the report: a `DURATION` such as 2m")
	command.CompleteFlag(cmd, "output", output.JSON, outputTar)
	command.CompleteFlag(cmd, "timeout", "30s", "2m")
	command.CompleteFiles(cmd, "out", output.JSON, outputTar)
	command.Must(cmd.RegisterFlagCompletionFunc("product", func(cmd *cobra.Command, _ []string,
		_ string,
	) ([]string, cobra.ShellCompDirective) {
		return append(kubeclient.ProductNames(cmd.Context(), o.connection),
			allProducts), cobra.ShellCompDirectiveNoFileComp
	}))
	kubeclient.AddFlags(cmd, o.connection)
	flags.Lookup("token").Usage = "Bearer token for the operator; for the API server, too, where the kubeconfig has " +
		"no credentials"
	cmd.AddCommand(newVerifyCommand(env))
	return cmd
}

// validate checks what can be checked without a cluster.
func (o *options) validate() error {
	switch {
	case o.timeout <= 0:
		return command.UsageError(o.command, "--timeout %s: want more than 0s", o.timeout)
	case o.product == "" && o.command.Flags().Changed("product"):
		return command.UsageError(o.command, "--product is empty: want a LicensedProduct, or '*' for all")
	case o.output == outputTar && (o.out == "" || o.out == files.StandardInput) && term.IsTerminal(o.Out):
		return command.UsageError(o.command, "a tar archive is nothing for a terminal: name a file with --out")
	}
	if err := operator.CheckNamespace(o.command, o.namespace); err != nil {
		return err
	}
	if o.output == "" {
		return command.UsageError(o.command, "--output is empty: want json or tar")
	}
	return output.Check(o.command, o.output, output.JSON, outputTar)
}

// complete finds out where to write, and who asks.
func (o *options) complete() error {
	if err := o.completeFile(); err != nil {
		return err
	}
	return o.completeIdentity()
}

// completeIdentity finds out who asks the operator, and who asks the API server for the way there. A token that is
// given is for the operator: whoever made it for that has given it no other permission. Only where the kubeconfig has
// no credentials at all the API server gets it, too.
func (o *options) completeIdentity() error {
	given := strings.TrimSpace(*o.connection.BearerToken)
	if given == "" && o.command.Flags().Changed("token") {
		return command.UsageError(o.command, "--token is empty")
	}
	*o.connection.BearerToken = ""
	var err error
	if o.config, err = kubeclient.NewConfig(o.connection, o.ErrOut); err != nil {
		return err
	}
	switch {
	case kubeclient.Impersonates(o.config):
		return command.FailWithHint("Leave out --as, or as: of the kubeconfig's user; or use a kubeconfig of whom you "+
			"want to be.", "who you want to be taken for does not reach the operator, which knows you by a token alone")
	case !rest.IsConfigTransportTLS(*o.config) && !kubeclient.IsLoopback(o.config.Host):
		return command.FailWithHint("Use an https:// address of the API server.",
			"%s is not a secure connection: the token could be read in transit", o.config.Host)
	case o.config.Insecure:
		term.Warnf(o.ErrOut, "the API server's certificate is not verified, and so nobody vouches for where the "+
			"token goes")
	}
	if o.token = given; o.token != "" {
		if !kubeclient.HasCredentials(o.config) {
			o.config.BearerToken = o.token
		}
		return nil
	}
	// Here already, since somebody may have to log in for it, which has no limit of time.
	if o.token, err = kubeclient.BearerToken(o.config); err != nil {
		return command.FailWithHint("See whether kubectl itself gets through: kubectl auth whoami", "%v", err)
	}
	return nil
}

func (o *options) completeFile() error {
	if o.out == "" ||
		o.out == files.StandardInput { // which as a place to write to is the standard output, as with any tool
		return nil
	}
	if info, err := os.Stat(o.out); err == nil && info.IsDir() || os.IsPathSeparator(o.out[len(o.out)-1]) {
		o.folder = filepath.Clean(o.out)
		return nil
	}
	o.folder, o.file = filepath.Split(filepath.Clean(o.out))
	o.folder = filepath.Clean(o.folder)
	// Before anything is asked: a report that then could not be written would be for nothing.
	if _, err := os.Lstat(o.out); err == nil {
		return command.FailWithHint("Nothing is ever overwritten: name another file, or move that one away.",
			"%s is there already", o.out)
	}
	return nil
}

// withoutToken is for those who have other credentials.
func (o *options) withoutToken() error {
	return command.FailWithHint(o.howToGetToken(), "the operator wants a bearer token, and the kubeconfig has none "+
		"for you: a client certificate is for the API server alone, and its proxy strips credentials from what it "+
		"passes on")
}

// howToGetToken are the commands that make a token which is good for the report alone, for the same cluster and the
// same report.
func (o *options) howToGetToken() string {
	const account = "license-report"
	namespace := text.ShellQuote(o.namespace)
	binding := manifest.ShortenName(account+"-"+o.namespace, manifest.MaxNameLength)
	cluster, all := o.given(true), o.given(false)
	lines := []string{
		"Use the token of a ServiceAccount that may read the report and nothing else:",
		fmt.Sprintf("  kubectl create serviceaccount %s -n %s%s", account, namespace, cluster),
		fmt.Sprintf("  kubectl create clusterrolebinding %s --clusterrole=%s --serviceaccount=%s%s",
			text.ShellQuote(binding), readerRole, text.ShellQuote(o.namespace+":"+account), cluster),
		fmt.Sprintf(`  kubectl license report%s --token "$(kubectl create token %s -n %s --duration 10m%s)"`, all,
			account, namespace, cluster),
	}
	return strings.Join(lines, "\n")
}

// given are the flags of this command line, or those of them alone that say which cluster it is about, without
// credentials.
func (o *options) given(clusterOnly bool) string {
	var words strings.Builder
	o.command.Flags().Visit(func(flag *pflag.Flag) {
		_, isConnection := flag.Annotations[command.ConnectionFlag]
		if flag.Name != "token" && (isConnection || !clusterOnly) {
			fmt.Fprintf(&words, " --%s=%s", flag.Name, text.ShellQuote(flag.Value.String()))
		}
	})
	return words.String()
}

func (o *options) run(ctx context.Context) error {
	ctx, stop := wait.Interruptible(ctx)
	defer stop()
	waiting, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	received, err := o.fetch(waiting)
	var known *command.UserError
	switch {
	case err == nil:
		return o.write(received)
	case ctx.Err() != nil:
		return command.FailWithHint("", "interrupted before the report was there")
	case waiting.Err() != nil:
		return command.FailWithHint("Is the operator well? kubectl get pods -n "+text.ShellQuote(o.namespace)+
			"\nIt may have a lot to do: --timeout 2m waits longer.", "no report within %s", o.timeout)
	case errors.As(err, &known):
		return known
	default:
		return err
	}
}

func (o *options) write(received *received) error {
	if o.folder == "" {
		_, err := o.Out.Write(received.body)
		return err
	}
	file := o.file
	if file == "" {
		file = received.name
	}
	if file == "" {
		return command.FailWithHint("Name the file: --out "+text.ShellQuote(filepath.Join(o.folder,
			"report."+o.output)), "the operator does not say what to call the report")
	}
	if err := files.WriteNew(o.folder,
		files.File{Name: file, Data: received.body, Mode: files.ModePrivate}); err != nil {
		return command.FailWithHint("Name a file that can be written with --out, or leave it out for the standard "+
			"output.", "cannot write the report: %v", err)
	}
	o.tell(filepath.Join(o.folder, file), received.document)
	return nil
}

// tell says what was written, and that it is for the reader to send.
func (o *options) tell(path string, document *document) {
	about := "there are no products"
	if len(document.Products) > 0 {
		names := make([]string, len(document.Products))
		for i := range document.Products {
			names[i] = document.Products[i].Name
		}
		about = "of " + text.PrintableList(names, "")
	}
	_, _ = fmt.Fprintf(o.ErrOut, "Wrote the license report to %s (%s).\nNothing was sent to anybody: give it to the "+
		"vendor yourself.\n", text.Printable(path), about)
	if len(document.Products) > 1 {
		term.Warnf(o.ErrOut, "it has the contracts of several products, and a vendor should not see another's: "+
			"--product NAME makes one for each")
	}
}

// reportName is what the operator calls reports.
var reportName = regexp.MustCompile(`^report-\d{4}(_\d\d){4}_[AP]M\.(json|tar)$`)

// nameFor is the name of the file in a Content-Disposition; empty where there is none that is good.
func nameFor(disposition, format string) string {
	_, parameters, err := mime.ParseMediaType(disposition)
	name := parameters["filename"]
	if err != nil || !reportName.MatchString(name) || filepath.Ext(name) != "."+format {
		return ""
	}
	return name
}
