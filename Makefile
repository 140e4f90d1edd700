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

export FUZZTIME

.PHONY: help build run setup test test-web race lint fmt bench benchfull million gobench fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile bin/gateway (and every other command) into bin/
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/...

run: build ## build and start the gateway with configs/development.yaml (CONFIG=FILE for another)
	@exec bin/gateway serve --config $(CONFIG)

setup: ## install what the tests need: redis-server, the linter (quick when all is there)
	@bash scripts/setup.sh

test: ## everything CI runs: setup, vet, lint, all tests with -race, web/, short fuzzing
	@bash scripts/setup.sh
	@bash scripts/test.sh

test-web: ## the browser side in web/: lint, types, unit tests, build, size
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

benchfull: build ## measure everything against every peer (about an hour a round), into bench/results
	$(MAKE) -C bench/peers
	bin/wsbench suite full --rounds $(ROUNDS) --limit 8h --results bench/results

million: build ## open 1,000,000 connections over 53 nodes on this machine and reach all (24 GB)
	bin/wsbench million --results bench/results

gobench: ## run the Go benchmarks with allocation counts (BENCH=REGEXP PKG=./message to narrow)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) $(PKG)

fuzz: ## fuzz every Fuzz target for FUZZTIME (10s) each
	@bash scripts/fuzz.sh

clean: ## remove bin/, the linter included
	rm -rf bin
