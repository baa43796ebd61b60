// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/clock"
	"github.com/license-operator/license-operator/internal/paging"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/text"
)

const (
	// defaultAccount is the ServiceAccount that config/ gives the operator.
	defaultAccount = "license-operator-controller-manager"
	// calicoAccount is the ServiceAccount of Calico's own API server, in the namespace of its Service.
	calicoAccount = "calico-apiserver"
	// calicoAPIService tells which Service serves projectcalico.org/v3, if the API server does not do it itself.
	calicoAPIService = "v3.projectcalico.org"
)

// clockReading is this machine's time and the API server's at the same moment. server is zero if it is not known.
type clockReading struct{ here, server time.Time }

// collector reads an installation.
type collector struct {
	client client.Client
	// clocks are those of the API server's latest response.
	clocks atomic.Pointer[clockReading]
}

// collect reads everything that the checks need. It fails only if the first request, for the version, cannot be made.
func collect(ctx context.Context, config *rest.Config, namespace string, now func() time.Time) (*snapshot, error) {
	x := &collector{}
	x.clocks.Store(&clockReading{})
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return clock.ObserveDates(next, func(server time.Time) { x.clocks.Store(&clockReading{now(), server}) })
	})
	var err error
	if x.client, err = kubeclient.NewFor(config); err != nil {
		return nil, err
	}
	versions, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, kubeclient.Unreachable(err)
	}
	i := &snapshot{namespace: namespace}
	i.server = readWith("get /version", func() (string, error) {
		info, err := versions.ServerVersionWithContext(ctx)
		if err != nil {
			return "", err
		}
		return info.GitVersion, nil
	})
	switch err := i.server.err; {
	case apierrors.IsUnauthorized(err):
		return nil, kubeclient.NotLoggedIn(err)
	case err != nil && !apierrors.IsForbidden(err):
		return nil, command.FailWithHint("Choose a cluster as with kubectl (KUBECONFIG, --kubeconfig, --context), and "+
			"check the connection with: kubectl version", "cannot reach the cluster: %v", err)
	}
	i.clocks = *x.clocks.Load()
	x.readLicenses(ctx, i)
	x.readOperator(ctx, i)
	x.readRestrictions(ctx, i)
	x.readMonitoring(ctx, i)
	return i, nil
}

// readWith is a reading that needs a permission.
func readWith[T any](permission string, get func() (T, error)) reading[T] {
	value, err := get()
	return reading[T]{value: value, permission: permission, err: err}
}

// found is an object that was read; nil if it does not exist.
func found[T any](object *T, err error) (*T, error) {
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return object, nil
}

// objectOf is the pointer to a type of objects.
type objectOf[T any] interface {
	*T
	runtime.Object
}

// readAll reads the objects of a kind, of which list is an empty list.
func readAll[T any, P objectOf[T]](
	ctx context.Context, x *collector, permission string, list client.ObjectList, options ...client.ListOption,
) reading[[]T] {
	return readWith(permission, func() (all []T, err error) {
		err = paging.Each(ctx, x.client, list, func(object P) { all = append(all, *object) }, options...)
		return all, err
	})
}

func (x *collector) readLicenses(ctx context.Context, i *snapshot) {
	for _, defined := range definedTypes {
		name := types.NamespacedName{Name: defined.name + "." + api.GroupVersion.Group}
		i.definitions = append(i.definitions,
			readWith("get customresourcedefinitions", func() (*apiextensionsv1.CustomResourceDefinition, error) {
				definition := &apiextensionsv1.CustomResourceDefinition{}
				return found(definition, x.client.Get(ctx, name, definition))
			}))
	}
	i.products = readWith("list licensedproducts.license-operator.io", func() (facts []objectFacts, err error) {
		err = paging.Each(ctx, x.client, &api.LicensedProductList{}, func(product *api.LicensedProduct) {
			facts = append(facts,
				objectFacts{product.Name, product.Status.Conditions, restriction.StatusOf(product).InForce != nil})
		})
		return facts, err
	})
	i.keys = readWith("list licensekeys.license-operator.io", func() (facts []objectFacts, err error) {
		err = paging.Each(ctx, x.client, &api.LicenseKeyList{}, func(key *api.LicenseKey) {
			facts = append(facts, objectFacts{name: key.Name, conditions: key.Status.Conditions})
		})
		return facts, err
	})
}

