// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/term"
	"github.com/license-operator/license-operator/internal/overview"
	"github.com/license-operator/license-operator/internal/text"
)

// newPrinter returns the printer for the output format.
func (o *options) newPrinter() productPrinter {
	p := &documentPrinter{options: o, shown: map[string]string{}}
	if o.output == "" || o.output == output.Wide {
		return &rowPrinter{documentPrinter: p, screen: term.NewScreen(o.Out)}
	}
	return p
}

// documentPrinter prints a document for each product, or its name.
type documentPrinter struct {
	*options
	// shown is the last output for each product: some changes do not change it.
	shown map[string]string
}

// isNews tells whether the output for a product is different from the last time.
func (p *documentPrinter) isNews(name, looks string) bool {
	before, known := p.shown[name]
	p.shown[name] = looks
	return !known || before != looks
}

func (p *documentPrinter) all(ctx context.Context, products []api.LicensedProduct) error {
	for i := range products {
		if err := p.changed(ctx, &products[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *documentPrinter) changed(ctx context.Context, product *api.LicensedProduct) error {
	var keys []api.LicenseKey
	if p.output != output.Name {
		keys = p.keys(ctx)
	}
	summary := overview.Of(product, keys, p.Now())
	looks, err := json.Marshal(summary)
	if err != nil || !p.isNews(product.Name, string(looks)) {
		return err
	}
	return p.document(product.Name, summary)
}

func (p *documentPrinter) deleted(name string) error {
	delete(p.shown, name)
	return p.document(name, map[string]any{"name": name, "deleted": true})
}

func (p *documentPrinter) document(name string, content any) error {
	switch p.output {
	case output.Name:
		_, err := fmt.Fprintln(p.Out, kubeclient.ProductReference(name))
		return err
	case output.YAML:
		if _, err := fmt.Fprintln(p.Out, "---"); err != nil {
			return err
		}
	}
	return output.Write(p.Out, p.output, content)
}

// rowPrinter adds rows to a table.
type rowPrinter struct {
	*documentPrinter
	screen term.Screen
	// table is nil before the first row.
	table *term.Arrangement
}

func (p *rowPrinter) all(_ context.Context, products []api.LicensedProduct) error {
	now, l := p.Now(), newListing()
	rows := make([][]term.Cell, len(products))
	for i := range products {
		rows[i] = statusRow(&products[i], now)
		l.Add(rows[i]...)
	}
	if p.table == nil && len(rows) > 0 {
		p.table = l.Arrange(p.screen, p.output == output.Wide)
		if err := p.table.WriteHead(p.screen); err != nil {
			return err
		}
	}
	for i, row := range rows {
		if p.isNews(products[i].Name, fmt.Sprint(row)) {
			if err := p.table.WriteRow(p.screen, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *rowPrinter) changed(ctx context.Context, product *api.LicensedProduct) error {
	return p.all(ctx, []api.LicensedProduct{*product})
}

func (p *rowPrinter) deleted(name string) error {
	delete(p.shown, name)
	return p.table.WriteRow(p.screen, deletedRow(name))
}

// writeNextSteps prints what to do, if there is anything.
func writeNextSteps(out term.Screen, summaries []*overview.Product) error {
	width := min(term.TextWidth, cmp.Or(out.Width, term.TextWidth))
	head := "\nWhat to do next:\n"
	for _, summary := range summaries {
		if len(summary.Next) == 0 {
			continue
		}
		words := head + "\n" + text.Printable(summary.Name) + ":\n"
		head = ""
		for _, next := range summary.Next {
			words += term.WrapTo(width, text.Printable(next.Message), "- ", "  ") + "\n"
			if next.Command != "" {
				words += "    " + text.Printable(next.Command) + "\n"
			}
		}
		if _, err := fmt.Fprint(out, words); err != nil {
			return err
		}
	}
	return nil
}
