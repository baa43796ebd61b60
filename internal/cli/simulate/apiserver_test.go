// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulate_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli"
	"github.com/license-operator/license-operator/internal/cli/clitest"
	"github.com/license-operator/license-operator/internal/cli/output"
	"github.com/license-operator/license-operator/internal/cli/simulate"
	"github.com/license-operator/license-operator/test/controlplane"
)

// reader is a user with the permissions that a test grants.
const reader = "jane"

// realCluster is a real API server with the operator's kinds, but without the operator.
type realCluster struct {
	t     *testing.T
	plane *controlplane.ControlPlane
	admin client.WithWatch
	// kubeconfig is the administrator's.
	kubeconfig string
}

func startCluster(t *testing.T) *realCluster {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("there is no API server: make test has one")
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := plane.InstallOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := &realCluster{t: t, plane: plane, kubeconfig: filepath.Join(plane.Dir(), "admin.kubeconfig")}
	if c.admin, err = plane.NewClient(); err != nil {
		t.Fatal(err)
	}
	if err := plane.WriteKubeconfig(c.kubeconfig, plane.Admin()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *realCluster) installCalico() {
	c.t.Helper()
	definitions, err := controlplane.CalicoDefinitions(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.plane.Install(c.t.Context(), definitions...); err != nil {
		c.t.Fatal(err)
	}
}

// create creates an object with its status.
func (c *realCluster) create(object client.Object) {
	c.t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		c.t.Fatal(err)
	}
	created := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(content)}
	created.SetDeletionTimestamp(nil)
	if err := c.admin.Create(c.t.Context(), created); err != nil {
		c.t.Fatalf("creating %s %s: %v", created.GetKind(), created.GetName(), err)
	}
	if status, ok := content["status"]; ok && strings.HasPrefix(created.GetAPIVersion(), api.GroupVersion.Group) {
		created.Object["status"] = status
		if err := c.admin.Status().Update(c.t.Context(), created); err != nil {
			c.t.Fatalf("writing the status of %s %s: %v", created.GetKind(), created.GetName(), err)
		}
	}
	if object.GetDeletionTimestamp() != nil {
		if err := c.admin.Delete(c.t.Context(), created); err != nil {
			c.t.Fatal(err)
		}
	}
}

// allow lets the ordinary user list resources of an API group.
func (c *realCluster) allow(group string, resources ...string) {
	c.t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "list-"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{group}, Resources: resources, Verbs: []string{"list"}}},
	}
	if err := c.admin.Create(c.t.Context(), role); err != nil {
		c.t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: reader}},
	}
	if err := c.admin.Create(c.t.Context(), binding); err != nil {
		c.t.Fatal(err)
	}
	for _, resource := range resources {
		if err := wait.PollUntilContextTimeout(c.t.Context(), 20*time.Millisecond, 15*time.Second, true,
			c.mayList(group, resource)); err != nil {
			c.t.Fatalf("%s may not list %s: %v", reader, resource, err)
		}
	}
}

// mayList asks the API server, which sees a binding a moment after it was created.
func (c *realCluster) mayList(group, resource string) wait.ConditionWithContextFunc {
	return func(ctx context.Context) (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               reader,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "list", Group: group, Resource: resource},
		}}
		err := c.admin.Create(ctx, review)
		return review.Status.Allowed, err
	}
}

// run runs a command against the cluster as the administrator.
func (c *realCluster) run(e *clitest.Terminal, args ...string) clitest.Output {
	e.T.Helper()
	return e.Run("", append(args, "--kubeconfig", c.kubeconfig)...)
}

// show records a command against the cluster, as the ordinary user.
func (c *realCluster) show(e *clitest.Terminal, note string, args ...string) {
	e.T.Helper()
	e.Note("%s", note)
	e.Show(append(args, "--as", reader, "--kubeconfig", c.kubeconfig)...)
	e.ReplaceAll(c.kubeconfig, "admin.kubeconfig")
}

