// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/test/controlplane"
)

const (
	// beatingShare of the nodes have heartbeats: one in so many.
	beatingShare = 10
	beatEvery    = 10 * time.Second
	// beaters rewrite at the same time, at most.
	beaters = 10

	// burst is how many nodes are added at once.
	burst = 100

	nodesMemoryTarget = 20_000_000
	burstTarget       = 2 * time.Second
	burstWritesTarget = 2

	licensedPool = "licensed"
	poolLabel    = "example.com/pool"
)

// The products that nodes count for.
const (
	everyNode        = "every-node"
	everyNodeLimited = "every-node-limited"
	licensedNodes    = "licensed-nodes"
)

// use is what counts as use of a product.
type use struct{ nodes, cores int64 }

// useOf is what the first so many nodes amount to, for each product.
func useOf(nodes int) map[string]use {
	found := map[string]use{everyNode: {}, everyNodeLimited: {}, licensedNodes: {}}
	for i := range nodes {
		for product, u := range found {
			if product != licensedNodes || isLicensed(i) {
				found[product] = use{u.nodes + 1, u.cores + coresOf(i)}
			}
		}
	}
	return found
}

func coresOf(node int) int64       { return 4 << (node % 3) }
func isLicensed(node int) bool     { return node%5 == 0 }
func nodeNamed(node int) string    { return fmt.Sprintf("node-%04d.eu-central-1.compute.internal", node) }
func pairOf(product string) string { return fmt.Sprintf("product=%q", product) }

// newNode is as large and as varied as one of a cloud provider is, about 9 kB.
func newNode(i int, now metav1.Time) *corev1.Node {
	name, zone, ip := nodeNamed(i), zoneOf(i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: labelsOf(i),
			Annotations: map[string]string{
				"csi.volume.kubernetes.io/nodeid": fmt.Sprintf(`{"ebs.csi.aws.com":"i-%017x"}`,
					i),
				"node.alpha.kubernetes.io/ttl":                           "300",
				"projectcalico.org/IPv4Address":                          ip + "/16",
				"projectcalico.org/IPv4IPIPTunnelAddr":                   ip,
				"volumes.kubernetes.io/controller-managed-attach-detach": "true",
			},
		},
		Spec: corev1.NodeSpec{
			PodCIDR:    fmt.Sprintf("100.%d.%d.0/24", 64+i>>8, i&255),
			ProviderID: fmt.Sprintf("aws:///%s/i-%017x", zone, i),
		},
		Status: corev1.NodeStatus{
			Capacity:    resources(coresOf(i)*1000, 0),
			Allocatable: resources(coresOf(i)*1000-80, 1<<30),
			Conditions:  conditions(now),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: ip},
				{Type: corev1.NodeHostName, Address: name},
				{Type: corev1.NodeInternalDNS, Address: name},
			},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: fmt.Sprintf("ec2%029x", i), SystemUUID: fmt.Sprintf("ec2%05x-0000-4000-8000-%012x", i, i),
				BootID:        fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i),
				KernelVersion: "6.12.40-63.114.amzn2023.x86_64", OSImage: "Amazon Linux 2023.8.20260808",
				ContainerRuntimeVersion: "containerd://2.1.4",
				KubeletVersion:          "v1.36.3", OperatingSystem: "linux", Architecture: "amd64",
			},
			Images: imagesOf(i),
		},
	}
}

func zoneOf(node int) string { return fmt.Sprintf("eu-central-1%c", 'a'+node%3) }

func labelsOf(node int) map[string]string {
	pool, instance := "general", fmt.Sprintf("m5.%dxlarge", coresOf(node)/4)
	if isLicensed(node) {
		pool = licensedPool
	}
	return map[string]string{
		poolLabel:                                  pool,
		"beta.kubernetes.io/arch":                  "amd64",
		"beta.kubernetes.io/instance-type":         instance,
		"beta.kubernetes.io/os":                    "linux",
		"example.com/image":                        "image-0f3a9c1d2b4e5f607",
		"example.com/provisioner":                  "default",
		"failure-domain.beta.kubernetes.io/region": "eu-central-1",
		"failure-domain.beta.kubernetes.io/zone":   zoneOf(node),
		corev1.LabelArchStable:                     "amd64",
		corev1.LabelHostname:                       nodeNamed(node),
		corev1.LabelInstanceTypeStable:             instance,
		corev1.LabelOSStable:                       "linux",
		corev1.LabelTopologyRegion:                 "eu-central-1",
		corev1.LabelTopologyZone:                   zoneOf(node),
		"topology.ebs.csi.aws.com/zone":            zoneOf(node),
	}
}

