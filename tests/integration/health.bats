#!/usr/bin/env bats
# /livez, /readyz and /metrics of controller and agent, and who tries to hold them up.

setup() { load lib.bash; }
teardown() {
	crowd_ends
	stop_all
	kubectl delete validatingadmissionpolicybindings,validatingadmissionpolicies --all >/dev/null 2>&1 || true
}

H=10480 # the controller's; its metrics on the next, then the agent's two

start_both() {
	start controller "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" \
		--health-address=127.0.0.1:$H --metrics-address=:$((H + 1))
	mkdir -p "$WORK/n1" "$WORK/cni"
	start agent-n1 "$BUILD/staticip-agent" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --root="$WORK/n1" --node-name=n1 \
		--install-plugin="$WORK/cni" --plugin-file="$BUILD/staticip" \
		--health-address="[::1]:$((H + 2))" --metrics-address=192.0.2.1:$((H + 3))
}
CONTROLLER=http://127.0.0.1:$H
AGENT=http://[::1]:$((H + 2))

get() { curl -sS --max-time 5 "$@"; }
code() { get -o "$WORK/body" -w '%{http_code}' "$@"; }
# is WANTED CURL-ARGUMENT...
is() {
	local wanted=$1 got
	shift
	got=$(code "$@")
	[ "$got" = "$wanted" ] || { echo "$* gave $got, not $wanted:"; cat "$WORK/body"; return 1; }
}
value() { get "$1/metrics" | python3 "$REPO/tests/integration/metrics.py" "${@:2}"; }
# value_is WANTED URL NAME [LABEL=VALUE...]
value_is() {
	local wanted=$1 got
	shift
	got=$(value "$@")
	[ "$got" = "$wanted" ] || { echo "$* is $got, not $wanted"; return 1; }
}
same_generations() { [ "$(value $CONTROLLER staticip_table_generations)" = "$(value "$AGENT" staticip_table_generations)" ]; }

# crowd HOST PORT COUNT: slow clients until crowd_ends, which prints how many were cut.
crowd() {
	mkfifo "$WORK/crowd"
	python3 "$REPO/tests/integration/crowd.py" "$@" <"$WORK/crowd" >"$WORK/crowd.out" 2>&1 3>&- &
	CROWD=$!
	exec 9>"$WORK/crowd"
	wait_until 10 grep -q ready "$WORK/crowd.out"
}
crowd_ends() {
	[ -n "${CROWD:-}" ] || return 0
	exec 9>&-
	wait "$CROWD" || true
	CROWD=
	rm -f "$WORK/crowd"
	cat "$WORK/crowd.out"
}

@test "controller and agent say that they live and are ready" {
	fresh health
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	wait_until 20 is 200 "$AGENT/readyz"
	[ "$(get $CONTROLLER/livez)" = ok ]
	[ "$(get "$AGENT/livez")" = ok ]
	[ "$(get "$CONTROLLER/readyz?verbose")" = $'[+]loop ok\n[+]lists ok\nreadyz check passed' ]
	[ "$(get "$CONTROLLER/livez?verbose=1")" = $'[+]loop ok\n[+]watches ok\nlivez check passed' ]
	[ "$(get "$AGENT/readyz?verbose")" = $'[+]loop ok\n[+]tables ok\n[+]lists ok\n[+]plugin ok\nreadyz check passed' ]
	grep -q "health on 127.0.0.1:$H, metrics on \[::\]:$((H + 1))" "$WORK/controller.log"
	# the server of metrics has nothing else
	is 200 "http://127.0.0.1:$((H + 1))/metrics"
	is 200 "http://[::1]:$((H + 1))/metrics"
	is 200 "http://192.0.2.1:$((H + 3))/metrics"
	is 404 "http://192.0.2.1:$((H + 3))/livez"
	is 404 "http://127.0.0.1:$((H + 1))/readyz"
}

@test "an agent without all tables is alive and not ready, and says why" {
	fresh unready
	mkdir -p "$WORK/n1"
	start agent-n1 "$BUILD/staticip-agent" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --root="$WORK/n1" \
		--node-name=n1 --health-address="[::1]:$((H + 2))"
	wait_until 20 is 200 "$AGENT/livez"
	wait_until 20 grep -q 'synced: only 0 of 64' "$WORK/agent-n1.log"
	is 500 "$AGENT/readyz"
	[ "$(<"$WORK/body")" = $'[+]loop ok\n[-]tables failed: 0 of 64 tables are on the node, and the others are waited for\n[+]lists ok\n[+]plugin ok\nreadyz check failed' ]
	value_is 0 "$AGENT" staticip_tables_live
	start_controller
	wait_until 20 is 200 "$AGENT/readyz"
}

