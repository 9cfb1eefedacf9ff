#!/usr/bin/env bats
# Who holds an address, when the ledger itself is lost or damaged: real controller, agent and
# plugin, pods without a kubelet.

setup() { load lib.bash; }
teardown() {
	stop_all
	kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1 || true
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null 2>&1 || true
}

# begin NAME: controller, the node n1 with its agent, and an allocation for the pod p.
begin() {
	fresh "ledger-$1"
	kubectl apply -f - >/dev/null <<<'{apiVersion: v1, kind: Node, metadata: {name: n1}}'
	start_controller
	start_agent n1
	allocation a p 10.80.0.1
	wait_until 30 ledger_is true
}
allocation() { # NAME POD ADDRESS
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $1, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: $2}, addresses: [{ips: [$3/24]}]}}"
}
# pod NAME: on n1; prints its UID.
pod() {
	kubectl create -o jsonpath='{.metadata.uid}' -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: $1, namespace: $NS},
		spec: {nodeName: n1, containers: [{name: c, image: i}]}}"
}
gone() { kubectl delete pod -n "$NS" "$1" --force --grace-period=0 >/dev/null 2>&1; }
record() { kubectl get configmap -n "$TABLES" staticip-ledger -o jsonpath="{.data.$1}"; }
ledger_is() { [ "$(record complete)" = "$1" ]; }
rebuilt_since() { ledger_is true && [ "$(record epoch)" != "$1" ]; }
holder_is() { # ADDRESS UID
	[ "$(kubectl get staticipblocks -o json | jq -r ".items[].spec.entries[]? | select(.address == \"$1\") | .uid")" = "$2" ]
}
row_is() { # UID STATE [WORDS]
	kubectl get staticipnode n1 -o json |
		jq -e --arg u "$1" --arg s "$2" --arg w "${3:-}" '.spec.rows[] | select(.uid == $u and .state == $s and ((.message // "") | contains($w)))'
}
busy() { kubectl get staticipnode n1 -o json | jq -e --arg u "$1" '.status.answer.busy // [] | index($u) != null'; }
# plugin VERB POD UID: on n1, with a wait of two seconds.
plugin() { plugin_on "$1" n1 "$2" "$3" 2; }

@test "a block that is deleted is made again from what the nodes report" {
	begin lost
	uid=$(pod p)
	wait_until 20 row_is "$uid" Granted
	holder_is 10.80.0.1 "$uid"
	epoch=$(record epoch)
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 rebuilt_since "$epoch"
	holder_is 10.80.0.1 "$uid"
	row_is "$uid" Granted
	# and again in one that is under way
	kill_it STOP agent-n1
	epoch=$(record epoch)
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 ledger_is false
	wait_until 20 holder_is 10.80.0.1 "$uid"
	between=$(record epoch)
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 eval '[ "$(record epoch)" != "'"$between"'" ]'
	kill_it CONT agent-n1
	wait_until 20 rebuilt_since "$between"
	holder_is 10.80.0.1 "$uid"
}

@test "a pod that is gone and not answered for holds its address over the loss of the ledger" {
	begin unproven
	uid=$(pod p)
	wait_until 20 row_is "$uid" Granted
	plugin ADD p "$uid" | grep -F '"10.80.0.1/24"'
	gone p
	wait_until 20 busy "$uid"
	epoch=$(record epoch)
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 rebuilt_since "$epoch"
	next=$(pod p)
	wait_until 20 row_is "$next" Held "$uid"
	holder_is 10.80.0.1 "$uid"
	plugin DEL p "$uid"
	wait_until 20 row_is "$next" Granted
	holder_is 10.80.0.1 "$next"
}

@test "a block that cannot be read is neither given from nor written over" {
	begin unreadable
	allocation b q 10.80.0.2
	uid=$(pod p)
	wait_until 20 row_is "$uid" Granted
	block=$(kubectl get staticipblocks -o name)
	[ "$(wc -l <<<"$block")" = 1 ]
	kubectl patch "$block" --type=json -p '[{"op": "add", "path": "/spec/entries/-", "value": {"address": "10.90.0.1", "uid": "x", "pod": "a/b"}}]' >/dev/null
	other=$(pod q)
	wait_until 20 row_is "$other" Held "${block#*/} cannot be read"
	grep -F '10.90.0.1 lies outside of the block' "$WORK/controller.log"
	# nor by a controller that never saw it whole
	kill_it KILL controller
	start_controller
	sleep 2
	row_is "$other" Held
	holder_is 10.80.0.1 "$uid"
	holder_is 10.90.0.1 x
	kubectl patch "$block" --type=json -p '[{"op": "remove", "path": "/spec/entries/1"}]' >/dev/null
	wait_until 20 row_is "$other" Granted
	holder_is 10.80.0.1 "$uid"
	holder_is 10.80.0.2 "$other"
}

@test "where the tables' namespace is missing, the controller tries again with patience" {
	fresh nowhere
	TABLES=not-there
	start_controller
	wait_until 20 eval '[ "$(grep -c "configmaps.*not-there" "$WORK/controller.log")" -ge 2 ]'
	sleep 3
	tries=$(grep -c 'ledger: .*not-there' "$WORK/controller.log")
	[ "$tries" -ge 1 ] && [ "$tries" -lt 30 ] || { echo "$tries tries"; return 1; }
	TABLES=nowhere-tables
}

answer() { # EPOCH: as the agent of n1 would, were it somebody else's
	kubectl patch staticipnode n1 --subresource=status --type=merge -p "{\"status\": {\"answer\": {\"epoch\": \"$1\"}}}" >/dev/null
}

@test "a node that answers to the last epoch that a number can hold does not use the epochs up" {
	begin epochs
	kill_it STOP agent-n1
	epoch=$(record epoch)
	answer 9223372036854775807-a
	kubectl delete configmap -n "$TABLES" staticip-ledger >/dev/null # a new epoch is made, above all that were seen
	wait_until 20 eval '[ -n "$(record epoch)" ] && [ "$(record epoch)" != "'"$epoch"'" ]'
	between=$(record epoch)
	[ "${#between}" -lt 24 ] || { echo "epoch $between"; return 1; }
	kill_it CONT agent-n1
	wait_until 20 ledger_is true
	uid=$(pod p)
	wait_until 20 row_is "$uid" Granted
}

@test "a report of a lease without a UID does not keep others from their addresses" {
	begin nobody
	kill_it STOP agent-n1
	wait_until 20 eval 'kubectl get configmaps -n "$TABLES" -o json | grep -q podnet'
	kubectl patch staticipnode n1 --subresource=status --type=merge -p '{"status": {"attachments": [{"network": "podnet", "domain": "network/podnet",
		"container": "c", "interface": "eth0", "namespace": "x", "pod": "y", "uid": "", "ips": ["10.80.0.9/24"]}]}}' >/dev/null
	uid=$(pod p)
	wait_until 20 holder_is 10.80.0.1 "$uid"
	kill_it CONT agent-n1
}
