// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

// answer is what a request was understood as, or how it was refused.
type answer struct {
	Product, Format string
	Code            int
	Text            string
}

func answerOf(asked request, err error) answer {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return answer{Code: refused.code, Text: refused.text}
	}
	return answer{Product: asked.product, Format: asked.format}
}

func TestReadRequest(t *testing.T) {
	const (
		whatToUse    = "use ?product=NAME or ?product=*, and &format=json or &format=tar."
		whatToAccept = "The report is application/json or application/x-tar: accept one of them."
	)
	long := strings.Repeat("x", 300)
	for name, test := range map[string]struct {
		method, query string
		accept        []string
		want          answer
	}{
		"nothing but the path":   {want: answer{Format: "json"}},
		"a product":              {query: "product=acme-mesh", want: answer{Product: "acme-mesh", Format: "json"}},
		"all products, as a tar": {query: "product=*&format=tar", want: answer{Product: "*", Format: "tar"}},
		"HEAD":                   {method: http.MethodHead, want: answer{Format: "json"}},
		"POST": {
			method: http.MethodPost,
			want:   answer{Code: 405, Text: "Method not allowed: use GET."},
		},
		"a browser": {
			accept: []string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
			want:   answer{Format: "json"},
		},
		"accepting a tar": {accept: []string{"application/x-tar"}, want: answer{Format: "tar"}},
		"preferring a tar": {
			accept: []string{"application/json;q=0.5", "application/x-tar"},
			want:   answer{Format: "tar"},
		},
		"the query wins": {
			query: "format=json", accept: []string{"application/x-tar"},
			want: answer{Format: "json"},
		},
		"accepting HTML alone":   {accept: []string{"text/html"}, want: answer{Code: 406, Text: whatToAccept}},
		"accepting what is none": {accept: []string{";;;,,,/;q=;q"}, want: answer{Code: 406, Text: whatToAccept}},
		"accepting very much": {
			accept: []string{strings.Repeat("a/b;q=0.1,", 1000) + "application/json"},
			want:   answer{Code: 406, Text: whatToAccept},
		},
		"accepting in very many headers": {
			accept: strings.Split(strings.Repeat("a/b ", 2000), " "),
			want:   answer{Code: 406, Text: whatToAccept},
		},
		"accepting no JSON": {accept: []string{"application/json;q=0, */*"}, want: answer{Format: "tar"}},
		"accepting nothing": {accept: []string{"*/*;q=0"}, want: answer{Code: 406, Text: whatToAccept}},
		"the most specific range counts": {
			accept: []string{"*/*, application/x-tar;q=0.1"},
			want:   answer{Format: "json"},
		},
		"in capitals": {accept: []string{"Application/X-TAR"}, want: answer{Format: "tar"}},
		"an unknown format": {
			query: "format=xml",
			want:  answer{Code: 406, Text: `Unknown format "xml": use &format=json or &format=tar.`},
		},
		"an empty format": {
			query: "format=",
			want:  answer{Code: 406, Text: `Unknown format "": use &format=json or &format=tar.`},
		},
		"a hostile format": {
			query: "format=%1b%5b31m" + long,
			want: answer{
				Code: 406,
				Text: `Unknown format "\x1b[31m` + long[:245] + `...": use &format=json or &format=tar.`,
			},
		},
		"an unknown parameter": {
			query: "prodct=a",
			want:  answer{Code: 400, Text: `Unknown parameter "prodct": ` + whatToUse},
		},
		"two products": {
			query: "product=a&product=b",
			want:  answer{Code: 400, Text: "Duplicate parameter product: use it once."},
		},
		"no query": {
			query: "product=%zz",
			want:  answer{Code: 400, Text: "Malformed query: " + whatToUse},
		},
		"semicolons": {
			query: "product=a;format=tar",
			want:  answer{Code: 400, Text: "Malformed query: " + whatToUse},
		},
	} {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			r := httptest.NewRequest(method, Path, http.NoBody)
			r.URL.RawQuery = test.query
			for _, accept := range test.accept {
				r.Header.Add("Accept", accept)
			}
			if diff := cmp.Diff(test.want, answerOf(read(r))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestChoose(t *testing.T) {
	named := func(names ...string) []api.LicensedProduct {
		products := make([]api.LicensedProduct, len(names))
		for i, name := range names {
			products[i].Name = name
		}
		return products
	}
	many, listed := make([]string, 60), make([]string, 50)
	for i := range many {
		many[i] = fmt.Sprintf("p%02d", i)
	}
	copy(listed, many)
	for name, test := range map[string]struct {
		products []api.LicensedProduct
		asked    string
		want     string
	}{
		"the only one":   {named("a"), "", "a"},
		"none, of none":  {named(), "", ""},
		"all, of none":   {named(), "*", ""},
		"all, sorted":    {named("c", "a", "b"), "*", "a b c"},
		"one of several": {named("c", "a", "b"), "b", "b"},
		"several": {named("c", "a"), "", "400 More than one product: use ?product=NAME, or ?product=* " +
			"for all. Products: a, c."},
		"unknown":          {named("c", "a"), "x", `404 LicensedProduct "x" not found. Products: a, c.`},
		"unknown, of one":  {named("a"), "x", `404 LicensedProduct "x" not found. Products: a.`},
		"unknown, of none": {named(), "x", `404 LicensedProduct "x" not found: there are none.`},
		"unknown, of very many": {
			named(many...), "x",
			`404 LicensedProduct "x" not found. Products: ` + strings.Join(listed, ", ") + " and 10 more.",
		},
		"hostile": {
			named("a"), "\x1b[2J\n",
			`404 LicensedProduct "\x1b[2J\n" not found. Products: a.`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := choose(test.products, test.asked)
			names := make([]string, len(chosen))
			for i := range chosen {
				names[i] = chosen[i].Name
			}
			got := strings.Join(names, " ")
			if refused, ok := errors.AsType[*refusal](err); ok {
				got = fmt.Sprintf("%d %s", refused.code, refused.text)
			}
			if got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}
