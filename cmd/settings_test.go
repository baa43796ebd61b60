// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

func TestParseSettings(t *testing.T) {
	const runbooks = "https://github.com/license-operator/license-operator/blob/main/docs/runbooks"
	defaults := settings{
		metricsBindAddress: ":8443", healthProbeBindAddress: ":8081", leaderElect: true, namespace: "default",
		alertsNamespace: "default", runbookBaseURL: runbooks, maxRestriction: api.RestrictionDefaultTierOnly,
	}
	everything := settings{
		metricsBindAddress: "0", healthProbeBindAddress: ":1", namespace: "here",
		alertsNamespace: "there", alertsLabels: map[string]string{"release": "prometheus", "team": "a"},
		runbookBaseURL: "https://wiki.example/runbooks",
		maxRestriction: api.RestrictionReadOnly, manageAdmissionPolicies: true,
	}
	with := func(change func(*settings)) settings {
		s := defaults
		change(&s)
		return s
	}
	for name, test := range map[string]struct {
		args      []string
		env       map[string]string
		want      settings
		wantError string
	}{
		"defaults work with no flag at all": {want: defaults},
		"flags": {
			args: []string{
				"--metrics-bind-address=0", "--health-probe-bind-address=:1", "--leader-elect=false",
				"--namespace=here",
				"--alerts-namespace=there", "--alerts-labels=release=prometheus,team=a",
				"--runbook-base-url=https://wiki.example/runbooks",
				"--max-restriction=ReadOnly", "--manage-admission-policies",
			},
			want: everything,
		},
		"environment variables, as under OLM": {
			env: map[string]string{
				"LICENSE_OPERATOR_METRICS_BIND_ADDRESS": "0", "LICENSE_OPERATOR_HEALTH_PROBE_BIND_ADDRESS": ":1",
				"LICENSE_OPERATOR_LEADER_ELECT": "false", "LICENSE_OPERATOR_NAMESPACE": "here",
				"LICENSE_OPERATOR_ALERTS_NAMESPACE": "there",
				"LICENSE_OPERATOR_ALERTS_LABELS":    "release=prometheus,team=a",
				"LICENSE_OPERATOR_RUNBOOK_BASE_URL": "https://wiki.example/runbooks",
				"LICENSE_OPERATOR_MAX_RESTRICTION":  "ReadOnly", "LICENSE_OPERATOR_MANAGE_ADMISSION_POLICIES": "true",
			},
			want: everything,
		},
		"a flag wins over its environment variable": {
			args: []string{"--namespace=flag"}, env: map[string]string{"LICENSE_OPERATOR_NAMESPACE": "environment"},
			want: with(func(s *settings) { s.namespace, s.alertsNamespace = "flag", "flag" }),
		},
		"an environment variable that cannot be": {
			env:       map[string]string{"LICENSE_OPERATOR_LEADER_ELECT": "perhaps"},
			wantError: `environment variable LICENSE_OPERATOR_LEADER_ELECT is "perhaps"`,
		},
		"no labels": {env: map[string]string{"LICENSE_OPERATOR_ALERTS_LABELS": ""}, want: defaults},
		"half a label": {
			env:       map[string]string{"LICENSE_OPERATOR_ALERTS_LABELS": "release"},
			wantError: `variable LICENSE_OPERATOR_ALERTS_LABELS is "release": label "release" is not key=value`,
		},
		"a comma too many": {args: []string{"--alerts-labels=a=b,"}, wantError: `label "" is not key=value`},
		"a label twice":    {args: []string{"--alerts-labels=a=b,a=c"}, wantError: `duplicate label "a"`},
		"a label that cannot be": {
			args:      []string{"--alerts-labels=a==b"},
			wantError: `invalid label "a==b": a valid label must`,
		},
		"a namespace that cannot be": {
			args:      []string{"--alerts-namespace=a/b"},
			wantError: `--alerts-namespace "a/b" is invalid`,
		},
		"runbooks that cannot be found": {
			args:      []string{"--runbook-base-url=nonsense"},
			wantError: `--runbook-base-url "nonsense" is invalid: use an http or https URL`,
		},
		"no runbooks": {
			env:       map[string]string{"LICENSE_OPERATOR_RUNBOOK_BASE_URL": ""},
			wantError: `--runbook-base-url "" is invalid: use an http or https URL`,
		},
		"a mode that is none": {
			args:      []string{"--max-restriction=Nothing"},
			wantError: `unknown mode "Nothing": use Observe, ReadOnly or DefaultTierOnly`,
		},
		"no namespace, which would be all": {
			env:       map[string]string{"LICENSE_OPERATOR_NAMESPACE": ""},
			wantError: "--namespace is empty",
		},
		"an unknown flag":        {args: []string{"--unknown"}, wantError: "flag provided but not defined: -unknown"},
		"an argument out of way": {args: []string{"start"}, wantError: `unexpected argument "start"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseSettings(test.args, func(name string) (string, bool) {
				value, ok := test.env[name]
				return value, ok
			})
			switch {
			case test.wantError != "" && (err == nil || !strings.Contains(err.Error(), test.wantError)):
				t.Errorf("got error %v, want one with %q", err, test.wantError)
			case test.wantError == "" && err != nil:
				t.Error(err)
			case test.wantError == "" && !reflect.DeepEqual(got, test.want):
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

// docs/installation.md tells installers what can be set; OLM passes nothing but the environment
// variables.
func TestEveryFlagIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/installation.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got [][2]string
	if _, err := parseSettings(nil, func(variable string) (string, bool) {
		name := strings.TrimPrefix(variable, "LICENSE_OPERATOR_")
		if name != "KUBECONFIG" { // for make run: a pod knows its cluster
			want = append(want, [2]string{"--" + strings.ToLower(strings.ReplaceAll(name, "_", "-")), variable})
		}
		return "", false
	}); err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(--[a-z-]+)` \\| `([A-Z_]+)` \\|").
		FindAllStringSubmatch(string(page), -1) {
		got = append(got, [2]string{row[1], row[2]})
	}
	byFlag := func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }
	slices.SortFunc(want, byFlag)
	slices.SortFunc(got, byFlag)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-flags +docs/installation.md:\n%s", diff)
	}
}
