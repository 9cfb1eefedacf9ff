#!/bin/bash
# Searches the models exhaustively. A search `holds` when every state was visited and no
# property fails; without a rule it must `fail`, in the property that is named.
#   tests/model/run.sh [REGEX]      the searches whose line matches; MODEL=long adds the long ones
#   tests/model/run.sh show MODEL [-DFLAG...]    the shortest counterexample, statement by statement
# The last line is "model: N passed, N failed".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../build/model
mkdir -p "$out"

# Two searches at a time, each with half of the 4 GiB that the default ones may take.
JOBS=2 MEMORY_MIB=2000 DEADLINE_S=280
LONG_MEMORY_MIB=12000 LONG_DEADLINE_S=3600

# build DIRECTORY MODEL PAN_FLAGS FLAG...
build() {
	local directory=$1 model=$2 pan=$3
	shift 3
	rm -rf "$directory"
	mkdir -p "$directory"
	cp "$here/$model.pml" "$directory"
	cd "$directory" || return
	# shellcheck disable=SC2086
	spin -a "$@" "$model.pml" >spin.log 2>&1 && gcc -w -DNOFAIR $pan -o pan pan.c >gcc.log 2>&1
}

# search EXPECTED MODEL FLAG...: one line, and its exit status. EXPECTED is "holds" or the
# name of the property that must fail. Invalid end states (-E) are the monitor's `timeout`.
search() {
	local expected=$1 model=$2 name pan='-O1 -DSAFETY -DNOREDUCE' run=-E memory=$MEMORY_MIB deadline=$DEADLINE_S verdict
	shift 2
	name="$model $*"
	case " $* " in *" -DLIVELOCK "*) pan='-O1 -DNOREDUCE' run='-E -a' ;; esac
	case " $* " in *" -DLONG "*) memory=$LONG_MEMORY_MIB deadline=$LONG_DEADLINE_S ;; esac
	if ! build "$out/${name//[ -]/_}" "$model" "$pan -DMEMLIM=$memory" "$@"; then
		echo "not ok $name: does not build"
		cat spin.log gcc.log 2>/dev/null
		return 1
	fi
	# shellcheck disable=SC2086
	timeout "$deadline" ./pan $run -m1000000 -w24 >pan.log 2>&1 &
	# shellcheck disable=SC2064
	trap "kill $!; exit 1" TERM
	wait $!
	verdict=$(verdict)
	if [[ $verdict == *"$expected"* ]]; then
		echo "ok $name: $verdict, $(figures)"
		return 0
	fi
	echo "not ok $name: expected $expected, found: $verdict, $(figures)"
	return 1
}

verdict() {
	if grep -q 'assertion violated\|acceptance cycle' pan.log; then
		sed -n 's/^pan:1: \(assertion violated\|acceptance cycle\) *\(.*\) (at depth.*/fails: \2 \1/p' pan.log |
			sed 's/fails: .*stuck.*/fails: stuck/; s/fails: \([a-z_]*\) assertion violated/fails: \1/'
	elif grep -q 'errors: 0' pan.log && ! grep -q 'max search depth too small\|not completed\|Bit statespace' pan.log; then
		echo holds
	else
		echo "not searched to the end"
	fi
}

figures() {
	awk '/states, stored/ {states = $1} /elapsed time/ {seconds = $4} /total actual memory/ {mib = $1}
		END {printf "%d states, %.1f s, %d MiB\n", states, seconds, mib}' pan.log
}

show() {
	build "$out/show" "$1" '-O1 -DSAFETY -DNOREDUCE -DBFS' "${@:2}" || { cat spin.log gcc.log; exit 1; }
	./pan -E >pan.log 2>&1
	grep -h 'assertion violated' pan.log || { echo "no violation"; return 1; }
	spin -k "$1.pml.trail" -t -p -g "${@:2}" "$1.pml"
}

# ---- the searches -----------------------------------------------------------------

