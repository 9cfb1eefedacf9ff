#!/bin/bash
# Runs the end-to-end tests on a real cluster of two nodes, which it starts and ends:
#   tests/e2e/run.sh [-f REGEX] [FILE...]     (all *.bats beside this file; -f: tests so named)
#   REUSE=1        take the cluster that is up, if one is, and leave it
#   TEST_TIMEOUT   seconds that one test may take (90)
#   BACKUP_AGE     seconds that the backup of etcd is old when it is restored (600): what is
#                  missing when the last file's turn comes is waited for
# Prints TAP and at the end "e2e: N passed, M failed". A test that did not run, because
# the cluster did not come up or because we were interrupted, counts as failed; one that
# was skipped counts as neither.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(realpath "$HERE/../..")
RUN=${RUN:-$REPO/build/cluster}
export RUN REUSE=${REUSE:-} BATS_TEST_TIMEOUT=${TEST_TIMEOUT:-90}
WORK=$(mktemp -d)
TAP=$WORK/tap
: >"$TAP"
bats=

preflight() {
	[ "$(id -u)" = 0 ] || { echo "e2e: run it as root: it starts a cluster" >&2; return 1; }
	[ -z "$REUSE" ] || return 0
	"$REPO/tests/cluster/cluster.sh" leftovers >&2 ||
		{ echo "e2e: a cluster is up or was not ended; make cluster-down" >&2; return 1; }
}

prepare() {
	make -C "$REPO" --no-print-directory -s -j2 all
	make -C "$REPO" --no-print-directory -s tools
	"$REPO/tests/cluster/build.sh"
}

count() { grep -cE "$1" "$TAP" || true; }

# Interrupted, bats may run teardown_suite still: we wait for all of it.
end_bats() {
	local i
	[ -n "$bats" ] || return 0
	kill -s TERM -- "-$bats" 2>/dev/null || true
	for ((i = 0; i < 300; i++)); do
		kill -s 0 -- "-$bats" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -s KILL -- "-$bats" 2>/dev/null || true
}

finish() {
	local code=$? planned passed failed skipped
	trap - EXIT
	trap '' INT TERM
	end_bats
	planned=$(sed -n 's/^1\.\.//p' "$TAP" | head -n 1)
	skipped=$(count '^ok .*# skip')
	passed=$(($(count '^ok ') - skipped))
	failed=$(count '^not ok ')
	# What was planned and is not in the output did not run.
	[ $((passed + failed + skipped)) -ge "${planned:-0}" ] || failed=$((${planned:-0} - passed - skipped))
	rm -rf "$WORK"
	# bats ends the cluster itself, unless it was interrupted.
	if [ -z "$REUSE" ] && [ -n "${began:-}" ] && ! "$REPO/tests/cluster/cluster.sh" leftovers >/dev/null; then
		"$REPO/tests/cluster/cluster.sh" down || true
		[ $code != 0 ] || failed=$((failed + 1))
	fi
	[ $code = 0 ] || [ "$failed" -gt 0 ] || failed=1
	echo "e2e: $passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
	exit
}

main() {
	local options=() files=() code=0
	while getopts f: option; do
		case $option in f) options+=(-f "$OPTARG") ;; *) exit 2 ;; esac
	done
	shift $((OPTIND - 1))
	files=("$@")
	[ $# -gt 0 ] || files=("$HERE"/*.bats)
	preflight
	prepare
	began=1
	# In a process group of its own, to be ended as a whole.
	set -m
	TMPDIR=$WORK bats --tap --timing "${options[@]}" "${files[@]}" </dev/null > >(tee "$TAP") &
	bats=$!
	set +m
	wait "$bats" || code=$?
	bats=
	sleep 0.2 # tee writes the rest
	return $code
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
main "$@"
