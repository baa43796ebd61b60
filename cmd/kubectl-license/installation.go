// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	apimachineryversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/alerting"
	"github.com/license-operator/license-operator/internal/paging"
	"github.com/license-operator/license-operator/internal/restriction/calico"
)

// What config/ installs the operator with.
const (
	defaultAccount = "license-operator-controller-manager"
	// calicoAccount is the ServiceAccount of Calico's own API server, in the namespace of its Service.
	calicoAccount = "calico-apiserver"
	// calicoAPIService says who serves projectcalico.org/v3, where that is not the API server itself.
	calicoAPIService = "v3.projectcalico.org"
)

// monitoring is the group of prometheus-operator.
const monitoring = "monitoring.coreos.com"

// installation is what was read of an installation: all that the checks go by.
type installation struct {
	// plugin is the version of this program, and namespace the operator's.
	plugin, namespace string

	server reading[string]
	clocks clockReading

	definitions []reading[*apiextensionsv1.CustomResourceDefinition]
	products    reading[[]productFacts]
	keys        reading[[]keyFacts]

	installer installer

	// pods and lease of the operator's namespace; the lease is nil where there is none.
	pods  reading[[]corev1.Pod]
	lease reading[*leaseFacts]
	// everywhere are those of all namespaces.
	podsEverywhere   reading[[]corev1.Pod]
	leasesEverywhere reading[[]leaseFacts]

	policies reading[[]admissionregistrationv1.ValidatingAdmissionPolicy]
	bindings reading[[]admissionregistrationv1.ValidatingAdmissionPolicyBinding]

	// tiers tells whether the cluster has them; account is the operator's, and missingRights what that lacks of
	// tierRights.
	tiers         reading[bool]
	account       string
	missingRights reading[[]string]
	// calico is nil where no API server of Calico's own serves tiers.
	calico              reading[*aggregatedAPI]
	missingCalicoRights reading[[]string]

	selectors  reading[[]selectingServer]
	rules      reading[[]metav1.PartialObjectMetadata]
	monitors   reading[[]metav1.PartialObjectMetadata]
	namespaces map[string]reading[map[string]string]
}

// productFacts is what the checks go by of a LicensedProduct.
type productFacts struct {
	name       string
	conditions []metav1.Condition
	restricted bool
}

// keyFacts is what the checks go by of a LicenseKey.
type keyFacts struct {
	name  string
	ready *metav1.Condition
}

// leaseFacts is a lease, and how old its last renewal is.
type leaseFacts struct {
	namespace, holder string
	age               time.Duration
	// valid is how long a renewal holds.
	valid time.Duration
}

// aggregatedAPI is an API that a Service serves.
type aggregatedAPI struct {
	namespace, service string
	available          bool
	message            string
}

// clockReading is two clocks at the same moment; the server's is zero where it did not say.
type clockReading struct{ here, server time.Time }

// serverClock knows the API server's time by the Date of its latest answer.
type serverClock struct {
	now func() time.Time

	mu     sync.Mutex
	latest clockReading
}

// wrap has every answer noted. The Date is there with refusals too.
func (s *serverClock) wrap(next http.RoundTripper) http.RoundTripper {
	return transport(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return response, err
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.latest = clockReading{here: s.now(), server: date}
		}
		return response, nil
	})
}

func (s *serverClock) read() clockReading {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }

// examiner reads an installation.
type examiner struct {
	client client.WithWatch
	clock  *serverClock
}

// readInstallation reads all that the checks go by. It fails only where nothing could be read at all.
func readInstallation(
	ctx context.Context, config *rest.Config, namespace string, now func() time.Time,
) (*installation, error) {
	clock := &serverClock{now: now}
	config.Wrap(clock.wrap)
	reader, err := newClientFor(config)
	if err != nil {
		return nil, err
	}
	i := &installation{namespace: namespace}
	if i.server, err = readServerVersion(ctx, config); err != nil {
		return nil, err
	}
	i.clocks = clock.read()
	x := &examiner{reader, clock}
	x.readKinds(ctx, i)
	x.readOperator(ctx, i)
	x.readLock(ctx, i)
	x.readTiers(ctx, i)
	x.readMonitoring(ctx, i)
	return i, nil
}

// readWith is a reading that takes a right.
func readWith[T any](right string, get func() (T, error)) reading[T] {
	value, err := get()
	return reading[T]{value: value, right: right, err: err}
}

