// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The manager of license-operator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/controllers"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/server"
	"github.com/license-operator/license-operator/internal/version"
)

// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get

func main() {
	// Errors say what they are about; where in the code they were logged is of no use to an operator, in a page of text
	// each.
	ctrl.SetLogger(zap.New(zap.StacktraceLevel(zapcore.DPanicLevel)))
	settings, err := parseSettings(os.Args[1:], os.LookupEnv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "license-operator: %v (see --help)\n", err)
		os.Exit(2)
	}
	if err := run(ctrl.SetupSignalHandler(), settings); err != nil {
		ctrl.Log.Error(err, "Manager stopped")
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	operatorClock := clock.New(clock.Machine())
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w (outside a pod, set KUBECONFIG or pass --kubeconfig)", err)
	}
	restConfig.Wrap(operatorClock.WrapTransport)
	restConfig.UserAgent = "license-operator/" + version.Get()
	// The API server's priority and fairness decides how fast is too fast; a client-side limit would only make what is
	// due late.
	restConfig.QPS = -1

	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme: newScheme(),
		Cache:  controllers.CacheOptions(s.namespace),
		// Both are servers of the operator's own: see addServers.
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:        "0",
		LeaderElection:                s.leaderElect,
		LeaderElectionID:              "license-operator.io",
		LeaderElectionNamespace:       s.namespace,
		LeaderElectionReleaseOnCancel: true,
		Controller:                    config.Controller{EnableWarmup: new(true)},
	})
	if err != nil {
		return fmt.Errorf("creating the manager: %w", err)
	}
	clusterUID, err := readClusterUID(ctx, mgr)
	if err != nil {
		return err
	}
	if err := controllers.CheckReadable(ctx, mgr.GetAPIReader(), s.namespace); err != nil {
		return err
	}
	if err := controllers.SetupWithManager(ctx, mgr, controllers.Options{
		Clock: operatorClock, Namespace: s.namespace, ClusterUID: clusterUID,
		MaxRestriction: s.maxRestriction, ManageAdmissionPolicies: s.manageAdmissionPolicies,
		Alerts: alerting.Options{MaxRestriction: s.maxRestriction, Namespace: s.alertsNamespace, Labels: s.alertsLabels,
			RunbookBaseURL: s.runbookBaseURL},
	}); err != nil {
		return err
	}
	if err := addServers(ctx, mgr, s, operatorClock, clusterUID); err != nil {
		return err
	}
	ctrl.Log.Info("Starting license-operator", "version", version.Get(), "namespace", s.namespace, "clusterUID",
		clusterUID)
	return mgr.Start(ctx)
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(api.AddToScheme(scheme))
	return scheme
}

// readClusterUID reads what a key can be bound to a cluster by.
func readClusterUID(ctx context.Context, mgr ctrl.Manager) (string, error) {
	var namespace corev1.Namespace
	if err := mgr.GetAPIReader().Get(ctx, types.NamespacedName{Name: "kube-system"}, &namespace); err != nil {
		return "", fmt.Errorf("reading the cluster's uid, that of namespace kube-system: %w", err)
	}
	return string(namespace.UID), nil
}

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

// defaultRunbookBaseURL is where this project has its runbooks.
const defaultRunbookBaseURL = "https://github.com/license-operator/license-operator/blob/main/docs/runbooks"

// environmentPrefix and a flag's name in capitals make the environment variable that stands in for the flag; OLM can
// pass nothing else.
const environmentPrefix = "LICENSE_OPERATOR_"

