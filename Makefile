# Copyright The license-operator Authors.
# SPDX-License-Identifier: Apache-2.0

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

MODULE := github.com/license-operator/license-operator
# The release that this tree is, where its tag is checked out, or is going to be. docs/releasing.md tells how it gets there.
RELEASE := $(shell cat VERSION)
# What binaries and images say they are.
VERSION ?= $(shell [[ $$(git describe --tags --exact-match --dirty 2>/dev/null) == $(RELEASE) ]] && echo $(RELEASE) || echo $(RELEASE)-dev)
KUBECTL ?= kubectl
export KUBECTL
# The operator's image, where it is deployed to, and what builds images.
IMG ?= license-operator:$(VERSION)
NAMESPACE ?= license-operator-system
CONTAINER_TOOL ?= docker
# A Secret in that namespace with the password of the image's registry; none by default, since the kubelet warns for ever of one that is not there.
PULL_SECRET ?=
PLATFORMS ?= linux/amd64,linux/arm64
# The OLM bundle: its folder and image, the channels it belongs to, and which versions it takes the place of (REPLACES=v1.2.2 SKIPS=v1.2.1,v1.2.0 SKIP_RANGE='>=1.0.0 <1.2.2'). What is committed is the one of RELEASE, with
# an image of that name; CREATED_AT is for who offers it in a catalog, since nothing in it may depend on when it is made.
BUNDLE_DIR ?= bundle
BUNDLE_VERSION = $(if $(filter file,$(origin VERSION)),$(RELEASE),$(VERSION))
BUNDLE_OPERATOR_IMG = $(if $(filter file,$(origin IMG)),license-operator:$(BUNDLE_VERSION),$(IMG))
BUNDLE_IMG ?= license-operator-bundle:$(BUNDLE_VERSION)
CHANNELS ?= stable
DEFAULT_CHANNEL ?=
REPLACES ?=
SKIPS ?=
SKIP_RANGE ?=
CREATED_AT ?=
# Further arguments for run, demo and bench, and for go test.
ARGS ?=
TESTFLAGS ?=
PACKAGES ?= ./...
FUZZTIME ?= 30s

##@ General

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN { FS = ":.*##"; tty = system("test -t 1") == 0; h = tty ? "\033[1m" : ""; c = tty ? "\033[36m" : ""; e = tty ? "\033[0m" : ""; \
		printf "%slicense-operator%s manages the life of software licenses on Kubernetes.\n\nUsage: make %sTARGET%s [ARGS=…]\n", h, e, c, e } \
		/^##@/ { printf "\n%s%s%s\n", h, substr($$0, 5), e } \
		/^[a-z0-9-]+:.*## / { printf "  %s%-16s%s %s\n", c, $$1, e, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: bin/manager bin/kubectl-license bin/demo ## Watch a license key live on a real API server: valid, grace, expired, renewed (ARGS=--once: then exit).
	@assets=$$(hack/envtest-assets); export KUBEBUILDER_ASSETS=$$assets; exec bin/demo $(ARGS)

.PHONY: clean
clean: ## Remove bin/ and dist/. The API server stays in the user's cache (hack/envtest-assets says where).
	@rm -rf bin dist

##@ Development

.PHONY: generate
generate: bin/tools/controller-gen ## Generate the deep copies of api/.
	@bin/tools/controller-gen object:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: manifests
manifests: bin/tools/controller-gen ## Generate the CRDs and the operator's role from markers.
	@bin/tools/controller-gen rbac:roleName=manager-role crd paths=./api/... paths=./cmd/... paths=./controllers/... paths=./internal/report/... \
		output:crd:artifacts:config=config/crd/bases

.PHONY: docs
docs: bin/tools/crd-ref-docs ## Generate docs/api-reference.md from api/.
	@bin/tools/crd-ref-docs --source-path=api/v1alpha1 --config=hack/api-reference/config.yaml --templates-dir=hack/api-reference/templates \
		--renderer=markdown --output-path=docs/api-reference.md --log-level=ERROR

.PHONY: fmt
fmt: bin/tools/golangci-lint ## Format the code.
	@bin/tools/golangci-lint fmt