// readServerVersion is the first request: where it cannot be made, no other can.
func readServerVersion(ctx context.Context, config *rest.Config) (reading[string], error) {
	reader, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return reading[string]{}, unreachable(err)
	}
	version := readWith("get /version", func() (string, error) {
		var info apimachineryversion.Info
		text, err := reader.RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
		if err == nil {
			err = json.Unmarshal(text, &info)
		}
		return info.GitVersion, err
	})
	switch {
	case apierrors.IsUnauthorized(version.err):
		return version, notLoggedIn(version.err)
	case version.err != nil && !apierrors.IsForbidden(version.err):
		return version, failf("Choose a cluster as with kubectl (KUBECONFIG, --kubeconfig, --context), and check "+
			"the connection with: kubectl version",
			"cannot reach the cluster: %v", version.err)
	}
	return version, nil
}

func (x *examiner) readKinds(ctx context.Context, i *installation) {
	for _, plural := range []string{"licensedproducts", "licensekeys"} {
		name := plural + "." + api.GroupVersion.Group
		i.definitions = append(i.definitions,
			readWith("get customresourcedefinitions", func() (*apiextensionsv1.CustomResourceDefinition, error) {
				definition := &apiextensionsv1.CustomResourceDefinition{}
				if err := x.client.Get(ctx, types.NamespacedName{Name: name}, definition); apierrors.IsNotFound(err) {
					return nil, nil
				} else if err != nil {
					return nil, err
				}
				return definition, nil
			}))
	}
	i.products = readWith("list licensedproducts.license-operator.io", func() ([]productFacts, error) {
		var facts []productFacts
		newPage := func() *api.LicensedProductList { return &api.LicensedProductList{} }
		err := paging.Each(ctx, x.client, newPage, func(page *api.LicensedProductList) {
			for n := range page.Items {
				product := &page.Items[n]
				facts = append(facts,
					productFacts{product.Name, product.Status.Conditions, restrictionOf(product).InForce != nil})
			}
		})
		return facts, err
	})
	i.keys = readWith("list licensekeys.license-operator.io", func() ([]keyFacts, error) {
		var facts []keyFacts
		newPage := func() *api.LicenseKeyList { return &api.LicenseKeyList{} }
		err := paging.Each(ctx, x.client, newPage, func(page *api.LicenseKeyList) {
			for n := range page.Items {
				key := &page.Items[n]
				facts = append(facts,
					keyFacts{key.Name, meta.FindStatusCondition(key.Status.Conditions, api.ConditionReady)})
			}
		})
		return facts, err
	})
}

func (x *examiner) readOperator(ctx context.Context, i *installation) {
	i.pods = readWith("list pods in namespace "+i.namespace, func() ([]corev1.Pod, error) {
		return x.listPods(ctx,
			client.InNamespace(i.namespace))
	})
	i.podsEverywhere = readWith("list pods in all namespaces", func() ([]corev1.Pod, error) { return x.listPods(ctx) })
	i.lease = readWith(fmt.Sprintf("get leases in namespace %s", i.namespace), func() (*leaseFacts, error) {
		lease := &coordinationv1.Lease{}
		if err := x.client.Get(ctx, types.NamespacedName{Namespace: i.namespace, Name: leaseName},
			lease); apierrors.IsNotFound(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return new(factsOfLease(lease, x.clock.read().server)), nil
	})
	i.leasesEverywhere = readWith("list leases in all namespaces", func() ([]leaseFacts, error) {
		var leases coordinationv1.LeaseList
		if err := x.client.List(ctx, &leases, client.MatchingFields{"metadata.name": leaseName},
			client.Limit(paging.Size)); err != nil {
			return nil, err
		}
		var facts []leaseFacts
		for n := range leases.Items {
			facts = append(facts, factsOfLease(&leases.Items[n], x.clock.read().server))
		}
		return facts, nil
	})
	if i.lease.err != nil && i.leasesEverywhere.err == nil {
		i.lease = reading[*leaseFacts]{right: i.leasesEverywhere.right}
		for n := range i.leasesEverywhere.value {
			if lease := &i.leasesEverywhere.value[n]; lease.namespace == i.namespace {
				i.lease.value = lease
			}
		}
	}
	i.installer = x.readInstaller(ctx, i.namespace)
	i.account = defaultAccount
	if len(i.pods.value) > 0 {
		i.account = cmp.Or(i.pods.value[0].Spec.ServiceAccountName, defaultAccount)
	}
}

// notEnded leaves out pods that have ended, an evicted one say: they stay until somebody deletes them, and are no
// replicas.
var notEnded = client.MatchingFieldsSelector{Selector: fields.AndSelectors(
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
	fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
)}

func (x *examiner) listPods(ctx context.Context, options ...client.ListOption) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := x.client.List(ctx, &pods, append(options, operatorPods, notEnded, client.Limit(paging.Size))...)
	return pods.Items, err
}

