// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/teststorage"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/metrics"
	"github.com/license-operator/license-operator/internal/restriction"
)

const day = 24 * time.Hour

// start is when every story begins.
var start = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

var options = alerting.Options{
	Namespace: "license-operator-system", RunbookBaseURL: "https://docs.example/runbooks",
	MaxRestriction: api.RestrictionDefaultTierOnly,
}

// world is a cluster with an operator, and a Prometheus that scrapes it and evaluates the rules of its products.
type world struct {
	t       *testing.T
	options alerting.Options
	// now is the true time, by which Prometheus goes.
	now time.Time
	// operatorAhead and serverAhead are how far the clocks of the operator's node and of the API server are ahead.
	operatorAhead, serverAhead time.Duration

	subjects []*subject
	replicas []*replica
	clock    *clock.Clock

	storage *teststorage.TestStorage
	engine  *promql.Engine
	groups  []*rules.Group
	history history
}

// subject is a product with its keys, and the tiers and policies that it may restrict.
type subject struct {
	product *api.LicensedProduct
	keys    []license.Key
	usage   []api.Usage
	seen    restriction.Seen
}

// replica is a pod of the operator, which Prometheus scrapes.
type replica struct {
	name      string
	registry  *prometheus.Registry
	collector *metrics.Collector
	// leads: it exports; down: it cannot be scraped; gone: it is no target of Prometheus, which has not even noted that
	// its series have ended.
	leads, down, gone bool
	scraped           map[string]labels.Labels
}

func newWorld(t *testing.T, subjects ...*subject) *world {
	t.Helper()
	return newWorldWith(t, options, subjects...)
}

func newWorldWith(t *testing.T, options alerting.Options, subjects ...*subject) *world {
	t.Helper()
	w := &world{
		t: t, options: options, now: start, subjects: subjects, storage: teststorage.New(t, small),
		history: history{},
	}
	w.clock = clock.New(func() clock.Sample {
		return clock.Sample{
			Wall:    w.now.Add(w.operatorAhead),
			Elapsed: w.now.Sub(start),
		}
	})
	for _, name := range []string{"operator-a", "operator-b"} {
		r := &replica{name: name, registry: prometheus.NewPedanticRegistry()}
		r.collector = metrics.NewCollector(r.registry, w, w.clock)
		w.replicas = append(w.replicas, r)
	}
	w.lead("operator-a")

	w.engine = promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute,
		LookbackDelta: 5 * time.Minute,
	})
	t.Cleanup(func() { _ = w.engine.Close() })
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(w.engine, w.storage),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Context:    t.Context(),
		Appendable: w.storage,
		Queryable:  w.storage,
	})
	folder := t.TempDir()
	for i, s := range subjects {
		file := filepath.Join(folder, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, ruleFile(t, s.product, options), 0o600); err != nil {
			t.Fatal(err)
		}
		groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, file)
		for _, err := range errs {
			t.Fatal(err)
		}
		for _, group := range groups {
			for _, rule := range group.AlertingRules() {
				rule.SetRestored(true) // Otherwise it would wait to hear what was before a restart.
			}
			w.groups = append(w.groups, group)
		}
	}
	return w
}

// small has a storage allocate what a few series need.
func small(o *tsdb.Options) {
	o.EnableExemplarStorage = false
	o.StripeSize = 64
}

