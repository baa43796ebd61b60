// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorAccount is the ServiceAccount that config/default installs the operator with.
const operatorAccount = "license-operator-controller-manager"

// operatorUser is how the API server calls that account.
const operatorUser = "system:serviceaccount:" + OperatorNamespace + ":" + operatorAccount

// metricsReaderRole is the ClusterRole that config/default installs for those who scrape the operator.
const metricsReaderRole = "license-operator-metrics-reader"

// tokenSeconds is how long credentials last: they are not renewed, and a demo may be left running for days.
const tokenSeconds = 30 * 24 * 60 * 60

// OperatorConfig returns the configuration of a client with the identity of the operator's ServiceAccount, and with it
// no more rights than config/rbac grants. The operator has to be installed.
func (c *ControlPlane) OperatorConfig(ctx context.Context) (*rest.Config, error) {
	config, err := c.AccountConfig(ctx, OperatorNamespace, operatorAccount)
	if err != nil {
		return nil, fmt.Errorf("%w (is the operator installed?)", err)
	}
	return config, nil
}

// AccountConfig returns the configuration of a client with the identity of a ServiceAccount, and with it no more rights
// than are bound to that.
func (c *ControlPlane) AccountConfig(ctx context.Context, namespace, name string) (*rest.Config, error) {
	admin, err := client.New(c.admin, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	token, err := requestToken(ctx, admin, namespace, name)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(c.admin)
	config.BearerToken = token
	return config, nil
}

// ScraperToken returns a bearer token of a ServiceAccount that may read the operator's metrics, bound to the
// ClusterRole that is there for that; or where allowed is false of another that may not. It creates what is missing, so
// it may be called again.
func (c *ControlPlane) ScraperToken(ctx context.Context, allowed bool) (string, error) {
	admin, err := client.New(c.admin, client.Options{})
	if err != nil {
		return "", fmt.Errorf("creating a client: %w", err)
	}
	name := "scraper"
	if !allowed {
		name = "scraper-without-rights"
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}}
	if err := client.IgnoreAlreadyExists(admin.Create(ctx, account)); err != nil {
		return "", fmt.Errorf("creating ServiceAccount %s/%s: %w", metav1.NamespaceDefault, name, err)
	}
	if allowed {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: metricsReaderRole},
			Subjects: []rbacv1.Subject{{
				Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceDefault,
				Name: name,
			}},
		}
		if err := client.IgnoreAlreadyExists(admin.Create(ctx, binding)); err != nil {
			return "", fmt.Errorf("binding ServiceAccount %s/%s to ClusterRole %s: %w", metav1.NamespaceDefault, name,
				metricsReaderRole, err)
		}
	}
	return requestToken(ctx, admin, metav1.NamespaceDefault, name)
}

func requestToken(ctx context.Context, admin client.Client, namespace, name string) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenSeconds))},
	}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("requesting a token of ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return request.Status.Token, nil
}

// WriteKubeconfig writes a kubeconfig with the credentials of config, readable by its owner only.
func (c *ControlPlane) WriteKubeconfig(path string, config *rest.Config) error {
	const name = "license-operator"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{
		Token:                 config.BearerToken,
		ClientCertificateData: config.CertData, ClientKeyData: config.KeyData,
	}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return fmt.Errorf("encoding a kubeconfig: %w", err)
	}
	return os.WriteFile(path, content, 0o600)
}
