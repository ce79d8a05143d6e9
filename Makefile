# `make help` says what each target does and about how long it takes on two cores.
SHELL := /bin/bash
.DEFAULT_GOAL := help
SWIFT_BUILD := swift build -c release --explicit-target-dependency-import-check error
VENV := .build/venv
CONFIG ?= .bulkhead/bulkhead.yaml

.PHONY: help setup setup-test build release run test test-unit test-full e2e faults attacks attacks-mutation fuzz accept lint format protos \
	protos-check bench bench-peers clean

help: ## List the targets (at once)
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and running need, fetch the embedding model (1 minute, once)
	@deploy/setup/install.sh build
	@deploy/models/fetch.sh .bulkhead/models

setup-test: setup ## Install what the tests need besides: Python clients in a folder of their own (1 minute, once)
	@deploy/setup/install.sh test
	@deploy/setup/venv.sh $(VENV)

build: setup ## Build everything (first time 8 minutes, then seconds)
	@$(SWIFT_BUILD)

release: build ## The same: there is one build configuration

run: build ## Build, start the six services and the demo provider, print a request to try (8 minutes, then 3 seconds)
	@mkdir -p $(dir $(CONFIG))
	@test -e $(CONFIG) || .build/release/bulkhead init --config $(CONFIG)
	@exec .build/release/bulkhead up --demo --config $(CONFIG)

test: setup-test ## Every test: unit, conformance, end to end, faults, attacks, fuzzing, acceptance (40 minutes, first time)
	@Tests/run all

test-unit: setup-test ## Unit and conformance tests (3 minutes after a build)
	@Tests/run unit

e2e: setup-test ## Six real processes under real clients (7 minutes after a build)
	@Tests/run e2e

faults: setup-test ## Killed, frozen and misled processes (9 minutes after a build)
	@Tests/run faults

attacks: setup-test ## Every attack on credentials, and the search for leaks (3 minutes after a build)
	@Tests/run attacks

attacks-mutation: setup-test ## Take each guard away and see that an attack is noticed (1 minute a guard; GUARDS="name …": these)
	@$(VENV)/bin/python Tests/Attacks/mutations.py $(GUARDS)

fuzz: setup ## Hostile bytes under AddressSanitizer, ten minutes a target (50 minutes on two cores; FUZZ_SECONDS=n: n seconds a target)
	@Tests/Fuzz/run.sh $(or $(FUZZ_SECONDS),600)

accept: setup-test ## The black-box checks of ../shared/accept, where that folder is present (2 minutes after a build)
	@Tests/run accept

test-full: setup-test ## The same, and what stands on the stores on every pair of them (60 minutes, first time)
	@Tests/run full

lint: ## swift-format, tidy rules, fresh generated code (20 seconds)
	@swift format lint --strict --parallel --recursive Package.swift Services Shared Tests --configuration .swift-format
	@$(MAKE) --no-print-directory protos-check

format: ## Format all Swift code in place (10 seconds)
	@swift format --in-place --parallel --recursive Package.swift Services Shared Tests --configuration .swift-format

protos: setup ## Generate all code that follows from Protos/*.proto (2 seconds)
	@/usr/bin/python3 Protos/Tool/generate.py Protos .

protos-check: ## Fail when generated code is not what the .proto files say (2 seconds)
	@Protos/Tool/check.sh

bench: build ## Measure, and write Tests/Bench/results.json and RESULTS.md (10 minutes)
	@deploy/setup/install.sh bench
	@deploy/setup/venv.sh $(VENV)
	@$(VENV)/bin/python Tests/Bench/bench.py

bench-peers: build ## The IPC layer beside a bare socket, gRPC in C++, Python and Swift; writes RESULTS.md (40 minutes, first time)
	@deploy/setup/install.sh bench
	@Tests/Bench/peers.sh

clean: ## Remove build products and the state of `make run`
	@rm -rf .build .bulkhead/run .bulkhead/state