// ruleFile is what the Prometheus operator makes of a rule.
func ruleFile(t *testing.T, product *api.LicensedProduct, options alerting.Options) []byte {
	t.Helper()
	content, err := yaml.Marshal(alerting.Rule(product, options).Spec)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// lead has these replicas export, and no other. More than one lead for no more than a moment.
func (w *world) lead(names ...string) {
	for _, r := range w.replicas {
		if r.leads {
			r.registry.Unregister(r.collector)
		}
		if r.leads = slices.Contains(names, r.name); r.leads {
			r.registry.MustRegister(r.collector)
		}
	}
}

// run lets time pass in steps, and calls what is to happen before the step of that number. It counts from the last run
// on.
func (w *world) run(steps int, step time.Duration, events map[int]func(*world), each ...func(*world)) {
	w.t.Helper()
	for i := range steps {
		if event := events[i]; event != nil {
			event(w)
		}
		w.clock.ObserveServer(w.now.Add(w.serverAhead))
		for _, s := range w.subjects {
			s.reconcile(w.clock.Read(), w.options)
		}
		for _, r := range w.replicas {
			w.scrape(r)
		}
		for _, group := range w.groups {
			group.Eval(w.t.Context(), w.now)
			for _, rule := range group.AlertingRules() {
				if err := rule.LastError(); err != nil {
					w.t.Fatalf("%s after %s: %v", rule.Name(), w.now.Sub(start), err)
				}
			}
		}
		w.history.note(w.now, w.alerts())
		for _, f := range each {
			f(w)
		}
		w.now = w.now.Add(step)
	}
}

// reconcile writes the status of product and keys, as far as metrics are made of it, as the operator's controllers do.
func (s *subject) reconcile(reading license.ClockReading, options alerting.Options) {
	trusted := license.ResolveTime(reading, s.product)
	e := license.Evaluate(trusted, s.product, s.keys)
	var conditions []metav1.Condition
	if e.Time.SkewReason != "" {
		conditions = append(conditions,
			metav1.Condition{Type: api.ConditionClockSkewed, Status: metav1.ConditionTrue, Reason: e.Time.SkewReason})
	}
	s.product.Status = api.LicensedProductStatus{
		Conditions: conditions, Usage: s.usage, Restriction: s.restriction(&e, options),
	}
	e.Record(&s.product.Status)
}

// restriction is how that of the product stands. What would get around one that is not in force is in the status, too:
// no alert is to tell of it.
func (s *subject) restriction(e *license.Evaluation, options alerting.Options) *api.RestrictionStatus {
	terms := restriction.ProductOf(s.product, e)
	caps := restriction.Caps{MaxMode: options.MaxRestriction, OperatorNamespace: options.Namespace}
	plan := restriction.MakePlan(s.seen, []restriction.Product{terms}, caps).Products[0]

	status := &api.RestrictionStatus{}
	if plan.InForce {
		since := terms.Since
		if since.IsZero() {
			since = e.Time.Now
		}
		status.InForce = &api.RestrictionInForce{Mode: plan.Mode, SinceTime: license.Instant(since)}
	}
	total := 0
	for _, affected := range plan.Affects {
		total += len(affected.Bypasses)
		if plan.InForce {
			status.InForce.Tiers = append(status.InForce.Tiers,
				api.RestrictedTier{Name: affected.Tier, Mode: affected.Mode})
		}
	}
	if total > 0 {
		status.Bypasses = &api.RestrictionBypasses{Total: int32(total)}
	}
	return status
}

// licenseKeys are the LicenseKeys of the product, each with its status.
func (s *subject) licenseKeys(now time.Time) []api.LicenseKey {
	keys := make([]api.LicenseKey, 0, len(s.keys))
	for _, k := range s.keys {
		key := api.LicenseKey{
			ObjectMeta: metav1.ObjectMeta{Name: k.Name},
			Spec:       api.LicenseKeySpec{ProductName: s.product.Name},
			Status:     api.LicenseKeyStatus{State: api.LicenseKeyInvalid},
		}
		if c := k.Claims; c != nil {
			key.Status.State = c.StateAt(now)
			key.Status.LicenseID, key.Status.Customer = c.ID, c.Customer
		}
		keys = append(keys, key)
	}
	return keys
}

// List makes of the world what the collector reads: the operator's cache.
func (w *world) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *api.LicensedProductList:
		for _, s := range w.subjects {
			list.Items = append(list.Items, *s.product)
		}
	case *api.LicenseKeyList:
		for _, s := range w.subjects {
			list.Items = append(list.Items, s.licenseKeys(license.ResolveTime(w.clock.Read(), s.product).Now)...)
		}
	default:
		return fmt.Errorf("there is no %T in this cache", list)
	}
	return nil
}

// Get is there for the interface.
func (w *world) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	return fmt.Errorf("the collector is to list, and not to get the %T %s", o, key)
}