// imagesOf a node are those that it has pulled.
func imagesOf(node int) []corev1.ContainerImage {
	images := make([]corev1.ContainerImage, 0, 30)
	for image := range cap(images) {
		repository := fmt.Sprintf("registry.example.com/platform/component-%02d", (node+image)%60)
		images = append(images, corev1.ContainerImage{
			Names: []string{
				fmt.Sprintf("%s@sha256:%064x", repository, node*100+image),
				fmt.Sprintf("%s:v1.%d.0", repository, image),
			},
			SizeBytes: int64(50_000_000 + image),
		})
	}
	return images
}

func resources(millicores, reserved int64) corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewMilliQuantity(millicores, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(32<<30-reserved, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(100<<30-reserved, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(110, resource.DecimalSI),
		"hugepages-1Gi":                 *resource.NewQuantity(0, resource.BinarySI),
		"hugepages-2Mi":                 *resource.NewQuantity(0, resource.BinarySI),
	}
}

// conditions are those that a kubelet has, each with the time of its last heartbeat.
func conditions(now metav1.Time) []corev1.NodeCondition {
	condition := func(of corev1.NodeConditionType, status corev1.ConditionStatus,
		reason, message string,
	) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: of, Status: status, LastHeartbeatTime: now,
			LastTransitionTime: metav1.NewTime(now.Add(-24 * time.Hour)), Reason: reason, Message: message,
		}
	}
	return []corev1.NodeCondition{
		condition(corev1.NodeNetworkUnavailable, corev1.ConditionFalse, "CalicoIsUp", "Calico is running on this node"),
		condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory",
			"kubelet has sufficient memory available"),
		condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure",
			"kubelet has no disk pressure"),
		condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID",
			"kubelet has sufficient PID available"),
		condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"),
	}
}

// createNodes creates the nodes from one number up to another, several at a time.
func createNodes(ctx context.Context, c client.Client, from, to, atATime int) error {
	now := metav1.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atATime)
	for i := from; i < to; i++ {
		group.Go(func() error { return c.Create(ctx, newNode(i, now)) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("creating nodes: %w", err)
	}
	return nil
}

// heartbeats rewrite the status of nodes, as kubelets do.
type heartbeats struct {
	written atomic.Int64
	stop    context.CancelFunc
	group   *errgroup.Group
}

// startHeartbeats has each of the first so many nodes rewrite its status every beatEvery, evenly spread.
func startHeartbeats(ctx context.Context, c client.Client, nodes int) *heartbeats {
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(beaters + 1)
	h := &heartbeats{stop: cancel, group: group}
	group.Go(func() error {
		ticker := time.NewTicker(beatEvery / time.Duration(nodes))
		defer ticker.Stop()
		for i := 0; ; i = (i + 1) % nodes {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
			group.Go(func() error { return h.beat(ctx, c, i) })
		}
	})
	return h
}

func (h *heartbeats) beat(ctx context.Context, c client.Client, node int) error {
	// Strategic, so that conditions are merged by their types.
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": conditions(metav1.Now())}})
	if err != nil {
		return err
	}
	err = c.Status().Patch(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeNamed(node)}},
		client.RawPatch(types.StrategicMergePatchType, patch))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("rewriting the status of a node: %w", err)
	}
	h.written.Add(1)
	return nil
}

// end stops the heartbeats, and tells whether one failed.
func (h *heartbeats) end() error {
	h.stop()
	return h.group.Wait()
}

