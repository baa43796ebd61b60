// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/license-operator/license-operator/internal/cli/operator"
	"github.com/license-operator/license-operator/internal/text"
)

// freshRenewal is the age up to which a renewal can be from a leader that runs: it renews every 2 seconds, and the time
// is recorded in whole seconds.
const freshRenewal = 5 * time.Second

// maxHostname is how much of a pod's name is its hostname, which is the holder's name in a lease.
const maxHostname = 63

func (i *snapshot) checkLeader() check {
	if acting := unelected(i.pods.value, i.namespace); len(acting) > 0 && len(i.pods.value) == 1 {
		return pass("%s is the only pod, and acts without leader election (--leader-elect=false)", acting[0])
	} else if len(acting) > 0 {
		return fail("Run a single pod, or remove --leader-elect=false.", "%d pods run, and %s without leader election "+
			"(--leader-elect=false): they undo each other's work", len(i.pods.value), someNames(acting))
	}
	if c, is := unread(&i.lease); is {
		return c
	}
	seeLogs := "See the logs of the pods: kubectl logs -n " + text.ShellQuote(i.namespace) + podSelector
	lease := i.lease.value
	switch {
	case lease == nil:
		return fail(seeLogs, "no leader in namespace %s: lease %s not found", i.namespace, operator.LeaseName)
	case lease.holder == "":
		return fail(seeLogs, "no leader: the lease was released")
	case i.clocks.server.IsZero():
		return skip("", "%s holds the lease, but its age is unknown: the API server does not report its time",
			lease.holder)
	case lease.isStale():
		return fail(seeLogs, "no leader: %s has not renewed the lease for %s", lease.holder, ageText(lease.age))
	case i.pods.err != nil || slices.ContainsFunc(i.pods.value, lease.isHeldBy):
		return pass("%s leads", lease.holder)
	case lease.age > freshRenewal:
		return warn("Run this check again after that. If there is still no leader: "+seeLogs,
			"the pod of leader %s is gone; another pod takes over within %s", lease.holder, ageText(lease.valid))
	default:
		return warn("Find out where it runs. If its pods do not have the labels from config/, other checks do not "+
			"find them either.",
			"leader %s is not one of the operator's pods in namespace %s", lease.holder, i.namespace)
	}
}

// unelected are the names of the pods in a namespace that act without leader election.
func unelected(pods []corev1.Pod, namespace string) []string {
	var names []string
	for n := range pods {
		if pods[n].Namespace == namespace && !electsLeader(&pods[n]) {
			names = append(names, pods[n].Name)
		}
	}
	return names
}

// electsLeader reads the flag of a pod or, without a flag, the environment variable for it. Values from elsewhere, such
// as a ConfigMap, are not read.
func electsLeader(pod *corev1.Pod) bool {
	container, elect := managerOf(pod), "true"
	for _, variable := range container.Env {
		if variable.Name == "LICENSE_OPERATOR_LEADER_ELECT" {
			elect = variable.Value
		}
	}
	for _, argument := range slices.Concat(container.Command, container.Args) {
		if flag, value, hasValue := strings.Cut(argument, "="); flag == "--leader-elect" || flag == "-leader-elect" {
			if elect = value; !hasValue {
				elect = "true"
			}
		}
	}
	elects, err := strconv.ParseBool(elect)
	return elects || err != nil
}

// isStale is true for a lease that another pod can take.
func (l *leaseFacts) isStale() bool { return l.holder == "" || l.age > l.valid }

// isHeldBy compares the holder with a pod: its name is the pod's hostname, an underscore and something random.
func (l *leaseFacts) isHeldBy(pod corev1.Pod) bool {
	hostname := cmp.Or(pod.Spec.Hostname, pod.Name)
	if len(hostname) > maxHostname {
		hostname = strings.TrimRight(hostname[:maxHostname], "-.")
	}
	return strings.HasPrefix(l.holder, hostname+"_")
}

func (i *snapshot) checkInstallations() check {
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
	const removeOthers = "Remove all but one: LicensedProducts belong to the whole cluster, and two operators undo " +
		"each other's work."
	switch {
	case len(leading) > 0 && !leadsHere:
		return fail("Check that one: kubectl license doctor -n "+text.ShellQuote(leading[0]),
			"the operator leads in namespace %s, and not in %s", someNames(leading), i.namespace)
	case len(leading) > 0:
		return fail(removeOthers, "the operator leads in namespace %s as well", someNames(leading))
	case len(elsewhere) > 0 && len(i.pods.value) > 0:
		return warn(removeOthers, "there are pods of the operator in namespace %s as well", someNames(elsewhere))
	case i.podsEverywhere.err != nil:
		return pass("no other installation found (incomplete: missing permission to %s)", i.podsEverywhere.permission)
	default:
		return pass("there is no other")
	}
}