// factsOfLease tells how old a renewal is at an instant of the API server's clock. What that has noted of the writing
// counts, since the time in the lease is the holder's.
func factsOfLease(lease *coordinationv1.Lease, now time.Time) leaseFacts {
	facts := leaseFacts{namespace: lease.Namespace}
	if lease.Spec.HolderIdentity != nil {
		facts.holder = *lease.Spec.HolderIdentity
	}
	if lease.Spec.LeaseDurationSeconds != nil {
		facts.valid = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	if renewed := renewalOf(lease); !renewed.IsZero() {
		facts.age = now.Sub(renewed)
	} else {
		facts.age = maxDuration
	}
	return facts
}

func renewalOf(lease *coordinationv1.Lease) time.Time {
	for _, entry := range lease.ManagedFields {
		if entry.Time == nil || entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Spec map[string]any `json:"f:spec"`
		}
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
			continue
		}
		if _, renews := fields.Spec["f:renewTime"]; renews {
			return entry.Time.Time
		}
	}
	if lease.Spec.RenewTime != nil {
		return lease.Spec.RenewTime.Time
	}
	return time.Time{}
}

func (x *examiner) readLock(ctx context.Context, i *installation) {
	i.policies = readWith("list validatingadmissionpolicies.admissionregistration.k8s.io",
		func() ([]admissionregistrationv1.ValidatingAdmissionPolicy, error) {
			var all []admissionregistrationv1.ValidatingAdmissionPolicy
			newPage := func() *admissionregistrationv1.ValidatingAdmissionPolicyList {
				return &admissionregistrationv1.ValidatingAdmissionPolicyList{}
			}
			err := paging.Each(ctx, x.client,
				newPage, func(page *admissionregistrationv1.ValidatingAdmissionPolicyList) {
					all = append(all,
						page.Items...)
				})
			return all, err
		})
	i.bindings = readWith("list validatingadmissionpolicybindings.admissionregistration.k8s.io",
		func() ([]admissionregistrationv1.ValidatingAdmissionPolicyBinding, error) {
			var all []admissionregistrationv1.ValidatingAdmissionPolicyBinding
			newPage := func() *admissionregistrationv1.ValidatingAdmissionPolicyBindingList {
				return &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{}
			}
			err := paging.Each(ctx, x.client,
				newPage, func(page *admissionregistrationv1.ValidatingAdmissionPolicyBindingList) {
					all = append(all, page.Items...)
				})
			return all, err
		})
}

