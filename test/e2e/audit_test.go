//go:build e2e

// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	account      = "license-operator-controller-manager"
	operatorUser = "system:serviceaccount:" + defaultNamespace + ":" + account
)

// suiteStart is when the first request that counts may have come.
var suiteStart time.Time

// requests are those that the operator has made since then, as the cluster's audit log has them; none where nobody
// tells the suite where that is.
func requests(since time.Time) []controlplane.AuditEvent {
	GinkgoHelper()
	path := os.Getenv("E2E_AUDIT_LOG")
	if path == "" {
		Skip("E2E_AUDIT_LOG does not name the cluster's audit log")
	}
	events, err := controlplane.ReadAudit(path)
	Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(events, func(e controlplane.AuditEvent) bool {
		return e.User != operatorUser ||
			e.Received.Before(since)
	})
}

func describeRequest(e controlplane.AuditEvent) string {
	return fmt.Sprintf("%s %s: %d", e.Verb, e.Path, e.Code)
}

// permission to do one thing.
type permission struct{ verb, group, resource, name string }

func (p permission) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s.%s %s", p.verb, p.resource, p.group, p.name))
}

func (p permission) covers(e controlplane.AuditEvent) bool {
	resource := e.Resource
	if e.Subresource != "" {
		resource += "/" + e.Subresource
	}
	return p.verb == e.Verb && p.group == e.Group && p.resource == resource && (p.name == "" || p.name == e.Name)
}

// granted is what the operator was allowed to do in any of the installations of this suite.
var granted = map[permission]bool{}

// noteGrants remembers what the operator may do as it is installed now.
func noteGrants(ctx context.Context) {
	GinkgoHelper()
	isOperator := func(s rbacv1.Subject) bool {
		return s.Kind == rbacv1.ServiceAccountKind && s.Namespace == defaultNamespace && s.Name == account
	}
	var (
		clusterBindings rbacv1.ClusterRoleBindingList
		bindings        rbacv1.RoleBindingList
		clusterRoles    rbacv1.ClusterRoleList
		roles           rbacv1.RoleList
	)
	Expect(k8sClient.List(ctx, &clusterBindings)).To(Succeed())
	Expect(k8sClient.List(ctx, &bindings)).To(Succeed())
	Expect(k8sClient.List(ctx, &clusterRoles)).To(Succeed())
	Expect(k8sClient.List(ctx, &roles)).To(Succeed())
	rules := map[string][]rbacv1.PolicyRule{}
	for _, r := range clusterRoles.Items {
		rules["ClusterRole "+r.Name] = r.Rules
	}
	for _, r := range roles.Items {
		rules["Role "+r.Namespace+" "+r.Name] = r.Rules
	}
	note := func(rules []rbacv1.PolicyRule) {
		for _, r := range rules {
			names := r.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, verb := range r.Verbs {
				for _, group := range r.APIGroups {
					for _, resource := range r.Resources {
						for _, name := range names {
							granted[permission{verb, group, resource, name}] = true
						}
					}
				}
			}
		}
	}
	found := 0
	for _, b := range clusterBindings.Items {
		if slices.ContainsFunc(b.Subjects, isOperator) {
			note(rules["ClusterRole "+b.RoleRef.Name])
			found++
		}
	}
	for _, b := range bindings.Items {
		if slices.ContainsFunc(b.Subjects, isOperator) {
			note(append(slices.Clone(rules["Role "+b.Namespace+" "+b.RoleRef.Name]),
				rules["ClusterRole "+b.RoleRef.Name]...))
			found++
		}
	}
	Expect(found).To(BeNumerically(">=", 2), "a role in its namespace, and one in the cluster")
}

// unseen are permissions that no request of the operator's can show that it needs them.
var unseen = map[permission]string{
	{"get", "projectcalico.org", "tiers", ""}: "Calico's API server asks whether a caller may, when that reads or " +
		"writes a policy in a tier",
	{"get", "license-operator.io", "licensedproducts", ""}: "the API server asks whether a caller may, when that " +
		"writes an admission policy that reads them",
	{"list", "license-operator.io", "licensedproducts", ""}: streamed,
	{"list", "license-operator.io", "licensekeys", ""}:      streamed,
}

// streamed is the reason that watched kinds are not listed.
const streamed = "an API server that streams lists has the list in the watch; one that does not is asked for it"

func isUnseen(p permission) bool {
	switch {
	case unseen[p] != "":
		return true
	case p.group == "projectcalico.org" && strings.HasPrefix(p.resource, "tier."):
		return true // as for tiers
	case p.group == "admissionregistration.k8s.io" && p.verb == "create":
		return true // an apply that creates is a patch in the log, and may do so only who may create
	default:
		return false
	}
}

func isUsed(p permission, all []controlplane.AuditEvent) bool {
	return slices.ContainsFunc(all, func(e controlplane.AuditEvent) bool { return p.covers(e) && e.Code < 400 })
}

// removals are the times in which somebody took the operator's roles from it before its last process had ended, as Helm
// and OLM do.
var removals [][2]time.Time

// removing has the operator removed, and waits until its last process has ended.
func removing(ctx context.Context, remove func()) {
	GinkgoHelper()
	start := time.Now()
	remove()
	Eventually(func() int { return len(operatorPods(ctx, defaultNamespace)) }).Should(BeZero())
	removals = append(removals, [2]time.Time{start, time.Now()})
}

// isProvoked tells whether a request was refused because of what a spec did.
func isProvoked(e controlplane.AuditEvent) bool {
	return slices.ContainsFunc(removals, func(r [2]time.Time) bool {
		return e.Received.After(r[0]) &&
			e.Received.Before(r[1])
	})
}

// What the operator may do and has done is known when everything has been tried.
var _ = ReportAfterSuite("the operator's permissions", func(_ SpecContext, report Report) {
	if os.Getenv("E2E_AUDIT_LOG") == "" {
		return // no audit log
	}
	all := requests(suiteStart)
	unused := []string{}
	for _, p := range slices.SortedFunc(maps.Keys(granted),
		func(a, b permission) int { return strings.Compare(a.String(), b.String()) }) {
		if !isUnseen(p) && !isUsed(p, all) {
			unused = append(unused, p.String())
		}
	}
	refused := []string{}
	for _, e := range all {
		if (e.Code == 401 || e.Code == 403) && !isProvoked(e) {
			refused = append(refused, e.Time.Format(time.TimeOnly)+" "+describeRequest(e))
		}
	}
	GinkgoWriter.Printf("permissions: %d, of which unused: %q\nrequests: %d, of which refused: %q\n", len(granted),
		unused, len(all), refused)
	Expect(refused).To(BeEmpty(), "the operator asked for what it may not do")
	if c := report.SuiteConfig; report.SuiteSucceeded &&
		len(c.FocusStrings)+len(c.SkipStrings)+len(c.FocusFiles)+len(c.SkipFiles) == 0 {
		Expect(unused).To(BeEmpty(), "the operator may do what it never did, though everything was tried")
	}
})

// disturbances are what an idle operator does not do: everything but to renew its lease, or look whose it is, and to go
// on watching.
func disturbances(since time.Time) []string {
	GinkgoHelper()
	found := []string{}
	for _, e := range requests(since) {
		lease := e.Group == "coordination.k8s.io" && e.Resource == "leases" && (e.Verb == "get" || e.Verb == "update")
		if !lease && e.Verb != "watch" {
			found = append(found, e.Received.Format(time.TimeOnly)+" "+describeRequest(e))
		}
	}
	return found
}
