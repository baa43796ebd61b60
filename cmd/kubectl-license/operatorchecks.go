// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/util/version"

	api "github.com/license-operator/license-operator/api/v1alpha1"
	"github.com/license-operator/license-operator/internal/license"
)

// minKubernetes is the first release that has what refuses changes in restricted tiers.
var minKubernetes = version.MajorMinor(1, 30)

// clockWarning is how far this machine's clock may be from the API server's before it is told of.
const clockWarning = time.Minute

// freshRenewal is how old the renewal of a leader that lives may look: it renews every 2 seconds, and whole seconds are
// noted of when.
const freshRenewal = 5 * time.Second

// maxHostname is how much of a pod's name is its hostname, by which it holds a lease.
const maxHostname = 63

// maxListedNames is how many objects a check names.
const maxListedNames = 3

// samePlugin is what to do about releases that differ.
const samePlugin = "Use the plugin of the operator's release, or bring the operator and its CRDs to the plugin's."

// examine makes all checks.
func (i *installation) examine() *checkup {
	checks := []check{
		i.checkDefinitions(), i.checkKubernetes(), i.checkVersions(), i.checkPods(), i.checkLeader(),
		i.checkInstallations(),
		i.checkAdmission(), i.checkRestrictions(), i.checkTierRights(), i.checkCalicoAPI(),
	}
	checks = append(checks, i.checkMonitoring()...)
	checks = append(checks, i.checkClock(), i.checkOperatorClock(), i.checkProducts(), i.checkKeys())
	return &checkup{Checks: checks}
}

// someNames lists as many names as a check does, and counts the others.
func someNames(names []string) string { return firstOf(names, maxListedNames) }

func ageText(age time.Duration) string { return distance(time.Time{}, time.Time{}.Add(age)) }

// definedTypes are the types of the kinds, in the order of their definitions.
var definedTypes = []struct {
	name         string
	spec, status reflect.Type
}{
	{"licensedproducts", reflect.TypeFor[api.LicensedProductSpec](), reflect.TypeFor[api.LicensedProductStatus]()},
	{"licensekeys", reflect.TypeFor[api.LicenseKeySpec](), reflect.TypeFor[api.LicenseKeyStatus]()},
}

func (i *installation) checkDefinitions() check {
	const name = "CRDs"
	var missing, unfit, older, newer []string
	var unknown *check
	lists := []error{i.products.err, i.keys.err}
	for n := range i.definitions {
		definition, defined := i.definitions[n].value, definedTypes[n]
		c, isUnread := unread(name, &i.definitions[n])
		// Whoever may not read definitions is told by discovery that there is no such kind.
		if isUnread && !isNotServed(lists[n]) {
			unknown = &c
			continue
		}
		if definition == nil {
			missing = append(missing, defined.name)
			continue
		}
		if flaw := flawOf(definition); flaw != "" {
			unfit = append(unfit, defined.name+" "+flaw)
			continue
		}
		lacking, additional := drift(definition, defined.spec, defined.status)
		for _, field := range lacking {
			older = append(older, field+" of "+defined.name)
		}
		for _, field := range additional {
			newer = append(newer, field+" of "+defined.name)
		}
	}
	switch {
	case len(missing) == len(definedTypes):
		return problem(name, "Install it (docs/installation.md), or choose another cluster with --context.",
			"license-operator is not installed in this cluster: it has neither licensedproducts nor licensekeys")
	case len(missing) > 0:
		return problem(name, i.mended(), "there is no CRD of %s", someNames(missing))
	case len(unfit) > 0:
		return problem(name, i.mended(), "the CRD of %s", strings.Join(unfit, "; that of "))
	case unknown != nil:
		return *unknown
	case len(older) > 0:
		return warning(name, i.mended(), "they are older than this plugin: they lack %s", someNames(older))
	case len(newer) > 0:
		return warning(name, samePlugin, "they are newer than this plugin, which does not know %s", someNames(newer))
	default:
		return good(name, "licensedproducts and licensekeys are served and stored as %s, with the fields that this "+
			"plugin knows", api.GroupVersion.Version)
	}
}

// flawOf says why a kind cannot be used as the plugin knows it; empty: it can.
func flawOf(definition *apiextensionsv1.CustomResourceDefinition) string {
	established := slices.ContainsFunc(definition.Status.Conditions,
		func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
			return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
		})
	served := versionOf(definition)
	switch {
	case !established:
		return "is not established"
	case served == nil || !served.Served:
		return "does not serve " + api.GroupVersion.Version
	case !served.Storage:
		return "does not store " + api.GroupVersion.Version
	default:
		return ""
	}
}

