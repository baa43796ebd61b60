// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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

	licensereport "github.com/license-operator/license-operator/internal/report"
)

// outputTar is a report as a tar archive that holds it.
const outputTar = "tar"

// allProducts stands for all products of the cluster in one report.
const allProducts = "*"

// reportOptions are what report was asked.
type reportOptions struct {
	environment
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

// reportLong is the help of report.
const reportLong = `Fetch the license report from the operator: what is licensed, what is in use, and the cluster's facts
that a vendor asks for, as JSON or as a tar archive that holds it as response.json. It is made for
this request alone. Talks to the cluster; nothing is sent to anybody else, so give it to the vendor
yourself. It has neither keys' tokens nor names of nodes, namespaces or users.

It comes from a ready pod of the operator, through the API server as with kubectl port-forward, but
without a port on this machine. The operator has to know who asks, and the API server strips
credentials from what it proxies: so your own bearer token goes to that pod, as the kubeconfig has it
(token, token file, a program that it runs, an identity provider), or that of --token: the API server
goes on knowing you by the kubeconfig, where it has credentials. Where you have no token, as with a
client certificate, it says how to get one. --as does not reach the operator.

The token goes to pods of --namespace that have the operator's labels, and nowhere else; whoever may
create pods there could read it, and it is good for all that you may do. One that is made for this,
by kubectl create token, is good for less. The pod's certificate is its own, so inside the tunnel it
is not verified: that it is the pod, the API server vouches for.

You need the permissions list on pods and create on pods/portforward in that namespace, and get on
the nonResourceURL ` + licensereport.Path + `, as from ClusterRole
` + reportReaderRole + `.

A file is never overwritten, and only its owner can read it. What was received is checked before it
is written. For the fields see docs/license-report.md.`

// reportExample is the help of report: how it is used.
const reportExample = `  # The report of the only product
  kubectl license report

  # For the vendor of one of several, as a tar archive with the usual name, in this folder
  kubectl license report --product acme-mesh -o tar --out .

  # All products, for yourself: a vendor should not see another's contract
  kubectl license report --product '*' --out licenses.json

  # With a client certificate there is no token to send: have one made that is good for ten minutes
  kubectl license report --token \
    "$(kubectl create token license-report -n license-operator-system --duration 10m)"`

func newReportCommand(env environment) *cobra.Command {
	o := &reportOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:     "report [flags]",
		Short:   "Fetch the license report from the operator, for the vendor",
		Long:    reportLong,
		Example: reportExample,
		Args:    noSuchCommand,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			if err := o.complete(); err != nil {
				return err
			}
			return o.run(command.Context())
		},
	}
	o.command = command
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.product, "product", "",
		"the `NAME` of the LicensedProduct, or '*' for all; needed where there are several")
	flags.StringVarP(&o.output, "output", "o", outputJSON, "`FORMAT`: json or tar")
	flags.StringVar(&o.out, "out", "", "write to this `FILE` instead of the standard output; in a folder: by the "+
		"name that the operator gives the report")
	addNamespaceFlag(command, &o.namespace)
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the report: a `DURATION` such as 2m")
	completeWith(command, "output", outputJSON, outputTar)
	completeWith(command, "timeout", "30s", "2m")
	completeWithFiles(command, "out", outputJSON, outputTar)
	mustRegister(command.RegisterFlagCompletionFunc("product", func(command *cobra.Command, _ []string,
		_ string) ([]string, cobra.ShellCompDirective) {
		return append(productNames(command.Context(), o.connection), allProducts), cobra.ShellCompDirectiveNoFileComp
	}))
	addConnectionFlags(command, o.connection)
	flags.Lookup("token").Usage = "Bearer token for the operator; for the API server, too, where the kubeconfig has " +
		"no credentials"
	command.AddCommand(newReportVerifyCommand(env))
	return command
}

// validate checks what can be checked without a cluster.
func (o *reportOptions) validate() error {
	switch {
	case o.timeout <= 0:
		return misused(o.command, "--timeout %s: want more than 0s", o.timeout)
	case o.product == "" && o.command.Flags().Changed("product"):
		return misused(o.command, "--product is empty: want a LicensedProduct, or '*' for all")
	case o.output == outputTar && (o.out == "" || o.out == standardInput) && isTerminal(o.Out):
		return misused(o.command, "a tar archive is nothing for a terminal: name a file with --out")
	}
	if err := checkNamespace(o.command, o.namespace); err != nil {
		return err
	}
	if o.output == "" {
		return misused(o.command, "--output is empty: want json or tar")
	}
	return checkOutput(o.command, o.output, outputJSON, outputTar)
}

// complete finds out where to write, and who asks.
func (o *reportOptions) complete() error {
	if err := o.completeFile(); err != nil {
		return err
	}
	return o.completeIdentity()
}

