#!/usr/bin/env bash
# Fuzzes every Fuzz target of the module for FUZZTIME (10s) each, one after the
# other. What a run finds is written to testdata/fuzz beside the test by Go: commit
# it together with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-10s}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

fuzz() {
	local dir=$1 target=$2
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$dir" >"$log" 2>&1; then
		echo "ok  $dir $target: $(grep -o 'execs: [0-9]*' "$log" | tail -1 || true)"
		return
	fi
	# Go sometimes reports its own end of the fuzzing time as a failure of the
	# target (golang/go#75804). A real one writes the input that failed.
	if grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic:' "$log"; then
		echo "ok  $dir $target: stopped by the end of its time"
		return
	fi
	cat "$log"
	echo "FAIL $dir $target"
	exit 1
}

found=0
while IFS=: read -r file target; do
	fuzz "$(dirname "$file")" "$target"
	found=$((found + 1))
done < <(grep -rHoE --exclude-dir=node_modules --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's/:func /:/' | sort)
echo "$found fuzz targets"
