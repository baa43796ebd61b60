// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package request has the command that prints what a vendor needs to know to renew a license.
package request

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
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/text"
)

type options struct {
	command.Environment
	connection *genericclioptions.ConfigFlags
	client     client.Client
	output     string
}

// NewCommand is kubectl license request.
func NewCommand(env command.Environment) *cobra.Command {
	o := &options{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use:               "request PRODUCT [flags]",
		Short:             "Print what a vendor needs to know to renew a license",
		Long:              long,
		Example:           example,
		Args:              command.OneArgument("PRODUCT"),
		ValidArgsFunction: kubeclient.CompleteProduct(o.connection),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.client, err = kubeclient.New(o.connection, o.ErrOut); err != nil {
				return err
			}
			if err := output.Check(cmd, o.output, output.JSON, output.YAML); err != nil {
				return err
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().SortFlags = false
	output.AddFlag(cmd, &o.output, "text", output.JSON, output.YAML)
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}

func (o *options) run(ctx context.Context, name string) error {
	product := &api.LicensedProduct{}
	if err := o.client.Get(ctx, client.ObjectKey{Name: name}, product); err != nil {
		return kubeclient.ProductError(name, "read", "get", err)
	}
	key, err := o.activeKey(ctx, product.Status.ActiveLicenseKeyName)
	if err != nil {
		return err
	}
	uid, err := kubeclient.ClusterUID(ctx, o.client)
	switch {
	case apierrors.IsForbidden(err):
		term.Warnf(o.ErrOut, "the cluster's uid is left out, which a license for this cluster alone needs: %v", err)
	case err != nil:
		return err
	}
	if err := newRenewalRequest(product, key, uid, o.ThisSecond()).print(o.Out, o.output); err != nil {
		return err
	}
	to := product.Spec.Vendor
	if url := product.Spec.RenewalURL; url != "" {
		to += ", at " + url
	}
	_, err = fmt.Fprintf(o.ErrOut, "Nothing has been sent. Send it to %s\n", text.Printable(to))
	return err
}

// activeKey is the key that decides the product's state; nil if there is none, or if it cannot be read.
func (o *options) activeKey(ctx context.Context, name string) (*api.LicenseKey, error) {
	if name == "" {
		return nil, nil
	}
	key := &api.LicenseKey{}
	err := o.client.Get(ctx, client.ObjectKey{Name: name}, key)
	switch {
	case err == nil:
		return key, nil
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		term.Warnf(o.ErrOut, "license ID and customer are left out: %v", err)
		return nil, nil
	default:
		return nil, command.FailWithHint("Check the connection with: kubectl get lk "+name,
			"cannot read LicenseKey %s: %v", name, err)
	}
}

// renewalRequest is what a vendor needs to know. Its JSON form is an interface: fields are added, never renamed, and
// have the names of the API. Because it leaves the company, it must not contain a token or names of nodes, namespaces
// or users.
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
	if format != "" {
		return output.Write(out, format, r)
	}
	var t term.Table
	for _, row := range [][2]string{
		{"Request for:", "a license renewal"},
		{"Date:", text.Time(r.Time.Time)},
		{"Product:", r.ProductName},
		{"Vendor:", r.Vendor},
		{"Renewal at:", r.RenewalURL},
		{"Cluster UID:", r.ClusterUID},
		{"Customer:", r.Customer},
		{"License ID:", r.LicenseID},
		{"State:", string(r.State)},
		{"Expires:", term.TimeCell(r.ExpiryTime).Text},
		{"Grace ends:", term.TimeCell(r.GraceEndTime).Text},
		{"Limits:", overview.LimitsText(r.Limits)},
		{"In use:", overview.UsageText(r.Usage)},
	} {
		t.Add(row[0], term.TextCell(row[1]).Text)
	}
	label := "Monthly peaks:"
	for i := len(r.MonthlyPeaks) - 1; i >= 0; i-- {
		t.Add(label, text.Printable(r.MonthlyPeaks[i].Month)+"  "+overview.UsageText(r.MonthlyPeaks[i].Usage))
		label = ""
	}
	return t.Write(out)
}
