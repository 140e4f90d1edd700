#!/usr/bin/env bash
# The checks behind `make test`, in the order in which they fail fastest:
# vet, linters, all tests with the race detector, the tests that the race
# detector would falsify (build tag !race: allocation counts), a minute of faults
# in which no message may be lost, the browser side, short fuzzing.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
	echo
	echo "== $* (${SECONDS}s)"
}

step "go vet"
go vet ./...

step "golangci-lint"
bin/tools/golangci-lint run --allow-parallel-runners ./...

# By itself, and no test with it: beside the compiler, which takes all processors,
# the tests whose servers and clients keep to real time would starve. What it has
# compiled is in the build cache for the tests below; only linking comes again.
# -exec true, since each binary would wait for a second at its end for races.
step "compile the tests"
go test -race -exec true ./... >/dev/null

step "go test -race"
go test -race -timeout 12m ./...

mapfile -t no_race < <(
	grep -rlE --exclude-dir=node_modules --include='*_test.go' '^//go:build .*!race' . | xargs -r dirname | sort -u
)
if [[ ${#no_race[@]} -gt 0 ]]; then
	step "go test without -race: ${no_race[*]}"
	go test -timeout 10m "${no_race[@]}"
fi

step "chaos, a minute of faults"
make -s chaos-short

step "web"
bash scripts/web.sh

step "fuzz, ${FUZZTIME:=10s} each"
bash scripts/fuzz.sh

step "all passed"
