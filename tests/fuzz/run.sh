#!/bin/bash
# Runs every fuzzer (make fuzz-build) for FUZZ_SECONDS (30), two at a time, from
# its corpus; then prints how much of the code the corpus reaches. A finding is kept in
# build/fuzz/findings and fails the run.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=${FUZZ_SECONDS:-30}
out=build/fuzz
mkdir -p "$out/findings" "$out/log"

corpus_of() { # build/fuzz/tests/fuzz/LAYER/fuzz_X -> tests/fuzz/LAYER/corpus_X
	local name=${1#"$out/"}
	echo "$(dirname "$name")/corpus_$(basename "$name" | sed 's/^fuzz_//')"
}

# One fuzzer: new inputs go to a scratch folder, never into the corpus in the tree.
fuzz_one() {
	local program=$1 corpus name scratch
	corpus=$(corpus_of "$program") name=$(basename "$program")
	scratch=$(mktemp -d)
	LLVM_PROFILE_FILE=/dev/null timeout $((seconds + 120)) "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 \
		-max_len=65536 -artifact_prefix="$out/findings/$name-" "$scratch" "$corpus" >"$out/log/$name.log" 2>&1
	local rc=$?
	rm -rf "$scratch"
	local runs
	runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$out/log/$name.log")
	if [ $rc = 0 ] && [ "${runs:-0}" -gt 0 ]; then
		echo "  $name: $runs runs in $seconds s from $(find "$corpus" -type f | wc -l) inputs"
		return 0
	fi
	echo "  $name: FAILED (exit $rc)"
	tail -n 30 "$out/log/$name.log"
	return 1
}

# Lines of our own code that the corpus alone reaches.
coverage() {
	local program=$1 name profile
	name=$(basename "$program") profile=$out/log/$name.profraw
	LLVM_PROFILE_FILE=$profile "$program" -runs=0 "$(corpus_of "$program")" >/dev/null 2>&1 || return 0
	llvm-profdata-14 merge -o "$profile.merged" "$profile" 2>/dev/null || return 0
	llvm-cov-14 report "$program" -instr-profile="$profile.merged" -ignore-filename-regex='tests/' 2>/dev/null |
		awk -v n="$name" '$1 != "TOTAL" && NF > 9 && $8 > $9 {printf "  %-20s %-28s %5.1f %% of lines\n", n, $1, 100 * ($8 - $9) / $8}' |
		sort -k3 -rn | head -n 4
}

programs=("$out"/tests/fuzz/*/fuzz_*)
programs=($(printf '%s\n' "${programs[@]}" | grep -v '\.[od]$'))
echo "fuzzing ${#programs[@]} parsers, $seconds s each, two at a time"
passed=0 failed=0
for ((i = 0; i < ${#programs[@]}; i += 2)); do
	pids=()
	for program in "${programs[@]:i:2}"; do fuzz_one "$program" & pids+=($!); done
	for pid in "${pids[@]}"; do
		if wait "$pid"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	done
done
echo "coverage of the corpora (the files each reaches most):"
for program in "${programs[@]}"; do coverage "$program"; done
echo "fuzz: $passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
