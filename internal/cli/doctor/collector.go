// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/license-operator/license-operator/internal/cli/command"
	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/paging"
	"github.com/license-operator/license-operator/internal/restriction"
	"github.com/license-operator/license-operator/internal/restriction/calico"
	"github.com/license-operator/license-operator/internal/text"
)

// What config/ installs the operator with.
const (
	defaultAccount = "license-operator-controller-manager"
	// calicoAccount is the ServiceAccount of Calico's own API server, in the namespace of its Service.
	calicoAccount = "calico-apiserver"
	// calicoAPIService says who serves projectcalico.org/v3, where that is not the API server itself.
	calicoAPIService = "v3.projectcalico.org"
)

// collector reads an installation.
type collector struct {
	client client.WithWatch
	clock  *serverClock
}

// collect reads all that the checks go by. It fails only where nothing could be read at all.
func collect(
	ctx context.Context, config *rest.Config, namespace string, now func() time.Time,
) (*snapshot, error) {
	clock := &serverClock{now: now}
	config.Wrap(clock.wrap)
	reader, err := kubeclient.NewFor(config)
	if err != nil {
		return nil, err
	}
	i := &snapshot{namespace: namespace}
	if i.server, err = readServerVersion(ctx, config); err != nil {
		return nil, err
	}
	i.clocks = clock.read()
	x := &collector{reader, clock}
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
		return reading[string]{}, kubeclient.Unreachable(err)
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
		return version, kubeclient.NotLoggedIn(version.err)
	case version.err != nil && !apierrors.IsForbidden(version.err):
		return version, command.FailWithHint("Choose a cluster as with kubectl (KUBECONFIG, --kubeconfig, "+
			"--context), and check "+
			"the connection with: kubectl version",
			"cannot reach the cluster: %v", version.err)
	}
	return version, nil
}

func (x *collector) readKinds(ctx context.Context, i *snapshot) {
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
		err := paging.Each(ctx, x.client, &api.LicensedProductList{}, func(product *api.LicensedProduct) {
			facts = append(facts,
				productFacts{product.Name, product.Status.Conditions, restriction.StatusOf(product).InForce != nil})
		})
		return facts, err
	})
	i.keys = readWith("list licensekeys.license-operator.io", func() ([]keyFacts, error) {
		var facts []keyFacts
		err := paging.Each(ctx, x.client, &api.LicenseKeyList{}, func(key *api.LicenseKey) {
			ready := meta.FindStatusCondition(key.Status.Conditions, api.ConditionReady)
			facts = append(facts, keyFacts{key.Name, ready})
		})
		return facts, err
	})
}

func (x *collector) readOperator(ctx context.Context, i *snapshot) {
	i.pods = readWith("list pods in namespace "+i.namespace, func() ([]corev1.Pod, error) {
		return x.listPods(ctx,
			client.InNamespace(i.namespace))
	})
	i.podsEverywhere = readWith("list pods in all namespaces", func() ([]corev1.Pod, error) { return x.listPods(ctx) })
	i.lease = readWith(fmt.Sprintf("get leases in namespace %s", i.namespace), func() (*leaseFacts, error) {
		lease := &coordinationv1.Lease{}
		if err := x.client.Get(ctx, types.NamespacedName{Namespace: i.namespace, Name: operator.LeaseName},
			lease); apierrors.IsNotFound(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return new(factsOfLease(lease, x.clock.read().server)), nil
	})
	i.leasesEverywhere = readWith("list leases in all namespaces", func() ([]leaseFacts, error) {
		var leases coordinationv1.LeaseList
		if err := x.client.List(ctx, &leases, client.MatchingFields{"metadata.name": operator.LeaseName},
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

func (x *collector) listPods(ctx context.Context, options ...client.ListOption) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := x.client.List(ctx, &pods, append(options, operator.PodLabels, notEnded, client.Limit(paging.Size))...)
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
		facts.age = text.MaxDuration
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

func (x *collector) readLock(ctx context.Context, i *snapshot) {
	i.policies = readWith("list validatingadmissionpolicies.admissionregistration.k8s.io",
		func() ([]admissionregistrationv1.ValidatingAdmissionPolicy, error) {
			var all []admissionregistrationv1.ValidatingAdmissionPolicy
			err := paging.Each(ctx, x.client, &admissionregistrationv1.ValidatingAdmissionPolicyList{},
				func(policy *admissionregistrationv1.ValidatingAdmissionPolicy) { all = append(all, *policy) })
			return all, err
		})
	i.bindings = readWith("list validatingadmissionpolicybindings.admissionregistration.k8s.io",
		func() ([]admissionregistrationv1.ValidatingAdmissionPolicyBinding, error) {
			var all []admissionregistrationv1.ValidatingAdmissionPolicyBinding
			err := paging.Each(ctx, x.client, &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
				func(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) { all = append(all, *b) })
			return all, err
		})
}

func (x *collector) readTiers(ctx context.Context, i *snapshot) {
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

func (x *collector) readAggregatedAPI(ctx context.Context) (*aggregatedAPI, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "apiregistration.k8s.io", Version: "v1",
		Kind: "APIService",
	})
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
	aggregated := &aggregatedAPI{
		namespace: service.Spec.Service.Namespace, service: service.Spec.Service.Name,
		available: true,
	}
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
func (x *collector) missingRights(ctx context.Context, namespace, account string, rights []right) reading[[]string] {
	return readWith("create subjectaccessreviews.authorization.k8s.io", func() ([]string, error) {
		var missing []string
		for _, wanted := range rights {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account),
				Groups: []string{
					"system:serviceaccounts", "system:serviceaccounts:" + namespace,
					"system:authenticated",
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
