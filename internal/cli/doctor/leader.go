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

// freshRenewal is how old the renewal of a leader that lives may look: it renews every 2 seconds, and whole seconds are
// noted of when.
const freshRenewal = 5 * time.Second

// maxHostname is how much of a pod's name is its hostname, by which it holds a lease.
const maxHostname = 63

func (i *snapshot) checkLeader() check {
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
	seeLogs := "See what the pods say: kubectl logs -n " + text.ShellQuote(i.namespace) +
		" -l app.kubernetes.io/name=license-operator,control-plane=controller-manager"
	lease := i.lease.value
	switch {
	case lease == nil:
		return problem(name, seeLogs, "no leader in namespace %s: lease %s not found", i.namespace,
			operator.LeaseName)
	case lease.holder == "":
		return problem(name, seeLogs, "no leader: the lease was released")
	case i.clocks.server.IsZero():
		return notChecked(name, "",
			"%s holds the lease; its age is unknown, since the API server does not report its time", lease.holder)
	case lease.isStale():
		return problem(name, seeLogs, "no leader: %s has not renewed the lease for %s", lease.holder,
			ageText(lease.age))
	case i.pods.err != nil:
		return good(name, "%s leads", lease.holder)
	case slices.ContainsFunc(i.pods.value, func(pod corev1.Pod) bool { return holds(&pod, lease.holder) }):
		return good(name, "%s leads", lease.holder)
	case lease.age > freshRenewal:
		return warning(name, "Check again then. If there is still no leader: "+seeLogs,
			"%s led, and its pod is gone; another takes over within %s", lease.holder, ageText(lease.valid))
	default:
		return warning(name, "See where it runs. If its pods have other labels than config/ gives them, others do "+
			"not find them either.",
			"leader %s is not one of the operator's pods in namespace %s", lease.holder, i.namespace)
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

func (i *snapshot) checkInstallations() check {
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
		return problem(name, "Look there: kubectl license doctor -n "+text.ShellQuote(leading[0]),
			"the operator leads in namespace %s, and not in %s", someNames(leading), i.namespace)
	case len(leading) > 0:
		return problem(name, "Remove all but one: LicensedProducts belong to the whole cluster, and two operators "+
			"undo each other's work.",
			"the operator leads in namespace %s as well", someNames(leading))
	case len(elsewhere) > 0 && len(i.pods.value) > 0:
		return warning(name, "Remove all but one: a second one that leads undoes the first one's work.",
			"there are pods of the operator in namespace %s as well", someNames(elsewhere))
	case i.podsEverywhere.err != nil:
		return good(name, "no other installation found (incomplete: missing permission to %s)", i.podsEverywhere.right)
	default:
		return good(name, "there is no other")
	}
}
