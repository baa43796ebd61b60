// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controlplane

import (
	"context"
	"fmt"
	"os"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
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

// tokenSeconds is how long the operator's credentials last: nobody renews them, and a demo may be left running for days.
const tokenSeconds = 30 * 24 * 60 * 60

// OperatorConfig returns the configuration of a client with the identity of the operator's ServiceAccount, and with it no more rights than config/rbac grants.
// The operator has to be installed.
func (c *ControlPlane) OperatorConfig(ctx context.Context) (*rest.Config, error) {
	admin, err := client.New(c.admin, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("creating a client: %w", err)
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: OperatorNamespace, Name: operatorAccount}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(int64(tokenSeconds))}}
	if err := admin.SubResource("token").Create(ctx, account, request); err != nil {
		return nil, fmt.Errorf("requesting a token of ServiceAccount %s/%s (is the operator installed?): %w", OperatorNamespace, operatorAccount, err)
	}
	config := rest.AnonymousClientConfig(c.admin)
	config.BearerToken = request.Status.Token
	return config, nil
}

// WriteKubeconfig writes a kubeconfig with the credentials of config, which nobody else may read.
func (c *ControlPlane) WriteKubeconfig(path string, config *rest.Config) error {
	const name = "license-operator"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[name] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: config.BearerToken, ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	kubeconfig.CurrentContext = name
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return fmt.Errorf("encoding a kubeconfig: %w", err)
	}
	return os.WriteFile(path, content, 0o600)
}
