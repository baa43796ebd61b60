// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package doctor

const long = `Check an installation of the operator, each line with its fix below. Talks to the cluster, and changes
nothing.

A line is ok, a warning (it works, but not as well as it could), a problem, or not checked. What you
are not allowed to read is not checked, and its line says which permission is missing; the other checks
continue.

  CRDs           both kinds are there, served and stored as the plugin knows them
  Kubernetes     has ValidatingAdmissionPolicies (1.30)
  Versions       of the plugin and of the operator's image agree
  Pods           of the operator run, and are ready
  Leader         one of them leads: the lease license-operator.io is held and renewed; with
                 --leader-elect=false there is a single one
  Installations  there is no second one
  Admission      the policies that lock, warn and guard are those of the plugin's release
  Restrictions   are in force, or lifted, completely, and changes in restricted tiers rejected
  TierRights     the operator has the permissions for restrictions
  CalicoAPI      Calico's own API server, if there is one, can read LicensedProducts
  Alerts         each product has its PrometheusRule, if there is prometheus-operator
  Rules          some Prometheus or ThanosRuler selects these
  Scraping       some Prometheus or PrometheusAgent selects the operator's ServiceMonitor
  Clock          this machine's clock agrees with the API server's
  OperatorClock  the operator's own can be trusted
  Products       the terms of each are accepted
  Keys           each verifies

You need no permissions to run it. To check everything takes: list on licensedproducts and
licensekeys; get on customresourcedefinitions and apiservices; list on pods and leases in all
namespaces; list on validatingadmissionpolicies and validatingadmissionpolicybindings; create on
subjectaccessreviews; get on namespaces; and in monitoring.coreos.com list on prometheuses,
prometheusagents, thanosrulers, prometheusrules and servicemonitors in all namespaces. With list on
deployments in the operator's namespace the fixes are for what installed it: make deploy, Helm or OLM.

Exit codes:
  0  no problem was found among what could be checked; warnings are not problems
  1  there is a problem, or the cluster cannot be reached

With -o json or yaml there is one field, checks, a list with name (as above), result (OK, Warning,
Problem or NotChecked), message, and fix (absent if there is nothing to fix).`

const example = `  # Check the installation
  kubectl license doctor

  # The operator is in another namespace
  kubectl license doctor -n licensing

  # List the problems, for a program
  kubectl license doctor -o json | jq -r '.checks[] | select(.result == "Problem").message'`
