// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/internal/version"
)

// settings are what flags and environment variables set.
type settings struct {
	metricsBindAddress      string
	healthProbeBindAddress  string
	leaderElect             bool
	namespace               string
	alertsNamespace         string
	alertsLabels            map[string]string
	runbookBaseURL          string
	maxRestriction          api.RestrictionMode
	manageAdmissionPolicies bool
}

const (
	defaultRunbookBaseURL = "https://github.com/license-operator/license-operator/blob/main/docs/runbooks"
	// environmentPrefix and a flag's name in capitals make its environment variable; OLM cannot set flags.
	environmentPrefix = "LICENSE_OPERATOR_"
)

// parseSettings takes each setting from its flag, else from its environment variable, else from its default.
func parseSettings(args []string, lookupEnv func(string) (string, bool)) (settings, error) {
	var s settings
	flags := s.flags()
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	errEnvironment := setFromEnvironment(flags, lookupEnv)
	if s.alertsNamespace == "" {
		s.alertsNamespace = s.namespace
	}
	return s, errors.Join(errEnvironment, s.validate())
}

// flags sets the defaults and returns the flags that change them.
func (s *settings) flags() *flag.FlagSet {
	*s = settings{maxRestriction: api.RestrictionDefaultTierOnly}
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.StringVar(&s.metricsBindAddress, "metrics-bind-address", fmt.Sprintf(":%d", report.DefaultPort),
		"address for metrics and the license report, with TLS, authentication and authorization; 0 disables both")
	flags.StringVar(&s.healthProbeBindAddress, "health-probe-bind-address", ":8081",
		"address for the probes /healthz and /readyz; 0 disables them")
	flags.BoolVar(&s.leaderElect, "leader-elect", true, "elect a leader among the replicas; only the leader writes")
	flags.StringVar(&s.namespace, "namespace", ownNamespace(),
		"the operator's own namespace, for its lease and for Secrets with license tokens")
	flags.StringVar(&s.alertsNamespace, "alerts-namespace", "",
		"namespace for PrometheusRules (default: that of --namespace)")
	flags.Func("alerts-labels", "labels for PrometheusRules, so that Prometheus selects them: "+
		"release=prometheus,team=platform", func(value string) (err error) {
		s.alertsLabels, err = parseLabels(value)
		return err
	})
	flags.StringVar(&s.runbookBaseURL, "runbook-base-url", defaultRunbookBaseURL,
		"base URL of the runbooks that alerts link to: <this>/LicenseExpired.md")
	flags.Func("max-restriction", "strongest restriction that any product may apply: Observe (none), ReadOnly or "+
		"DefaultTierOnly (default DefaultTierOnly)", func(value string) error {
		s.maxRestriction = api.RestrictionMode(value)
		if !slices.Contains(api.RestrictionModes(), s.maxRestriction) {
			return fmt.Errorf("unknown mode %q: use Observe, ReadOnly or DefaultTierOnly", value)
		}
		return nil
	})
	flags.BoolVar(&s.manageAdmissionPolicies, "manage-admission-policies", false, "apply the admission policies of "+
		"config/admission, for installers that cannot (OLM); requires the ClusterRole admission-manager-role")
	if kubeconfig := flag.Lookup("kubeconfig"); kubeconfig != nil {
		flags.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "The manager of license-operator %s.\n\nEnvironment variables set flags too: "+
			"%sLEADER_ELECT sets --leader-elect.\n\n", version.Get(), environmentPrefix)
		flags.PrintDefaults()
	}
	return flags
}

// setFromEnvironment sets flags that were not given from their environment variables.
func setFromEnvironment(flags *flag.FlagSet, lookupEnv func(string) (string, bool)) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var problems []error
	flags.VisitAll(func(f *flag.Flag) {
		name := environmentPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookupEnv(name)
		if !ok || given[f.Name] {
			return
		}
		if err := f.Value.Set(value); err != nil {
			problems = append(problems, fmt.Errorf("environment variable %s is %q: %w", name, value, err))
		}
	})
	return errors.Join(problems...)
}

func (s *settings) validate() error {
	var problems []error
	if s.namespace == "" {
		problems = append(problems, errors.New("--namespace is empty: set it to the operator's own namespace"))
	}
	if wrong := validation.IsDNS1123Label(s.alertsNamespace); s.alertsNamespace != "" && len(wrong) > 0 {
		problems = append(problems,
			fmt.Errorf("--alerts-namespace %q is invalid: %s", s.alertsNamespace, strings.Join(wrong, "; ")))
	}
	if u, err := url.Parse(s.runbookBaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		problems = append(problems, fmt.Errorf("--runbook-base-url %q is invalid: use an http or https URL, or omit "+
			"the flag for the project's runbooks", s.runbookBaseURL))
	}
	return errors.Join(problems...)
}

// parseLabels parses key=value,key=value; an empty text has no labels.
func parseLabels(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	labels := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		if !found {
			return nil, fmt.Errorf("label %q is not key=value", pair)
		}
		if _, again := labels[key]; again {
			return nil, fmt.Errorf("duplicate label %q", key)
		}
		if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
			return nil, fmt.Errorf("invalid label %q: %s", pair, strings.Join(wrong, "; "))
		}
		labels[key] = value
	}
	return labels, nil
}

// ownNamespace returns the namespace of the pod, or default outside one.
func ownNamespace() string {
	namespace, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil || len(namespace) == 0 {
		return "default"
	}
	return strings.TrimSpace(string(namespace))
}