@test "neither answer depends on an API server that went away" {
	fresh away
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	wait_until 20 is 200 "$AGENT/readyz"
	before=$(value $CONTROLLER staticip_watch_faults_total resource=pods)
	kill_it KILL apiserver
	# until all of them have noticed
	noticed() { [ "$(value $CONTROLLER staticip_watch_faults_total resource=pods)" -gt $((before + 1)) ]; }
	wait_until 20 noticed
	is 200 $CONTROLLER/readyz
	is 200 $CONTROLLER/livez
	is 200 "$AGENT/readyz"
	is 200 "$AGENT/livez"
	start_apiserver
}

@test "the measurements are what was done, in Prometheus' text format" {
	fresh measured
	start_both
	wait_until 20 is 200 "$AGENT/readyz"
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: StatefulSet, name: a}, addressRanges: [10.80.1.1-10.80.1.9/24]}}
		---
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: b, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: b}, addresses: [{ips: [10.80.1.1/24]}]}}
		---
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: c, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: c}, addresses: [{ips: [10.80.1.77/24]}]}}
		---
		{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: $NS}, spec: {nodeName: n1, containers: [{name: c, image: c}]}}
		---
		{apiVersion: v1, kind: Node, metadata: {name: n1}}
	EOA
	wait_until 20 value_is 10 $CONTROLLER staticip_rows state=published
	wait_until 20 value_is 1 $CONTROLLER staticip_allocation_conditions condition=Accepted status=False reason=AddressConflict
	value_is 3 $CONTROLLER staticip_allocations
	value_is 1 $CONTROLLER staticip_pods
	wait_until 20 value_is 1 $CONTROLLER staticip_ledger_entries
	value_is 0 $CONTROLLER staticip_ledger_rebuilding
	value_is 1 $CONTROLLER staticip_watch_synced resource=staticipblocks
	value_is 0 $CONTROLLER staticip_rows state=pending
	value_is 1 $CONTROLLER staticip_leader
	value_is 1 $CONTROLLER staticip_synced
	value_is 64 $CONTROLLER staticip_tables
	value_is 0 $CONTROLLER staticip_tables_unwritten why=changed
	value_is 0 $CONTROLLER staticip_table_writes_total result=failed
	[ "$(value $CONTROLLER staticip_table_writes_total result=written)" -gt 64 ]
	value_is 1 $CONTROLLER staticip_watch_synced resource=statefulsets
	wait_until 20 same_generations
	wait_until 20 serial_answered
	wait_until 20 value_is 1 $CONTROLLER staticip_holder_pods state=granted
	value_is 1 $CONTROLLER staticip_nodes
	value_is 64 "$AGENT" staticip_tables
	value_is 1 "$AGENT" staticip_tables_live
	value_is 1 "$AGENT" staticip_plugin_installed
	value_is 0 "$AGENT" staticip_leases
	value_is 1 "$AGENT" staticip_watch_synced resource=staticipnodes
	now=$(date +%s)
	[ $((now - $(value "$AGENT" staticip_watch_last_contact_timestamp_seconds resource=configmaps))) -lt 600 ]
	[ $((now - $(value "$AGENT" process_start_time_seconds))) -lt 600 ]
	# a reader that is not ours agrees
	for url in $CONTROLLER "$AGENT"; do
		get -D "$WORK/head" "$url/metrics" | /usr/bin/python3 -c 'import sys
from prometheus_client.parser import text_string_to_metric_families as read
families = list(read(sys.stdin.read()))
assert len(families) > 20 and all(f.documentation and f.samples for f in families), families'
		grep -qi '^content-type: text/plain; version=0.0.4; charset=utf-8' "$WORK/head"
	done
	kubectl delete pod -n "$NS" c --force --grace-period 0 >/dev/null 2>&1
	kubectl delete node n1 >/dev/null
}
# The agent's number is the one in force, of a grant.
serial_answered() {
	local serial
	serial=$(kubectl get staticipnode n1 -o json | jq -er 'select(.spec.rows[0].state == "Granted") | .spec.serial') || return 1
	value_is "$serial" "$AGENT" staticip_node_answer_serial
}