.PHONY: vet
vet: ## Run go vet.
	@go vet ./...

.PHONY: lint
lint: bin/tools/golangci-lint ## Lint the code, and the API against the Kubernetes API conventions.
	@hack/lint

.PHONY: lint-fix
lint-fix: bin/tools/golangci-lint ## Lint, and mend what the linters can mend.
	@hack/lint --fix

.PHONY: verify
verify: $(addprefix bin/tools/,controller-gen crd-ref-docs golangci-lint kubebuilder kustomize) ## Regenerate, format, tidy and lint; fail if that changed anything.
	@hack/verify

##@ Tests

.PHONY: test
test: bin/manager bin/kubectl-license bin/tools/helm bin/tools/kustomize ## Run every test with the race detector: units, properties, fuzz seeds, and suites on a real API server.
	@hack/test '$(PACKAGES)' $(TESTFLAGS)

.PHONY: test-integration
test-integration: bin/manager ## Run the operator with a real Prometheus and Alertmanager (those on the PATH, or built once from their modules).
	@hack/test-integration $(TESTFLAGS)

.PHONY: test-e2e
test-e2e: bin/manager bin/kubectl-license $(addprefix bin/tools/,crane helm kustomize) ## Install, try and remove the operator on a real cluster: the current kubeconfig's (hack/test-e2e tells more).
	@hack/test-e2e $(TESTFLAGS)

.PHONY: fuzz
fuzz: ## Fuzz the parsers, each for FUZZTIME (30s).
	@hack/fuzz $(FUZZTIME)

.PHONY: bench
bench: bin/manager bin/bench ## Measure and print tables: verification, lateness, writes, idleness, memory, nodes, scrapes, restrictions.
	@assets=$$(hack/envtest-assets); export KUBEBUILDER_ASSETS=$$assets; exec bin/bench $(ARGS)

##@ Build and run

.PHONY: build
build: bin/manager bin/kubectl-license ## Build bin/manager and bin/kubectl-license.
	@echo "built bin/manager and bin/kubectl-license, version $(VERSION)"

# Go knows best what is up to date; it is quick when everything is.
.PHONY: bin/manager bin/kubectl-license bin/demo bin/bench
bin/manager: PACKAGE = ./cmd
bin/kubectl-license: PACKAGE = ./cmd/kubectl-license
bin/demo: PACKAGE = ./test/demo
bin/bench: PACKAGE = ./test/bench
bin/manager bin/kubectl-license bin/demo bin/bench:
	@CGO_ENABLED=0 hack/with-progress 'building $@' go build -v -trimpath -ldflags '-s -w -X $(MODULE)/internal/version.version=$(VERSION)' -o $@ $(PACKAGE)

# A module of its own, since the operator-framework's types and validators are what it is made of.
.PHONY: bin/bundle
bin/bundle:
	@CGO_ENABLED=0 GOOS= GOARCH= GOFLAGS= GOWORK=off hack/with-progress 'building $@' go build -C hack/bundle -v -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' -o '$(CURDIR)/$@' .

.PHONY: krew
krew: ## Archive the plugin for every platform, with the manifest for krew, in dist/ (VERSION=v1.2.3).
	@hack/krew '$(VERSION)' dist

.PHONY: run
run: bin/manager ## Run the operator here, against the cluster of the current kubeconfig.
	@exec bin/manager --leader-elect=false $(ARGS)

##@ Image

.PHONY: docker-build
docker-build: ## Build the operator's image, IMG (CONTAINER_TOOL=docker).
	@$(CONTAINER_TOOL) build --build-arg VERSION='$(VERSION)' --tag '$(IMG)' .

.PHONY: docker-push
docker-push: ## Push IMG.
	@$(CONTAINER_TOOL) push '$(IMG)'

.PHONY: docker-buildx
docker-buildx: ## Build IMG for all PLATFORMS (linux/amd64,linux/arm64) and push it.
	@$(CONTAINER_TOOL) buildx build --platform '$(PLATFORMS)' --build-arg VERSION='$(VERSION)' --tag '$(IMG)' --push .

##@ Install

