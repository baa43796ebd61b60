// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/metrics"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

const root = "../../.."

// TestRunbooks: each alert has its page, and each page its alert.
func TestRunbooks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "runbooks", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		if name == "README" {
			continue
		}
		got = append(got, name)
		if heading := firstHeading(t, page); heading != "# "+name {
			t.Errorf("the first heading of %s is %q, want %q: the alert's name", page, heading, "# "+name)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(alerting.AlertNames)), got); diff != "" {
		t.Errorf("docs/runbooks has other pages than there are alerts (-alerts +pages):\n%s", diff)
	}
}

func firstHeading(t *testing.T, page string) string {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "#") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestAlertsKnowTheirMetrics: each metric and label in an expression of an alert is one that the collector has.
func TestAlertsKnowTheirMetrics(t *testing.T) {
	known := described(t)
	for _, rule := range alerting.Rule(product("acme-mesh", 1).restricting(api.RestrictionDefaultTierOnly).product,
		options).Spec.Groups[0].Rules {
		checkExpression(t, rule.Alert, rule.Expr.String(), known)
	}
}

var (
	metricName   = regexp.MustCompile(`\blicense_[a-z_]*[a-z]\b`)
	variableName = regexp.MustCompile(`\$\{?([a-z_]+)(:[a-z]+)?\}?`)
	labelValues  = regexp.MustCompile(`^label_values\((.+), ([a-z_]+)\)$`)
)

// TestDocs: each metric that the documentation speaks of exists, and it speaks of each.
func TestDocs(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, "docs", "monitoring.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := described(t)
	words := map[string]bool{}
	for _, labels := range known {
		for _, label := range labels {
			words[label] = true
		}
	}
	spoken := map[string]bool{}
	for _, name := range metricName.FindAllString(string(content), -1) {
		if _, ok := known[name]; !ok && !words[name] {
			t.Errorf("docs/monitoring.md speaks of %s, which is neither a metric nor a label of one", name)
		}
		spoken[name] = true
	}
	for name := range known {
		if !spoken[name] {
			t.Errorf("docs/monitoring.md does not speak of the metric %s", name)
		}
	}
}

