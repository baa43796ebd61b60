// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/license-operator/license-operator/internal/cli/kubeclient"
	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// minKubernetes is the first release with ValidatingAdmissionPolicies, which reject changes in restricted tiers.
var minKubernetes = version.MajorMinor(1, 30)

// clockWarning is the difference between this machine's clock and the API server's from which there is a warning.
const clockWarning = time.Minute

// maxListedNames is how many objects a check names.
const maxListedNames = 3

// Fixes that several checks have.
const (
	samePlugin = "Use the plugin of the operator's release, or update the operator and its CRDs to the plugin's."
	waitForIt  = "Wait a few seconds. If it stays like this, see the lines Pods and Leader, and the operator's log."
	seeLog     = "The operator retries with growing delays. See its log."
)

// check makes all checks.
func (i *snapshot) check() *report {
	r := &report{}
	for _, c := range []struct {
		name  string
		make  func() check
		needs readings
	}{
		{"CRDs", i.checkDefinitions, nil},
		{"Kubernetes", i.checkKubernetes, readings{&i.server}},
		{"Versions", i.checkVersions, readings{&i.pods}},
		{"Pods", i.checkPods, readings{&i.pods}},
		{"Leader", i.checkLeader, nil},
		{"Installations", i.checkInstallations, readings{&i.leasesEverywhere}},
		{"Admission", i.checkAdmission, readings{&i.policies, &i.bindings}},
		{"Restrictions", i.checkRestrictions, readings{&i.products}},
		{"TierRights", i.checkTierRights, readings{&i.tiers, &i.missingRights}},
		{"CalicoAPI", i.checkCalicoAPI, readings{&i.calico}},
		{"Alerts", i.checkAlerts, nil},
		{"Rules", i.checkRules, readings{&i.rules, &i.selectors}},
		{"Scraping", i.checkScraping, nil},
		{"Clock", i.checkClock, nil},
		{"OperatorClock", i.checkOperatorClock, readings{&i.products}},
		{"Products", i.checkProducts, readings{&i.products}},
		{"Keys", i.checkKeys, readings{&i.keys}},
	} {
		if needsMonitoring := c.name == "Rules" || c.name == "Scraping"; needsMonitoring && !i.hasMonitoring() {
			continue
		}
		made, isUnread := unread(c.needs...)
		if !isUnread {
			made = c.make()
		}
		made.Name = c.name
		r.Checks = append(r.Checks, made)
	}
	return r
}

// hasMonitoring is false in a cluster without prometheus-operator.
func (i *snapshot) hasMonitoring() bool { return !kubeclient.IsNotServed(i.rules.err) }

// someNames lists the first names, and counts the others.
func someNames(names []string) string { return text.List(names, maxListedNames) }

func ageText(age time.Duration) string { return text.Distance(time.Time{}, time.Time{}.Add(age)) }

func (i *snapshot) checkKubernetes() check {
	server, err := version.ParseGeneric(i.server.value)
	switch {
	case err != nil:
		return warn("Check that it is at least Kubernetes 1.30.", "the API server reports an unknown version, %q",
			i.server.value)
	case server.LessThan(minKubernetes):
		return fail("Upgrade to Kubernetes 1.30 or later. Earlier releases do not reject changes in restricted tiers.",
			"%s does not have ValidatingAdmissionPolicies", i.server.value)
	default:
		return pass("%s", i.server.value)
	}
}

func (i *snapshot) checkVersions() check {
	if len(i.pods.value) == 0 {
		return skip("", "this plugin is %s; there are no pods of the operator in namespace %s to compare it with",
			i.plugin, i.namespace)
	}
	versions := i.operatorVersions()
	switch {
	case len(versions) > 1:
		return warn("Wait until the rollout is complete, or see what delays it: kubectl get pods -n "+
			text.ShellQuote(i.namespace), "pods of the operator have different versions: %s", someNames(versions))
	case sameVersion(i.plugin, versions[0]):
		return pass("plugin and operator are %s", versions[0])
	case isVersion(i.plugin) && isVersion(versions[0]):
		return warn(samePlugin, "the plugin is %s, and the operator %s", i.plugin, versions[0])
	default:
		return pass("the plugin is %s, and the operator %s: that cannot be compared", i.plugin, versions[0])
	}
}

