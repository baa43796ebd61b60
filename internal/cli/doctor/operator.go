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

	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/license"
	"github.com/license-operator/license-operator/internal/text"
)

// minKubernetes is the first release that has what refuses changes in restricted tiers.
var minKubernetes = version.MajorMinor(1, 30)

// clockWarning is how far this machine's clock may be from the API server's before it is told of.
const clockWarning = time.Minute

// maxListedNames is how many objects a check names.
const maxListedNames = 3

// samePlugin is what to do about releases that differ.
const samePlugin = "Use the plugin of the operator's release, or bring the operator and its CRDs to the plugin's."

// check makes all checks.
func (i *snapshot) check() *report {
	checks := []check{
		i.checkDefinitions(), i.checkKubernetes(), i.checkVersions(), i.checkPods(), i.checkLeader(),
		i.checkInstallations(),
		i.checkAdmission(), i.checkRestrictions(), i.checkTierRights(), i.checkCalicoAPI(),
	}
	checks = append(checks, i.checkMonitoring()...)
	checks = append(checks, i.checkClock(), i.checkOperatorClock(), i.checkProducts(), i.checkKeys())
	return &report{Checks: checks}
}

// someNames lists as many names as a check does, and counts the others.
func someNames(names []string) string { return text.List(names, maxListedNames) }

func ageText(age time.Duration) string { return text.Distance(time.Time{}, time.Time{}.Add(age)) }

func (i *snapshot) checkKubernetes() check {
	const name = "Kubernetes"
	if c, is := unread(name, &i.server); is {
		return c
	}
	server, err := version.ParseGeneric(i.server.value)
	switch {
	case err != nil:
		return warning(name, "Compare it with what the operator needs, Kubernetes 1.30.",
			"the API server reports an unknown version, %q", i.server.value)
	case server.LessThan(minKubernetes):
		return problem(name, "Upgrade to Kubernetes 1.30 or later. Before, licenses are followed, and changes in "+
			"restricted tiers are not refused.",
			"%s has no ValidatingAdmissionPolicies", i.server.value)
	default:
		return good(name, "%s", i.server.value)
	}
}

func (i *snapshot) checkVersions() check {
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
		return warning(name, "Wait until the rollout is over, or see what holds it up: kubectl get pods -n "+
			text.ShellQuote(i.namespace), "pods of the operator have different versions: %s", someNames(versions))
	case sameVersion(i.plugin, versions[0]):
		return good(name, "plugin and operator are %s", versions[0])
	case isVersion(i.plugin) && isVersion(versions[0]):
		return warning(name, samePlugin, "the plugin is %s, and the operator %s", i.plugin, versions[0])
	default:
		return good(name, "the plugin is %s, and the operator %s: that cannot be compared", i.plugin, versions[0])
	}
}

// operatorVersions are those of the operator's pods; there is one where none is being rolled out.
func (i *snapshot) operatorVersions() []string {
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

func (i *snapshot) checkPods() check {
	const name = "Pods"
	if c, is := unread(name, &i.pods); is {
		return c
	}
	all, waiting := len(i.pods.value), []string{}
	for n := range i.pods.value {
		if why := operator.WhyNotReady(&i.pods.value[n]); why != "" {
			waiting = append(waiting, i.pods.value[n].Name+" "+why)
		}
	}
	switch {
	case all == 0:
		if elsewhere := i.podsElsewhere(); len(elsewhere) > 0 {
			return problem(name, "Look there: kubectl license doctor -n "+text.ShellQuote(elsewhere[0]),
				"the operator has no pods in namespace %s, and has some in %s", i.namespace, someNames(elsewhere))
		}
		return problem(name,
			"Name its namespace with -n, or see why there are none: kubectl get deployments,events -n "+
				text.ShellQuote(i.namespace),
			"no pods of the operator in namespace %s: licenses are not tracked, and restrictions stay in force",
			i.namespace)
	case len(waiting) == all:
		return problem(name, "See why: kubectl describe pods -n "+text.ShellQuote(i.namespace)+", and their logs.",
			"none is ready: %s", someNames(waiting))
	case len(waiting) > 0:
		return warning(name, "See why: kubectl describe pods -n "+text.ShellQuote(i.namespace)+", and their logs.",
			"%d of %d are not ready: %s", len(waiting), all, someNames(waiting))
	default:
		return good(name, "%s ready in namespace %s", text.Count(int64(all), "pod is", "pods are"), i.namespace)
	}
}

// podsElsewhere are the other namespaces that have pods of the operator.
func (i *snapshot) podsElsewhere() []string {
	var namespaces []string
	for n := range i.podsEverywhere.value {
		if namespace := i.podsEverywhere.value[n].Namespace; namespace != i.namespace &&
			!slices.Contains(namespaces, namespace) {
			namespaces = append(namespaces, namespace)
		}
	}
	return namespaces
}

func (i *snapshot) checkClock() check {
	const name = "Clock"
	if i.clocks.server.IsZero() {
		return notChecked(name, "", "the API server does not report its time")
	}
	apart := i.clocks.here.Sub(i.clocks.server)
	way := "ahead of"
	if apart < 0 {
		way = "behind"
	}
	const fix = "Correct the wrong clock. For example, the plugin sets pauses by this machine's clock."
	switch {
	case apart.Abs() > license.ClockTolerance:
		return problem(name, fix, "this machine's clock is %s %s the API server's", ageText(apart.Abs()), way)
	case apart.Abs() > clockWarning:
		return warning(name, fix, "this machine's clock is %s %s the API server's", ageText(apart.Abs()), way)
	default:
		return good(name, "this machine's clock and the API server's agree to within a minute")
	}
}
