# `make` alone lists the targets; each says in one line what it does.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
CONFIG  ?= configs/development.yaml
FUZZTIME ?= 10s
BENCHTIME ?= 1s
# BENCH and PKG narrow `make gobench`: make gobench PKG=./message BENCH=Decode
BENCH ?= .
PKG   ?= ./...
ROUNDS ?= 1
# SEED and CHAOSTIME are the faults of `make chaos`, for each topology
SEED ?= 1
CHAOSTIME ?= 5m

export FUZZTIME

.PHONY: help build run setup test test-web race lint fmt bench benchfull million chaos chaos-short gobench fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile bin/gateway (and every other command) into bin/
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/...

run: build ## build and start the gateway with configs/development.yaml (CONFIG=FILE for another)
	@exec bin/gateway serve --config $(CONFIG)

setup: ## install what the tests need: redis-server, the linter (quick when all is there)
	@bash scripts/setup.sh

test: ## everything CI runs: setup, vet, lint, all tests with -race, chaos-short, web/, short fuzzing
	@bash scripts/setup.sh
	@bash scripts/test.sh

test-web: ## the browser side in web/: lint, types, unit tests, size, browser tests
	@bash scripts/setup.sh packages
	@bash scripts/web.sh

race: ## all tests with the race detector, nothing else
	go test -race ./...

lint: ## run go vet and golangci-lint as .golangci.yml says
	@bash scripts/setup.sh linter
	go vet ./...
	bin/tools/golangci-lint run --allow-parallel-runners ./...

fmt: ## format all Go files with gofumpt
	@bash scripts/setup.sh linter
	bin/tools/golangci-lint fmt ./...

bench: build ## measure the gateway and some peers for five minutes, into bench/results
	$(MAKE) -C bench/peers go floor
	bin/wsbench suite short --results bench/results

benchfull: build ## measure everything against every peer (about 25 minutes a round), into bench/results
	$(MAKE) -C bench/peers
	bin/wsbench suite full --rounds $(ROUNDS) --limit 8h --results bench/results

million: build ## open 1,000,000 connections over 53 nodes on this machine and reach all (24 GB)
	bin/wsbench million --results bench/results

chaos: build ## kill, stop and cut nodes, Redis and connections, and account for every message (SEED=1 CHAOSTIME=5m)
	bin/wsbench chaos --redis standalone,sentinel,cluster --seed $(SEED) --duration $(CHAOSTIME) --results bench/results

chaos-short: ## the same, small and in under two minutes, as `make test` runs it
	@mkdir -p bin
	go build -trimpath -o bin/ ./cmd/gateway ./cmd/wsbench
	bin/wsbench chaos --clients 300 --rate 40 --gap 3s --duration 60s --seed $(SEED)

gobench: ## run the Go benchmarks with allocation counts (BENCH=REGEXP PKG=./message to narrow)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) $(PKG)

fuzz: ## fuzz every Fuzz target for FUZZTIME (10s) each
	@bash scripts/fuzz.sh

clean: ## remove bin/, the linter included
	rm -rf bin
