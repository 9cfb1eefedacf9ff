# What etcd has kept of ledger, nodes and pods, judged revision by revision (rules J1 to J5 of
# tests/integration/ledger_rules.py): no address was given twice. Sourced after lib.bash.
# shellcheck shell=bash disable=SC2154

JUDGED=$RUN/history.judged
RESTORED=$RUN/restored # etcd's revision when it came back from a backup (cluster.sh)

# history_agrees [OPTION...]: all since it was last judged breaks no rule; said in the test's output.
history_agrees() {
	local now said since code=0
	since=$(cat "$JUDGED" 2>/dev/null || echo 0)
	[ ! "$RESTORED" -nt "$JUDGED" ] || since=$(($(<"$RESTORED") + 1)) # the one before is gone
	now=$(python3 "$REPO/tests/integration/ledger_history.py" --revision) || return 1
	said=$(python3 "$REPO/tests/integration/ledger_history.py" --from-compaction --since "$since" "$@" 2>&1) || code=$?
	sed 's/^/# /' <<<"$said" >&3
	echo "$now" >"$JUDGED"
	[ $code = 0 ] || fail "what the history says: $said"
}
# Before a compaction: the rules begin anew behind it, and would not know how a revocation that is
# under way began.
nothing_under_way() { equal "revocations" "$(kubectl get staticipnodes -o 'jsonpath={.items[*].spec.revoked[*].uid}')" ""; }
