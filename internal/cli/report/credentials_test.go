// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package report

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"

	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
)

const credential = `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",` +
	`"status":{"token":"from-program"}}'`

// withUser sets KUBECONFIG to a file with this user, and a server that does not exist.
func withUser(t *testing.T, user *clientcmdapi.AuthInfo) {
	t.Helper()
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1", InsecureSkipTLSVerify: true}
	kubeconfig.AuthInfos["u"] = user
	kubeconfig.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	kubeconfig.CurrentContext = "x"
	if err := clientcmd.WriteToFile(*kubeconfig, "kubeconfig"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", "kubeconfig")
}

// program is a user whose credentials a program prints.
func program(t *testing.T, script string) *clientcmdapi.AuthInfo {
	t.Helper()
	if err := os.WriteFile("login", []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "./login",
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
}

// identityToken is a token of an identity provider, valid until 2100.
func identityToken() string {
	part := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
	return part(`{"alg":"none"}`) + "." + part(`{"exp":4102444800}`) + "."
}

func TestBearerToken(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("there is no shell")
	}
	for name, test := range map[string]struct {
		user func(t *testing.T) *clientcmdapi.AuthInfo
		// flag is --token.
		flag string
		want string
		// api is the token for the API server, if it is known in advance.
		api  string
		fail string
	}{
		"a token":      {user: fixed(clientcmdapi.AuthInfo{Token: "direct"}), want: "direct", api: "direct"},
		"a token file": {user: fixed(clientcmdapi.AuthInfo{TokenFile: "token"}), want: "from-file", api: "from-file"},
		"a program": {
			user: func(t *testing.T) *clientcmdapi.AuthInfo { return program(t, credential) },
			want: "from-program",
		},
		"a flag": {user: fixed(clientcmdapi.AuthInfo{}), flag: "from-flag", want: "from-flag", api: "from-flag"},
		"a flag, a token": {
			user: fixed(clientcmdapi.AuthInfo{Token: "direct"}), flag: "from-flag", want: "from-flag",
			api: "direct",
		},
		"a flag, a file": {
			user: fixed(clientcmdapi.AuthInfo{TokenFile: "token"}), flag: "from-flag",
			want: "from-flag", api: "from-file",
		},
		"a blank flag": {user: fixed(clientcmdapi.AuthInfo{Token: "direct"}), flag: " ", fail: "--token is empty"},
		"a flag, a program": {
			user: func(t *testing.T) *clientcmdapi.AuthInfo { return program(t, "exit 1") }, flag: "from-flag",
			want: "from-flag",
		},
		"an identity provider": {
			user: fixed(
				clientcmdapi.AuthInfo{AuthProvider: &clientcmdapi.AuthProviderConfig{
					Name: "oidc",
					Config: map[string]string{
						"idp-issuer-url": "https://127.0.0.1:1", "client-id": "kubectl", "id-token": identityToken(),
					},
				}}),
			want: identityToken(),
		},
		"a password": {user: fixed(clientcmdapi.AuthInfo{Username: "jane", Password: "secret"})},
		"nothing":    {user: fixed(clientcmdapi.AuthInfo{})},
		"a token file that is missing": {
			user: fixed(clientcmdapi.AuthInfo{TokenFile: "gone"}),
			fail: "gone: no such file or directory",
		},
		"a program that fails": {
			user: func(t *testing.T) *clientcmdapi.AuthInfo { return program(t, "echo from-program; exit 1") },
			fail: "login failed with exit code 1",
		},
		"a program that prints a certificate": {
			user: func(t *testing.T) *clientcmdapi.AuthInfo { return program(t, withCertificate(t)) },
		},
		"impersonation": {
			user: fixed(clientcmdapi.AuthInfo{Token: "direct", Impersonate: "jane"}),
			fail: "does not reach the operator",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("token", []byte("from-file\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			withUser(t, test.user(t))
			o := &options{
				Environment: command.Environment{}, connection: kubeclient.NewFlags(),
				namespace: operator.DefaultNamespace,
			}
			o.ErrOut, o.command = io.Discard, &cobra.Command{}
			kubeclient.AddFlags(o.command, o.connection)
			if test.flag != "" {
				if err := o.command.Flags().Set("token", test.flag); err != nil {
					t.Fatal(err)
				}
			}
			err := o.complete()
			switch {
			case test.fail == "" &&
				(err != nil || o.token != test.want || strings.TrimSpace(o.config.BearerToken) != test.api):
				t.Errorf("got %q, %v, want %q; and for the API server %q, want %q", o.token, err, test.want,
					o.config.BearerToken, test.api)
			case test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)):
				t.Errorf("got %q, %v, want an error that says %q", o.token, err, test.fail)
			case test.fail != "" && strings.Contains(err.Error(), "from-"):
				t.Errorf("the error has the token in it: %v", err)
			}
		})
	}
}

func fixed(user clientcmdapi.AuthInfo) func(*testing.T) *clientcmdapi.AuthInfo {
	return func(*testing.T) *clientcmdapi.AuthInfo { return &user }
}

// withCertificate is a program's script that prints a client certificate and its key.
func withCertificate(t *testing.T) string {
	t.Helper()
	certificate, key, err := cert.GenerateSelfSignedCertKey("jane", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	status, err := json.Marshal(map[string]string{
		"clientCertificateData": string(certificate),
		"clientKeyData":         string(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	return "cat <<'END'\n" + `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":` +
		string(status) + "}\nEND"
}
