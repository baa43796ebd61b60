// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/report"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	reportTarget = 100 * time.Millisecond
	// reportRounds is how often each report is asked for in turn, and manyReports of the largest one whether memory
	// grows.
	reportRounds = 50
	manyReports  = 1000
	// reportsAtOnce is a crowd.
	reportsAtOnce = 100
	roleBindings  = 1000
	bindingSpaces = 100
	// subjectsEach of a role binding, one of which is in all.
	subjectsEach = 4
	// steady is how much resident memory may differ by what the garbage collector has yet to look at.
	steady = 8 << 20
)

// reportResult is what was measured of license reports.
type reportResult struct {
	title string
	asker *asker
	kinds []askedReport
	// requests to the API server for one report, by what was asked.
	requests map[string]int
	// before and after a first 100 of manyReports, and after all of them.
	before, warm, after memory
	crowd               time.Duration
	crowdPeak           int64
}

// askedReport is what was measured of one way to ask, by an account that the operator has not met before.
type askedReport struct {
	name, query   string
	asker         *asker
	first, second time.Duration
	took          []time.Duration
	bytes         int
}

// asker asks for reports, as an account that may.
type asker struct {
	client     *http.Client
	url, token string
}

func newAsker(
	ctx context.Context, plane *controlplane.ControlPlane, manager *controlplane.Manager, name string,
) (*asker, error) {
	config, err := plane.UserConfig(ctx, name,
		rbacv1.PolicyRule{NonResourceURLs: []string{report.Path}, Verbs: []string{"get"}})
	if err != nil {
		return nil, err
	}
	// its certificate is its own
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		MaxIdleConnsPerHost: reportsAtOnce,
	}
	return &asker{client: &http.Client{Transport: transport}, url: manager.ReportURL(), token: config.BearerToken}, nil
}

func (a *asker) ask(ctx context.Context, query string) (took time.Duration, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+"?"+query, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	start := time.Now()
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing was written
	if body, err = io.ReadAll(response.Body); err != nil {
		return 0, nil, err
	}
	took = time.Since(start)
	if response.StatusCode != http.StatusOK {
		return 0, nil, fmt.Errorf("asking for a report: %s: %s", response.Status, body)
	}
	return took, body, nil
}

// benchReport asks for license reports of a large cluster, and prints how long that takes, and what it costs.
func benchReport(ctx context.Context, s settings, binary string, out io.Writer) error {
	r := &reportResult{
		title: fmt.Sprintf("License reports at %s nodes, %s products with 13 months each, %s role bindings",
			number(s.nodes), number(s.keys), number(roleBindings)),
		kinds: []askedReport{
			{name: "of one product", query: "product=product-0001"},
			{name: "of all", query: "product=*"},
			{name: "of all, as a tar", query: "product=*&format=tar"},
		},
	}
	return withOperator(ctx, binary,
		r.title, func(plane *controlplane.ControlPlane, manager *controlplane.Manager) error {
			if err := r.prepare(ctx, s, plane, manager); err != nil {
				return err
			}
			if err := r.measure(ctx, plane, manager); err != nil {
				return err
			}
			return r.print(out)
		})
}

func (r *reportResult) prepare(
	ctx context.Context, s settings, plane *controlplane.ControlPlane, manager *controlplane.Manager,
) error {
	c, err := plane.NewClient()
	if err != nil {
		return err
	}
	if r.asker, err = newAsker(ctx, plane, manager, "reporter"); err != nil {
		return err
	}
	for i := range r.kinds {
		if r.kinds[i].asker, err = newAsker(ctx, plane, manager, fmt.Sprintf("newcomer-%d", i)); err != nil {
			return err
		}
	}
	say("%s: applying it all", r.title)
	if err := createNodes(ctx, c, scrapedNodes, s.nodes, creators); err != nil {
		return err
	}
	if err := createBindings(ctx, c); err != nil {
		return err
	}
	if err := applyFor(ctx, c, s.keys); err != nil {
		return err
	}
	if err := rememberMonths(ctx, c, s.keys); err != nil {
		return err
	}
	return r.awaitAll(ctx, s)
}