// parseSettings reads flags, then for those not given their environment variables, then falls back to the defaults.
func parseSettings(args []string, lookupEnv func(string) (string, bool)) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.StringVar(&s.metricsBindAddress, "metrics-bind-address", fmt.Sprintf(":%d", server.SecurePort),
		"the address that metrics and the license report are served on, with TLS, authentication and authorization; "+
			"0 serves none")
	flags.StringVar(&s.healthProbeBindAddress, "health-probe-bind-address", ":8081",
		"the address that /healthz and /readyz are served on; 0 serves none")
	flags.BoolVar(&s.leaderElect, "leader-elect", true, "elect a leader among replicas; only the leader acts")
	flags.StringVar(&s.namespace, "namespace", ownNamespace(),
		"the operator's own namespace: that of its lease and of the Secrets that hold tokens")
	flags.StringVar(&s.alertsNamespace, "alerts-namespace", "",
		"the namespace that PrometheusRules are written to; by default that of --namespace")
	flags.Func("alerts-labels", "labels of the PrometheusRules, by which a Prometheus selects them: "+
		"release=prometheus,team=platform", func(value string) (err error) {
		s.alertsLabels, err = parseLabels(value)
		return err
	})
	flags.StringVar(&s.runbookBaseURL, "runbook-base-url", defaultRunbookBaseURL,
		"what the runbooks that alerts link to are found under: <this>/LicenseExpired.md")
	s.maxRestriction = api.RestrictionDefaultTierOnly
	flags.Func("max-restriction", "the strongest restriction that any product may put into force: Observe, which is "+
		"none, ReadOnly or DefaultTierOnly (default DefaultTierOnly)", func(value string) (err error) {
		s.maxRestriction, err = parseMode(value)
		return err
	})
	flags.BoolVar(&s.manageAdmissionPolicies, "manage-admission-policies", false, "apply the admission policies of "+
		"config/admission, for installers that cannot (OLM); the role admission-manager-role of config/rbac is "+
		"needed for that")
	if kubeconfig := flag.Lookup("kubeconfig"); kubeconfig != nil {
		flags.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	flags.Usage = func() {
		fmt.Fprintf(flags.Output(), "The manager of license-operator %s.\n\nEach flag is also an environment "+
			"variable: --leader-elect is %sLEADER_ELECT.\n\n", version.Get(), environmentPrefix)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return settings{}, err
	}
	if flags.NArg() > 0 {
		return settings{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var problems []error
	flags.VisitAll(func(f *flag.Flag) {
		name := environmentPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := lookupEnv(name); ok && !given[f.Name] {
			if err := f.Value.Set(value); err != nil {
				problems = append(problems, fmt.Errorf("environment variable %s is %q: %w", name, value, err))
			}
		}
	})
	if s.namespace == "" {
		problems = append(problems, errors.New("the namespace is empty: name the one that the operator runs in"))
	}
	if s.alertsNamespace == "" {
		s.alertsNamespace = s.namespace
	} else if wrong := validation.IsDNS1123Label(s.alertsNamespace); len(wrong) > 0 {
		problems = append(problems,
			fmt.Errorf("--alerts-namespace %q is no namespace: %s", s.alertsNamespace, strings.Join(wrong, "; ")))
	}
	if u, err := url.Parse(s.runbookBaseURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		problems = append(problems, fmt.Errorf("--runbook-base-url %q is not what alerts can link to: give an http "+
			"or https URL, or leave it out for the project's own pages", s.runbookBaseURL))
	}
	return s, errors.Join(problems...)
}

// parseLabels parses key=value,key=value; an empty text is no labels.
func parseLabels(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	labels := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		if !found {
			return nil, fmt.Errorf("%q is not key=value", pair)
		}
		if _, again := labels[key]; again {
			return nil, fmt.Errorf("there are two labels %q", key)
		}
		if wrong := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(wrong) > 0 {
			return nil, fmt.Errorf("%q is no label: %s", pair, strings.Join(wrong, "; "))
		}
		labels[key] = value
	}
	return labels, nil
}

func parseMode(text string) (api.RestrictionMode, error) {
	mode := api.RestrictionMode(text)
	switch mode {
	case api.RestrictionObserve, api.RestrictionReadOnly, api.RestrictionDefaultTierOnly:
		return mode, nil
	default:
		return "", fmt.Errorf("%q is no mode: give Observe, ReadOnly or DefaultTierOnly", text)
	}
}

// ownNamespace is the pod's, else default.
func ownNamespace() string {
	namespace, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil || len(namespace) == 0 {
		return "default"
	}
	return strings.TrimSpace(string(namespace))
}
