#!/usr/bin/env bash
# Installs what `make test` needs and the machine lacks: Debian packages
# through apt, and the linter, built from scripts/tools/go.mod into bin/tools/.
# With everything in place it takes well under a second.
#
#   scripts/setup.sh            all of it
#   scripts/setup.sh packages   only the Debian packages
#   scripts/setup.sh linter     only the linter
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
	echo "setup: $*" >&2
	exit 1
}

# Each line: the command that must exist, the Debian package that brings it.
needed="
make         make
gcc          gcc
redis-server redis-server
redis-cli    redis-tools
chromium     chromium
node         nodejs
npm          npm
"

install_packages() {
	local command package missing=()
	while read -r command package; do
		if [[ -n $command ]] && ! command -v "$command" >/dev/null; then
			missing+=("$package")
		fi
	done <<<"$needed"
	[[ ${#missing[@]} -gt 0 ]] || return 0

	command -v apt-get >/dev/null ||
		die "missing: ${missing[*]}. This machine has no apt-get: install them by hand and run this again."
	local as_root=()
	if [[ $(id -u) -ne 0 ]]; then
		command -v sudo >/dev/null ||
			die "missing: ${missing[*]}. Run as root: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	echo "setup: installing ${missing[*]}"
	"${as_root[@]}" apt-get update -qq ||
		die "apt-get update failed; ${missing[*]} cannot be installed"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
		die "apt-get install ${missing[*]} failed"
}

# The linter is built again when its module or the Go toolchain changes: one
# built by an older Go refuses to check newer code.
build_linter() {
	local binary=bin/tools/golangci-lint stamp=bin/tools/golangci-lint.built want
	want="$(go version) $(sha256sum <scripts/tools/go.sum)"
	if [[ -x $binary && -f $stamp && $(<"$stamp") == "$want" ]]; then
		return 0
	fi
	echo "setup: building golangci-lint (a minute or two, once)"
	mkdir -p bin/tools
	go -C scripts/tools build -buildvcs=false -trimpath -o "$PWD/bin/tools/" \
		github.com/golangci/golangci-lint/v2/cmd/golangci-lint ||
		die "golangci-lint could not be built"
	echo "$want" >"$stamp"
}

command -v go >/dev/null || die "Go is missing: install the version that go.mod names, or a newer one"
case "${1:-all}" in
all)
	install_packages
	build_linter
	;;
packages) install_packages ;;
linter) build_linter ;;
*) die "unknown part \"$1\": packages or linter, or nothing for both" ;;
esac