// dashboard is what is read of a dashboard of Grafana.
type dashboard struct {
	UID           string `json:"uid"`
	SchemaVersion int    `json:"schemaVersion"`
	Templating    struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID         int    `json:"id"`
		Title      string `json:"title"`
		Datasource source `json:"datasource"`
		GridPos    grid   `json:"gridPos"`
		Targets    []struct {
			RefID      string `json:"refId"`
			Expr       string `json:"expr"`
			Datasource source `json:"datasource"`
		} `json:"targets"`
	} `json:"panels"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type grid struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

func (g grid) overlaps(o grid) bool {
	return g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H
}

// dashboards are those of config/grafana, by the names of their files.
func dashboards(t *testing.T) map[string]*dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "config", "grafana", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is no dashboard in config/grafana")
	}
	all := map[string]*dashboard{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d := &dashboard{}
		if err := json.Unmarshal(content, d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = d
	}
	return all
}

// interpolate puts into an expression what Grafana would, with these products chosen.
func (d *dashboard) interpolate(t *testing.T, expr, products string) string {
	t.Helper()
	variables := map[string]string{"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}
	for _, v := range d.Templating.List {
		variables[v.Name] = products
	}
	return variableName.ReplaceAllStringFunc(expr, func(v string) string {
		value, ok := variables[variableName.FindStringSubmatch(v)[1]]
		if !ok {
			t.Errorf("there is no variable %s in %s", v, expr)
		}
		return value
	})
}

// TestDashboards: Prometheus understands each expression, and each metric in it exists.
func TestDashboards(t *testing.T) {
	known := described(t)
	known["ALERTS"] = []string{labels.AlertName, "alertstate", "severity", "product", "license_key"}
	for name, d := range dashboards(t) {
		if d.UID+".json" != name || d.SchemaVersion == 0 {
			t.Errorf("%s has the uid %q and the schema version %d", name, d.UID, d.SchemaVersion)
		}
		for _, v := range d.Templating.List {
			if v.Type != "query" {
				continue
			}
			parts := labelValues.FindStringSubmatch(v.Definition)
			if parts == nil {
				t.Errorf("%s: the variable %s has the definition %s", name, v.Name, v.Definition)
				continue
			}
			checkExpression(t, name+": "+v.Name, parts[1], known)
			if !slices.Contains(known[parts[1]], parts[2]) {
				t.Errorf("%s: the variable %s is of a label %s that %s does not have", name, v.Name, parts[2], parts[1])
			}
		}
		for i := range d.Panels {
			p := &d.Panels[i]
			if len(p.Targets) == 0 {
				t.Errorf("%s: the panel %q has no query", name, p.Title)
			}
			for j := range i {
				if o := &d.Panels[j]; p.ID == o.ID || p.GridPos.overlaps(o.GridPos) {
					t.Errorf("%s: the panels %q and %q have the same id or overlap", name, o.Title, p.Title)
				}
			}
			for _, target := range p.Targets {
				where := name + ": " + p.Title + " " + target.RefID
				if want := (source{"prometheus", "${datasource}"}); target.Datasource != want || p.Datasource != want {
					t.Errorf("%s is not asked of the data source that the user chooses", where)
				}
				checkExpression(t, where, d.interpolate(t, target.Expr, `(acme-mesh|bolt\\.eu)`), known)
			}
		}
	}
}

// TestDashboardFigures has what the panels show: of one product that uses a node more each day, and of one that has
// expired and is restricted, while two replicas export at once.
func TestDashboardFigures(t *testing.T) {
	limits := map[string]int64{"nodes": 30, "cores": 200}
	w := newWorld(t,
		product("acme-mesh", 730, limited(key("acme-2027", -100, 98, 10), limits)).using(10, 80),
		product("bolt", 730, key("bolt-2026", -385, -20, 14)).restricting(api.RestrictionDefaultTierOnly,
			policy("first", calico.PassOrder)),
		product("hidden", 730),
	)
	w.run(8*24, time.Hour, nil, func(w *world) {
		day := int64(w.now.Sub(start) / day)
		w.subjects[0].using(10+day, 8*(10+day))
	})
	w.lead("operator-a", "operator-b")
	w.run(1, time.Hour, nil)
	w.now = w.now.Add(-time.Hour) // Ask as of the last step.
	want := map[string]map[string]float64{
		"State of each product A":             {"acme-mesh": 1, "bolt": 3},
		"Days until the active key expires A": {"acme-mesh acme-2027": 90, "bolt bolt-2026": -28},
		"Days until coverage ends A":          {"acme-mesh": 100, "bolt": -14},
		"Days left A":                         {"acme-mesh acme-2027": 90, "bolt bolt-2026": -28},
		"Days left B":                         {"acme-mesh": 100, "bolt": -14},
		"License keys A":                      {"acme-mesh acme-2027 Valid": 1, "bolt bolt-2026 Expired": 1},
		"License keys B": {
			"acme-mesh acme-2027 L-acme-2027 Example GmbH": 1,
			"bolt bolt-2026 L-bolt-2026 Example GmbH":      1,
		},
		"License keys C": {
			"acme-mesh acme-2027": 1000 * float64(start.Add(98*day).Unix()),
			"bolt bolt-2026":      1000 * float64(start.Add(-20*day).Unix()),
		},
		"Alerts A": {
			"LicenseExpired firing bolt critical":            1,
			"LicenseRestrictionBypassed firing bolt warning": 1,
		},
		"Nodes used, and licensed A":     {"acme-mesh": 17},
		"Nodes used, and licensed B":     {"acme-mesh": 30},
		"Nodes used, and licensed C":     {"acme-mesh": 47},
		"Nodes: limit reached in A":      {"acme-mesh": 13},
		"CPU cores used, and licensed A": {"acme-mesh": 136},
		"CPU cores used, and licensed B": {"acme-mesh": 200},
		"CPU cores used, and licensed C": {"acme-mesh": 374},
		"CPU cores: limit reached in A":  {"acme-mesh": 8},
		"Restrictions A":                 {"acme-mesh": 0, "bolt": 1},
		"Restrictions B":                 {"bolt": 1},
		"Clock A":                        {"acme-mesh": 0, "bolt": 0},
	}
	got := map[string]map[string]float64{}
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				figures := map[string]float64{}
				for _, sample := range w.query(d.interpolate(t, target.Expr, "(acme-mesh|bolt)")) {
					figure := sample.F
					if strings.Contains(p.Title, "reached") {
						figure /= 86400
					}
					figures[figureName(sample.Metric)] = math.Round(figure)
				}
				got[p.Title+" "+target.RefID] = figures
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the panels show something else (-want +got):\n%s", diff)
	}
}

func figureName(of labels.Labels) string {
	var values []string
	for _, name := range []string{
		"alertname", "alertstate", "product", "license_key", "license_id", "customer",
		"severity", "state",
	} {
		if value := of.Get(name); value != "" {
			values = append(values, value)
		}
	}
	return strings.Join(values, " ")
}

// checkExpression fails where Prometheus does not understand an expression, where it selects or groups by what is not
// known, or where pods are told apart.
func checkExpression(t *testing.T, where, expr string, known map[string][]string) {
	t.Helper()
	parsed, err := parse(expr)
	if err != nil {
		t.Errorf("%s: %v\n%s", where, err, expr)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		has, ok := known[selector.Name]
		if !ok {
			t.Errorf("%s: there is no metric %q", where, selector.Name)
			return nil
		}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != model.MetricNameLabel && !slices.Contains(has, matcher.Name) {
				t.Errorf("%s: %s has no label %q", where, selector.Name, matcher.Name)
			}
		}
		for _, above := range path {
			if aggregation, ok := above.(*parser.AggregateExpr); ok {
				for _, label := range aggregation.Grouping {
					if !slices.Contains(has, label) {
						t.Errorf("%s: %s has no label %q to group by", where, selector.Name, label)
					}
				}
				return nil
			}
			if call, ok := above.(*parser.Call); ok && call.Func.Name == "absent" {
				return nil
			}
		}
		if expr != selector.Name {
			t.Errorf("%s: %s is not aggregated: each pod would be a line or an alert of its own", where, selector.Name)
		}
		return nil
	})
}

var descriptor = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .*variableLabels: \{([^}]*)\}\}$`)

// described are the metrics that the collector describes, with their labels.
func described(t *testing.T) map[string][]string {
	t.Helper()
	descs := make(chan *prometheus.Desc, 100)
	metrics.NewCollector(prometheus.NewRegistry(), nil, nil).Describe(descs)
	close(descs)
	known := map[string][]string{}
	for desc := range descs {
		parts := descriptor.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("not understood: %s", desc)
		}
		known[parts[1]] = strings.Split(parts[2], ",")
	}
	if names := slices.Sorted(maps.Keys(known)); !slices.Contains(names, "license_state") {
		t.Fatalf("the collector describes %v", names)
	}
	return known
}
