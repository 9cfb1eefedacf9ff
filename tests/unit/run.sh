#!/bin/bash
# Runs cmocka programs, prints what failed and one closing line. A program that
# dies without its summary, or ran no test, is a failure.
set -uo pipefail
passed=0 failed=0
for program in "$@"; do
	out=$(timeout 120 "$program" 2>&1)
	rc=$?
	ok=$(grep -c '^\[       OK \]' <<<"$out")
	bad=$(grep -E '^\[  FAILED  \] [^0-9]' <<<"$out" | sort -u | wc -l)
	if [ $rc != 0 ] || [ "$ok" = 0 ]; then
		[ "$bad" != 0 ] || bad=1
		printf '%s\n' "--- $program (exit $rc)" "$out"
	fi
	passed=$((passed + ok)) failed=$((failed + bad))
done
echo "unit: $passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
