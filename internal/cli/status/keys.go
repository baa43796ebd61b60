// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

// keysOptions are what keys was asked.
type keysOptions struct {
	command.Environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	output  string

	client client.Client
}

// NewKeysCommand is kubectl license keys.
func NewKeysCommand(env command.Environment) *cobra.Command {
	o := &keysOptions{Environment: env, connection: kubeclient.NewFlags()}
	cmd := &cobra.Command{
		Use: "keys [PRODUCT] [flags]", Short: "Show every license key with its state, and why it counts or not",
		Long: keysLong, Example: keysExample, Args: command.AtMostOneArgument("PRODUCT"),
		RunE:              command.InSteps(o.complete, o.validate, o.run),
		ValidArgsFunction: kubeclient.CompleteProduct(o.connection),
	}
	o.command = cmd
	cmd.Flags().SortFlags = false
	output.AddListFlag(cmd, &o.output)
	kubeclient.AddFlags(cmd, o.connection)
	return cmd
}

func (o *keysOptions) complete(args []string) error {
	if len(args) > 0 {
		o.product = args[0]
	}
	var err error
	o.client, err = kubeclient.New(o.connection, o.ErrOut)
	return err
}

func (o *keysOptions) validate() error {
	return output.Check(o.command, o.output, output.ListFormats...)
}

func (o *keysOptions) run(ctx context.Context) error {
	var list api.LicenseKeyList
	if err := o.client.List(ctx, &list); err != nil {
		return kubeclient.ListError(kubeclient.Keys, err)
	}
	keys := summarizeKeys(list.Items, o.product)
	if err := o.print(keys); err != nil {
		return err
	}
	o.remark(keys)
	return nil
}

// remark says what the table cannot.
func (o *keysOptions) remark(keys []keySummary) {
	unseen := 0
	for i := range keys {
		if keys[i].State == "" {
			unseen++
		}
	}
	switch {
	case len(keys) == 0 && o.product != "":
		_, _ = fmt.Fprintf(o.ErrOut, "No LicenseKeys found for product %s.\nSee which there are: kubectl license "+
			"keys\n", text.Printable(o.product))
	case len(keys) == 0:
		_, _ = fmt.Fprintln(o.ErrOut,
			"No LicenseKeys found.\nApply the one that the vendor gave you: kubectl license apply FILE")
	case unseen > 0:
		term.Warnf(o.ErrOut, "the operator has not looked at %s yet: if it stays so, see kubectl license doctor",
			text.Plural(int64(unseen), "key"))
	}
}

// keySummary is what is to be known of a LicenseKey. Its JSON form is an interface, and has the names of the API.
type keySummary struct {
	Name          string              `json:"name"`
	ProductName   string              `json:"productName"`
	State         api.LicenseKeyState `json:"state,omitempty"`
	Active        bool                `json:"active"`
	Reason        string              `json:"reason,omitempty"`
	Message       string              `json:"message,omitempty"`
	Customer      string              `json:"customer,omitempty"`
	LicenseID     string              `json:"licenseID,omitempty"`
	IssuedTime    *metav1.Time        `json:"issuedTime,omitempty"`
	NotBeforeTime *metav1.Time        `json:"notBeforeTime,omitempty"`
	ExpiryTime    *metav1.Time        `json:"expiryTime,omitempty"`
	GraceEndTime  *metav1.Time        `json:"graceEndTime,omitempty"`
	Features      []string            `json:"features,omitempty"`
	Limits        []api.Limit         `json:"limits,omitempty"`
}

// summarizeKeys are the keys of a product, or of all, by product, each product's active one first.
func summarizeKeys(keys []api.LicenseKey, product string) []keySummary {
	summaries := []keySummary{}
	for i := range keys {
		if product == "" || keys[i].Spec.ProductName == product {
			summaries = append(summaries, summarizeKey(&keys[i]))
		}
	}
	slices.SortFunc(summaries, func(a, b keySummary) int {
		return cmp.Or(cmp.Compare(a.ProductName, b.ProductName), activeFirst(a, b), cmp.Compare(a.Name, b.Name))
	})
	return summaries
}

func activeFirst(a, b keySummary) int {
	switch {
	case a.Active == b.Active:
		return 0
	case a.Active:
		return -1
	default:
		return 1
	}
}

func summarizeKey(key *api.LicenseKey) keySummary {
	status := &key.Status
	s := keySummary{
		Name: key.Name, ProductName: key.Spec.ProductName, State: status.State,
		Active: meta.IsStatusConditionTrue(status.Conditions, api.ConditionActive), Customer: status.Customer,
		LicenseID: status.LicenseID, IssuedTime: status.IssuedTime, NotBeforeTime: status.NotBeforeTime,
		ExpiryTime: status.ExpiryTime, GraceEndTime: status.GraceEndTime, Features: status.Features,
		Limits: status.Limits,
	}
	if decides := decidingCondition(status.Conditions); decides != nil {
		s.Reason, s.Message = decides.Reason, decides.Message
	}
	return s
}

// decidingCondition is the one that says why a key counts or not.
func decidingCondition(conditions []metav1.Condition) *metav1.Condition {
	if ready := meta.FindStatusCondition(conditions, api.ConditionReady); ready != nil &&
		ready.Status == metav1.ConditionFalse {
		return ready
	}
	return meta.FindStatusCondition(conditions, api.ConditionActive)
}

func (o *keysOptions) print(keys []keySummary) error {
	switch o.output {
	case output.JSON, output.YAML:
		return output.Write(o.Out, o.output, map[string]any{"keys": keys})
	case output.Name:
		for i := range keys {
			if _, err := fmt.Fprintln(o.Out, kubeclient.KeyReference(keys[i].Name)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(keys) == 0 {
		return nil
	}
	return keysListing(keys).Write(term.NewScreen(o.Out), o.output == output.Wide)
}

func keysListing(keys []keySummary) *term.Listing {
	l := &term.Listing{Columns: []term.Column{
		{Head: "PRODUCT"},
		{Head: "KEY"},
		{Head: "STATE"},
		{Head: "ACTIVE", DropPriority: 3},
		{Head: "REASON", DropPriority: 1},
		{Head: "CUSTOMER", DropPriority: 4},
		{Head: "EXPIRES", DropPriority: 2},
		{Head: "LICENSE ID", OnlyWide: true},
		{Head: "NOT BEFORE", OnlyWide: true},
		{Head: "GRACE END", OnlyWide: true},
		{Head: "MESSAGE", OnlyWide: true},
	}}
	for i := range keys {
		key := &keys[i]
		active := "no"
		if key.Active {
			active = "yes"
		}
		l.Add(
			term.TextCell(key.ProductName),
			term.TextCell(key.Name),
			term.Cell{Text: term.TextCell(string(key.State)).Text, Color: term.KeyStateColors[key.State]},
			term.Cell{Text: active},
			term.TextCell(key.Reason),
			term.TextCell(key.Customer),
			term.TimeCell(key.ExpiryTime),
			term.TextCell(key.LicenseID),
			term.TimeCell(key.NotBeforeTime),
			term.TimeCell(key.GraceEndTime),
			term.TextCell(key.Message),
		)
	}
	return l
}