# denied RESOURCES: nobody writes these cluster-scoped objects, until allowed RESOURCES.
denied() {
	kubectl apply -f - >/dev/null <<-EOP
		{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: no-$1}, spec: {failurePolicy: Fail,
		 matchConstraints: {resourceRules: [{apiGroups: [staticip.dev], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [$1]}]},
		 validations: [{expression: "false", message: "no $1 today"}]}}
		---
		{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: no-$1},
		 spec: {policyName: no-$1, validationActions: [Deny]}}
	EOP
	wait_until 20 is_denied "$1"
}
is_denied() {
	local object='kind: StaticIPBlock, spec: {domain: network/tried, cidr: 10.0.0.0/26}' out
	[ "$1" != staticipnodes ] || object='kind: StaticIPNode, spec: {epoch: e, serial: 1}'
	out=$(kubectl create --dry-run=server -f - 2>&1 <<<"{apiVersion: staticip.dev/v1alpha1, metadata: {name: tried}, $object}") || true
	grep "no $1 today" <<<"$out" || { echo "$out"; return 1; }
}
allowed() { kubectl delete validatingadmissionpolicybinding,validatingadmissionpolicy "no-$1" >/dev/null; }
queues() { local queue; for queue in allocations pods tables blocks nodes; do value $CONTROLLER staticip_queue_depth queue=$queue; done | xargs; }
queues_are() { [ "$(queues)" = "$1" ] || { echo "queues (allocations, pods, tables, blocks, nodes) are $(queues), not $1"; return 1; }; }

@test "what waits for the controller is counted by its queue" {
	fresh queues
	# what other files left would wait, too
	kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null
	denied staticipnodes
	denied staticipblocks
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	wait_until 20 queues_are "0 0 0 0 0"
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: v1, kind: Node, metadata: {name: n1}}
		---
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: c, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: c}, addresses: [{ips: [10.80.3.77/24]}]}}
		---
		{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: $NS}, spec: {nodeName: n1, containers: [{name: c, image: c}]}}
	EOA
	wait_until 20 queues_are "0 0 0 1 1"
	value_is 0 $CONTROLLER staticip_ledger_entries
	allowed staticipblocks
	# the entry is there, and the node cannot be told
	wait_until 30 queues_are "0 0 0 0 1"
	value_is 1 $CONTROLLER staticip_ledger_entries
	allowed staticipnodes
	wait_until 30 queues_are "0 0 0 0 0"
	wait_until 20 value_is 1 $CONTROLLER staticip_holder_pods state=granted
	kubectl delete pod -n "$NS" c --force --grace-period 0 >/dev/null 2>&1
	kubectl delete node n1 >/dev/null
}

@test "a refused table is counted by its rule" {
	fresh counted
	start_both
	wait_until 20 is 200 "$AGENT/readyz"
	kubectl create -n "$TABLES" configmap table-64-64 --from-literal=table=x >/dev/null
	kubectl label -n "$TABLES" configmap table-64-64 staticip.dev/buckets=64 >/dev/null
	wait_until 20 value_is 1 "$AGENT" staticip_table_refusals_total rule=A1
	value_is 0 "$AGENT" staticip_table_refusals_total rule=A4
}

