// Copyright The license-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rules_test evaluates the operator's alerts with Prometheus' own storage and rule engine: product and keys are
// judged by the real state machine, told by the real collector, scraped once a minute of simulated time, and the
// generated rules evaluated right after. It also reads the dashboards and the pages about both.
package rules_test
