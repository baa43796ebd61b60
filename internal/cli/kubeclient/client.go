// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kubeclient connects to the cluster as kubectl does, and explains errors of the API server.
package kubeclient

import (
	"context"
	"io"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // identity providers that kubeconfigs may name, as for kubectl
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/version"
)

// FieldOwner is the name in managed fields and audit logs.
const FieldOwner = "kubectl-license"

// NewFlags returns kubectl's flags for the cluster and the user. Both of our kinds are cluster-scoped: no namespace.
func NewFlags() *genericclioptions.ConfigFlags {
	connection := genericclioptions.NewConfigFlags(true)
	connection.Namespace, connection.CacheDir = nil, nil
	return connection
}

// AddFlags adds these flags to a command, marked as flags that every kubectl command has.
func AddFlags(cmd *cobra.Command, connection *genericclioptions.ConfigFlags) {
	flags := pflag.NewFlagSet("connection", pflag.ContinueOnError)
	connection.AddFlags(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Annotations == nil {
			flag.Annotations = map[string][]string{}
		}
		flag.Annotations[command.ConnectionFlag] = nil
		cmd.Flags().AddFlag(flag)
	})
}

// NewConfig reads the kubeconfig.
func NewConfig(connection *genericclioptions.ConfigFlags, warnings io.Writer) (*rest.Config, error) {
	config, err := connection.ToRESTConfig()
	if err != nil {
		return nil, Unreachable(err)
	}
	// A command makes few requests. A rate limit would only add errors near a deadline.
	config.QPS = -1
	config.UserAgent = FieldOwner + "/" + version.Get()
	config.WarningHandler = rest.NewWarningWriter(warnings, rest.WarningWriterOptions{Deduplicate: true})
	return config, nil
}

// New reads the kubeconfig. It makes no request yet.
func New(connection *genericclioptions.ConfigFlags, warnings io.Writer) (client.WithWatch, error) {
	config, err := NewConfig(connection, warnings)
	if err != nil {
		return nil, err
	}
	return NewFor(config)
}

// NewFor makes a client for a configuration that was read. It makes no request yet.
func NewFor(config *rest.Config) (client.WithWatch, error) {
	// Without a logger, controller-runtime complains on the standard error.
	log.SetLogger(logr.Discard())
	scheme := runtime.NewScheme()
	kinds := runtime.NewSchemeBuilder(clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, api.AddToScheme)
	if err := kinds.AddToScheme(scheme); err != nil {
		return nil, err
	}
	created, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, Unreachable(err)
	}
	return created, nil
}

// Our own resources, as kubectl and permissions name them.
const (
	Products = "licensedproducts.license-operator.io"
	Keys     = "licensekeys.license-operator.io"
)

// ProductReference is the name of a product as kubectl prints it with -o name.
func ProductReference(name string) string {
	return "licensedproduct." + api.GroupVersion.Group + "/" + name
}

// KeyReference is the name of a key as kubectl prints it with -o name.
func KeyReference(name string) string { return "licensekey." + api.GroupVersion.Group + "/" + name }

// ClusterUID returns the ID of the cluster in tokens: the uid of the namespace kube-system. It returns the error
// Forbidden unchanged, since callers can go on without the uid.
func ClusterUID(ctx context.Context, reader client.Reader) (string, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := reader.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, namespace)
	if err != nil && !apierrors.IsForbidden(err) {
		return "", Explain(err, "read the cluster's uid", "", "kubectl get namespace "+metav1.NamespaceSystem)
	}
	return string(namespace.UID), err
}