func versionOf(definition *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinitionVersion {
	for n := range definition.Spec.Versions {
		if definition.Spec.Versions[n].Name == api.GroupVersion.Version {
			return &definition.Spec.Versions[n]
		}
	}
	return nil
}

// drift is which fields the plugin knows and the cluster does not have, and the other way round.
func drift(
	definition *apiextensionsv1.CustomResourceDefinition, spec, status reflect.Type,
) (lacking, unknown []string) {
	served := versionOf(definition)
	if served.Schema == nil || served.Schema.OpenAPIV3Schema == nil {
		return nil, nil
	}
	properties := served.Schema.OpenAPIV3Schema.Properties
	for name, known := range map[string]reflect.Type{"spec": spec, "status": status} {
		schema := properties[name]
		l, u := compareFields(name, known, &schema)
		lacking, unknown = append(lacking, l...), append(unknown, u...)
	}
	slices.Sort(lacking)
	slices.Sort(unknown)
	return lacking, unknown
}

// compareFields compares the fields of a type of ours with those of a schema, and so on with theirs.
func compareFields(at string, known reflect.Type, schema *apiextensionsv1.JSONSchemaProps) (lacking, unknown []string) {
	fields := map[string]reflect.Type{}
	collectFields(known, fields)
	for name, field := range fields {
		property, there := schema.Properties[name]
		if !there {
			lacking = append(lacking, at+"."+name)
			continue
		}
		inner := &property
		if property.Items != nil && property.Items.Schema != nil {
			inner = property.Items.Schema
		}
		if isOurStruct(field) {
			l, u := compareFields(at+"."+name, field, inner)
			lacking, unknown = append(lacking, l...), append(unknown, u...)
		}
	}
	for name := range schema.Properties {
		if _, there := fields[name]; !there {
			unknown = append(unknown, at+"."+name)
		}
	}
	return lacking, unknown
}

// collectFields finds the fields of a type by their names in JSON, each with the type that it holds one or several of.
func collectFields(of reflect.Type, fields map[string]reflect.Type) {
	for n := range of.NumField() {
		field := of.Field(n)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		held := field.Type
		for held.Kind() == reflect.Pointer || held.Kind() == reflect.Slice {
			held = held.Elem()
		}
		if name == "" && isOurStruct(held) {
			collectFields(held, fields)
		} else if name != "" && name != "-" {
			fields[name] = held
		}
	}
}

// isOurStruct tells of a type whose fields are ours to know; others are Kubernetes'.
func isOurStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[api.LicensedProduct]().PkgPath()
}

func (i *installation) checkKubernetes() check {
	const name = "Kubernetes"
	if c, is := unread(name, &i.server); is {
		return c
	}
	server, err := version.ParseGeneric(i.server.value)
	switch {
	case err != nil:
		return warning(name, "Compare it with what the operator needs, Kubernetes 1.30.",
			"the API server calls its version %q, which tells nothing", i.server.value)
	case server.LessThan(minKubernetes):
		return problem(name, "Upgrade to Kubernetes 1.30 or later. Before, licenses are followed, and changes in "+
			"restricted tiers are not refused.",
			"%s has no ValidatingAdmissionPolicies", i.server.value)
	default:
		return good(name, "%s", i.server.value)
	}
}

func (i *installation) checkVersions() check {
	const name = "Versions"
	if c, is := unread(name, &i.pods); is {
		return c
	}
	if len(i.pods.value) == 0 {
		return notChecked(name, "",
			"this plugin is %s; there are no pods of the operator in namespace %s to compare it with", i.plugin,
			i.namespace)
	}
	versions := i.operatorVersions()
	switch {
	case len(versions) > 1:
		return warning(name,
			"Wait until the rollout is over, or see what holds it up: kubectl get pods -n "+shellWord(i.namespace),
			"pods of the operator have different versions: %s", someNames(versions))
	case sameVersion(i.plugin, versions[0]):
		return good(name, "plugin and operator are %s", versions[0])
	case isVersion(i.plugin) && isVersion(versions[0]):
		return warning(name, samePlugin, "the plugin is %s, and the operator %s", i.plugin, versions[0])
	default:
		return good(name, "the plugin is %s, and the operator %s: that cannot be compared", i.plugin, versions[0])
	}
}

