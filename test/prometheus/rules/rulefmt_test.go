// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// hostile are what users may write where a text or an expression could take it for its own.
var hostile = map[string]struct{ name, vendor, renewalURL string }{
	"plain":          {"acme-mesh", "Acme", "https://acme.example/renew"},
	"no renewal URL": {"acme-mesh", "Acme", ""},
	"actions":        {"acme-mesh", `{{ "{{" }}{{ range query "up" }}{{ end }}`, "https://acme.example/{{end}}"},
	"half an action": {"acme-mesh", "Acme {{", "mailto:a@acme.example?subject={"},
	"braces":         {"acme-mesh", "}}{{{{}}{", "https://acme.example/}}"},
	"quotes":         {"acme-mesh", "\"Acme'`\\n\\\"\\", `https://acme.example/"'\`},
	"lines":          {"acme-mesh", "Acme\n- alert: Mine\r\n\tÄ☃\u2028: #\x01", "https://acme.example/%0A"},
	"a long name": {
		strings.Repeat("a.b-", 63) + "c", strings.Repeat("{", 128),
		"https://acme.example/" + strings.Repeat("{", 1003),
	},
	"a name in parts": {"1.acme-mesh.v2", "$value $labels {{ $value }}", "https://acme.example/$labels"},
}

// TestRuleFormat has Prometheus check the rules as promtool does: their form, expressions, labels and templates.
func TestRuleFormat(t *testing.T) {
	for name, test := range hostile {
		t.Run(name, func(t *testing.T) {
			s := withAlerts(product(test.name, 1), 3650, 1, 100).restricting(api.RestrictionDefaultTierOnly)
			s.product.Spec.Vendor, s.product.Spec.RenewalURL = test.vendor, test.renewalURL
			asJSON, err := json.Marshal(alerting.Rule(s.product, options).Spec)
			if err != nil {
				t.Fatal(err)
			}
			for form, content := range map[string][]byte{"YAML": ruleFile(t, s.product, options), "JSON": asJSON} {
				for _, scheme := range []model.ValidationScheme{model.UTF8Validation, model.LegacyValidation} {
					const ignoreUnknownFields = false
					groups, errs := rulefmt.Parse(content, ignoreUnknownFields, scheme,
						parser.NewParser(parser.Options{}), promslog.NewNopLogger())
					for _, err := range errs {
						t.Errorf("%s: %v", form, err)
					}
					if groups == nil {
						continue
					}
					if len(groups.Groups) != 1 || groups.Groups[0].Name != "license-operator."+test.name {
						t.Errorf("%s: other groups: %+v", form, groups.Groups)
					}
					for _, rule := range groups.Groups[0].Rules {
						if rule.Alert == "" || rule.For == 0 || len(rule.Annotations) != 3 || len(rule.Labels) != 1 {
							t.Errorf("%s: not as alerts have to be: %+v", form, rule)
						}
					}
				}
			}
		})
	}
}

// TestTexts has Prometheus expand the texts of all alerts: what users wrote is in them as they wrote it.
func TestTexts(t *testing.T) {
	for name, test := range hostile {
		for _, mode := range []api.RestrictionMode{"", api.RestrictionDefaultTierOnly} {
			t.Run(fmt.Sprintf("%s, %q", name, mode), func(t *testing.T) {
				t.Parallel()
				renewal := "Get a license at " + test.renewalURL + " and apply"
				if test.renewalURL == "" {
					renewal = "Get a license from " + test.vendor + " and apply"
				}
				of := func(keys ...license.Key) *subject {
					s := product(test.name, 1, keys...).using(10, 10).restricting(mode,
						policy("first", calico.PassOrder))
					s.product.Spec.Vendor, s.product.Spec.RenewalURL = test.vendor, test.renewalURL
					return s
				}
				limits := map[string]int64{"nodes": 10, "cores": 9}
				seen := map[string]bool{}
				for _, s := range []*subject{
					of(limited(key("2027", -325, 40, 0), limits)),
					of(limited(key("2027", -360, 5, 0), map[string]int64{"nodes": 9, "cores": 10}), invalid("2028")),
					of(key("2026", -370, -5, 14)), of(key("2026", -370, -20, 14)), of(invalid("2027")), of(),
					withUnlicensed(of(), 0, 0),
				} {
					w := newWorld(t, s)
					w.run(1, time.Minute, nil) // No restriction begins while clocks disagree.
					w.operatorAhead = time.Hour
					w.run(1, time.Minute, nil)
					w.replicas[0].down = true
					w.run(1, time.Minute, nil)
					for name, a := range w.alerts() {
						words := strings.Fields(name)
						seen[words[0]+" "+words[2]] = true
						description, summary := a.Annotations.Get("description"), a.Annotations.Get("summary")
						if !strings.Contains(description, test.name+" ("+test.vendor+")") {
							t.Errorf("%s does not name the product and its vendor:\n%s", name, description)
						}
						if strings.Contains(description, " and apply it") && !strings.Contains(description, renewal) {
							t.Errorf("%s does not say %q:\n%s", name, renewal, description)
						}
						if !strings.Contains(summary, test.name) || strings.Contains(summary, "\n") {
							t.Errorf("the summary of %s is not one line that names the product:\n%s", name, summary)
						}
						if got, want := a.Annotations.Get("runbook_url"),
							"https://docs.example/runbooks/"+words[0]+".md"; got != want {
							t.Errorf("the runbook of %s is at %s, want %s", name, got, want)
						}
					}
				}
				for _, rule := range alerting.Rule(of().product, options).Spec.Groups[0].Rules {
					if alert := rule.Alert + " " + rule.Labels["severity"]; !seen[alert] {
						t.Errorf("%s has not been seen", alert)
					}
				}
			})
		}
	}
}

// TestDescriptions has the texts that people read, whole.
func TestDescriptions(t *testing.T) {
	for name, test := range map[string]struct {
		subject *subject
		want    map[string]string
	}{
		"LicenseExpiring, and beyond a limit": {
			subject: acme(limited(key("2027", -325, 40, 10), map[string]int64{"nodes": 1_000_000, "cores": 300})).
				using(1_234_567, 299),
			want: map[string]string{
				"LicenseExpiring acme-mesh warning": "acme-mesh (Acme) is licensed until 2027-04-20 12:00:00 +0000 " +
					"UTC, including grace periods and renewals that are already applied.\n" +
					"Everything works until then.\n" +
					"Get a license at https://acme.example/renew and apply it as a LicenseKey. You can apply it " +
					"early: it takes over without a gap.",
				"LicenseNodesExceeded acme-mesh warning": "acme-mesh (Acme) uses 234567 more nodes than " +
					"licensed.\n" +
					"Nothing is blocked: new nodes join, and every feature works.\n" +
					"Use less, or get a larger license at https://acme.example/renew.",
				"LicenseCoresNearLimit acme-mesh warning": "acme-mesh (Acme) uses 99.7% of its licensed CPU " +
					"cores.\n" +
					"Nothing is blocked: new nodes join, and every feature works.\n" +
					"To add more, get a larger license at https://acme.example/renew.",
			},
		},
		"LicenseInGracePeriod, and an invalid key": {
			subject: acme(key("2026", -370, -5, 14), invalid("2027")),
			want: map[string]string{
				"LicenseInGracePeriod acme-mesh warning": "The license of acme-mesh (Acme) has expired. Its grace " +
					"period ends at 2027-03-10 12:00:00 +0000 UTC; everything works until then.\n" +
					"No renewal for the next 60 days has been applied. Get a license at " +
					"https://acme.example/renew and apply it as a LicenseKey.",
				"LicenseKeyInvalid acme-mesh warning license_key=2027": "LicenseKey 2027 of acme-mesh (Acme) is " +
					"invalid and ignored.\n" +
					"Another key covers the product, so everything works. But if this key is a renewal, it will " +
					"not take over.\n" +
					"The condition Ready says why: kubectl describe lk 2027. Follow its advice, or delete the key " +
					"if it is not needed.",
			},
		},
		"LicenseExpired": {
			subject: acme(key("2026", -385, -20, 14)),
			want: map[string]string{
				"LicenseExpired acme-mesh critical": "The license of acme-mesh (Acme) has expired, and its grace " +
					"period ended at 2027-02-23 12:00:00 +0000 UTC.\n" +
					"It no longer grants any features. What that means is up to the product.\n" +
					"Get a license at https://acme.example/renew and apply it as a LicenseKey: it takes effect " +
					"within seconds.",
			},
		},
		"LicenseInGracePeriod, and a restriction that makes policies read-only": {
			subject: acme(key("2026", -370, -5, 14)).restricting(api.RestrictionReadOnly),
			want: map[string]string{
				"LicenseInGracePeriod acme-mesh critical": "The license of acme-mesh (Acme) has expired. " +
					"Its grace period ends at 2027-03-10 12:00:00 +0000 UTC; everything works until then.\n" +
					"Without a renewal by then, its restriction takes effect: policies in the restricted tiers " +
					"cannot be created or changed; existing ones stay in effect. To see which: kubectl license " +
					"simulate acme-mesh\n" +
					"No renewal for the next 60 days has been applied. Get a license at " +
					"https://acme.example/renew and apply it as a LicenseKey.",
			},
		},
		"LicenseExpired, and a restriction that two policies get around": {
			subject: acme(key("2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
				policy("first", calico.PassOrder), policy("ahead", calico.PassOrder)),
			want: map[string]string{
				"LicenseExpired acme-mesh critical": "The license of acme-mesh (Acme) has expired, and its grace " +
					"period ended at 2027-02-23 12:00:00 +0000 UTC.\n" +
					"It no longer grants any features.\n" +
					"While its restriction is in force, policies in the restricted tiers are no longer applied to " +
					"pods; those in the default tier still are. To see its state: kubectl describe lprod acme-mesh\n" +
					"Get a license at https://acme.example/renew and apply it as a LicenseKey: it takes effect " +
					"within seconds and ends the restriction.",
				"LicenseRestrictionBypassed acme-mesh warning": "The restriction of acme-mesh (Acme) is in force, " +
					"but policies in the restricted tiers are still applied to pods: 2.\n" +
					"status.restriction.bypasses has their names and reasons: kubectl describe lprod acme-mesh\n" +
					"SortsFirst: give the policy a higher order or delete it. TierDeleting: complete the deletion " +
					"of the tier.",
			},
		},
		"LicenseMissing": {
			subject: product("acme-mesh", 1),
			want: map[string]string{
				"LicenseMissing acme-mesh warning": "acme-mesh (Acme) has no valid LicenseKey. Its terms allow " +
					"that until 2027-03-30 12:00:00 +0000 UTC.\n" +
					"Get a license at https://acme.example/renew and apply it as a LicenseKey.",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, test.subject)
			w.run(1, time.Minute, nil)
			got := map[string]string{}
			for name, a := range w.alerts() {
				got[name] = a.Annotations.Get("description")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("other texts (-want +got):\n%s", diff)
			}
		})
	}
}
