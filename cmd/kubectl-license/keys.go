// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

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
)

// keysOptions are what keys was asked.
type keysOptions struct {
	environment
	command    *cobra.Command
	connection *genericclioptions.ConfigFlags

	product string
	output  string

	client client.Client
}

// keysLong is the help of keys.
const keysLong = `Show the license keys of all products, or of one: the state of each, whether it is the active one, and
why. Talks to the cluster, and changes nothing.

The active key of a product, which decides its state, comes first. REASON is why a key does not verify
or, if it does, why it is active or not. ProductNotFound: there is no LicensedProduct of that name. All
of it is what the operator has written into the status. With -o wide the message is there as well.

You need the permission list on licensekeys. Tokens are not printed in any format.

With -o json or yaml the fields are, in keys: name, productName, state, active, reason, message,
customer, licenseID, issuedTime, notBeforeTime, expiryTime, graceEndTime, features, limits (name,
value). What a key does not have is absent.`

// keysExample is the help of keys: how it is used.
const keysExample = `  kubectl license keys

  # Why does the new key of this product not count?
  kubectl license keys acme-mesh -o wide

  # Delete the keys that have expired for good
  kubectl license keys -o json | jq -r '.keys[] | select(.state == "Expired" and (.active | not)).name' |
    xargs -r kubectl delete lk`

func newKeysCommand(env environment) *cobra.Command {
	o := &keysOptions{environment: env, connection: newConnection()}
	command := &cobra.Command{
		Use:               "keys [PRODUCT] [flags]",
		Short:             "Show every license key with its state, and why it counts or not",
		Long:              keysLong,
		Example:           keysExample,
		Args:              atMostOneArgument("PRODUCT"),
		RunE:              inSteps(o),
		ValidArgsFunction: completeProduct(o.connection),
	}
	o.command = command
	command.Flags().SortFlags = false
	addListOutput(command, &o.output)
	addConnectionFlags(command, o.connection)
	return command
}

func (o *keysOptions) complete(args []string) error {
	if len(args) > 0 {
		o.product = args[0]
	}
	var err error
	o.client, err = newClient(o.connection, o.ErrOut)
	return err
}

func (o *keysOptions) validate() error { return checkOutput(o.command, o.output, listOutputs...) }

func (o *keysOptions) run(ctx context.Context) error {
	var list api.LicenseKeyList
	if err := o.client.List(ctx, &list); err != nil {
		return explainList(licenseKeys, err)
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
		_, _ = fmt.Fprintf(o.ErrOut,
			"No LicenseKeys found for product %s.\nSee which there are: kubectl license keys\n", printable(o.product))
	case len(keys) == 0:
		_, _ = fmt.Fprintln(o.ErrOut,
			"No LicenseKeys found.\nApply the one that the vendor gave you: kubectl license apply FILE")
	case unseen > 0:
		warnf(o.ErrOut, "the operator has not looked at %s yet: if it stays so, see kubectl license doctor",
			plural(int64(unseen), "key"))
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
		Active:   meta.IsStatusConditionTrue(status.Conditions, api.ConditionActive),
		Customer: status.Customer, LicenseID: status.LicenseID,
		IssuedTime: status.IssuedTime, NotBeforeTime: status.NotBeforeTime, ExpiryTime: status.ExpiryTime,
		GraceEndTime: status.GraceEndTime,
		Features:     status.Features, Limits: status.Limits,
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

var keyStateShades = map[api.LicenseKeyState]shade{
	api.LicenseKeyValid:       shadeGood,
	api.LicenseKeyGracePeriod: shadeWarn,
	api.LicenseKeyExpired:     shadeBad,
	api.LicenseKeyInvalid:     shadeBad,
}

func (o *keysOptions) print(keys []keySummary) error {
	switch o.output {
	case outputJSON, outputYAML:
		return writeEncoded(o.Out, o.output, map[string]any{"keys": keys})
	case outputName:
		for i := range keys {
			if _, err := fmt.Fprintln(o.Out, keyReference(keys[i].Name)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(keys) == 0 {
		return nil
	}
	return keysListing(keys).write(screenOf(o.Out), o.output == outputWide)
}

// keyReference is what kubectl calls a key with -o name.
func keyReference(name string) string {
	return "licensekey." + api.GroupVersion.Group + "/" + name
}

func keysListing(keys []keySummary) *listing {
	l := &listing{columns: []column{
		{head: "PRODUCT"},
		{head: "KEY"},
		{head: "STATE"},
		{head: "ACTIVE", dispensable: 3},
		{head: "REASON", dispensable: 1},
		{head: "CUSTOMER", dispensable: 4},
		{head: "EXPIRES", dispensable: 2},
		{head: "LICENSE ID", onlyWide: true},
		{head: "NOT BEFORE", onlyWide: true},
		{head: "GRACE END", onlyWide: true},
		{head: "MESSAGE", onlyWide: true},
	}}
	for i := range keys {
		key := &keys[i]
		active := "no"
		if key.Active {
			active = "yes"
		}
		l.add(
			textCell(key.ProductName),
			textCell(key.Name),
			cell{text: textCell(string(key.State)).text, shade: keyStateShades[key.State]},
			cell{text: active},
			textCell(key.Reason),
			textCell(key.Customer),
			dateText(key.ExpiryTime),
			textCell(key.LicenseID),
			dateText(key.NotBeforeTime),
			dateText(key.GraceEndTime),
			textCell(key.Message),
		)
	}
	return l
}