searches() {
	cat <<'LIST'
holds handover -DASSERTION
holds handover -DLATE_ANSWERS
holds handover -DTOGETHER
holds handover -DTOGETHER -DASSERTION
two_users handover -DTOGETHER -DNO_LEDGER_CAS
two_users handover -DTOGETHER -DNO_ENTRY_AGAIN
two_users handover -DTOGETHER -DNO_ENTRY_BEFORE_DROP
two_users handover -DNO_READ_AGAIN
two_users handover -DNO_PUBLISH_FIRST
two_users handover -DNO_SERIAL_IN_ANSWER
two_users handover -DNO_REVOCATION
two_users handover -DNO_DOWN_FIRST
two_users handover -DNO_LEDGER_CAS
two_users handover -DNO_ROW_CAS
two_users handover -DNO_ENTRY_AGAIN
two_users handover -DNO_NODE_FIRST
two_users handover -DNO_ENTRY_BEFORE_DROP
two_users handover -DOLD_LISTS -DNO_FRESH_FIRST_LIST
two_users handover -DOLD_LISTS -DNO_SERIAL_GUARD
stuck handover -DNO_LIVE_GET
stays_silenced handover -DASSERTION -DNO_REVOKE_BEFORE_ASSERTION
stays_silenced handover -DASSERTION -DNO_SILENCE
stays_silenced handover -DASSERTION -DNO_SILENCE_AGAIN
stays_silenced handover -DASSERTION -DNO_DROP_AFTER_ANSWER
holds pair
holds pair -DLIVELOCK
holds pair -DNO_CLAIMING
holds pair -DTOGETHER
holds pair -DTOGETHER -DNO_CLAIMING
holds pair -DTOGETHER -DLIVELOCK
used_but_not_its_own pair -DTOGETHER -DNO_PLACED_STAYS
holds pair -DTOGETHER -DEARLY
holds pair -DTOGETHER -DEARLY -DLIVELOCK
used_but_not_its_own pair -DTOGETHER -DEARLY -DNO_PLACED_STAYS
used_but_not_its_own pair -DTOGETHER -DEARLY -DNO_WHOLE_GRANT
stuck pair -DTOGETHER -DEARLY -DNO_ORDER
used_but_not_its_own pair -DNO_LEDGER_CAS
two_users pair -DNO_WHOLE_GRANT
two_users pair -DNO_ENTRY_AGAIN
used_but_not_its_own pair -DNO_PLACED_STAYS
stuck pair -DNO_SUCCESSOR
stuck pair -DNO_ORDER -DNO_ROLL_BACK
stuck pair -DNO_ORDER -DNO_WHOLE_CLAIM
acceptance pair -DLIVELOCK -DNO_ORDER
holds lease
holds lease -DNO_KILLS
holds lease -DSAME_ID
holds lease -DSAME_ID -DNO_KILLS
two_users lease -DNO_DOWN_FIRST
used_without_lease lease -DNO_OWN_ADDRESS
used_without_lease lease -DNO_SILENT_TAKE_OVER
used_without_lease lease -DSAME_ID -DNO_SAME_LEASE
stuck lease -DNO_NAME_LAST
stuck lease -DNO_NAME_BEFORE_RECORD
stuck lease -DNO_KILLS -DNO_UNLOCK_OWN
holds node
holds node -DENDS_AFTER_ADD
used_after_the_answer node -DENDS_WITHOUT_PROCESS
used_after_the_answer node -DNO_READ_AGAIN
used_after_the_answer node -DNO_DOWN_FIRST
used_after_the_answer node -DNO_OWN_LEASE
used_after_the_answer node -DNO_SAME_LEASE
used_after_the_answer node -DNO_SILENT_TAKE_OVER
used_after_the_answer node -DNO_CLOSING
stuck node -DNO_FINISH
used_after_the_answer node -DNO_MARKER
used_after_the_answer node -DNO_MARKER_AFTER_LEASES
used_after_the_answer node -DNO_LEASES_BEFORE_MARKER
used_after_the_answer node -DNO_BOOT_FIRST
used_after_the_answer node -DADDS_OVERLAP
used_after_the_answer node -DWIPED_DURING_ADD
used_after_the_answer node -DWIPED_IN_STEPS
LIST
	[ "${MODEL:-}" = long ] || return 0
	cat <<'LIST'
holds handover -DLONG -DCONTROLLERS=3
holds handover -DLONG -DASSERTION -DLATE_ANSWERS
holds lease -DLONG -DNO_SAME_LEASE
holds lease -DLONG -DNO_OWNER_CHECK
LIST
}

one() {
	local line=$1
	# shellcheck disable=SC2086
	search $line >"$out/lines/${line//[ -]/_}"
	cat "$out/lines/${line//[ -]/_}"
}

main() {
	local passed failed line searched=0
	# shellcheck disable=SC2046
	trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
	rm -rf "$out/lines"
	mkdir -p "$out/lines"
	while read -r line; do
		while [ "$(jobs -rp | wc -l)" -ge $JOBS ]; do wait -n; done
		one "$line" &
		searched=$((searched + 1))
	done < <(searches | grep -E -e "${1:-.}")
	wait
	passed=$(grep -l '^ok' "$out"/lines/* 2>/dev/null | wc -l)
	failed=$((searched - passed))
	echo "model: $passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}

command -v spin >/dev/null || { echo "spin is missing; tests/deps.sh test installs it"; echo "model: 0 passed, 1 failed"; exit 1; }
if [ "${1:-}" = show ]; then show "${@:2}"; else main "$@"; fi
