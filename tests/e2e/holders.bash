# For tests about who holds an address: the ledger, a node's StaticIPNode, the words that
# people read, and faults of one node. Sourced after lib.bash.
# shellcheck shell=bash disable=SC2154

# ---- the ledger ---------------------------------------------------------------------

# holder ADDRESS: "NAMESPACE/POD UID NODE" of its entry, nothing when it has none.
holder() {
	kubectl get staticipblocks -o json | jq -r --arg address "$1" \
		'.items[] | select(.spec.domain == "network/podnet") | .spec.entries[]? | select(.address == $address) | "\(.pod) \(.uid) \(.node // "-")"'
}
# held_by POD UID NODE ADDRESS...: the entries of all these addresses say so.
held_by() {
	local address
	for address in "${@:4}"; do equal "holder of $address" "$(holder "$address")" "$NS/$1 $2 $3" || return 1; done
}
free() {
	local address
	for address; do equal "holder of $address" "$(holder "$address")" "" || return 1; done
}
# The pod runs, has these addresses (in both families), and holds them by its UID.
settled_pod() {
	wait_until 20 uid_of "$1"
	running "$1" 40
	wait_until 10 has_addresses "$1" "$2/16" "$3/64"
	wait_until 10 held_by "$1" "$(uid_of "$1")" "$(node_of "$1")" "$2" "$3"
}

# row_state NODE UID: "Granted", "Held", "Refused", "revoked", several of them or nothing.
row_state() {
	kubectl get staticipnode "$1" -o json | jq -r --arg uid "$2" \
		'[(.spec.rows[]? | select(.uid == $uid) | .state), (.spec.revoked[]? | select(.uid == $uid) | "revoked")] | unique | join(" ")'
}
state_is() { equal "what $1 is told about $2" "$(row_state "$1" "$2")" "$3"; }
nothing_revoked() { equal "revocations on $1" "$(kubectl get staticipnode "$1" -o 'jsonpath={.spec.revoked[*].uid}')" ""; }

# ---- waiting ------------------------------------------------------------------------

# held POD ADDRESS HOLDER UID NODE WAY-OUT: the pod waits, and an event says for whom, since
# when, and what frees the address; so does its allocation, when the holder is over and nobody
# has answered for it; it stays so.
held() {
	wait_until "$PATIENCE" told_all "$@"
	[[ $6 == "it is free when "* ]] || wait_until "$PATIENCE" condition_tells_all "$@"
	contains "kubectl describe pod $1" "$(k describe pod "$1")" "AddressHeld .*$2 is held by pod $3"
	wait_until 10 state_is "$(node_of "$1")" "$(uid_of "$1")" Held
	sleep 3
	equal "who holds $2" "$(holder "$2")" "$3 $4 $5"
	equal "whether $1 runs" "$(k get pod "$1" -o 'jsonpath={.status.phase}')" Pending
}
# In whatever order they stand, but in one sentence.
told_all() {
	local said part
	said=$(events "$1" | grep "^AddressHeld: $2 is held by pod $3 " | grep "$4" | tail -n 1) || { fail "no event says it of $1: $(events "$1")"; return 1; }
	for part in "since [0-9]{4}-[0-9TZ:-]+" "node $5" "$6"; do contains "the event of $1" "$said" "$part" || return 1; done
}
# The allocation has the name of the pod, or of its StatefulSet of one.
condition_tells_all() {
	local said part
	said=$(condition "${1%-0}" Ready) || { fail "no condition of ${1%-0}"; return 1; }
	for part in "^False AddressHeld: entry 0: $2 is held by pod $3 since [0-9]{4}-[0-9TZ:-]+; " "$4" "node $5" "$6"; do
		contains "condition Ready of ${1%-0}" "$said" "$part" || return 1
	done
	equal "entries of ${1%-0} that are held" "$(k get staticipallocation "${1%-0}" -o 'jsonpath={.status.held}')" 1
}
# held_on_node POD ADDRESS HOLDER UID: the plugin's own words, after its wait of 15 s: what the
# container runtime reports.
held_on_node() { PATIENCE=40 wait_event "$1" "FailedCreatePodSandBox.*$2 is held by pod $3 .*$4"; }

