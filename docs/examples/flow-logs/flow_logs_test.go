// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package flowlogs runs flow-logs.sh, with the rights of its manifests and no more, against Calico's own kind.
package flowlogs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

// The operator does not run here: statuses are written by hand.
func TestFlowLogs(t *testing.T) {
	s := newStage(t)
	s.startScript()
	s.says("off", false)

	s.create()
	s.write(metav1.ConditionTrue, farAway)
	s.says("on (licensed until 2999-12-31T00:00:00Z)", true)
	s.write(metav1.ConditionFalse, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	s.says("off", false)
	s.write(metav1.ConditionTrue, farAway)
	s.says("on (licensed until 2999-12-31T00:00:00Z)", true)
	s.Expect(s.admin.Delete(t.Context(), newProduct())).To(Succeed())
	s.says("off", false)

	s.create()
	end := time.Now().Add(6 * time.Second).UTC().Truncate(time.Second)
	s.write(metav1.ConditionTrue, end)
	s.says("on (licensed until "+end.Format(time.RFC3339)+")", true)
	s.Expect(s.plane.StopAPIServer()).To(Succeed())
	s.Eventually(func() string { return s.script.LogTail(10) }, "20s").Should(ContainSubstring("connection refused"),
		"it goes on trying")
	s.Expect(s.plane.StartAPIServer(t.Context())).To(Succeed())
	s.says("off", false)
	s.Expect(time.Now()).To(BeTemporally(">=", end), "that the API server was away ended nothing")
	s.Expect(s.script.Stop()).To(Succeed())
}

// stage is a control plane with Calico's kind and what the example's manifests put there, and the script.
type stage struct {
	*WithT
	t      *testing.T
	plane  *controlplane.ControlPlane
	admin  client.Client
	script *controlplane.Process
	said   []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{WithT: NewWithT(t), t: t}
	var err error
	s.plane, err = controlplane.Start(t.Context(), controlplane.Options{})
	s.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { s.Expect(s.plane.Stop()).To(Succeed()) })
	s.Expect(s.plane.InstallOperator(t.Context())).To(Succeed())
	definition, err := controlplane.CalicoDefinition(t.Context(), "felixconfigurations")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(s.plane.Install(t.Context(), definition)).To(Succeed())
	s.Expect(s.plane.InstallFolder(t.Context(), "docs/examples/flow-logs")).To(Succeed())
	scheme := runtime.NewScheme()
	s.Expect(api.AddToScheme(scheme)).To(Succeed())
	s.admin, err = client.New(s.plane.Admin(), client.Options{Scheme: scheme})
	s.Expect(err).NotTo(HaveOccurred())
	felix := felixConfiguration()
	felix.Object["spec"] = map[string]any{"nftablesMode": "Auto", "flowLogsFileEnabled": true}
	s.Expect(s.admin.Create(t.Context(), felix)).To(Succeed())
	return s
}

func (s *stage) startScript() {
	s.t.Helper()
	account, err := s.plane.AccountConfig(s.t.Context(), "acme-mesh", "flow-logs")
	s.Expect(err).NotTo(HaveOccurred())
	kubeconfig := filepath.Join(s.plane.Dir(), "flow-logs.kubeconfig")
	s.Expect(s.plane.WriteKubeconfig(kubeconfig, account)).To(Succeed())
	script, err := filepath.Abs("flow-logs.sh")
	s.Expect(err).NotTo(HaveOccurred())
	path := filepath.Dir(s.plane.Kubectl()) + string(os.PathListSeparator) + os.Getenv("PATH")
	s.script, err = s.plane.StartProcess(controlplane.ProcessOptions{
		Name: "flow-logs", Path: "/bin/sh", Args: []string{script, "acme-mesh"},
		Env: append(os.Environ(), "PATH="+path, "HOME="+s.plane.Dir(), "KUBECONFIG="+kubeconfig, "INTERVAL=0.2"),
	})
	s.Expect(err).NotTo(HaveOccurred())
}

// says is what the script has to say next, and what it has to have done. All that it has ever said is looked at.
func (s *stage) says(what string, written bool) {
	s.t.Helper()
	s.said = append(s.said, "flow logs: "+what)
	s.Eventually(func() []string { return linesOf(s.script) }, "30s", "20ms").Should(Equal(s.said),
		"it looks every 0.2 seconds, with a kubectl that takes its time")
	felix := felixConfiguration()
	s.Expect(s.admin.Get(s.t.Context(), client.ObjectKeyFromObject(felix), felix)).To(Succeed())
	s.Expect(felix.Object["spec"]).To(Equal(map[string]any{"nftablesMode": "Auto", "flowLogsFileEnabled": written}))
}

// linesOf is what the script has said, without what its kubectl complains of.
func linesOf(script *controlplane.Process) []string {
	lines := []string{}
	for line := range strings.Lines(script.LogTail(1000)) {
		if strings.HasPrefix(line, "flow logs: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (s *stage) create() {
	s.t.Helper()
	s.Expect(s.admin.Create(s.t.Context(), newProduct())).To(Succeed())
}

func (s *stage) write(licensed metav1.ConditionStatus, end time.Time) {
	s.t.Helper()
	product := newProduct()
	s.Expect(s.admin.Get(s.t.Context(), client.ObjectKeyFromObject(product), product)).To(Succeed())
	product.Status.CoverageEndTime = &metav1.Time{Time: end}
	product.Status.Conditions = []metav1.Condition{
		{
			Type: api.ConditionReady, Status: metav1.ConditionTrue, Reason: api.ReasonTermsAccepted,
			LastTransitionTime: metav1.NewTime(farAway),
		},
		{Type: api.ConditionLicensed, Status: licensed, Reason: "Tested", LastTransitionTime: metav1.NewTime(farAway)},
	}
	s.Expect(s.admin.Status().Update(s.t.Context(), product)).To(Succeed())
}

// farAway is after any run of this test.
var farAway = time.Date(2999, 12, 31, 0, 0, 0, 0, time.UTC)

func newProduct() *api.LicensedProduct {
	return &api.LicensedProduct{
		ObjectMeta: metav1.ObjectMeta{Name: "acme-mesh"},
		Spec:       api.LicensedProductSpec{Vendor: "Acme", TrustAnchors: "-----BEGIN CERTIFICATE-----"},
	}
}

// felixConfiguration is the one that Calico makes for every node.
func felixConfiguration() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "projectcalico.org/v3", "kind": "FelixConfiguration",
		"metadata": map[string]any{"name": "default"},
	}}
}