// scrape appends what a replica exports with the labels of its target, and notes the end of each series that it has
// ceased to export.
func (w *world) scrape(r *replica) {
	w.t.Helper()
	if r.gone {
		return
	}
	at, appender := timestamp.FromTime(w.now), w.storage.Appender(w.t.Context())
	add := func(series labels.Labels, v float64) {
		if _, err := appender.Append(0, series, at, v); err != nil {
			w.t.Fatalf("appending %s: %v", series, err)
		}
	}
	scraped := map[string]labels.Labels{}
	if !r.down {
		families, err := r.registry.Gather()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				b := labels.NewScratchBuilder(len(metric.GetLabel()) + 4)
				b.Add(model.MetricNameLabel, family.GetName())
				b.Add("instance", r.name+":8443")
				b.Add("job", "license-operator-metrics")
				b.Add("pod", r.name)
				for _, l := range metric.GetLabel() {
					b.Add(l.GetName(), l.GetValue())
				}
				b.Sort()
				series := b.Labels()
				scraped[series.String()] = series
				add(series, metric.GetGauge().GetValue())
			}
		}
	}
	for name, series := range r.scraped {
		if _, ok := scraped[name]; !ok {
			add(series, math.Float64frombits(value.StaleNaN))
		}
	}
	r.scraped = scraped
	if err := appender.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

// query evaluates an expression now.
func (w *world) query(expr string) promql.Vector {
	w.t.Helper()
	vector, err := rules.EngineQueryFunc(w.engine, w.storage)(w.t.Context(), expr, w.now)
	if err != nil {
		w.t.Fatalf("%s: %v", expr, err)
	}
	return vector
}

// alerts are all that are pending or firing now, by their labels.
func (w *world) alerts() map[string]*rules.Alert {
	alerts := map[string]*rules.Alert{}
	for _, group := range w.groups {
		for _, rule := range group.AlertingRules() {
			for _, a := range rule.ActiveAlerts() {
				if a.State == rules.StateInactive {
					continue // It is kept for a while to be reported as resolved.
				}
				for name, text := range a.Annotations.Map() {
					if strings.Contains(text, "<error") {
						w.t.Errorf("the %s of %s: %s", name, a.Labels, text)
					}
				}
				if alerts[nameOf(a.Labels)] != nil {
					w.t.Errorf("two rules have the alert %s", a.Labels)
				}
				alerts[nameOf(a.Labels)] = a
			}
		}
	}
	return alerts
}

// inState are the names of the alerts that are in that state now.
func (w *world) inState(state rules.AlertState) []string {
	names := []string{}
	for name, a := range w.alerts() {
		if a.State == state {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// nameOf writes down the labels of an alert, all of them.
func nameOf(of labels.Labels) string {
	rest := of.Map()
	name := rest[labels.AlertName]
	delete(rest, labels.AlertName)
	for _, l := range []string{"product", "severity"} {
		name += " " + rest[l]
		delete(rest, l)
	}
	for _, l := range slices.Sorted(maps.Keys(rest)) {
		name += fmt.Sprintf(" %s=%s", l, rest[l])
	}
	return name
}

// history tells of each alert what became of it, and when: "2m pending, 7m firing, 30m resolved".
type history map[string]*fate

type fate struct {
	state rules.AlertState
	story []string
}

func (h history) note(now time.Time, alerts map[string]*rules.Alert) {
	for name := range alerts {
		if h[name] == nil {
			h[name] = &fate{state: rules.StateInactive}
		}
	}
	for name, f := range h {
		state := rules.StateInactive
		if a := alerts[name]; a != nil {
			state = a.State
		}
		if state == f.state {
			continue
		}
		f.state = state
		word := map[rules.AlertState]string{
			rules.StateInactive: "resolved", rules.StatePending: "pending",
			rules.StateFiring: "firing",
		}[state]
		f.story = append(f.story, brief(now.Sub(start))+" "+word)
	}
}

func (h history) stories() map[string]string {
	stories := map[string]string{}
	for name, f := range h {
		stories[name] = strings.Join(f.story, ", ")
	}
	return stories
}

// brief is a duration in days, hours and minutes, without those that are zero.
func brief(d time.Duration) string {
	text := ""
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.length; n > 0 {
			text += fmt.Sprintf("%d%s", n, unit.name)
		}
		d %= unit.length
	}
	if text == "" {
		return "0m"
	}
	return text
}

// parse parses PromQL as Prometheus does by default.
func parse(expr string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(expr)
}