// nodesResult is what was measured with nodes.
type nodesResult struct {
	title string
	nodes int
	// empty is the memory with products and no nodes, full that with all nodes; each after a quiet time. applied is
	// right after the nodes were.
	empty, applied, full memory
	peak                 int64
	quiet                span
	// beats is how many heartbeats there were in the quiet time, and reconciles how often a controller looked at
	// something in it, by its name.
	beats      int64
	reconciles map[string]float64
	cpu        time.Duration

	// added is the time from the start of the burst until its writes are over; the others are how long after the last
	// creation all was right.
	added                    span
	created                  time.Duration
	statusRight, scrapeRight time.Duration
	audit                    []controlplane.AuditEvent
}

// benchNodes measures what nodes cost the operator, and how soon they count.
func benchNodes(ctx context.Context, s settings, binary string, out io.Writer) error {
	r := &nodesResult{title: number(s.nodes) + " nodes", nodes: s.nodes}
	return withOperator(ctx, binary,
		r.title, func(plane *controlplane.ControlPlane, manager *controlplane.Manager) error {
			if err := r.measure(ctx, s, plane, manager); err != nil {
				return err
			}
			return r.print(out)
		})
}

func (r *nodesResult) measure(
	ctx context.Context, s settings, plane *controlplane.ControlPlane, manager *controlplane.Manager,
) error {
	c, err := plane.NewClient()
	if err != nil {
		return err
	}
	from, err := newScraper(ctx, plane, manager)
	if err != nil {
		return err
	}
	if err := r.startEmpty(ctx, s, c, from, manager); err != nil {
		return err
	}
	say("%s: creating them", r.title)
	if err := createNodes(ctx, c, 0, r.nodes, creators); err != nil {
		return err
	}
	if err := awaitBoth(ctx, c, from, r.nodes); err != nil {
		return err
	}
	if r.applied, err = memoryOf(manager); err != nil {
		return err
	}
	beating := startHeartbeats(ctx, c, max(1, r.nodes/beatingShare))
	err = r.rest(ctx, s, from, manager, beating)
	if err == nil {
		err = r.addBurst(ctx, c, from)
	}
	if err := errors.Join(err, beating.end()); err != nil {
		return err
	}
	r.audit, err = plane.AuditEvents()
	return err
}

// startEmpty creates the products, and looks at the memory while there is no node.
func (r *nodesResult) startEmpty(
	ctx context.Context, s settings, c client.WithWatch, from *scraper, manager *controlplane.Manager,
) error {
	v, err := newVendor(time.Now())
	if err != nil {
		return err
	}
	for name, usage := range map[string]*api.UsageSpec{
		everyNode:        nil,
		everyNodeLimited: {NodeSelector: &metav1.LabelSelector{}},
		licensedNodes: {
			NodeSelector: &metav1.LabelSelector{MatchLabels: map[string]string{poolLabel: licensedPool}},
		},
	} {
		product := &api.LicensedProduct{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       api.LicensedProductSpec{Vendor: "Acme", TrustAnchors: v.anchor, Usage: usage},
		}
		if err := c.Create(ctx, product); err != nil {
			return err
		}
	}
	if err := createLimitedKey(ctx, c, v, everyNodeLimited, everyNodeLimited); err != nil {
		return err
	}
	if err := awaitBoth(ctx, c, from, 0); err != nil {
		return err
	}
	say("%s: none yet; memory is looked at in %s", r.title, s.idle)
	if err := pause(ctx, s.idle); err != nil {
		return err
	}
	r.empty, err = memoryOf(manager)
	return err
}

// rest waits while nothing happens but heartbeats. What is scraped for is scraped for before and after.
func (r *nodesResult) rest(
	ctx context.Context, s settings, from *scraper, manager *controlplane.Manager, beating *heartbeats,
) error {
	if err := pause(ctx, settle); err != nil {
		return err
	}
	before, err := from.scrape(ctx, acceptV2)
	if err != nil {
		return err
	}
	cpuBefore, err := manager.CPUTime()
	if err != nil {
		return err
	}
	say("%s: nothing happens but heartbeats; counting requests and reconciles for %s", r.title, s.idle)
	r.quiet.from, r.beats = time.Now(), beating.written.Load()
	if err := pause(ctx, s.idle); err != nil {
		return err
	}
	r.quiet.to, r.beats = time.Now(), beating.written.Load()-r.beats
	cpuAfter, errCPU := manager.CPUTime()
	full, errFull := memoryOf(manager)
	peak, errPeak := manager.PeakRSS()
	r.cpu, r.full, r.peak = cpuAfter-cpuBefore, full, peak
	after, err := from.scrape(ctx, acceptV2)
	if err := errors.Join(err, errCPU, errFull, errPeak); err != nil {
		return err
	}
	r.reconciles = reconcilesBetween(before, after)
	return nil
}