// operatorVersions are those of the operator's pods; there is one where none is being rolled out.
func (i *installation) operatorVersions() []string {
	var versions []string
	for n := range i.pods.value {
		if v := versionOfPod(&i.pods.value[n]); !slices.Contains(versions, v) {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	return versions
}

// versionOfPod is what a pod says of itself, else the tag of its image, else the image.
func versionOfPod(pod *corev1.Pod) string {
	if stated := pod.Labels["app.kubernetes.io/version"]; stated != "" {
		return stated
	}
	container := managerOf(pod)
	if container == nil {
		return "unknown"
	}
	image, _, _ := strings.Cut(container.Image, "@")
	if _, tag, tagged := strings.Cut(path.Base(image), ":"); tagged {
		return tag
	}
	return cmp.Or(container.Image, "unknown")
}

// managerOf is the container that the operator runs in, the first where none has the name that config/ gives it; nil:
// the pod has none.
func managerOf(pod *corev1.Pod) *corev1.Container {
	if len(pod.Spec.Containers) == 0 {
		return nil
	}
	for n := range pod.Spec.Containers {
		if pod.Spec.Containers[n].Name == "manager" {
			return &pod.Spec.Containers[n]
		}
	}
	return &pod.Spec.Containers[0]
}

func isVersion(text string) bool {
	_, err := version.ParseSemantic(text)
	return err == nil
}

func sameVersion(a, b string) bool { return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v") }

func (i *installation) checkPods() check {
	const name = "Pods"
	if c, is := unread(name, &i.pods); is {
		return c
	}
	all, waiting := len(i.pods.value), []string{}
	for n := range i.pods.value {
		if why := whyNotReady(&i.pods.value[n]); why != "" {
			waiting = append(waiting, i.pods.value[n].Name+" "+why)
		}
	}
	switch {
	case all == 0:
		if elsewhere := i.podsElsewhere(); len(elsewhere) > 0 {
			return problem(name, "Look there: kubectl license doctor -n "+shellWord(elsewhere[0]),
				"the operator has no pods in namespace %s, and has some in %s", i.namespace, someNames(elsewhere))
		}
		return problem(name,
			"Name its namespace with -n, or see why there are none: kubectl get deployments,events -n "+
				shellWord(i.namespace),
			"the operator has no pods in namespace %s: nobody follows licenses, and what is restricted stays so",
			i.namespace)
	case len(waiting) == all:
		return problem(name, "See why: kubectl describe pods -n "+shellWord(i.namespace)+", and their logs.",
			"none is ready: %s", someNames(waiting))
	case len(waiting) > 0:
		return warning(name, "See why: kubectl describe pods -n "+shellWord(i.namespace)+", and their logs.",
			"%d of %d are not ready: %s", len(waiting), all, someNames(waiting))
	default:
		return good(name, "%s ready in namespace %s", counted(int64(all), "pod is", "pods are"), i.namespace)
	}
}

// podsElsewhere are the other namespaces that have pods of the operator.
func (i *installation) podsElsewhere() []string {
	var namespaces []string
	for n := range i.podsEverywhere.value {
		if namespace := i.podsEverywhere.value[n].Namespace; namespace != i.namespace &&
			!slices.Contains(namespaces, namespace) {
			namespaces = append(namespaces, namespace)
		}
	}
	return namespaces
}

func (i *installation) checkLeader() check {
	const name = "Leader"
	if acting := unelected(i.pods.value, i.namespace); len(acting) > 0 && len(i.pods.value) == 1 {
		return good(name, "%s is the only pod, and acts without being elected (--leader-elect=false)", acting[0])
	} else if len(acting) > 0 {
		return problem(name, "Run a single pod, or elect a leader: leave out --leader-elect=false.",
			"%d pods run, and %s without being elected (--leader-elect=false): they undo each other's work",
			len(i.pods.value), someNames(acting))
	}
	if c, is := unread(name, &i.lease); is {
		return c
	}
	seeLogs := "See what the pods say: kubectl logs -n " + shellWord(i.namespace) +
		" -l app.kubernetes.io/name=license-operator,control-plane=controller-manager"
	lease := i.lease.value
	switch {
	case lease == nil:
		return problem(name, seeLogs, "nobody leads in namespace %s: it has no lease %s", i.namespace, leaseName)
	case lease.holder == "":
		return problem(name, seeLogs, "nobody leads: the one who did has stopped")
	case i.clocks.server.IsZero():
		return notChecked(name, "", "%s holds the lease; whether it still does cannot be told, since the API server "+
			"does not say what time it is", lease.holder)
	case lease.isStale():
		return problem(name, seeLogs, "nobody leads: %s has not renewed the lease for %s", lease.holder,
			ageText(lease.age))
	case i.pods.err != nil:
		return good(name, "%s leads", lease.holder)
	case slices.ContainsFunc(i.pods.value, func(pod corev1.Pod) bool { return holds(&pod, lease.holder) }):
		return good(name, "%s leads", lease.holder)
	case lease.age > freshRenewal:
		return warning(name, "Look again then. If nobody has taken over: "+seeLogs,
			"%s led, and its pod is gone; another takes over within %s", lease.holder, ageText(lease.valid))
	default:
		return warning(name, "See where it runs. If its pods have other labels than config/ gives them, others do "+
			"not find them either.",
			"%s leads, which is none of the operator's pods in namespace %s", lease.holder, i.namespace)
	}
}

// unelected are the pods of a namespace that act without being elected, by their names.
func unelected(pods []corev1.Pod, namespace string) []string {
	var names []string
	for n := range pods {
		if pods[n].Namespace == namespace && !electsLeader(&pods[n]) {
			names = append(names, pods[n].Name)
		}
	}
	return names
}

// electsLeader goes by the flag, and without it by the environment variable that stands in for it, as far as a pod
// states them itself.
func electsLeader(pod *corev1.Pod) bool {
	container := managerOf(pod)
	if container == nil {
		return true
	}
	var stated []string
	for _, variable := range container.Env {
		if variable.Name == "LICENSE_OPERATOR_LEADER_ELECT" {
			stated = append(stated, variable.Value)
		}
	}
	for _, argument := range slices.Concat(container.Command, container.Args) {
		flag, value, valued := strings.Cut(argument, "=")
		if !valued {
			value = "true"
		}
		if flag == "--leader-elect" || flag == "-leader-elect" {
			stated = append(stated, value)
		}
	}
	if len(stated) == 0 {
		return true
	}
	elects, err := strconv.ParseBool(stated[len(stated)-1])
	return elects || err != nil
}

// isStale tells of a lease that anybody may take.
func (l *leaseFacts) isStale() bool { return l.holder == "" || l.age > l.valid }

// holds tells whether a pod is who holds a lease, by its hostname and something random.
func holds(pod *corev1.Pod, holder string) bool {
	hostname := cmp.Or(pod.Spec.Hostname, pod.Name)
	if len(hostname) > maxHostname {
		hostname = strings.TrimRight(hostname[:maxHostname], "-.")
	}
	return strings.HasPrefix(holder, hostname+"_")
}

func (i *installation) checkInstallations() check {
	const name = "Installations"
	if c, is := unread(name, &i.leasesEverywhere); is {
		return c
	}
	var leading []string
	leadsHere := len(unelected(i.pods.value, i.namespace)) > 0
	for _, lease := range i.leasesEverywhere.value {
		switch {
		case i.clocks.server.IsZero() || lease.isStale():
		case lease.namespace == i.namespace:
			leadsHere = true
		default:
			leading = append(leading, lease.namespace)
		}
	}
	elsewhere := i.podsElsewhere()
	for _, namespace := range elsewhere {
		if len(unelected(i.podsEverywhere.value, namespace)) > 0 && !slices.Contains(leading, namespace) {
			leading = append(leading, namespace)
		}
	}
	switch {
	case len(leading) > 0 && !leadsHere:
		return problem(name, "Look there: kubectl license doctor -n "+shellWord(leading[0]),
			"the operator leads in namespace %s, and not in %s", someNames(leading), i.namespace)
	case len(leading) > 0:
		return problem(name, "Remove all but one: LicensedProducts belong to the whole cluster, and two operators "+
			"undo each other's work.",
			"the operator leads in namespace %s as well", someNames(leading))
	case len(elsewhere) > 0 && len(i.pods.value) > 0:
		return warning(name, "Remove all but one: a second one that leads undoes the first one's work.",
			"there are pods of the operator in namespace %s as well", someNames(elsewhere))
	case i.podsEverywhere.err != nil:
		return good(name, "no other holds a lease; who may not %s sees no more", i.podsEverywhere.right)
	default:
		return good(name, "there is no other")
	}
}

func (i *installation) checkClock() check {
	const name = "Clock"
	if i.clocks.server.IsZero() {
		return notChecked(name, "", "the API server does not say what time it is")
	}
	apart := i.clocks.here.Sub(i.clocks.server)
	way := "ahead of"
	if apart < 0 {
		way = "behind"
	}
	const fix = "Correct the clock that is wrong. A pause, say, begins and ends by this machine's clock."
	switch {
	case apart.Abs() > license.ClockTolerance:
		return problem(name, fix, "this machine's clock is %s %s the API server's", ageText(apart.Abs()), way)
	case apart.Abs() > clockWarning:
		return warning(name, fix, "this machine's clock is %s %s the API server's", ageText(apart.Abs()), way)
	default:
		return good(name, "this machine's clock and the API server's agree to within a minute")
	}
}
