# The watcher beside the end-to-end tests: it looks into all pods' network namespaces by
# itself, five times a second. Each test's teardown asks what it saw: no address usable in
# two of them, and every address of the test's Running pods.
# shellcheck shell=bash disable=SC2034,SC2154

WATCHER_STATE=$RUN/watcher.state
WATCHER_LOG=$RUN/log/watcher.log
WATCHER_PID=$RUN/watcher.pid

# For setup_suite().
start_watcher() {
	"$BUILD/tests/watcher/watcher" --cgroup=/kubepods --skip='/run/netns/sip-n*' --nodes="$RUN/pid/node-n*" \
		--state="$WATCHER_STATE" 10.244.0.0/16 fd00:10:244::/64 >"$WATCHER_LOG" 2>&1 3>&- 4>&- </dev/null &
	echo $! >"$WATCHER_PID"
	disown
	wait_until 5 test -s "$WATCHER_STATE"
}

# For teardown_suite(): says how much it saw.
stop_watcher() {
	local pid
	pid=$(cat "$WATCHER_PID" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || true
	tail --pid="$pid" -f /dev/null
	tail -n 1 "$WATCHER_LOG" | sed 's/^/# watcher: /'
}

looks() { sed -n '1s/^look \([0-9]*\) .*/\1/p' "$WATCHER_STATE"; }
looks_reach() { [ "$(looks)" -ge "$1" ]; }
# Until a look has ended that began after now.
look_again() { wait_until 5 looks_reach $(($(looks) + 2)) || fail "the watcher has ended or hangs: $(tail -n 1 "$WATCHER_LOG")"; }

# The addresses in pods that live, by the last look; and those that the API says are.
seen_addresses() { awk 'NR > 1 && $3 != 0 {print $1}' "$WATCHER_STATE" | sort -u; }
running_addresses() {
	kubectl -n "$NS" get nodes,pods -o json | jq -r '
		[.items[] | select(.kind == "Node" and any(.status.conditions[]; .type == "Ready" and .status == "True")) | .metadata.name] as $nodes
		| .items[] | select(.kind == "Pod" and .status.phase == "Running" and .metadata.deletionTimestamp == null
			and .spec.hostNetwork != true and (.spec.nodeName | IN($nodes[])))
		| .status.podIPs[]?.ip | select(startswith("10.244.") or startswith("fd00:10:244:"))' | sort -u
}
# An empty look proves nothing: what runs must be seen.
all_running_are_seen() {
	local running missing
	running=$(running_addresses) || return 1
	look_again || return 1
	missing=$(comm -23 <(echo "$running") <(seen_addresses) | xargs)
	equal "addresses of Running pods that the watcher does not see" "$missing" ""
}

# For setup().
note_watcher() { WATCHER_SAID=$(wc -l <"$WATCHER_LOG") OVERLAPS=(); }

# overlaps_of ADDRESS: what the watcher said of it in this test.
faults_seen() { tail -n +$((WATCHER_SAID + 1)) "$WATCHER_LOG" | grep -E ' (duplicate|leftover) ' || true; }
overlaps_of() { faults_seen | grep -F " $1: " || true; }
# may_overlap ADDRESS...: an assertion gave it away while its holder lived; that is the
# operator's word, and no fault.
may_overlap() { OVERLAPS+=("$@"); }

unexpected_faults() {
	local address faults
	faults=$(faults_seen)
	for address in "${OVERLAPS[@]}"; do faults=$(grep -vF " $address: " <<<"$faults" || true); done
	echo "$faults"
}

# For teardown().
watcher_agrees() {
	look_again || return 1
	equal "what the watcher saw" "$(unexpected_faults)" "" || return 1
	# A test that failed may have left anything.
	[ -n "${BATS_TEST_COMPLETED:-}" ] || return 0
	wait_until 20 all_running_are_seen
}