// reconcilesBetween is how often each controller reconciled between two scrapes, whatever came of it.
func reconcilesBetween(before, after *scraped) map[string]float64 {
	const metric = "controller_runtime_reconcile_total"
	was, grown := before.values(metric), map[string]float64{}
	for labels, value := range after.values(metric) {
		if value > was[labels] {
			grown[labels] = value - was[labels]
		}
	}
	return grown
}

// addBurst creates nodes at once, and waits until all is right.
func (r *nodesResult) addBurst(ctx context.Context, c client.WithWatch, from *scraper) error {
	say("%s: adding %d at once", r.title, burst)
	total := r.nodes + burst
	r.added.from = time.Now()
	var statusAt, scrapeAt, last time.Time
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		statusAt, err = awaitStatus(groupCtx, c, useOf(total))
		return err
	})
	group.Go(func() (err error) {
		scrapeAt, err = awaitMetrics(groupCtx, from, useOf(total))
		return err
	})
	group.Go(func() error {
		err := createNodes(groupCtx, c, r.nodes, total, burst)
		last = time.Now()
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	r.created = last.Sub(r.added.from)
	r.statusRight, r.scrapeRight = max(0, statusAt.Sub(last)), max(0, scrapeAt.Sub(last))
	if err := pause(ctx, settle); err != nil { // a write too many may still come
		return err
	}
	r.added.to = time.Now()
	return nil
}

// awaitBoth waits until both status and metrics say what the first so many nodes amount to.
func awaitBoth(ctx context.Context, c client.WithWatch, from *scraper, nodes int) error {
	if _, err := awaitStatus(ctx, c, useOf(nodes)); err != nil {
		return err
	}
	_, err := awaitMetrics(ctx, from, useOf(nodes))
	return err
}

// awaitStatus waits until a watch has shown what is in use of each product, and tells when that was.
func awaitStatus(ctx context.Context, c client.WithWatch, want map[string]use) (time.Time, error) {
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(ctx, patience, late)
	defer cancel()
	got := map[string]use{}
	for {
		watcher, err := c.Watch(ctx, &api.LicensedProductList{})
		if err != nil && ctx.Err() == nil {
			return time.Time{}, fmt.Errorf("watching: %w", err)
		}
		if err == nil {
			for event := range watcher.ResultChan() {
				if product, ok := event.Object.(*api.LicensedProduct); ok {
					delete(got, product.Name)
					if u, counted := useIn(product.Status.Usage); counted {
						got[product.Name] = u
					}
				}
				if maps.Equal(got, want) {
					watcher.Stop()
					return time.Now(), nil
				}
			}
			watcher.Stop()
		}
		if cause := context.Cause(ctx); errors.Is(cause, late) {
			return time.Time{}, fmt.Errorf("status.usage is %v after %s; it should be %v", got, patience, want)
		} else if cause != nil {
			return time.Time{}, cause
		}
	}
}

func useIn(usage []api.Usage) (use, bool) {
	values := map[string]int64{}
	for _, u := range usage {
		if u.Value != nil {
			values[u.Name] = *u.Value
		}
	}
	nodes, hasNodes := values[api.UsageNodes]
	cores, hasCores := values[api.UsageCores]
	return use{nodes, cores}, hasNodes && hasCores
}

// awaitMetrics scrapes until what is in use of each product is right, and tells when the scrape ended that was.
func awaitMetrics(ctx context.Context, from *scraper, want map[string]use) (time.Time, error) {
	deadline := time.Now().Add(patience)
	for {
		got, err := from.scrape(ctx, acceptV2)
		if err != nil {
			return time.Time{}, err
		}
		found := useScraped(got)
		switch {
		case maps.Equal(found, want):
			return time.Now(), nil
		case time.Now().After(deadline):
			return time.Time{}, fmt.Errorf("the metrics say %v after %s; they should say %v", found, patience, want)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return time.Time{}, err
		}
	}
}

func useScraped(from *scraped) map[string]use {
	found := map[string]use{}
	nodes, cores := from.values("license_nodes_used"), from.values("license_cores_used")
	for _, product := range []string{everyNode, everyNodeLimited, licensedNodes} {
		n, hasNodes := nodes[pairOf(product)]
		c, hasCores := cores[pairOf(product)]
		if hasNodes && hasCores {
			found[product] = use{int64(n), int64(c)}
		}
	}
	return found
}

func (r *nodesResult) print(out io.Writer) error {
	return errors.Join(r.printMemory(out), r.printHeartbeats(out), r.printBurst(out))
}

func (r *nodesResult) printMemory(out io.Writer) error {
	row := func(when string, m memory, target string) []string {
		return []string{when, megabytes(m.all), megabytes(m.anonymous), megabytes(m.all - m.anonymous), target}
	}
	more := memory{r.full.all - r.empty.all, r.full.anonymous - r.empty.anonymous}
	return table(out, r.title+": resident memory of the manager",
		[]string{"", "RSS", "its data", "pages of its binary", "target"},
		row("with 3 products and no nodes, after a quiet time", r.empty, ""),
		row("all nodes just created", r.applied, ""),
		row("after a quiet time but for heartbeats", r.full, ""),
		row("more than with no nodes", more,
			verdict("≤ "+megabytes(nodesMemoryTarget), more.all <= nodesMemoryTarget)),
		[]string{"the most at any time", megabytes(r.peak), "", "", ""},
	)
}

func (r *nodesResult) printHeartbeats(out io.Writer) error {
	quiet := requestsDuring(r.audit, r.quiet)
	for _, e := range quiet.others {
		say("%s: with nothing but heartbeats: %s %s", r.title, e.Verb, e.Path)
	}
	reconciles := 0.0
	for labels, n := range r.reconciles {
		say("%s: with nothing but heartbeats: %.0f reconciles of %s", r.title, n, labels)
		reconciles += n
	}
	seconds := r.quiet.to.Sub(r.quiet.from).Seconds()
	return table(out, fmt.Sprintf("%s: %.0f s with nothing but heartbeats", r.title, seconds),
		[]string{"", "measured", "target"},
		[]string{
			fmt.Sprintf("heartbeats (%s nodes, one each in %.0f s)", number(max(1, r.nodes/beatingShare)),
				beatEvery.Seconds()), number(r.beats),
			fmt.Sprintf("%.0f due", float64(max(1, r.nodes/beatingShare))*seconds/beatEvery.Seconds()),
		},
		[]string{"reconciles", fmt.Sprintf("%.0f", reconciles), verdict("0", reconciles == 0)},
		[]string{"requests to renew the lease", number(quiet.leases), ""},
		[]string{"watch (re)connections", number(quiet.watches), ""},
		[]string{"any other request", number(len(quiet.others)), verdict("0", len(quiet.others) == 0)},
		[]string{"CPU time of the manager", fmt.Sprintf("%.2f s", r.cpu.Seconds()), ""},
	)
}

func (r *nodesResult) printBurst(out io.Writer) error {
	written := statusWrites(r.audit, r.added, productResource)
	within := func(d time.Duration) string { return verdict("≤ "+milliseconds(burstTarget), d <= burstTarget) }
	return table(out, fmt.Sprintf("%s, and %d more at once", r.title, burst),
		[]string{"", "measured", "target"},
		[]string{"creating them", milliseconds(r.created), ""},
		[]string{
			"status of every product right, after the last creation", milliseconds(r.statusRight),
			within(r.statusRight),
		},
		[]string{
			"metrics of every product right, after the last creation", milliseconds(r.scrapeRight),
			within(r.scrapeRight),
		},
		[]string{"status writes, of 3 products", number(written.total), ""},
		[]string{
			"most status writes to one product", number(written.most()),
			verdict(fmt.Sprintf("≤ %d", burstWritesTarget), written.most() <= burstWritesTarget),
		},
		[]string{"conflicts, failures", fmt.Sprintf("%d, %d", written.conflicts, written.failures), ""},
	)
}
