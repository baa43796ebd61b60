// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // identity providers that kubeconfigs may name, as for kubectl
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/version"
)

// fieldOwner is whom managed fields and audit logs name.
const fieldOwner = "kubectl-license"

// completionTimeout is how long a shell waits for names from the cluster: longer than that, and people press the key
// again.
const completionTimeout = 3 * time.Second

// newConnection is the flags of kubectl that say which cluster to talk to, and as whom. Both of our kinds are
// cluster-scoped, so there is no namespace.
func newConnection() *genericclioptions.ConfigFlags {
	connection := genericclioptions.NewConfigFlags(true)
	connection.Namespace = nil
	connection.CacheDir = nil
	return connection
}

func addConnectionFlags(command *cobra.Command, connection *genericclioptions.ConfigFlags) {
	flags := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	connection.AddFlags(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Annotations == nil {
			flag.Annotations = map[string][]string{}
		}
		flag.Annotations[connectionFlag] = nil
		command.Flags().AddFlag(flag)
	})
}

// newClientConfig reads the kubeconfig.
func newClientConfig(connection *genericclioptions.ConfigFlags, warnings io.Writer) (*rest.Config, error) {
	config, err := connection.ToRESTConfig()
	if err != nil {
		return nil, unreachable(err)
	}
	// A command makes a handful of requests. What a limit would add is an error of its own near a deadline.
	config.QPS = -1
	config.UserAgent = fieldOwner + "/" + version.Get()
	config.WarningHandler = rest.NewWarningWriter(warnings, rest.WarningWriterOptions{Deduplicate: true})
	return config, nil
}

// newClient reads the kubeconfig. It makes no request yet.
func newClient(connection *genericclioptions.ConfigFlags, warnings io.Writer) (client.WithWatch, error) {
	config, err := newClientConfig(connection, warnings)
	if err != nil {
		return nil, err
	}
	return newClientFor(config)
}

func newClientFor(config *rest.Config) (client.WithWatch, error) {
	// Without this, controller-runtime complains on the standard error that nobody gave it a logger.
	log.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme,
		api.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	created, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, unreachable(err)
	}
	return created, nil
}

func unreachable(err error) error {
	return failf("Choose a cluster as with kubectl: KUBECONFIG, --kubeconfig, --context.", "%v", err)
}

// productNames are the LicensedProducts of the cluster, for completion; none where it cannot be asked.
func productNames(ctx context.Context, connection *genericclioptions.ConfigFlags) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	reader, err := newClient(connection, io.Discard)
	if err != nil {
		return nil
	}
	var products api.LicensedProductList
	if err := reader.List(ctx, &products); err != nil {
		return nil
	}
	names := make([]string, len(products.Items))
	for i := range products.Items {
		names[i] = products.Items[i].Name
	}
	return names
}
