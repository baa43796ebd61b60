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

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/text"
)

type keysOptions struct {
	kubeclient.ProductCommand
	output string
}

// NewKeysCommand is kubectl license keys.
func NewKeysCommand(env command.Environment) *cobra.Command {
	o := &keysOptions{ProductCommand: kubeclient.ProductCommand{Environment: env}}
	cmd := &cobra.Command{
		Use: "keys [PRODUCT] [flags]", Short: "Show every license key with its state, and why it counts or not",
		Long: keysLong, Example: keysExample, Args: command.AtMostOneArgument("PRODUCT"),
		RunE: command.InSteps(o.Complete, o.validate, o.run),
	}
	output.AddListFlag(cmd, &o.output)
	o.Attach(cmd)
	return cmd
}

func (o *keysOptions) validate() error {
	return output.Check(o.Command, o.output, output.ListFormats...)
}

func (o *keysOptions) run(ctx context.Context) error {
	var list api.LicenseKeyList
	if err := o.Client.List(ctx, &list); err != nil {
		return kubeclient.ListError(kubeclient.Keys, err)
	}
	keys := summarizeKeys(list.Items, o.Product)
	if err := o.print(keys); err != nil {
		return err
	}
	o.remark(keys)
	return nil
}

// remark says on the standard error what the table cannot show.
func (o *keysOptions) remark(keys []keySummary) {
	unseen := 0
	for i := range keys {
		if keys[i].State == "" {
			unseen++
		}
	}
	switch {
	case len(keys) == 0 && o.Product != "":
		_, _ = fmt.Fprintf(o.ErrOut, "No LicenseKeys found for product %s.\nList all keys: kubectl license keys\n",
			text.Printable(o.Product))
	case len(keys) == 0:
		_, _ = fmt.Fprintln(o.ErrOut,
			"No LicenseKeys found.\nApply the one that the vendor gave you: kubectl license apply FILE")
	case unseen > 0:
		term.Warnf(o.ErrOut, "the operator has not reconciled %s yet: if that does not change, run kubectl license "+
			"doctor", text.Plural(unseen, "key"))
	}
}

// keySummary is what is shown of a LicenseKey. Its JSON form is an interface, with the names of the API.
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

// summarizeKeys returns the keys of a product, or of all, sorted by product, with the active key of each first.
func summarizeKeys(keys []api.LicenseKey, product string) []keySummary {
	summaries := []keySummary{}
	for i := range keys {
		if product == "" || keys[i].Spec.ProductName == product {
			summaries = append(summaries, summarizeKey(&keys[i]))
		}
	}
	slices.SortFunc(summaries, func(a, b keySummary) int {
		if a.ProductName == b.ProductName && a.Active != b.Active {
			if a.Active {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.ProductName, b.ProductName), cmp.Compare(a.Name, b.Name))
	})
	return summaries
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
	// The condition that says why the key is used or not.
	condition := meta.FindStatusCondition(status.Conditions, api.ConditionActive)
	if meta.IsStatusConditionFalse(status.Conditions, api.ConditionReady) {
		condition = meta.FindStatusCondition(status.Conditions, api.ConditionReady)
	}
	if condition != nil {
		s.Reason, s.Message = condition.Reason, condition.Message
	}
	return s
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
		state := term.TextCell(string(key.State))
		state.Color = term.KeyStateColors[key.State]
		l.Add(term.TextCell(key.ProductName), term.TextCell(key.Name), state, term.Cell{Text: active},
			term.TextCell(key.Reason), term.TextCell(key.Customer), term.TimeCell(key.ExpiryTime),
			term.TextCell(key.LicenseID), term.TimeCell(key.NotBeforeTime), term.TimeCell(key.GraceEndTime),
			term.TextCell(key.Message))
	}
	return l
}