func (x *collector) readOperator(ctx context.Context, i *snapshot) {
	i.pods = readWith("list pods in namespace "+i.namespace,
		func() ([]corev1.Pod, error) { return x.listPods(ctx, client.InNamespace(i.namespace)) })
	i.podsEverywhere = readWith("list pods in all namespaces", func() ([]corev1.Pod, error) { return x.listPods(ctx) })
	i.lease = readWith("get leases in namespace "+i.namespace, func() (*leaseFacts, error) {
		lease := &coordinationv1.Lease{}
		name := types.NamespacedName{Namespace: i.namespace, Name: operator.LeaseName}
		lease, err := found(lease, x.client.Get(ctx, name, lease))
		if lease == nil {
			return nil, err
		}
		return new(factsOfLease(lease, x.clocks.Load().server)), nil
	})
	i.leasesEverywhere = readWith("list leases in all namespaces", func() (facts []leaseFacts, err error) {
		var leases coordinationv1.LeaseList
		err = x.client.List(ctx, &leases, client.MatchingFields{"metadata.name": operator.LeaseName},
			client.Limit(paging.Size))
		for n := range leases.Items {
			facts = append(facts, factsOfLease(&leases.Items[n], x.clocks.Load().server))
		}
		return facts, err
	})
	if i.lease.err != nil && i.leasesEverywhere.err == nil {
		i.lease = reading[*leaseFacts]{}
		here := func(lease leaseFacts) bool { return lease.namespace == i.namespace }
		if n := slices.IndexFunc(i.leasesEverywhere.value, here); n >= 0 {
			i.lease.value = &i.leasesEverywhere.value[n]
		}
	}
	i.installer = x.readInstaller(ctx, i.namespace)
	i.account = defaultAccount
	if len(i.pods.value) > 0 {
		i.account = cmp.Or(i.pods.value[0].Spec.ServiceAccountName, defaultAccount)
	}
}

// notEnded excludes pods that have ended, for example evicted ones: they stay until they are deleted, but do not run.
var notEnded = client.MatchingFieldsSelector{
	Selector: fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed"),
}

func (x *collector) listPods(ctx context.Context, options ...client.ListOption) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := x.client.List(ctx, &pods, append(options, operator.PodLabels, notEnded, client.Limit(paging.Size))...)
	return pods.Items, err
}

// factsOfLease computes the age of a lease at a time of the API server's clock. The time at which the API server
// recorded the renewal counts, because the time in the lease is from the holder's clock.
func factsOfLease(lease *coordinationv1.Lease, now time.Time) leaseFacts {
	facts := leaseFacts{namespace: lease.Namespace, age: text.MaxDuration}
	if lease.Spec.HolderIdentity != nil {
		facts.holder = *lease.Spec.HolderIdentity
	}
	if lease.Spec.LeaseDurationSeconds != nil {
		facts.valid = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	if renewed := renewalOf(lease); !renewed.IsZero() {
		facts.age = now.Sub(renewed)
	}
	return facts
}

func renewalOf(lease *coordinationv1.Lease) time.Time {
	for _, entry := range lease.ManagedFields {
		var fields struct {
			Spec map[string]any `json:"f:spec"`
		}
		if entry.Time == nil || entry.FieldsV1 == nil || json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
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

func (x *collector) readRestrictions(ctx context.Context, i *snapshot) {
	const group = ".admissionregistration.k8s.io"
	i.policies = readAll[policy](ctx, x, "list validatingadmissionpolicies"+group,
		&admissionregistrationv1.ValidatingAdmissionPolicyList{})
	i.bindings = readAll[policyBinding](ctx, x, "list validatingadmissionpolicybindings"+group,
		&admissionregistrationv1.ValidatingAdmissionPolicyBindingList{})
	i.tiers = readWith("see which APIs the cluster has", func() (bool, error) {
		_, err := x.client.RESTMapper().RESTMapping(calico.Version.WithKind("Tier").GroupKind(), calico.Version.Version)
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

func (x *collector) readAggregatedAPI(ctx context.Context) (*aggregatedAPI, error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("apiregistration.k8s.io/v1")
	object.SetKind("APIService")
	object, err := found(object, x.client.Get(ctx, types.NamespacedName{Name: calicoAPIService}, object))
	if object == nil {
		return nil, err
	}
	var service struct {
		Spec struct {
			Service *admissionregistrationv1.ServiceReference `json:"service"`
		} `json:"spec"`
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &service); err != nil {
		return nil, err
	}
	if service.Spec.Service == nil {
		return nil, nil // the API server itself serves it, with CustomResourceDefinitions
	}
	aggregated := &aggregatedAPI{
		namespace: service.Spec.Service.Namespace, service: service.Spec.Service.Name, available: true,
	}
	if available := meta.FindStatusCondition(service.Status.Conditions, "Available"); available != nil {
		aggregated.available, aggregated.message = available.Status == metav1.ConditionTrue, available.Message
	}
	return aggregated, nil
}

// right is a permission on a resource.
type right struct{ group, resource, verb string }

func (r right) String() string { return fmt.Sprintf("%s %s.%s", r.verb, r.resource, r.group) }

// missingRights asks the API server which of the rights a ServiceAccount does not have.
func (x *collector) missingRights(ctx context.Context, namespace, account string, rights []right) reading[[]string] {
	return readWith("create subjectaccessreviews.authorization.k8s.io", func() (missing []string, err error) {
		for _, wanted := range rights {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account),
				Groups: []string{
					"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated",
				},
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