// completeIdentity finds out who asks the operator, and who asks the API server for the way there. A token that is
// given is for the operator: whoever made it for that has given it no other permission. Only where the kubeconfig has
// no credentials at all the API server gets it, too.
func (o *reportOptions) completeIdentity() error {
	given := strings.TrimSpace(*o.connection.BearerToken)
	if given == "" && o.command.Flags().Changed("token") {
		return misused(o.command, "--token is empty: has the command failed that makes it?")
	}
	*o.connection.BearerToken = ""
	var err error
	if o.config, err = newClientConfig(o.connection, o.ErrOut); err != nil {
		return err
	}
	switch {
	case impersonates(o.config):
		return failf("Leave out --as, or as: of the kubeconfig's user; or use a kubeconfig of whom you want to be.",
			"who you want to be taken for does not reach the operator, which knows you by a token alone")
	case !rest.IsConfigTransportTLS(*o.config) && !isLoopback(o.config.Host):
		return failf("Use an https:// address of the API server.",
			"%s is no secure connection: the token could be read on its way", o.config.Host)
	case o.config.Insecure:
		warnf(o.ErrOut, "the API server's certificate is not verified, and so nobody vouches for where the token goes")
	}
	if o.token = given; o.token != "" {
		if !hasCredentials(o.config) {
			o.config.BearerToken = o.token
		}
		return nil
	}
	// Here already, since somebody may have to log in for it, which has no limit of time.
	if o.token, err = bearerToken(o.config); err != nil {
		return failf("See whether kubectl itself gets through: kubectl auth whoami", "%v", err)
	}
	return nil
}

func (o *reportOptions) completeFile() error {
	if o.out == "" || o.out == standardInput { // which as a place to write to is the standard output, as with any tool
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
		return failf("Nothing is ever overwritten: name another file, or move that one away.", "%s is there already",
			o.out)
	}
	return nil
}

// withoutToken is for those who have other credentials.
func (o *reportOptions) withoutToken() error {
	return failf(o.howToGetToken(), "the operator wants a bearer token, and the kubeconfig has none for you: a "+
		"client certificate is for the API server alone, "+
		"and its proxy strips credentials from what it passes on")
}

// reportReaderRole is the ClusterRole that config/ installs for those who may read the report.
const reportReaderRole = "license-operator-license-report-reader"

// howToGetToken are the commands that make a token which is good for the report alone, for the same cluster and the
// same report.
func (o *reportOptions) howToGetToken() string {
	const account = "license-report"
	namespace := shellWord(o.namespace)
	binding := shortened(account+"-"+o.namespace, maxNameLength)
	cluster, all := o.given(true), o.given(false)
	lines := []string{
		"Use the token of a ServiceAccount that may read the report and nothing else:",
		fmt.Sprintf("  kubectl create serviceaccount %s -n %s%s", account, namespace, cluster),
		fmt.Sprintf("  kubectl create clusterrolebinding %s --clusterrole=%s --serviceaccount=%s%s", shellWord(binding),
			reportReaderRole, shellWord(o.namespace+":"+account), cluster),
		fmt.Sprintf(`  kubectl license report%s --token "$(kubectl create token %s -n %s --duration 10m%s)"`, all,
			account, namespace, cluster),
	}
	return strings.Join(lines, "\n")
}

// given are the flags of this command line, or those of them alone that say which cluster it is about, without
// credentials.
func (o *reportOptions) given(clusterOnly bool) string {
	var words strings.Builder
	o.command.Flags().Visit(func(flag *pflag.Flag) {
		_, isConnection := flag.Annotations[connectionFlag]
		if flag.Name != "token" && (isConnection || !clusterOnly) {
			fmt.Fprintf(&words, " --%s=%s", flag.Name, shellWord(flag.Value.String()))
		}
	})
	return words.String()
}

func (o *reportOptions) run(ctx context.Context) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	waiting, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	received, err := o.fetch(waiting)
	var known *failure
	switch {
	case err == nil:
		return o.write(received)
	case ctx.Err() != nil:
		return failf("", "interrupted before the report was there")
	case waiting.Err() != nil:
		return failf("Is the operator well? kubectl get pods -n "+shellWord(o.namespace)+
			"\nIt may have a lot to do: --timeout 2m waits longer.", "no report within %s", o.timeout)
	case errors.As(err, &known):
		return known
	default:
		return err
	}
}

func (o *reportOptions) write(received *receivedReport) error {
	if o.folder == "" {
		_, err := o.Out.Write(received.body)
		return err
	}
	file := o.file
	if file == "" {
		file = received.name
	}
	if file == "" {
		return failf("Name the file: --out "+shellWord(filepath.Join(o.folder, "report."+o.output)),
			"the operator does not say what to call the report")
	}
	if err := writeNew(o.folder, newFile{name: file, data: received.body, mode: modePrivate}); err != nil {
		return failf("Name a file that can be written with --out, or leave it out for the standard output.",
			"cannot write the report: %v", err)
	}
	o.tell(filepath.Join(o.folder, file), received.document)
	return nil
}

// tell says what was written, and that it is for the reader to send.
func (o *reportOptions) tell(path string, document *reportDocument) {
	about := "there are no products"
	if len(document.Products) > 0 {
		names := make([]string, len(document.Products))
		for i := range document.Products {
			names[i] = document.Products[i].Name
		}
		about = "of " + printableList(names, "")
	}
	_, _ = fmt.Fprintf(o.ErrOut, "Wrote the license report to %s (%s).\nNothing was sent to anybody: give it to the "+
		"vendor yourself.\n", printable(path), about)
	if len(document.Products) > 1 {
		warnf(o.ErrOut, "it has the contracts of several products, and a vendor should not see another's: --product "+
			"NAME makes one for each")
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
