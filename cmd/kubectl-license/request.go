// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// requestOptions are what request was asked.
type requestOptions struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	output  string

	now    time.Time
	client client.Client
}

// requestLong is the help of request.
const requestLong = `Print what a vendor needs to know to renew the license of a product: the cluster's uid, the current
license, what it allows, what is in use now, and the most that was in each of the last months. Talks to
the cluster, and changes nothing.

Nothing is sent. What is on the standard output is ready to be: it has no names of nodes, namespaces or
users, and no token. Where to send it is said on the standard error.

You need the permission get on licensedproducts and licensekeys and, for the cluster's uid, on the
namespace kube-system. Without the latter two it says what it leaves out.

With -o json or yaml the fields are: time, productName, vendor, renewalURL, clusterUID, state, customer,
licenseID, expiryTime, graceEndTime, limits and usage (name, value), monthlyPeaks (month, usage). What
is not known is absent; limits are known only of a license that is Valid or in its GracePeriod.`

// requestExample is the help of request: how it is used.
const requestExample = `  kubectl license request acme-mesh

  # As a file to attach
  kubectl license request acme-mesh -o json > renewal.json`

func newRequestCommand(env environment) *cobra.Command {
	o := &requestOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:               "request PRODUCT [flags]",
		Short:             "Print what a vendor needs to know to renew a license",
		Long:              requestLong,
		Example:           requestExample,
		Args:              oneArgument("PRODUCT"),
		RunE:              inSteps(o),
		ValidArgsFunction: completeProduct(o.connection),
	}
	o.command = command
	command.Flags().SortFlags = false
	addOutputFlag(command, &o.output, "text", outputJSON, outputYAML)
	addConnectionFlags(command, o.connection)
	return command
}

func (o *requestOptions) complete(args []string) error {
	o.product = args[0]
	o.now = o.thisSecond()
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *requestOptions) validate() error {
	return checkOutput(o.command, o.output, outputJSON, outputYAML)
}

func (o *requestOptions) run(ctx context.Context) error {
	product := &api.LicensedProduct{}
	if err := o.client.Get(ctx, client.ObjectKey{Name: o.product}, product); err != nil {
		return explainProduct(o.product, "read", "get", err)
	}
	key, err := o.activeKey(ctx, product.Status.ActiveLicenseKeyName)
	if err != nil {
		return err
	}
	uid, err := clusterUID(ctx, o.client)
	switch {
	case apierrors.IsForbidden(err):
		warnf(o.ErrOut, "the cluster's uid is left out, which a license for this cluster alone needs: %v", err)
	case err != nil:
		return err
	}
	request := newRenewalRequest(product, key, uid, o.now)
	if err := request.print(o.Out, o.output); err != nil {
		return err
	}
	to := product.Spec.Vendor
	if url := product.Spec.RenewalURL; url != "" {
		to += ", at " + url
	}
	_, err = fmt.Fprintf(o.ErrOut, "Nothing has been sent. Send it to %s\n", printable(to))
	return err
}

// activeKey is the key that decides the product's state; nil: there is none, or it cannot be read.
func (o *requestOptions) activeKey(ctx context.Context, name string) (*api.LicenseKey, error) {
	if name == "" {
		return nil, nil
	}
	key := &api.LicenseKey{}
	err := o.client.Get(ctx, client.ObjectKey{Name: name}, key)
	switch {
	case err == nil:
		return key, nil
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		warnf(o.ErrOut, "license ID and customer are left out: %v", err)
		return nil, nil
	default:
		return nil, failf("Check the connection with: kubectl get lk "+name, "cannot read LicenseKey %s: %v", name, err)
	}
}

// renewalRequest is what a vendor needs to know. Its JSON form is an interface: fields are added, never renamed. Where
// the API has the same thing, it has the same name. It goes to others: nothing may be in it that names nodes,
// namespaces or users, and no token.
type renewalRequest struct {
	Time         metav1.Time              `json:"time"`
	ProductName  string                   `json:"productName"`
	Vendor       string                   `json:"vendor,omitempty"`
	RenewalURL   string                   `json:"renewalURL,omitempty"`
	ClusterUID   string                   `json:"clusterUID,omitempty"`
	State        api.LicensedProductState `json:"state,omitempty"`
	Customer     string                   `json:"customer,omitempty"`
	LicenseID    string                   `json:"licenseID,omitempty"`
	ExpiryTime   *metav1.Time             `json:"expiryTime,omitempty"`
	GraceEndTime *metav1.Time             `json:"graceEndTime,omitempty"`
	Limits       []api.Limit              `json:"limits,omitempty"`
	Usage        []api.Usage              `json:"usage,omitempty"`
	MonthlyPeaks []api.MonthlyPeak        `json:"monthlyPeaks,omitempty"`
}

func newRenewalRequest(
	product *api.LicensedProduct, key *api.LicenseKey, clusterUID string, now time.Time,
) *renewalRequest {
	status := &product.Status
	r := &renewalRequest{
		Time: metav1.NewTime(now), ProductName: product.Name, Vendor: product.Spec.Vendor,
		RenewalURL: product.Spec.RenewalURL, ClusterUID: clusterUID,
		State: status.State, ExpiryTime: status.ExpiryTime, GraceEndTime: status.GraceEndTime,
		Limits: status.Limits, Usage: status.Usage, MonthlyPeaks: status.MonthlyPeaks,
	}
	if key != nil {
		r.Customer, r.LicenseID = key.Status.Customer, key.Status.LicenseID
	}
	return r
}

func (r *renewalRequest) print(out io.Writer, format string) error {
	if format == "" {
		return r.table().write(out)
	}
	return writeEncoded(out, format, r)
}

func (r *renewalRequest) table() *table {
	t := &table{}
	t.add("Request for:", "a license renewal")
	t.add("Date:", formatInstant(r.Time.Time))
	t.add("Product:", r.ProductName)
	t.add("Vendor:", textCell(r.Vendor).text)
	t.add("Renewal at:", textCell(r.RenewalURL).text)
	t.add("Cluster UID:", textCell(r.ClusterUID).text)
	t.add("Customer:", textCell(r.Customer).text)
	t.add("License ID:", textCell(r.LicenseID).text)
	t.add("State:", textCell(string(r.State)).text)
	t.add("Expires:", dateText(r.ExpiryTime).text)
	t.add("Grace ends:", dateText(r.GraceEndTime).text)
	t.add("Limits:", limitsText(r.Limits))
	t.add("In use:", usageText(r.Usage))
	label := "Monthly peaks:"
	for i := len(r.MonthlyPeaks) - 1; i >= 0; i-- {
		t.add(label, printable(r.MonthlyPeaks[i].Month)+"  "+usageText(r.MonthlyPeaks[i].Usage))
		label = ""
	}
	return t
}

func usageText(usage []api.Usage) string {
	texts := make([]string, len(usage))
	for i, used := range usage {
		texts[i] = namedAmount(used.Name, used.Value)
	}
	return printableList(texts, "-")
}