func (x *examiner) readTiers(ctx context.Context, i *installation) {
	i.tiers = readWith("see which APIs the cluster has", func() (bool, error) {
		_, err := x.client.RESTMapper().RESTMapping(calico.Version.WithKind("Tier").GroupKind(),
			calico.Version.Version)
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
	i.calico = readWith("get apiservices.apiregistration.k8s.io",
		func() (*aggregatedAPI, error) { return x.readAggregatedAPI(ctx) })
	if i.tiers.value {
		i.missingRights = x.missingRights(ctx, i.namespace, i.account, tierRights)
	}
	if i.calico.value != nil {
		i.missingCalicoRights = x.missingRights(ctx, i.calico.value.namespace, calicoAccount, calicoRights)
	}
}

func (x *examiner) readAggregatedAPI(ctx context.Context) (*aggregatedAPI, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1",
		Kind: "APIService"})
	if err := x.client.Get(ctx, types.NamespacedName{Name: calicoAPIService}, object); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var service struct {
		Spec struct {
			Service *struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"service"`
		} `json:"spec"`
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &service); err != nil {
		return nil, err
	}
	if service.Spec.Service == nil {
		return nil, nil // the API server itself serves it, by CustomResourceDefinitions
	}
	aggregated := &aggregatedAPI{namespace: service.Spec.Service.Namespace, service: service.Spec.Service.Name,
		available: true}
	if available := meta.FindStatusCondition(service.Status.Conditions, "Available"); available != nil &&
		available.Status != metav1.ConditionTrue {
		aggregated.available, aggregated.message = false, available.Message
	}
	return aggregated, nil
}

// right is what somebody may do.
type right struct{ group, resource, verb string }

func (r right) String() string { return fmt.Sprintf("%s %s.%s", r.verb, r.resource, r.group) }

// missingRights asks the API server which of the rights a ServiceAccount does not have.
func (x *examiner) missingRights(ctx context.Context, namespace, account string, rights []right) reading[[]string] {
	return readWith("create subjectaccessreviews.authorization.k8s.io", func() ([]string, error) {
		var missing []string
		for _, wanted := range rights {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account),
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace,
					"system:authenticated"},
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Group: wanted.group, Version: "*", Resource: wanted.resource, Verb: wanted.verb,
				},
			}}
			if err := x.client.Create(ctx, review); err != nil {
				return nil, err
			}
			if !review.Status.Allowed {
				missing = append(missing, wanted.String())
			}
		}
		return missing, nil
	})
}

// selectingServer is an object of prometheus-operator that selects rules or monitors by their labels, and by those of
// their namespaces.
type selectingServer struct {
	Kind              string `json:"kind"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		RuleSelector                    *metav1.LabelSelector `json:"ruleSelector"`
		RuleNamespaceSelector           *metav1.LabelSelector `json:"ruleNamespaceSelector"`
		ServiceMonitorSelector          *metav1.LabelSelector `json:"serviceMonitorSelector"`
		ServiceMonitorNamespaceSelector *metav1.LabelSelector `json:"serviceMonitorNamespaceSelector"`
	} `json:"spec"`
}

// selectingKinds are those of prometheus-operator that select; not every cluster has all of them.
var selectingKinds = []schema.GroupVersionKind{
	{Group: monitoring, Version: "v1", Kind: "Prometheus"},
	{Group: monitoring, Version: "v1", Kind: "ThanosRuler"},
	{Group: monitoring, Version: "v1alpha1", Kind: "PrometheusAgent"},
}

func (x *examiner) readMonitoring(ctx context.Context, i *installation) {
	i.selectors = readWith("list prometheuses, thanosrulers and prometheusagents of monitoring.coreos.com in all "+
		"namespaces", func() ([]selectingServer, error) {
		var all []selectingServer
		for _, kind := range selectingKinds {
			servers, err := x.listSelecting(ctx, kind)
			if err != nil && !isNotServed(err) {
				return nil, err
			}
			all = append(all, servers...)
		}
		return all, nil
	})
	i.rules = readWith("list prometheusrules.monitoring.coreos.com in all namespaces",
		func() ([]metav1.PartialObjectMetadata, error) {
			selector, err := metav1.ParseToLabelSelector(alerting.Selector)
			if err != nil {
				return nil, err
			}
			return x.listMetadata(ctx, "PrometheusRule", client.MatchingLabels(selector.MatchLabels))
		})
	i.monitors = readWith("list servicemonitors.monitoring.coreos.com in namespace "+i.namespace,
		func() ([]metav1.PartialObjectMetadata, error) {
			return x.listMetadata(ctx, "ServiceMonitor", client.InNamespace(i.namespace), operatorPods)
		})
	i.namespaces = map[string]reading[map[string]string]{}
	for _, objects := range [][]metav1.PartialObjectMetadata{i.rules.value, i.monitors.value} {
		for n := range objects {
			name := objects[n].Namespace
			if _, known := i.namespaces[name]; known || len(i.namespaces) == maxNamespaces {
				continue
			}
			i.namespaces[name] = readWith("get namespaces", func() (map[string]string, error) {
				var namespace corev1.Namespace
				err := x.client.Get(ctx, types.NamespacedName{Name: name}, &namespace)
				return namespace.Labels, err
			})
		}
	}
}

// maxNamespaces is how many namespaces are looked at: the operator writes all rules to one, and may have moved them
// once or twice.
const maxNamespaces = 10

func (x *examiner) listSelecting(ctx context.Context, kind schema.GroupVersionKind) ([]selectingServer, error) {
	var all []selectingServer
	var unreadable error
	newPage := func() *unstructured.UnstructuredList {
		page := &unstructured.UnstructuredList{}
		page.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		return page
	}
	err := paging.Each(ctx, x.client, newPage, func(page *unstructured.UnstructuredList) {
		for n := range page.Items {
			server := selectingServer{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(page.Items[n].Object, &server); err != nil {
				unreadable = err
			}
			server.Kind = kind.Kind
			all = append(all, server)
		}
	})
	return all, cmp.Or(err, unreadable)
}

// listMetadata lists no more than the metadata of objects of prometheus-operator.
func (x *examiner) listMetadata(
	ctx context.Context, kind string, options ...client.ListOption,
) ([]metav1.PartialObjectMetadata, error) {
	var all []metav1.PartialObjectMetadata
	newPage := func() *metav1.PartialObjectMetadataList {
		page := &metav1.PartialObjectMetadataList{}
		page.SetGroupVersionKind(schema.GroupVersionKind{Group: monitoring, Version: "v1", Kind: kind + "List"})
		return page
	}
	err := paging.Each(ctx, x.client, newPage, func(page *metav1.PartialObjectMetadataList) {
		all = append(all,
			page.Items...)
	}, options...)
	return all, err
}
