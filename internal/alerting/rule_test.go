// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerting_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

func acme() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh", UID: "7d0e6a86-5a52-4c6f-9f0c-0d5b0b1c2d3e"},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", RenewalURL: "https://acme.example/renew"},
	}
}

// restricted is acme with a restriction of that mode; empty: with none.
func restricted(mode api.RestrictionMode) *api.LicensedProduct {
	product := acme()
	if mode != "" {
		product.Spec.Restriction = &api.RestrictionSpec{Mode: mode, TierSelector: &metav1.LabelSelector{}}
	}
	return product
}

var options = alerting.Options{
	Namespace:      "license-operator-system",
	Labels:         map[string]string{"release": "prometheus"},
	RunbookBaseURL: "https://docs.example/runbooks",
	MaxRestriction: api.RestrictionDefaultTierOnly,
}

func TestGolden(t *testing.T) {
	for file, mode := range map[string]api.RestrictionMode{
		"acme-mesh.yaml":                   "",
		"acme-mesh-read-only.yaml":         api.RestrictionReadOnly,
		"acme-mesh-default-tier-only.yaml": api.RestrictionDefaultTierOnly,
	} {
		t.Run(file, func(t *testing.T) {
			got, err := yaml.Marshal(alerting.Rule(restricted(mode), options))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", file)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s differs (go test ./internal/alerting -update writes it anew):\n%s", path, diff)
			}
		})
	}
}

// TestMaxRestriction: what the cluster owner makes of a mode has the alerts that the product would have if its terms
// asked for no more.
func TestMaxRestriction(t *testing.T) {
	const (
		none            api.RestrictionMode = ""
		observe                             = api.RestrictionObserve
		readOnly                            = api.RestrictionReadOnly
		defaultTierOnly                     = api.RestrictionDefaultTierOnly
	)
	for _, test := range []struct{ asked, max, want api.RestrictionMode }{
		{none, defaultTierOnly, none},
		{none, none, none},
		{observe, defaultTierOnly, none},
		{observe, observe, none},
		{observe, none, none},
		{readOnly, defaultTierOnly, readOnly},
		{readOnly, readOnly, readOnly},
		{readOnly, observe, none},
		{readOnly, none, none},
		{defaultTierOnly, defaultTierOnly, defaultTierOnly},
		{defaultTierOnly, readOnly, readOnly},
		{defaultTierOnly, observe, none},
		{defaultTierOnly, none, none},
		{defaultTierOnly, "defaultTierOnly", none},
		{"Everything", defaultTierOnly, none},
	} {
		t.Run(fmt.Sprintf("%q under %q", test.asked, test.max), func(t *testing.T) {
			under := options
			under.MaxRestriction = test.max
			if diff := cmp.Diff(alerting.Rule(restricted(test.want), options),
				alerting.Rule(restricted(test.asked), under)); diff != "" {
				t.Errorf("not the alerts of %q (-want +got):\n%s", test.want, diff)
			}
		})
	}
}

func TestAlertNames(t *testing.T) {
	notBypassed := slices.DeleteFunc(slices.Clone(alerting.AlertNames), func(name string) bool {
		return name ==
			alerting.LicenseRestrictionBypassed
	})
	for mode, want := range map[api.RestrictionMode][]string{
		"":                             notBypassed,
		api.RestrictionObserve:         notBypassed,
		api.RestrictionReadOnly:        notBypassed,
		api.RestrictionDefaultTierOnly: alerting.AlertNames,
	} {
		var got []string
		for _, rule := range rulesOf(alerting.Rule(restricted(mode), options)) {
			got = append(got, rule.Alert)
		}
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("in mode %q the rule has other alerts (-want +got):\n%s", mode, diff)
		}
	}
}

// TestGracePeriodSeverity: it is one alert or the other, and never both.
func TestGracePeriodSeverity(t *testing.T) {
	for mode, want := range map[api.RestrictionMode]string{
		"":                             "warning",
		api.RestrictionObserve:         "warning",
		api.RestrictionReadOnly:        "critical",
		api.RestrictionDefaultTierOnly: "critical",
	} {
		var got []string
		for _, rule := range rulesOf(alerting.Rule(restricted(mode), options)) {
			if rule.Alert == alerting.LicenseInGracePeriod {
				got = append(got, rule.Labels["severity"])
			}
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("in mode %q (-want +got):\n%s", mode, diff)
		}
	}
}

