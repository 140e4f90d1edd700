#!/usr/bin/env bash
# Fuzzes every Fuzz target of the module for FUZZTIME (10s) each, one after the
# other. A target that fails does not keep the rest from running: the failed ones are
# named at the end. What a run finds is written to testdata/fuzz beside the test by
# Go: commit it together with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-10s}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT # go test takes it as its own end, and the shell would go on

# fuzz runs one target; it is false where the target failed.
fuzz() {
	local dir=$1 target=$2
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$dir" >"$log" 2>&1; then
		echo "ok  $dir $target: $(grep -o 'execs: [0-9]*' "$log" | tail -1 || true)"
		return 0
	fi
	# Go sometimes reports its own end of the fuzzing time as a failure of the
	# target (golang/go#75804). A real one writes the input that failed.
	if grep -q 'context deadline exceeded' "$log" && ! grep -qE 'Failing input|panic:' "$log"; then
		echo "ok  $dir $target: stopped by the end of its time"
		return 0
	fi
	cat "$log"
	echo "FAIL $dir $target"
	return 1
}

found=0
failed=()
while IFS=: read -r file target; do
	dir=$(dirname "$file")
	fuzz "$dir" "$target" || failed+=("$dir $target")
	found=$((found + 1))
done < <(grep -rHoE --exclude-dir=node_modules --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed 's/:func /:/' | sort)
echo "$found fuzz targets, ${#failed[@]} failed"
if ((${#failed[@]} > 0)); then
	printf 'FAIL %s\n' "${failed[@]}"
	exit 1
fi
