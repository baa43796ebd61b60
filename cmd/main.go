// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The manager of license-operator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/controllers"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/version"
)

// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get

func main() {
	// A stack trace of each error would only bury the message.
	ctrl.SetLogger(zap.New(zap.StacktraceLevel(zapcore.DPanicLevel)))
	settings, err := parseSettings(os.Args[1:], os.LookupEnv)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
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
		return fmt.Errorf("loading the kubeconfig: %w (outside a pod, set KUBECONFIG or --kubeconfig)", err)
	}
	restConfig.Wrap(operatorClock.WrapTransport)
	restConfig.UserAgent = "license-operator/" + version.Get()
	// The API server's priority and fairness limits requests; a limit of the client's would only delay what is due.
	restConfig.QPS = -1

	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(api.AddToScheme(scheme))
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(s.namespace),
		// addServers adds the operator's own servers.
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		LeaderElection: s.leaderElect, LeaderElectionID: "license-operator.io", LeaderElectionNamespace: s.namespace,
		LeaderElectionReleaseOnCancel: true, Controller: config.Controller{EnableWarmup: new(true)},
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
		Alerts: alerting.Options{
			MaxRestriction: s.maxRestriction, Namespace: s.alertsNamespace, Labels: s.alertsLabels,
			RunbookBaseURL: s.runbookBaseURL,
		},
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

// readClusterUID reads the UID that binds license keys to a cluster.
func readClusterUID(ctx context.Context, mgr ctrl.Manager) (string, error) {
	var namespace corev1.Namespace
	if err := mgr.GetAPIReader().Get(ctx, types.NamespacedName{Name: "kube-system"}, &namespace); err != nil {
		return "", fmt.Errorf("reading the cluster UID from namespace kube-system: %w", err)
	}
	return string(namespace.UID), nil
}
