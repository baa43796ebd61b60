//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e installs the operator into the cluster of KUBECONFIG as its users do, with make and kubectl, and takes it
// off again. hack/test-e2e brings what it needs: images that the cluster's nodes have (IMG) or can pull (E2E_REGISTRY),
// bin/kubectl-license and tools, and the cluster's audit log, if there is one to be read (E2E_AUDIT_LOG).
package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/license-operator/license-operator/test/controlplane"
)

const root = "../.."

var (
	image, scraperImage string
	k8sClient           client.WithWatch
	acme                *vendor
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(60 * time.Second)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "E2E")
}

// The definitions of others that the suite installs can be had, and are in the module cache from then on.
func TestDefinitions(t *testing.T) {
	if _, err := controlplane.CalicoDefinitions(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := controlplane.PrometheusOperatorDefinition(t.Context(), "prometheusrules"); err != nil {
		t.Error(err)
	}
}

var _ = BeforeSuite(func() {
	logf.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	suiteStart = time.Now()
	image, scraperImage = os.Getenv("IMG"), imageFrom("license-operator-scraper")
	Expect(image).NotTo(BeEmpty(), "IMG is the operator's image: run make test-e2e")
	config, err := ctrl.GetConfig()
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1
	k8sClient, err = client.NewWithWatch(config, client.Options{Scheme: controlplane.Scheme})
	Expect(err).NotTo(HaveOccurred())
	acme = newVendor(time.Now().AddDate(0, -1, 0))

	bin, err := filepath.Abs(filepath.Join(root, "bin"))
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Setenv("PATH", strings.Join([]string{bin, filepath.Join(bin, "tools"), os.Getenv("PATH")},
		string(os.PathListSeparator)))).To(Succeed())
})

var bearerToken = regexp.MustCompile(`--token \S+`)

// command is what a user types, in the folder of the repository.
func command(ctx context.Context, name string, args ...string) (output string, err error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = root
	By(bearerToken.ReplaceAllString(strings.Join(c.Args, " "), "--token …"))
	combined, err := c.CombinedOutput()
	GinkgoWriter.Printf("%s\n", combined)
	return string(combined), err
}

// run is a command that has to succeed.
func run(ctx context.Context, name string, args ...string) string {
	GinkgoHelper()
	output, err := command(ctx, name, args...)
	Expect(err).NotTo(HaveOccurred(), output)
	return output
}

func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return run(ctx, "kubectl", args...)
}
