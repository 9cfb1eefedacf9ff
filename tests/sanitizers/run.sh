#!/bin/bash
# Runs a test with executables that have address, undefined-behaviour and leak sanitizer
# (build/address). What a sanitizer finds in any process is a file in build/address/reports,
# whoever had its standard error (defaults.c); one file is a failure.
#   tests/sanitizers/run.sh COMMAND...     exit status: that of COMMAND, or 1
set -uo pipefail
cd "$(dirname "$0")/../.."
variant=$(pwd -P)/build/address # as make writes it into the executables
reports=$variant/reports

# A fault of each kind leaves a report, and no fault leaves none.
sees_faults() {
	local kind found trial=$variant/tests/sanitizers/trial
	mkdir -p "$trial" && "${CC:-gcc}" -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
		-DSANITIZER_REPORTS="\"$trial\"" -o "$trial/faulty" tests/sanitizers/{defaults,faulty}.c || return
	for kind in leak:LeakSanitizer heap:heap-buffer-overflow overflow:signed-integer-overflow none:; do
		rm -f "$trial"/report.*
		"$trial/faulty" "${kind%%:*}" 2>/dev/null
		found=$?
		if [ "$kind" = none: ]; then
			[ $found = 0 ] && ! compgen -G "$trial/report.*" >/dev/null
		else
			[ $found = 99 ] && grep -q "${kind#*:}" "$trial"/report.*
		fi || { echo "sanitizers: the fault ${kind%%:*} ends with $found, and its report is not as wanted"; return 1; }
	done
}

make --no-print-directory -j2 SAN=address all tools || exit 1
sees_faults || exit 1
for program in staticip staticip-agent staticip-controller; do
	grep -qaF "$reports/report" "$variant/$program" ||
		{ echo "sanitizers: $program was built for reports elsewhere; make clean"; exit 1; }
done
rm -rf "$reports" && mkdir -p "$reports" && chmod 1777 "$reports" # some processes are not root
rc=0
"$@" || rc=$?
for file in "$reports"/report.*; do
	[ -e "$file" ] || continue
	echo "FAIL a sanitizer's report: ${file##*/}"
	head -n 40 "$file"
	rc=1
done
exit $rc