.PHONY: deploy
deploy: bin/tools/kustomize ## Install the operator (IMG=…, NAMESPACE=…, PULL_SECRET=…) into the cluster of the current kubeconfig, or bring it up to date.
	@hack/deploy '$(IMG)' '$(NAMESPACE)' '$(PULL_SECRET)'

.PHONY: undeploy
undeploy: bin/tools/kustomize ## Remove the operator, its definitions and every product and key; says first what that is (DRY_RUN=true: says only).
	@hack/undeploy '$(NAMESPACE)'

.PHONY: build-installer
build-installer: bin/tools/kustomize ## Write all that deploy would apply into dist/install.yaml (IMG=…, NAMESPACE=…, PULL_SECRET=…).
	@manifests=$$(hack/manifests '$(IMG)' '$(NAMESPACE)' '$(PULL_SECRET)'); mkdir -p dist; printf '%s\n' "$$manifests" > dist/install.yaml
	@echo "dist/install.yaml installs $(IMG): kubectl apply --server-side -f dist/install.yaml"

.PHONY: chart
chart: bin/tools/helm bin/tools/kustomize ## Write a Helm chart of what deploy would apply into dist/chart, and archive that in dist/ (VERSION=v1.2.3, IMG=…).
	@hack/chart/build '$(VERSION)' '$(IMG)' dist
	@echo "dist/chart installs $(IMG): helm install license-operator dist/chart --namespace license-operator-system --create-namespace"

.PHONY: install
install: bin/tools/kustomize ## Install the CRDs alone, for make run.
	@bin/tools/kustomize build config/crd | $(KUBECTL) apply --server-side -f -

.PHONY: uninstall
uninstall: bin/tools/kustomize ## Remove the CRDs, and with them every product and key.
	@bin/tools/kustomize build config/crd | $(KUBECTL) delete --ignore-not-found -f -

##@ Operator Lifecycle Manager

.PHONY: bundle
bundle: bin/tools/kustomize bin/bundle ## Make the OLM bundle in bundle/ from config/ (IMG=…, VERSION=…, CHANNELS=stable, REPLACES=…, BUNDLE_DIR=…), and validate it.
	@manifests=$$(hack/manifests '$(BUNDLE_OPERATOR_IMG)' license-operator-system '$(PULL_SECRET)' manifests); \
		bin/bundle generate --version '$(BUNDLE_VERSION)' --channels '$(CHANNELS)' --default-channel '$(DEFAULT_CHANNEL)' --replaces '$(REPLACES)' --skips '$(SKIPS)' \
			--skip-range '$(SKIP_RANGE)' --created-at '$(CREATED_AT)' --icon config/manifests/icon.svg '$(BUNDLE_DIR)' <<<"$$manifests"
	@bin/bundle validate '$(BUNDLE_DIR)'
	@echo "$(BUNDLE_DIR) is the bundle of version $(BUNDLE_VERSION), with the image $(BUNDLE_OPERATOR_IMG)"

.PHONY: bundle-build
bundle-build: ## Build the image of the bundle, BUNDLE_IMG (CONTAINER_TOOL=docker, BUNDLE_DIR=…).
	@$(CONTAINER_TOOL) build --file '$(patsubst %/,%,$(BUNDLE_DIR)).Dockerfile' --tag '$(BUNDLE_IMG)' '$(BUNDLE_DIR)'

.PHONY: bundle-push
bundle-push: ## Push BUNDLE_IMG.
	@$(CONTAINER_TOOL) push '$(BUNDLE_IMG)'

##@ Tools

.PHONY: tools
tools: $(patsubst hack/tools/%/go.mod,bin/tools/%,$(wildcard hack/tools/*/go.mod)) ## Build the tools into bin/tools (the other targets build what they need).

# Each tool is a module of its own: none decides another's versions, or the product's.
bin/tools/%: hack/tools/%/go.mod hack/tools/%/go.sum
	@CGO_ENABLED=0 GOOS= GOARCH= GOFLAGS= GOWORK=off hack/with-progress 'building $* (once)' \
		go build -C hack/tools/$* -v -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' -o '$(CURDIR)/$@' tool
	@touch $@
