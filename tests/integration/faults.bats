#!/usr/bin/env bats
# Faults that need processes to be killed faster than a kubelet restarts them, and
# connections to be cut in the middle.

setup() { load lib.bash; }
teardown() { stop_all; }

# Looks at the tables of NODE... without a pause until $WORK/enough exists; each look is
# one consistent picture. Writes what was wrong to $WORK/wrong, and how often it looked.
watch_tables() {
	local looks=0 node out
	while [ ! -e "$WORK/enough" ]; do
		for node; do
			[ -e "$WORK/$node/table/live" ] || continue
			out=$("$BUILD/tests/tool/sip_tables" --quiet "$WORK/$node/table/live" 2>&1) || echo "$node: $out" >>"$WORK/wrong"
			looks=$((looks + 1))
		done
	done
	echo $looks >"$WORK/looks"
}

# SIGKILLs one of NAME... at a random moment and starts it again, until $WORK/enough.
kill_loop() {
	local kills=0 names=("$@") name
	while [ ! -e "$WORK/enough" ]; do
		sleep "0.$((RANDOM % 8 + 1))"
		name=${names[RANDOM % $#]}
		kill -s KILL "$(cat "$WORK/$name.pid")"
		case $name in controller) start_controller ;; *) start_agent "${name#agent-}" ;; esac
		kills=$((kills + 1))
	done
	echo $kills >"$WORK/kills"
}

begin() { rm -f "$WORK"/{enough,wrong,looks,kills,churn}; }
enough() { touch "$WORK/enough"; wait "$@"; }

@test "killed at any moment, controller and agents never show a broken table or an address in two rows" {
	# Goal: I1 for tables, I3, I9: SIGKILL in a loop while allocations change.
	begin
	fresh kill-loop
	start_controller
	start_agent n1
	start_agent n2
	wait_until 20 test -e "$WORK/n1/table/live"
	watch_tables n1 n2 3>&- & watcher=$!
	kill_loop controller agent-n1 agent-n2 3>&- & killer=$!
	python3 "$REPO/tests/integration/churn.py" "$API" "$NS" 40 1 >"$WORK/churn"
	enough $watcher $killer
	echo "# $(cat "$WORK/churn") changes, $(cat "$WORK/kills") kills, $(cat "$WORK/looks") looks" >&3
	[ "$(cat "$WORK/churn")" -ge 100 ]
	[ "$(cat "$WORK/kills")" -ge 20 ]
	[ "$(cat "$WORK/looks")" -ge 100 ]
	if [ -e "$WORK/wrong" ]; then cat "$WORK/wrong"; return 1; fi
	must_settle 30 n1
	must_settle 30 n2
	[ "$(tables_of n1 | wc -l)" -ge 10 ]
}

@test "a watch cut in the middle of an event loses nothing" {
	# Goal: connections are reset after some kilobytes, mostly inside an event.
	begin
	fresh cut
	start proxy python3 "$REPO/tests/integration/cut_proxy.py" 7443 6443 5
	kubeconfig https://127.0.0.1:7443 >"$WORK/proxied"
	start_controller "$WORK/proxied"
	start_agent n1 "$WORK/proxied"
	wait_until 60 test -e "$WORK/n1/table/live"
	watch_tables n1 3>&- & watcher=$!
	python3 "$REPO/tests/integration/churn.py" "$API" "$NS" 25 2 >"$WORK/churn"
	enough $watcher
	kill_it USR1 proxy &
	echo "# $(cat "$WORK/churn") changes, $(grep -c cut "$WORK/proxy.log") cuts" >&3
	[ "$(grep -c cut "$WORK/proxy.log")" -ge 10 ]
	if [ -e "$WORK/wrong" ]; then cat "$WORK/wrong"; return 1; fi
	must_settle 60 n1
	[ "$(tables_of n1 | wc -l)" -ge 10 ]
}

@test "an API server killed and started again under the watches loses nothing" {
	# Goal: SIGKILL of the API server while allocations change.
	begin
	fresh restart
	start_controller
	start_agent n1
	wait_until 20 test -e "$WORK/n1/table/live"
	watch_tables n1 3>&- & watcher=$!
	python3 "$REPO/tests/integration/churn.py" "$API" "$NS" 20 3 >"$WORK/churn" 3>&- & churn=$!
	for _ in 1 2; do
		sleep 4
		kill_it KILL apiserver
		start_apiserver
	done
	wait $churn
	enough $watcher
	if [ -e "$WORK/wrong" ]; then cat "$WORK/wrong"; return 1; fi
	must_settle 60 n1
}

@test "a restart of the controller changes no row and no ConfigMap" {
	# Goal: I9; the incumbents keep their addresses although the other allocation is older.
	fresh again
	start_controller
	start_agent n1
	python3 "$REPO/tests/integration/churn.py" "$API" "$NS" 3 4 >/dev/null
	must_settle 30 n1
	versions() { kubectl get configmaps -n "$TABLES" -l staticip.dev/buckets -o jsonpath='{range .items[*]}{.metadata.name}={.metadata.resourceVersion} {end}'; }
	before=$(versions)
	kill_it KILL controller
	start_controller
	wait_until 20 eval "[ \$(grep -c ' synced: ' '$WORK/controller.log') -ge 2 ]"
	# a change that goes through proves that it works again
	kubectl apply -f - <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: probe, namespace: $NS},
		 spec: {network: other, targetRef: {kind: Pod, name: probe}, addresses: [{ips: [10.78.0.1/24]}]}}
	EOA
	must_settle 20 n1
	tables_of n1 | grep -q "^other/$NS/probe"
	after=$(versions)
	# what differs is the probe's bucket and its network's, at most
	changed=$(comm -13 <(tr ' ' '\n' <<<"$before" | sort) <(tr ' ' '\n' <<<"$after" | sort) | grep -c .)
	[ "$changed" -le 2 ] || { echo "$changed ConfigMaps changed"; false; }
}
