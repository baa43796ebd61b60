#!/bin/sh
# Copyright The license-operator Authors.
# SPDX-License-Identifier: Apache-2.0

# Usage: flow-logs.sh PRODUCT
#
# Has Calico write flow logs while the LicensedProduct is licensed: it stops them after the grace period, and starts them again on renewal. It looks every INTERVAL
# seconds (30), and writes when there is a change. What cannot be read changes nothing.
set -u
trap 'exit 0' INT TERM

product=$1
fields='{.status.conditions[?(@.type=="Licensed")].status} {.status.coverageEndTime}'
written=

while :; do
  # A product that is not there is no failure: it is not licensed.
  if answer=$(kubectl --request-timeout=20s get licensedproducts.license-operator.io "$product" --ignore-not-found --output="jsonpath=$fields"); then
    licensed=${answer%% *} end=${answer#* }
    # Instants in one notation sort as texts do. What the operator wrote holds up to then, should it be down.
    if [ "$licensed" = True ] && expr "$(date -u +%Y-%m-%dT%H:%M:%SZ)" '<' "$end" >/dev/null; then
      wanted=true
      verdict="on (licensed until $end)"
    else
      wanted=false
      verdict=off
    fi
    if [ "$wanted" != "$written" ] &&
      kubectl --request-timeout=20s patch felixconfigurations.projectcalico.org default --type=merge --patch="{\"spec\":{\"flowLogsFileEnabled\":$wanted}}" >/dev/null; then
      written=$wanted
      echo "flow logs: $verdict"
    fi
  fi
  sleep "${INTERVAL:-30}" &
  wait $! # A signal ends this at once.
done