@test "other paths, methods and rubbish get an answer or are hung up on" {
	fresh rubbish
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	is 404 $CONTROLLER/
	is 404 $CONTROLLER/livez/
	is 404 --path-as-is $CONTROLLER/../livez
	is 404 -X POST $CONTROLLER/none
	is 405 -X DELETE $CONTROLLER/livez
	is 405 -X BREW $CONTROLLER/metrics
	[ "$(get -D - -o /dev/null -X PUT $CONTROLLER/livez | tr -d '\r' | sed -n 's/^Allow: //p')" = "GET, HEAD" ]
	# a body is not read: whoever sends it all the same may lose the answer
	head -c 8000000 /dev/zero >"$WORK/large"
	before=$(value $CONTROLLER process_resident_memory_bytes)
	code --data-binary "@$WORK/large" $CONTROLLER/livez >"$WORK/code" || [ "$(<"$WORK/code")" != 200 ]
	[ $(($(value $CONTROLLER process_resident_memory_bytes) - before)) -lt 4000000 ]
	rm "$WORK/large"
	# over all limits
	long=$(head -c 40000 /dev/zero | tr '\0' a)
	is 431 -H "X: $long" $CONTROLLER/livez
	is 414 "$CONTROLLER/livez?$long"
	# HEAD: the same head, nothing behind it
	[ "$(get -I $CONTROLLER/livez | tr -d '\r' | sed -n 's/^Content-Length: //p')" = 3 ]
	for text in '\0\0\0\0\r\n\r\n' 'GET\r\n\r\n' 'GET /livez\r\n\r\n' 'GET /livez HTTP/9.9\r\n\r\n' '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' \
		'GET /livez HTTP/1.1\r\nContent-Length: -1\r\n\r\n' 'GET /livez HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'; do
		printf "$text" | timeout 20 python3 -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.stdin.buffer.read()); s.shutdown(socket.SHUT_WR)
try:
    while s.recv(4096): pass
except ConnectionResetError: pass' $H
	done
	is 200 $CONTROLLER/livez
	kill -0 "$(cat "$WORK/controller.pid")"
}

@test "a crowd of slow clients keeps nobody from an answer" {
	fresh crowd
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	wait_until 20 is 200 "$AGENT/readyz"
	fds=$(value $CONTROLLER process_open_fds)
	crowd 127.0.0.1 $H 300
	for _ in $(seq 30); do is 200 --max-time 5 $CONTROLLER/livez; done
	# nor does it keep the controller from its work
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: a}, addresses: [{ips: [10.80.2.1/24]}]}}
	EOA
	wait_until 20 settled n1
	[ "$(value $CONTROLLER process_open_fds)" -le $((fds + 34)) ]
	crowd_ends
	[ "$(sed -n 's/^cut //p' "$WORK/crowd.out")" -gt 200 ]
	# its own connections to the API server come and go: some more than at the start
	fds_are() { [ "$(value $CONTROLLER process_open_fds)" -le $((fds + 10)) ]; }
	wait_until 20 fds_are
}

@test "one that is slow and alone is cut as well" {
	fresh slow
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	crowd 127.0.0.1 $H 1
	wait_until 30 cut_once
	crowd_ends
}
# Of the slow ones, those that were cut come anew, from another port.
cut_once() {
	local now
	now=$(ss -Htn state established "( dport = :$H )" | awk '{print $3}' | sort | tail -n 1)
	[ -n "$now" ] || return 1
	[ -e "$WORK/slow" ] || echo "$now" >"$WORK/slow"
	[ "$(<"$WORK/slow")" != "$now" ]
}

@test "both end at once and in order while clients are connected" {
	fresh ends
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	wait_until 20 is 200 "$AGENT/readyz"
	crowd 127.0.0.1 $H 20
	kill_it TERM controller
	kill_it TERM agent-n1
	crowd_ends
	[[ $(tail -n 1 "$WORK/controller.log") == *"ending on signal 15"* ]]
	[[ $(tail -n 1 "$WORK/agent-n1.log") == *"ending on signal 15"* ]]
}

@test "an address that is taken or wrong is said, with the way out" {
	fresh taken
	start_both
	wait_until 20 is 200 $CONTROLLER/readyz
	run "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --health-address=127.0.0.1:$H
	[ "$status" = 1 ]
	[[ $output == *"--health-address: another process listens on 127.0.0.1:$H (ss -ltnp names it); end it, or give another port"* ]]
	run "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --metrics-address=192.0.2.77:$H
	[ "$status" = 1 ]
	[[ $output == *"--metrics-address: this machine has no address 192.0.2.77:$H"* ]]
	for bad in 80 localhost:80 ::1:80 127.0.0.1: 127.0.0.1:65536 '[127.0.0.1]:80' '[::1]' 1.2.3.4.5:80; do
		run "$BUILD/staticip-controller" --health-address=$bad
		[ "$status" = 2 ]
		[[ $output == *"--health-address=$bad: give ADDRESS:PORT"* ]]
		run "$BUILD/staticip-agent" --metrics-address=$bad
		[ "$status" = 2 ]
	done
}