another_pod() { wait_until "${3:-20}" another_uid "$1" "$2"; }
gone() { [ -z "$(k get pod "$1" --ignore-not-found -o name)" ]; }

# db: a StatefulSet of one pod, db-0 with $V4.40 and $V6:40, on node $1.
one_on() {
	only_node "$1"
	{
		allocation db StatefulSet/db <<-EOY
			addresses: [{ips: [$V4.40/16, "$V6:40/64"]}]
			$(printf '%s\n' "${@:2}")
		EOY
		stateful_set db 1
	} | apply
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" "n$1"
}
# Whatever is placed from now on goes to node I.
only_node() {
	kubectl uncordon "n$1" >/dev/null
	kubectl cordon "n$((3 - $1))" >/dev/null
}
force_delete() { k delete pod "$1" --force --grace-period=0 >/dev/null 2>&1; }

# ---- what the controller measures -----------------------------------------------------

# /metrics of the controller that leads. A node's own network has it, also that of one that is cut off.
leader_metrics() {
	local i text
	for i in 1 2; do
		text=$(in_node "$i" timeout 5 busybox wget -q -O - http://127.0.0.1:10470/metrics 2>/dev/null) || continue
		! grep -qx 'staticip_leader 1' <<<"$text" || { echo "$text"; return; }
	done
	fail "no controller leads"
}
# measured NAME [LABEL=VALUE...]
measured() { leader_metrics | python3 "$REPO/tests/integration/metrics.py" "$@"; }
# hold_of UID: its sample, as one line.
hold_of() { leader_metrics | grep '^staticip_hold_timestamp_seconds{' | grep -F "uid=\"$1\"" || true; }
# hold_is_measured HOLDER UID NODE WAY-OUT SINCE: no earlier than SINCE (Unix time), nor in the future.
hold_is_measured() {
	local line since
	line=$(hold_of "$2")
	contains "the measured hold of $1" "$line" "pod=\"$1\",uid=\"$2\",node=\"$3\",words=\"[^\"]*$4" || return 1
	since=$(awk '{printf "%d", $NF}' <<<"$line")
	[ "$since" -ge $(($5 - 1)) ] && [ "$since" -le $(($(date +%s) + 1)) ] || fail "the hold of $1 is since $since, and began after $5"
}
hold_is_over() { equal "the measured hold of $1" "$(hold_of "$1")" ""; }

# ---- one node's faults -----------------------------------------------------------------

# The node that can be lost, and the other one, which keeps a controller.
pick_nodes() {
	near=$(kubectl -n $SYSTEM get pods -l app.kubernetes.io/component=controller -o 'jsonpath={.items[0].spec.nodeName}' | tr -d n)
	far=$((3 - near))
}
agent_of() {
	local pid
	for pid in $(processes staticip-agent); do ! grep -q "/sip-n$1/" "/proc/$pid/cgroup" || echo "$pid"; done
}
pause_agent() { agent_of "$1" | xargs kill -s STOP; }

node_is() { equal "Ready of node n$1" "$(kubectl get node "n$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" "$2"; }
cut_off() {
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	cluster cut-node "$1"
	wait_until 60 node_is "$1" Unknown
}
join() {
	cluster join-node "$1"
	wait_until 60 node_is "$1" True
}
out_of_service() { kubectl taint --overwrite node "n$1" node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null; }

# For teardown(): whatever a test did to nodes is put right.
mend_nodes() {
	local i
	resume staticip-agent
	resume staticip-controller
	kubectl uncordon n1 n2 >/dev/null 2>&1 || true
	[ -e "$BATS_SUITE_TMPDIR/nodes-disturbed" ] || return 0
	for i in 1 2; do
		cluster start-node "$i" 2>/dev/null || true
		cluster start-kubelet "$i" || true
		cluster join-node "$i" || true
		kubectl taint node "n$i" node.kubernetes.io/out-of-service- >/dev/null 2>&1 || true
	done
	for i in 1 2; do wait_until 60 node_is "$i" True || true; done
	system_ready || true
	rm -f "$BATS_SUITE_TMPDIR/nodes-disturbed"
}