// createBindings creates role bindings in some namespaces, each for users of its own and one who is everywhere.
func createBindings(ctx context.Context, c client.Client) error {
	if err := atOnce(ctx, bindingSpaces, func(ctx context.Context, i int) error {
		return c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("space-%03d", i)}})
	}); err != nil {
		return fmt.Errorf("creating namespaces: %w", err)
	}
	err := atOnce(ctx, roleBindings, func(ctx context.Context, i int) error {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: fmt.Sprintf("space-%03d", i%bindingSpaces),
				Name:      fmt.Sprintf("binding-%04d", i),
			},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
			Subjects: []rbacv1.Subject{{
				Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName,
				Name: "everywhere@example.com",
			}},
		}
		for j := 1; j < subjectsEach; j++ {
			binding.Subjects = append(binding.Subjects,
				rbacv1.Subject{
					Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName,
					Name: fmt.Sprintf("user-%04d-%d@example.com", i, j),
				})
		}
		return c.Create(ctx, binding)
	})
	if err != nil {
		return fmt.Errorf("creating role bindings: %w", err)
	}
	return nil
}

// monthsBefore are as many months before that of an instant as a status remembers beside it, the oldest first.
func monthsBefore(now time.Time) []string {
	// From the first of a month: a month after the 29th of January may be March.
	year, month, _ := now.UTC().Date()
	var months []string
	for before := api.MaxMonthlyPeaks - 1; before > 0; before-- {
		months = append(months, time.Date(year, month-time.Month(before), 1, 0, 0, 0, 0, time.UTC).Format("2006-01"))
	}
	return months
}

// rememberMonths gives each product a past of twelve months, which its operator goes on from.
func rememberMonths(ctx context.Context, c client.Client, products int) error {
	var peaks []api.MonthlyPeak
	for _, month := range monthsBefore(time.Now()) {
		nodes, cores := int64(1000+len(peaks)), int64(16_000+len(peaks))
		peaks = append(peaks,
			api.MonthlyPeak{
				Month: month,
				Usage: []api.Usage{{Name: "nodes", Value: &nodes}, {Name: "cores", Value: &cores}},
			})
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"monthlyPeaks": peaks}})
	if err != nil {
		return err
	}
	p := &population{products: products}
	err = atOnce(ctx, products, func(ctx context.Context, i int) error {
		product := &api.LicensedProduct{ObjectMeta: metav1.ObjectMeta{Name: p.productOf(i).name}}
		return c.Status().Patch(ctx, product, client.RawPatch("application/merge-patch+json", patch))
	})
	if err != nil {
		return fmt.Errorf("writing statuses: %w", err)
	}
	return nil
}

// awaitAll asks until the report has everything, and then lets the operator come to rest.
func (r *reportResult) awaitAll(ctx context.Context, s settings) error {
	for deadline := time.Now().Add(patience); ; {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		_, body, err := r.asker.ask(ctx, "product=*")
		if err != nil {
			return err
		}
		var got report.Report
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		complete := 0
		for i := range got.Products {
			if p := &got.Products[i]; p.State == api.LicensedProductValid && p.Usage["nodes"] == int64(s.nodes) &&
				len(p.MonthlyPeaks) == api.MaxMonthlyPeaks {
				complete++
			}
		}
		// Besides those of the cluster itself.
		counted := got.RBACUsers != nil && *got.RBACUsers > roleBindings*(subjectsEach-1) &&
			got.WorkspacesCount != nil && *got.WorkspacesCount > bindingSpaces
		if complete == s.keys && counted {
			return pause(ctx, settle)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("of %d products the report has %d with everything; users and namespaces are counted: %t",
				s.keys, complete, counted)
		}
	}
}