func TestOnAnAPIServer(t *testing.T) {
	golden := clitest.Goldens(t)
	objects := simulate.ReadFixture(t)
	c := startCluster(t)
	e := clitest.NewTerminal(t, cli.Run)

	for _, name := range []string{"shop", "blog"} {
		c.create(&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: name},
		})
	}
	for i := range objects {
		if strings.HasPrefix(objects[i].GetAPIVersion(), api.GroupVersion.Group) {
			c.create(&objects[i])
		}
	}
	withoutCalico := c.run(e, "simulate", "acme-old")
	c.installCalico()
	for i := range objects {
		if !strings.HasPrefix(objects[i].GetAPIVersion(), api.GroupVersion.Group) {
			c.create(&objects[i])
		}
	}

	// The output is the same for an API server and for the objects themselves.
	for _, test := range []struct{ shown, at, format string }{
		{},
		{shown: "acme-mesh"},
		{at: "2028-01-31", format: output.JSON},
		{shown: "acme-db", at: "2026-11-23", format: output.YAML},
	} {
		var args []string
		if test.shown != "" {
			args = append(args, test.shown)
		}
		if test.at != "" {
			args = append(args, "--at", test.at)
		}
		if test.format != "" {
			args = append(args, "-o", test.format)
		}
		want := clitest.Output{Stdout: simulate.SimulatedText(t, test.shown, test.at, test.format, true)}
		if got := c.run(e, append([]string{"simulate"}, args...)...); got != want {
			t.Errorf("%q: got %+v\nwant %+v", args, got, want)
		}
	}
	want := clitest.Output{
		Stdout: simulate.SimulatedText(t, "acme-old", "", "", false),
		Stderr: "warning: the cluster does not serve Calico's tiers (projectcalico.org/v3): there is nothing to " +
			"restrict\n",
	}
	if withoutCalico != want {
		t.Errorf("without Calico: got %+v\nwant %+v", withoutCalico, want)
	}

	c.show(e, "Without permissions.", "simulate")
	c.allow(api.GroupVersion.Group, "licensedproducts")
	c.show(e, "With one permission more each time.", "simulate")
	c.allow(api.GroupVersion.Group, "licensekeys")
	c.show(e, "One more.", "simulate")
	c.allow("projectcalico.org", "tiers")
	c.show(e, "One more.", "simulate")
	c.allow("projectcalico.org", "globalnetworkpolicies")
	c.show(e, "One more.", "simulate")
	c.allow("projectcalico.org", "networkpolicies")
	c.show(e, "Permissions that it does not need.", "simulate", "acme-old")
	c.allow("networking.k8s.io", "networkpolicies")
	c.allow("", "nodes")
	c.show(e, "All permissions.", "simulate", "acme-old")
	c.show(e, "Another product.", "simulate", "acme-mash")
	c.show(e, "A pause needs permissions.", "pause", "acme-old", "--for", "1d", "--reason", "Freeze")
	c.create(&corev1.Node{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{Name: "pane", Labels: map[string]string{corev1.LabelOSStable: "windows"}},
	})
	c.show(e, "With a Windows node.", "simulate", "acme-old")
	e.Compare(golden, "rights")

	c.testPause(e)
}

// testPause pauses and resumes a product that an operator follows.
func (c *realCluster) testPause(e *clitest.Terminal) {
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.operate(ctx)
	}()
	defer func() {
		cancel()
		<-done
	}()

	got := c.run(e, "pause", "acme-old", "--for", "72h", "--reason", "Freeze")
	want := clitest.Output{Stdout: `Product:      acme-old
Paused:       until 2026-11-25T10:00:00Z (3d), "Freeze"
Restriction:  Paused (was Active since 2026-11-01T00:00:01Z, DefaultTierOnly)
Afterwards:   in force, unless a license covers the product by then
`}
	if got != want {
		c.t.Errorf("pause: got %+v\nwant %+v", got, want)
	}
	if got := c.run(e, "simulate", "acme-old"); !strings.HasPrefix(got.Stdout,
		"As of 2026-11-25T10:00:00Z (in 3 days), when a pause ends") {
		c.t.Errorf("simulate: got %+v", got)
	}
	got = c.run(e, "resume", "acme-old")
	want = clitest.Output{Stdout: `Product:      acme-old
Restriction:  Active since 2026-11-20T00:00:00Z, DefaultTierOnly (was Paused until 2026-11-25T10:00:00Z)
In force:     in 2 tiers with 120 policies
`}
	if got != want {
		c.t.Errorf("resume: got %+v\nwant %+v", got, want)
	}
	product := &api.LicensedProduct{}
	if err := c.admin.Get(c.t.Context(), client.ObjectKey{Name: "acme-old"}, product); err != nil {
		c.t.Fatal(err)
	}
	if len(product.Annotations) > 0 {
		c.t.Errorf("there are annotations left: %v", product.Annotations)
	}
}

// operate does what the operator does about pauses, for acme-old.
func (c *realCluster) operate(ctx context.Context) {
	watcher, err := c.admin.Watch(ctx, &api.LicensedProductList{}, client.MatchingFields{"metadata.name": "acme-old"})
	if err != nil {
		c.t.Error(err)
		return
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-watcher.ResultChan():
			product, ok := event.Object.(*api.LicensedProduct)
			if !ok {
				return
			}
			clitest.Follow(product)
			if err := c.admin.Status().Update(ctx, product); err != nil && !apierrors.IsConflict(err) &&
				ctx.Err() == nil {
				c.t.Error(err)
			}
		}
	}
}