func TestThresholds(t *testing.T) {
	for name, test := range map[string]struct {
		alerts *api.AlertsSpec
		// want are parts of expressions, by alert and severity.
		want map[string][]string
	}{
		"none said": {
			want: map[string][]string{
				"LicenseExpiring warning":       {">= time() + 14 * 86400\n", "< time() + 60 * 86400\n"},
				"LicenseExpiring critical":      {"< time() + 14 * 86400\n"},
				"LicenseInGracePeriod warning":  {">= time() + 60 * 86400"},
				"LicenseNodesNearLimit warning": {">= 90\n"},
				"LicenseCoresNearLimit warning": {">= 90\n"},
			},
		},
		"all said": {
			alerts: &api.AlertsSpec{ExpiryWarningDays: 3650, ExpiryCriticalDays: 1, UsageWarningPercent: 100},
			want: map[string][]string{
				"LicenseExpiring warning":       {">= time() + 1 * 86400\n", "< time() + 3650 * 86400\n"},
				"LicenseExpiring critical":      {"< time() + 1 * 86400\n"},
				"LicenseInGracePeriod warning":  {">= time() + 3650 * 86400"},
				"LicenseNodesNearLimit warning": {">= 100\n"},
				"LicenseCoresNearLimit warning": {">= 100\n"},
			},
		},
		"one said": {
			alerts: &api.AlertsSpec{ExpiryCriticalDays: 7},
			want: map[string][]string{
				"LicenseExpiring warning":       {">= time() + 7 * 86400\n", "< time() + 60 * 86400\n"},
				"LicenseExpiring critical":      {"< time() + 7 * 86400\n"},
				"LicenseInGracePeriod warning":  {">= time() + 60 * 86400"},
				"LicenseNodesNearLimit warning": {">= 90\n"},
				"LicenseCoresNearLimit warning": {">= 90\n"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			product := acme()
			product.Spec.Alerts = test.alerts
			for _, rule := range rulesOf(alerting.Rule(product, options)) {
				alert := rule.Alert + " " + rule.Labels["severity"]
				for _, part := range test.want[alert] {
					if !strings.Contains(rule.Expr.String(), part) {
						t.Errorf("the expression of %s does not hold %q:\n%s", alert, part, rule.Expr.String())
					}
				}
				delete(test.want, alert)
			}
			if len(test.want) > 0 {
				t.Errorf("there is no %v", test.want)
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	long := strings.Repeat("a", 117) + "." + strings.Repeat("b", 253-118)
	owner := func(name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{
			APIVersion: "license-operator.io/v1alpha1", Kind: "LicensedProduct", Name: name,
			UID: "7d0e6a86-5a52-4c6f-9f0c-0d5b0b1c2d3e", Controller: new(true),
		}}
	}
	for name, test := range map[string]struct {
		productName string
		labels      map[string]string
		want        metav1.ObjectMeta
	}{
		"without labels": {
			productName: "acme-mesh",
			want: metav1.ObjectMeta{
				Name: "acme-mesh", Namespace: "monitoring", OwnerReferences: owner("acme-mesh"),
				Labels: map[string]string{"app.kubernetes.io/managed-by": "license-operator"},
			},
		},
		"with labels, and one that is the operator's": {
			productName: "acme-mesh",
			labels:      map[string]string{"release": "prometheus", "app.kubernetes.io/managed-by": "Helm"},
			want: metav1.ObjectMeta{
				Name: "acme-mesh", Namespace: "monitoring", OwnerReferences: owner("acme-mesh"),
				Labels: map[string]string{"app.kubernetes.io/managed-by": "license-operator", "release": "prometheus"},
			},
		},
		"a name that is too long for a rule": {
			productName: long,
			want: metav1.ObjectMeta{
				Name: strings.Repeat("a", 117) + "-e564088aec", Namespace: "monitoring", OwnerReferences: owner(long),
				Labels: map[string]string{"app.kubernetes.io/managed-by": "license-operator"},
			},
		},
		"the longest name that is not": {
			productName: long[:128],
			want: metav1.ObjectMeta{
				Name: long[:128], Namespace: "monitoring", OwnerReferences: owner(long[:128]),
				Labels: map[string]string{"app.kubernetes.io/managed-by": "license-operator"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			product := acme()
			product.Name = test.productName
			given := alerting.Options{Namespace: "monitoring", Labels: test.labels}
			rule := alerting.Rule(product, given)
			if diff := cmp.Diff(test.want, rule.ObjectMeta); diff != "" {
				t.Errorf("got other metadata (-want +got):\n%s", diff)
			}
			if problems := validation.IsDNS1123Subdomain(rule.Name); len(problems) > 0 {
				t.Errorf("the name %q is none: %v", rule.Name, problems)
			}
			if got, want := rule.Spec.Groups[0].Name, "license-operator."+test.productName; got != want {
				t.Errorf("got the group %q, want %q", got, want)
			}
			if test.labels != nil && test.labels["app.kubernetes.io/managed-by"] != "Helm" {
				t.Error("the labels that were given are changed")
			}
		})
	}
}

func TestRunbookURL(t *testing.T) {
	for base, want := range map[string]string{
		"https://docs.example/runbooks":   "https://docs.example/runbooks/LicenseExpiring.md",
		"https://docs.example/runbooks/":  "https://docs.example/runbooks/LicenseExpiring.md",
		"https://docs.example/?{{page}}=": "https://docs.example/?{{page}}=/LicenseExpiring.md",
	} {
		rule := alerting.Rule(acme(), alerting.Options{RunbookBaseURL: base})
		if got := expand(t, rulesOf(rule)[0].Annotations["runbook_url"]); got != want {
			t.Errorf("under %s: got %s, want %s", base, got, want)
		}
	}
}

// What users write comes out of the templates as it went in.
func TestTexts(t *testing.T) {
	for name, test := range map[string]struct {
		vendor, renewalURL string
		wantRenewal        string
	}{
		"plain": {
			"Acme", "https://acme.example/renew",
			"Get a license at https://acme.example/renew and apply it as a LicenseKey",
		},
		"no renewal URL": {"Acme", "", "Get a license from Acme and apply it as a LicenseKey"},
		"an action": {
			"{{ .Labels.nothing }}", "https://acme.example/{{end}}",
			"Get a license at https://acme.example/{{end}} and apply it as a LicenseKey",
		},
		"an action that is cut short": {"{{", "", "Get a license from {{ and apply it as a LicenseKey"},
		"braces": {
			"}}{{{}}}}{", "https://acme.example/{",
			"Get a license at https://acme.example/{ and apply it as a LicenseKey",
		},
		"a comment, trimming": {
			"Acme {{- /* a */ -}} Ltd", "",
			"Get a license from Acme {{- /* a */ -}} Ltd and apply it as a LicenseKey",
		},
		"quotes and backslashes": {
			"\"A'c`m\\e\\\"", "",
			"Get a license from \"A'c`m\\e\\\" and apply it as a LicenseKey",
		},
		"lines, and no ASCII": {
			"Acme\r\n\tÄ☃\u2028\U0001F511", "",
			"Get a license from Acme\r\n\tÄ☃\u2028\U0001F511 and apply it as a LicenseKey",
		},
		"formats": {
			"100%s %d $value $labels", "https://acme.example/%7Bx%7D",
			"Get a license at https://acme.example/%7Bx%7D and apply it as a LicenseKey",
		},
	} {
		for _, mode := range []api.RestrictionMode{"", api.RestrictionReadOnly, api.RestrictionDefaultTierOnly} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				product := restricted(mode)
				product.Spec.Vendor, product.Spec.RenewalURL = test.vendor, test.renewalURL
				withRenewal := 0
				for _, rule := range rulesOf(alerting.Rule(product, options)) {
					alert := rule.Alert + " " + rule.Labels["severity"]
					description := expand(t, rule.Annotations["description"])
					if !strings.Contains(description, "acme-mesh ("+test.vendor+")") {
						t.Errorf("%s does not name the product and its vendor:\n%s", alert, description)
					}
					if strings.Contains(description, test.wantRenewal) {
						withRenewal++
					}
					summary := expand(t, rule.Annotations["summary"])
					if !strings.Contains(summary, "acme-mesh") || strings.Contains(summary, "\n") {
						t.Errorf("the summary of %s is not one line that names the product:\n%s", alert, summary)
					}
				}
				if withRenewal != 6 {
					t.Errorf("%d alerts say %q, want 6", withRenewal, test.wantRenewal)
				}
			})
		}
	}
}

// expand is what Prometheus makes of a template, near enough.
func expand(t *testing.T, text string) string {
	t.Helper()
	parsed, err := template.New("annotation").Option("missingkey=zero").
		Funcs(template.FuncMap{"humanizeTimestamp": func(float64) string { return "2027-01-31 00:00:00 +0000 UTC" }}).
		Parse("{{$labels := .Labels}}{{$value := .Value}}" + text)
	if err != nil {
		t.Fatalf("not a template: %v\n%s", err, text)
	}
	var expanded strings.Builder
	if err := parsed.Execute(&expanded,
		map[string]any{
			"Labels": map[string]string{"product": "acme-mesh", "license_key": "acme-mesh-2027"},
			"Value":  12.0,
		}); err != nil {
		t.Fatalf("does not expand: %v\n%s", err, text)
	}
	return expanded.String()
}

func rulesOf(rule *monitoringv1.PrometheusRule) []monitoringv1.Rule {
	return rule.Spec.Groups[0].Rules
}
