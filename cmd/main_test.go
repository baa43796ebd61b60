// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestParseSettings(t *testing.T) {
	defaults := settings{metricsBindAddress: ":8443", healthProbeBindAddress: ":8081", leaderElect: true, namespace: "default"}
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
			args: []string{"--metrics-bind-address=0", "--health-probe-bind-address=:1", "--leader-elect=false", "--namespace=here"},
			want: settings{metricsBindAddress: "0", healthProbeBindAddress: ":1", namespace: "here"},
		},
		"environment variables, as under OLM": {
			env: map[string]string{
				"LICENSE_OPERATOR_METRICS_BIND_ADDRESS": "0", "LICENSE_OPERATOR_HEALTH_PROBE_BIND_ADDRESS": ":1",
				"LICENSE_OPERATOR_LEADER_ELECT": "false", "LICENSE_OPERATOR_NAMESPACE": "here",
			},
			want: settings{metricsBindAddress: "0", healthProbeBindAddress: ":1", namespace: "here"},
		},
		"a flag wins over its environment variable": {
			args: []string{"--namespace=flag"}, env: map[string]string{"LICENSE_OPERATOR_NAMESPACE": "environment"},
			want: with(func(s *settings) { s.namespace = "flag" }),
		},
		"an environment variable that cannot be": {
			env:       map[string]string{"LICENSE_OPERATOR_LEADER_ELECT": "perhaps"},
			wantError: `environment variable LICENSE_OPERATOR_LEADER_ELECT is "perhaps"`,
		},
		"no namespace, which would be all": {
			env:       map[string]string{"LICENSE_OPERATOR_NAMESPACE": ""},
			wantError: "the namespace is empty",
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
			case test.wantError == "" && got != test.want:
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