// operatorVersions are the versions of the operator's pods: one, except during a rollout.
func (i *snapshot) operatorVersions() []string {
	var versions []string
	for n := range i.pods.value {
		versions = append(versions, versionOf(&i.pods.value[n]))
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}

// versionOf is the version label of a pod, else the tag of its image, else the image.
func versionOf(pod *corev1.Pod) string {
	if label := pod.Labels["app.kubernetes.io/version"]; label != "" {
		return label
	}
	container := managerOf(pod)
	image, _, _ := strings.Cut(container.Image, "@")
	if _, tag, tagged := strings.Cut(path.Base(image), ":"); tagged {
		return tag
	}
	return cmp.Or(container.Image, "unknown")
}

// managerOf is the container that the operator runs in: the one with the name that config/ gives it, or else the first.
func managerOf(pod *corev1.Pod) *corev1.Container {
	isManager := func(c corev1.Container) bool { return c.Name == "manager" }
	return &pod.Spec.Containers[max(slices.IndexFunc(pod.Spec.Containers, isManager), 0)]
}

func isVersion(text string) bool {
	_, err := version.ParseSemantic(text)
	return err == nil
}

func sameVersion(a, b string) bool { return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v") }

func (i *snapshot) checkPods() check {
	all, waiting := len(i.pods.value), []string{}
	for n := range i.pods.value {
		if why := operator.WhyNotReady(&i.pods.value[n]); why != "" {
			waiting = append(waiting, i.pods.value[n].Name+" "+why)
		}
	}
	seeWhy := "See why: kubectl describe pods -n " + text.ShellQuote(i.namespace) + ", and their logs."
	elsewhere := i.podsElsewhere()
	switch {
	case all == 0 && len(elsewhere) > 0:
		return fail("Check that one: kubectl license doctor -n "+text.ShellQuote(elsewhere[0]),
			"the operator has pods in namespace %s, but not in %s", someNames(elsewhere), i.namespace)
	case all == 0:
		return fail("Give its namespace with -n, or see why there are no pods: kubectl get deployments,events -n "+
			text.ShellQuote(i.namespace),
			"no pods of the operator in namespace %s: licenses are not tracked, and restrictions stay in force",
			i.namespace)
	case len(waiting) == all:
		return fail(seeWhy, "no pod is ready: %s", someNames(waiting))
	case len(waiting) > 0:
		return warn(seeWhy, "%d of %d are not ready: %s", len(waiting), all, someNames(waiting))
	default:
		return pass("%s ready in namespace %s", text.Count(all, "pod is", "pods are"), i.namespace)
	}
}

// podsElsewhere are the other namespaces that have pods of the operator.
func (i *snapshot) podsElsewhere() []string {
	var namespaces []string
	for n := range i.podsEverywhere.value {
		if namespace := i.podsEverywhere.value[n].Namespace; namespace != i.namespace {
			namespaces = append(namespaces, namespace)
		}
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}

func (i *snapshot) checkClock() check {
	if i.clocks.server.IsZero() {
		return skip("", "the API server does not report its time")
	}
	difference := i.clocks.here.Sub(i.clocks.server)
	direction := "ahead of"
	if difference < 0 {
		direction = "behind"
	}
	difference = difference.Abs()
	if difference <= clockWarning {
		return pass("this machine's clock and the API server's agree to within a minute")
	}
	c := warn("Correct the clock that is wrong. For example, the plugin sets pauses by this machine's clock.",
		"this machine's clock is %s %s the API server's", ageText(difference), direction)
	if difference > license.ClockTolerance {
		c.Result = checkProblem
	}
	return c
}
