// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"testing"

	"github.com/license-operator/license-operator/test/tiers"
)

func TestSelector(t *testing.T) {
	none, web := map[string]string{}, map[string]string{"app": "web", "example.com/zone_1.a-b": ""}
	for _, test := range []struct {
		selector  string
		none, web bool
	}{
		{"", true, true},
		{"  ", true, true},
		{"all()", true, true},
		{`has(app)`, false, true},
		{`has(zone)`, false, false},
		{`has(example.com/zone_1.a-b)`, false, true},
		{`app == "web"`, false, true},
		{`app=="web"`, false, true},
		{`app == "db"`, false, false},
		{`app == ""`, false, false},
		{`example.com/zone_1.a-b == ""`, false, true},
		{`app != "web"`, true, false},
		{`app != "db"`, true, true},
		{`zone != ""`, true, true},
		{`has(app) && app != "db"`, false, true},
		{`has(app) && app != "web"`, false, false},
		{`all()&&app == "web" && has(app)`, false, true},
		{`app == "web" && app == "db"`, false, false},
	} {
		t.Run(test.selector, func(t *testing.T) {
			selector, err := tiers.ParseSelector(test.selector)
			if err != nil {
				t.Fatal(err)
			}
			if got := selector.Matches(none); got != test.none {
				t.Errorf("without labels: %t", got)
			}
			if got := selector.Matches(web); got != test.web {
				t.Errorf("of web: %t", got)
			}
		})
	}
}

func TestSelectorsThatAreNotUnderstood(t *testing.T) {
	for _, text := range []string{
		"all", "everything()", "app", `app = "web"`, `app == web`, `app == 'web'`, `"app" == "web"`, `app == "web`,
		`has()`, `has(app`, `has("app")`, `!has(app)`,
		`app == "web" ||  app == "db"`, `(app == "web")`, `app in {"web"}`, `app == "web" &&`, `&& has(app)`,
		`has(app) & has(zone)`, `app == "a && b"`, `app == "web" extra`,
	} {
		if selector, err := tiers.ParseSelector(text); err == nil {
			t.Errorf("%q is %v", text, selector)
		}
	}
}
