// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// A data collector that runs while its product is licensed: it stops after the grace period, and starts again on
// renewal. Copy it, and put your own collector in.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	api "github.com/license-operator/license-operator/api/v1alpha1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "data-collection: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("name the LicensedProduct, and nothing else")
	}
	// In a pod this is its ServiceAccount; elsewhere KUBECONFIG says.
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	follow(ctx, client, args[0])
	return nil
}

// follow collects data while the product is licensed, until ctx ends. An informer remembers the product as it last was.
// Whatever comes between us and the API server, it logs that and goes on trying, and what is remembered stands.
func follow(ctx context.Context, client dynamic.Interface, name string) {
	// A role can grant a single object to those who select it like this.
	onlyIt := func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name=" + name }
	kind := api.GroupVersion.WithResource("licensedproducts")
	informer := dynamicinformer.NewFilteredDynamicInformer(client, kind, metav1.NamespaceAll, 0, cache.Indexers{},
		onlyIt).Informer()
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return // Nothing was ever known.
	}
	var c collector
	defer c.set(false, "stopping")
	// Looking once a second costs nothing, and unlike a timer it goes by the clock even if that is set or the machine
	// has slept.
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		if product, err := lastSeen(informer.GetStore(), name); err == nil {
			c.set(verdict(product, time.Now()))
		} else {
			fmt.Fprintf(os.Stderr, "data-collection: reading LicensedProduct %s: %v\n", name, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// lastSeen is the product as it was last seen; nil: there was none.
func lastSeen(store cache.Store, name string) (*api.LicensedProduct, error) {
	object, exists, err := store.GetByKey(name)
	if err != nil || !exists {
		return nil, err
	}
	product := &api.LicensedProduct{}
	return product, runtime.DefaultUnstructuredConverter.FromUnstructured(object.(*unstructured.Unstructured).Object,
		product)
}

// verdict tells whether to collect data, and why. It goes by condition Licensed, and does not believe it for longer
// than what is known of the keys reaches: the operator, or the way to the API server, may be down.
func verdict(product *api.LicensedProduct, now time.Time) (on bool, why string) {
	if product == nil {
		return false, "there is no such LicensedProduct"
	}
	licensed := meta.FindStatusCondition(product.Status.Conditions, api.ConditionLicensed)
	end := product.Status.CoverageEndTime
	switch {
	case licensed == nil:
		return false, "the operator has yet to look at the LicensedProduct"
	case licensed.Status != metav1.ConditionTrue:
		return false, licensed.Reason + ": " + licensed.Message
	case end == nil:
		return true, licensed.Reason
	case now.Before(end.Time):
		return true, licensed.Reason + ", licensed until " + end.UTC().Format(time.RFC3339)
	default:
		return false, "licensed until " + end.UTC().Format(time.RFC3339) + ", and no renewal was seen"
	}
}

// collector collects data while it is on, and says so whenever there is something new to say.
type collector struct {
	said string
	stop func()
}

func (c *collector) set(on bool, why string) {
	word := "off"
	switch {
	case on && c.stop == nil:
		c.stop = start()
	case !on && c.stop != nil:
		c.stop()
		c.stop = nil
	}
	if on {
		word = "on"
	}
	if line := fmt.Sprintf("data collection: %s (%s)", word, why); line != c.said {
		fmt.Println(line)
		c.said = line
	}
}

// start is where yours starts to collect data. It returns what stops that.
func start() (stop func()) { return func() {} }
