#!/bin/bash
# Every test, in stages; what a stage prints is in build/test-logs/STAGE.log, and is
# shown when it fails. The last line is "N passed, N failed".
#   tests/run.sh [STAGE...]     stages: checks unit sanitizers scenarios sanitized stress sanitized-stress reference
#                               sanitized-reference runtime steady fuzz model client integration sanitized-integration
#                               watcher e2e
# Without arguments all of them, integration beside those before e2e.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=build/test-logs
mkdir -p "$logs"
passed=0 failed=0 begin=$SECONDS

# stage NAME WHAT COMMAND...: the command's line "…: N passed, M failed" is its result;
# without one, it counts as one test by its exit status.
stage() {
	local name=$1 what=$2 rc line ok bad start=$SECONDS
	shift 2
	echo "== $name: $what"
	"$@" >"$logs/$name.log" 2>&1 &
	wait_with_progress $! "$name"
	rc=$?
	line=$(grep -E '^[a-z0-9_ -]+: [0-9]+ passed, [0-9]+ failed$' "$logs/$name.log" | tail -n 1)
	ok=$(sed -n 's/.*: \([0-9]*\) passed.*/\1/p' <<<"$line") bad=$(sed -n 's/.*, \([0-9]*\) failed.*/\1/p' <<<"$line")
	if [ -z "$line" ]; then ok=$((rc == 0)) bad=$((rc != 0)); fi
	if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
	passed=$((passed + ok)) failed=$((failed + bad))
	grep -hE '^ok .* # skip' "$logs/$name.log" | sed 's/^/   skipped: /'
	[ "$bad" = 0 ] || sed 's/^/   | /' "$logs/$name.log" | tail -n 150
	echo "   $ok passed, $bad failed in $((SECONDS - start)) s"
}

# A line every 30 s, so that nobody thinks that it hangs.
wait_with_progress() {
	local pid=$1 name=$2 waited=0
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		waited=$((waited + 1))
		if [ $((waited % 30)) = 0 ]; then echo "   … $waited s: $(tail -n 1 "$logs/$name.log" | cut -c1-100)"; fi
	done
	wait "$pid"
}

run_stage() {
	case $1 in
	checks) stage checks "layers, headers, banned calls, gcc and clang without a warning" make --no-print-directory -j2 check ;;
	unit) stage unit "every module by itself" make --no-print-directory -j2 unit ;;
	sanitizers) stage sanitizers "the same with address and undefined-behaviour sanitizers" make --no-print-directory -j2 SAN=address unit ;;
	scenarios) stage scenarios "CNI cases against the built plugin" tests/scenarios/run.sh build/staticip ;;
	sanitized) stage sanitized "the same with both sanitizers" tests/sanitizers/run.sh tests/scenarios/run.sh build/address/staticip ;;
	stress) stage stress "leases: a kill at each system call, and many at once for ${STRESS_SECONDS:-60} s" tests/stress/run.sh build/staticip ;;
	sanitized-stress) stage sanitized-stress "the same with both sanitizers: a kill at each third system call, 20 s" sanitized_stress ;;
	runtime) stage runtime "containerd 1.6 and 2.4 with the built plugin" tests/runtime/run.sh build/staticip ;;
	steady) stage steady "instructions, system calls and memory of the plugin's verbs" tests/bench/steady.sh ;;
	reference) stage reference "the reference plugins' own suites with the built plugin" tests/reference/run.sh
		sed -n 's/^reference: \([a-z-]*: [0-9]* passed, .* calls\) .*/   \1/p; s/^ok \(.*\) # differs: /   differs: \1: /p' "$logs/reference.log" ;;
	sanitized-reference) stage sanitized-reference "the same with both sanitizers" tests/sanitizers/run.sh tests/reference/run.sh --with build/address/staticip ;;
	fuzz) stage fuzz "every parser, ${FUZZ_SECONDS:-30} s each" make --no-print-directory -j2 fuzz
		sed -n '/^coverage/,/^fuzz:/{/^fuzz:/!s/^/   /p}' "$logs/fuzz.log" ;;
	model) stage model "the hand-over of addresses, searched to the end; each rule switched off" tests/model/run.sh ;;
	client) stage client "the API client against a real API server" tests/integration/net_watch.sh ;;
	integration) stage integration "controller and agents against a real API server, with faults" tests/integration/run.sh ;;
	sanitized-integration) stage sanitized-integration "two of these files with both sanitizers in controller, agents and plugin" sanitized_integration ;;
	watcher) stage watcher "what the end-to-end tests are watched by: does it see?" tests/watcher/selftest.sh ;;
	e2e) stage e2e "the chart on real nodes" tests/e2e/run.sh ;;
	*) echo "no such stage: $1" >&2; exit 2 ;;
	esac
}

sanitized_stress() {
	STRESS_SECONDS=20 STRESS_EVERY=3 tests/sanitizers/run.sh tests/stress/run.sh build/address/staticip
}

sanitized_integration() {
	BUILD=$PWD/build/address ENDING=TERM tests/sanitizers/run.sh tests/integration/run.sh "$PWD"/tests/integration/{holders,tables}.bats
}

interrupted() {
	trap '' INT TERM
	kill -- $(jobs -p) 2>/dev/null
	wait
	echo "interrupted"
	exit 130
}
trap interrupted INT TERM

# Stages that mostly wait, in a process of its own beside the others.
start_beside() {
	tests/run.sh "$@" >"$logs/beside.log" 2>&1 &
	beside=$!
}

# The others are done: its lines so far, and on until it ends.
join_beside() {
	echo "== beside these stages ran:"
	tail -n +1 -f --pid="$beside" "$logs/beside.log"
	wait "$beside"
	add_beside "$(tail -n 1 "$logs/beside.log")"
}

# LINE: "N passed, N failed"; anything else is a failure.
add_beside() {
	[[ $1 =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]] || { failed=$((failed + 1)); return; }
	passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
}

beside=
make --no-print-directory -j2 all tools >"$logs/build.log" 2>&1 || { cat "$logs/build.log"; echo "0 passed, 1 failed"; exit 1; }
if [ $# = 0 ]; then
	tests/cluster/build.sh || { echo "the test cluster's programs could not be built"; echo "0 passed, 1 failed"; exit 1; }
	start_beside integration
	set -- checks unit sanitizers scenarios sanitized stress sanitized-stress reference sanitized-reference runtime steady \
		fuzz model client sanitized-integration watcher e2e
fi
for name in "$@"; do
	[ "$name" != e2e ] || [ -z "$beside" ] || { join_beside; beside=; }
	case $name in
	scenarios | sanitized | reference | sanitized-reference | runtime | steady | client | integration | sanitized-integration | e2e) tests/cluster/build.sh || { echo "the test cluster's programs could not be built"; failed=$((failed + 1)); continue; } ;;
	esac
	run_stage "$name"
done
echo "all in $((SECONDS - begin)) s; logs in $logs"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