func (r *reportResult) measure(
	ctx context.Context, plane *controlplane.ControlPlane, manager *controlplane.Manager,
) (err error) {
	say("%s: asking", r.title)
	if err := r.countRequests(ctx, plane); err != nil {
		return err
	}
	if r.before, err = memoryOf(manager); err != nil {
		return err
	}
	for i := range r.kinds {
		if err := r.kinds[i].measure(ctx); err != nil {
			return err
		}
	}
	say("%s: %d of all", r.title, manyReports)
	for i := range manyReports {
		if i == manyReports/10 {
			if r.warm, err = memoryOf(manager); err != nil {
				return err
			}
		}
		if _, _, err := r.asker.ask(ctx, "product=*"); err != nil {
			return err
		}
	}
	if r.after, err = memoryOf(manager); err != nil {
		return err
	}
	start := time.Now()
	crowd, asking := errgroup.WithContext(ctx)
	for range reportsAtOnce {
		crowd.Go(func() error { _, _, err := r.asker.ask(asking, "product=*"); return err })
	}
	if err := crowd.Wait(); err != nil {
		return err
	}
	r.crowd = time.Since(start)
	r.crowdPeak, err = manager.PeakRSS()
	return err
}

// countRequests asks for one report, and finds what the operator asked the API server for it. The caller is known by
// now.
func (r *reportResult) countRequests(ctx context.Context, plane *controlplane.ControlPlane) error {
	asking := span{from: time.Now()}
	if _, _, err := r.asker.ask(ctx, "product=*"); err != nil {
		return err
	}
	asking.to = time.Now()
	events, err := plane.AuditEvents()
	if err != nil {
		return err
	}
	r.requests = map[string]int{}
	for _, e := range requestsDuring(events, asking).others {
		path, _, _ := strings.Cut(e.Path, "?")
		r.requests[e.Verb+" "+path]++
	}
	return nil
}

func (k *askedReport) measure(ctx context.Context) error {
	for i := range reportRounds {
		took, body, err := k.asker.ask(ctx, k.query)
		if err != nil {
			return err
		}
		switch i {
		case 0:
			k.first = took
		case 1:
			k.second = took
		}
		k.took, k.bytes = append(k.took, took), len(body)
	}
	slices.Sort(k.took)
	return nil
}

func (r *reportResult) print(out io.Writer) error {
	rows := [][]string{{
		"", "first, of an account not met before", "second", "median",
		"slowest of " + number(reportRounds), "bytes", "target",
	}}
	for _, k := range r.kinds {
		rows = append(rows, []string{
			k.name, tenths(k.first), tenths(k.second), tenths(percentile(k.took, 50)), tenths(percentile(k.took, 100)),
			number(k.bytes),
			verdict("second < "+milliseconds(reportTarget), k.second < reportTarget),
		})
	}
	cost := [][]string{{"", "measured", "target"}}
	perNode := 0
	for _, request := range slices.Sorted(maps.Keys(r.requests)) {
		cost = append(cost,
			[]string{"requests to the API server for one report: " + request, number(r.requests[request]), ""})
		if strings.Contains(request, "nodes") {
			perNode += r.requests[request]
		}
	}
	cost = append(cost, []string{"of these about nodes", number(perNode), verdict("0", perNode == 0)})
	grown := r.after.anonymous - r.warm.anonymous
	cost = append(cost,
		[]string{"anonymous memory before any", megabytes(r.before.anonymous), ""},
		[]string{
			fmt.Sprintf("after %s of all products, after %s", number(manyReports/10), number(manyReports)),
			megabytes(r.warm.anonymous) + ", " + megabytes(r.after.anonymous),
			verdict("does not grow", grown < steady),
		},
		[]string{
			fmt.Sprintf("%d of all products at once: until the last has come", reportsAtOnce),
			milliseconds(r.crowd), "",
		},
		[]string{"peak of all memory since the start", megabytes(r.crowdPeak), ""},
	)
	return errors.Join(table(out, r.title, rows...), table(out, "License reports: what they cost", cost...))
}
