#!/usr/bin/env bash
# The checks of web/, in the order in which they fail fastest: lint and format,
# types, unit tests, build, size, and the browser tests against real gateways.
# node_modules is installed again when the lock file or Node changes.
#
#   scripts/web.sh            all of it
#   scripts/web.sh install    only node_modules
set -euo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.."

# playwright-core drives Debian's chromium; nothing may fetch another.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1

step() {
	echo
	echo "-- web: $* (${SECONDS}s)"
}

install() {
	local stamp=node_modules/.installed want
	want="$(node --version) $(cat package-lock.json package.json {packages,apps}/*/package.json | sha256sum)"
	if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then
		return 0
	fi
	step "npm ci"
	npm ci --no-fund --no-audit --loglevel error
	echo "$want" >"$stamp"
}

cd web
install
[[ ${1:-all} == all ]] || exit 0

step "lint"
npm run -s lint

step "types"
npm run -s types

step "unit tests"
npm test

# What the gateway embeds is committed, so it must be what the sources make.
pages() { find dist -type f -print0 | sort -z | xargs -0r sha256sum; }

step "build"
committed=$(pages)
npm run -s build
if [[ $(pages) != "$committed" ]]; then
	echo "web/dist was not what its sources make. It is now: commit it." >&2
	exit 1
fi

step "size"
npm run -s size

step "browser tests"
go build -C .. -trimpath -o bin/ ./cmd/gateway
npm run -s e2e

step "passed"
