// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report has the commands that fetch the license report from the operator, and verify the checksum of one.
package report

import (
	"cmp"
	"context"
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

const (
	// outputTar is the format of a tar archive that contains the report.
	outputTar = "tar"
	// allProducts is --product for a report of all products.
	allProducts = "*"
)

type options struct {
	command.Environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product, namespace, output, out string
	timeout                         time.Duration

	config *rest.Config
	token  string
	// folder and file to write; no folder: the standard output; no file: the name that the operator suggests.
	folder, file string
}

// NewCommand is kubectl license report.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use: "report [flags]", Short: "Fetch the license report from the operator, for the vendor",
		Long: long, Example: example, Args: command.UnknownCommand,
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
	flags.StringVar(&o.out, "out", "", "write to this `FILE` instead of the standard output; if it is a folder, the "+
		"operator chooses the file name")
	operator.AddNamespaceFlag(cmd, &o.namespace)
	wait.AddTimeoutFlag(cmd, &o.timeout)
	command.CompleteFlag(cmd, "output", output.JSON, outputTar)
	command.CompleteFiles(cmd, "out", output.JSON, outputTar)
	command.Must(cmd.RegisterFlagCompletionFunc("product",
		func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			names := kubeclient.ProductNames(cmd.Context(), o.connection)
			return append(names, allProducts), cobra.ShellCompDirectiveNoFileComp
		}))
	kubeclient.AddFlags(cmd, o.connection)
	flags.Lookup("token").Usage = "Bearer token for the operator; also for the API server if the kubeconfig does not " +
		"have credentials"
	cmd.AddCommand(newVerifyCommand(env))
	return cmd
}

// validate checks what can be checked without a cluster.
func (o *options) validate() error {
	if err := wait.CheckTimeout(o.command, o.timeout); err != nil {
		return err
	}
	switch {
	case o.product == "" && o.command.Flags().Changed("product"):
		return command.UsageError(o.command, "--product is empty: want a LicensedProduct, or '*' for all")
	case o.output == outputTar && (o.out == "" || o.out == files.StandardInput) && term.IsTerminal(o.Out):
		return command.UsageError(o.command, "cannot print a tar archive on a terminal: name a file with --out")
	case o.output == "":
		return command.UsageError(o.command, "--output is empty: want json or tar")
	}
	if err := operator.CheckNamespace(o.command, o.namespace); err != nil {
		return err
	}
	return output.Check(o.command, o.output, output.JSON, outputTar)
}

// complete finds out where to write, and the token for the operator. --token is for the operator, and may not have any
// other permission: the API server gets it only if the kubeconfig does not have credentials.
func (o *options) complete() error {
	if err := o.completeFile(); err != nil {
		return err
	}
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
		return command.FailWithHint("Leave out --as, and as: in the kubeconfig, or use a kubeconfig of that user.",
			"impersonation does not reach the operator, which knows users only by their tokens")
	case !rest.IsConfigTransportTLS(*o.config) && !kubeclient.IsLoopback(o.config.Host):
		return command.FailWithHint("Use an https:// address of the API server.",
			"%s is not a secure connection: the token could be read in transit", o.config.Host)
	case o.config.Insecure:
		term.Warnf(o.ErrOut, "the API server's certificate is not verified: the token may go to another server")
	}
	if o.token = given; o.token != "" {
		if !kubeclient.HasCredentials(o.config) {
			o.config.BearerToken = o.token
		}
		return nil
	}
	// Before the timeout starts, since the user may have to log in.
	if o.token, err = kubeclient.BearerToken(o.config); err != nil {
		return command.FailWithHint("Check whether kubectl works: kubectl auth whoami", "%v", err)
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
	// Before the report is made, which would be useless then.
	if _, err := os.Lstat(o.out); err == nil {
		return command.FailWithHint("Files are never overwritten: choose another file, or move that one away.",
			"%s already exists", o.out)
	}
	return nil
}

// howToGetToken returns the commands that make a token for the report only, and fetch the same report with it.
func (o *options) howToGetToken() string {
	const account = "license-report"
	namespace := text.ShellQuote(o.namespace)
	binding := manifest.ShortenName(account+"-"+o.namespace, manifest.MaxNameLength)
	cluster, all := o.given(true), o.given(false)
	lines := []string{
		"Use the token of a ServiceAccount that may only read the report:",
		fmt.Sprintf("  kubectl create serviceaccount %s -n %s%s", account, namespace, cluster),
		fmt.Sprintf("  kubectl create clusterrolebinding %s --clusterrole=%s --serviceaccount=%s%s",
			text.ShellQuote(binding), readerRole, text.ShellQuote(o.namespace+":"+account), cluster),
		fmt.Sprintf(`  kubectl license report%s --token "$(kubectl create token %s -n %s --duration 10m%s)"`, all,
			account, namespace, cluster),
	}
	return strings.Join(lines, "\n")
}

// given returns the flags of this command line, or only those that choose the cluster, without credentials.
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
	switch {
	case err == nil:
		return o.write(received)
	case ctx.Err() != nil:
		return command.FailWithHint("", "interrupted before the report arrived")
	case waiting.Err() != nil:
		return command.FailWithHint("Check the operator: kubectl get pods -n "+text.ShellQuote(o.namespace)+
			"\nIt may be busy: --timeout 2m waits longer.", "no report within %s", o.timeout)
	default:
		return err
	}
}

func (o *options) write(received *received) error {
	if o.folder == "" {
		_, err := o.Out.Write(received.body)
		return err
	}
	file := cmp.Or(o.file, received.name)
	if file == "" {
		return command.FailWithHint("Name the file: --out "+text.ShellQuote(filepath.Join(o.folder,
			"report."+o.output)), "the operator does not suggest a file name for the report")
	}
	if err := files.WriteNew(o.folder,
		files.File{Name: file, Data: received.body, Mode: files.ModePrivate}); err != nil {
		return command.FailWithHint("Name a file that can be written with --out, or leave it out for the standard "+
			"output.", "cannot write the report: %v", err)
	}
	o.tell(filepath.Join(o.folder, file), received.document)
	return nil
}

// tell says what was written, and that the user must send it.
func (o *options) tell(path string, document *document) {
	about := "there are no products"
	if len(document.Products) > 0 {
		var names []string
		for _, product := range document.Products {
			names = append(names, product.Name)
		}
		about = "of " + text.PrintableList(names, "")
	}
	_, _ = fmt.Fprintf(o.ErrOut, "Wrote the license report to %s (%s).\nIt was not sent to anyone: give it to the "+
		"vendor yourself.\n", text.Printable(path), about)
	if len(document.Products) > 1 {
		term.Warnf(o.ErrOut, "it contains the contracts of several products, and a vendor should not see those of "+
			"others: use --product NAME for each")
	}
}

// reportName matches the file names that the operator suggests.
var reportName = regexp.MustCompile(`^report-\d{4}(_\d\d){4}_[AP]M\.(json|tar)$`)

// nameFor returns the file name in a Content-Disposition; empty if it does not match.
func nameFor(disposition, format string) string {
	_, parameters, err := mime.ParseMediaType(disposition)
	name := parameters["filename"]
	if err != nil || !reportName.MatchString(name) || filepath.Ext(name) != "."+format {
		return ""
	}
	return name
}
