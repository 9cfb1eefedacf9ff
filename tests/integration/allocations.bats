#!/usr/bin/env bats
# What the API server itself says about a StaticIPAllocation: defaults, refusals, columns.

setup() { load lib.bash; }
teardown() {
	stop_all
	kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1 || true
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null 2>&1 || true
}

# apply MORE: an allocation with more keys of spec.
apply() {
	kubectl apply -f - 2>&1 <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: p}, addresses: [{ips: [10.80.0.1/24]}], $1}}"
}
rejected() { # MORE MESSAGE
	local answer
	if answer=$(apply "$1"); then
		echo "accepted: $1"
		return 1
	fi
	grep -qF -- "$2" <<<"$answer" || { echo "$answer"; return 1; }
}
spec() { kubectl get staticipallocation -n "$NS" a -o json | jq -c "$1"; }
accepted_is() { [ "$(spec '.status.conditions[] | select(.type=="Accepted") | .status' 2>&1)" = "\"$1\"" ]; }

@test "what happens when a holder cannot be asked: the safe choice unless another is made whole" {
	fresh handover
	apply '' >/dev/null
	[ "$(spec '[.spec.handover, .spec.onNodeFailure, .spec.graceSeconds]')" = '["Strict","Hold",null]' ]
	rejected 'handover: available' 'spec.handover: Unsupported value: "available"'
	rejected 'onNodeFailure: Release' 'spec.onNodeFailure: Unsupported value: "Release"'
	rejected 'onNodeFailure: AfterGrace' 'graceSeconds stands with onNodeFailure AfterGrace, and only there'
	rejected 'graceSeconds: 60' 'graceSeconds stands with onNodeFailure AfterGrace, and only there'
	rejected 'onNodeFailure: Hold, graceSeconds: 60' 'graceSeconds stands with onNodeFailure AfterGrace, and only there'
	rejected 'onNodeFailure: AfterGrace, graceSeconds: 59' 'should be greater than or equal to 60'
	rejected 'onNodeFailure: AfterGrace, graceSeconds: 604801' 'should be less than or equal to 604800'
	apply 'handover: Available, onNodeFailure: AfterGrace, graceSeconds: 60' >/dev/null
	# the controller says the same
	start_controller
	wait_until 20 accepted_is True
	[ "$(spec '[.spec.handover, .spec.onNodeFailure, .spec.graceSeconds, .status.held]')" = '["Available","AfterGrace",60,0]' ]
}

@test "the columns tell how many addresses are held" {
	fresh columns
	start_controller
	apply '' >/dev/null
	wait_until 20 accepted_is True
	kubectl get sip -n "$NS" >"$WORK/columns"
	head -n 1 "$WORK/columns" | grep -E '^NAME +NETWORK +TARGET +ADDRESSES +TOTAL +INUSE +HELD +READY +REASON +AGE$'
	tail -n 1 "$WORK/columns" | grep -E '^a +podnet +Pod/p +10\.80\.0\.1 +1 +0 +0 +False +'
}

# cell FILE COLUMN [ROW]: what stands below that word of the header, as a person reads it.
cell() {
	awk -v column="$2" -v row="${3:-1}" 'NR == 1 {
			from = match($0, "(^| )" column "( |$)"); if (!from) exit 1
			if (from > 1) from++
			width = length($0); rest = substr($0, from + length(column))
			if (match(rest, /[A-Z]/)) width = length(column) + RSTART - 1
		}
		NR == row + 1 { text = substr($0, from, width); gsub(/^ +| +$/, "", text); print text }' "$1"
}
# cells FILE COLUMN=VALUE...
cells() {
	local pair is
	for pair in "${@:2}"; do
		is=$(cell "$1" "${pair%%=*}") || { echo "no column ${pair%%=*}"; cat "$1"; return 1; }
		[ "$is" = "${pair#*=}" ] || { echo "${pair%%=*} is $is, not ${pair#*=}:"; cat "$1"; return 1; }
	done
}
see() { kubectl get "$@" >"$WORK/columns"; }
granted() { [ "$(kubectl get staticipnode n1 -o 'jsonpath={.spec.rows[*].state}')" = "Granted Granted" ]; }
node_says() { see sipnode n1 && cells "$WORK/columns" "$@"; }

# Goal: the ledger and the nodes can be read without -o yaml: who has which address, which
# agent has not answered, and whose end it waits for.
@test "the columns of blocks and nodes tell who has which address, and what a node has not given back" {
	fresh ledger-columns
	kubectl apply -f - >/dev/null <<<'{apiVersion: v1, kind: Node, metadata: {name: n1}}'
	start_controller
	start_agent n1
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: p}, addresses: [{ips: [10.80.0.1/24, "fd80::1/64"]}]}}
		---
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: b, namespace: $NS},
		 spec: {network: podnet, interface: net1, targetRef: {kind: Pod, name: p}, addresses: [{ips: [10.80.0.2/24]}]}}
		---
		{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: $NS}, spec: {nodeName: n1, containers: [{name: c, image: c}]}}
	EOA
	wait_until 20 granted
	uid=$(kubectl get pod -n "$NS" p -o 'jsonpath={.metadata.uid}')
	for block in 10.80.0.0/26 fd80::/122; do
		name=$(kubectl get sipblock -o json | jq -r --arg cidr "$block" '.items[] | select(.spec.cidr == $cidr) | .metadata.name')
		see sipblock "$name"
		head -n 1 "$WORK/columns" | grep -E '^NAME +DOMAIN +CIDR +HOLDERS +AGE$'
		cells "$WORK/columns" "NAME=$name" DOMAIN=network/podnet "CIDR=$block"
	done
	cells "$WORK/columns" "HOLDERS=fd80::1 $NS/p on n1"
	see sipblock "$(kubectl get sipblock -o json | jq -r '.items[] | select(.spec.cidr == "10.80.0.0/26") | .metadata.name')"
	cells "$WORK/columns" "HOLDERS=10.80.0.1 $NS/p on n1, 10.80.0.2 $NS/p on n1"
	# the node: what it was told last, and what it has answered
	serial=$(kubectl get staticipnode n1 -o 'jsonpath={.spec.serial}')
	wait_until 10 node_says READY=True "SERIAL=$serial" "ANSWERED=$serial" BUSY=[] ATTACHMENTS=0
	head -n 1 "$WORK/columns" | grep -E '^NAME +READY +SERIAL +ANSWERED +BUSY +ATTACHMENTS +AGE$'
	plugin ADD "$uid" >/dev/null
	wait_until 10 node_says BUSY=[] ATTACHMENTS=1
	kubectl delete pod -n "$NS" p --force --grace-period=0 >/dev/null 2>&1
	wait_until 10 node_says "BUSY=[\"$uid\"]" ATTACHMENTS=1
	# an agent that does not answer is seen by its number
	kill_it KILL agent-n1
	plugin DEL "$uid"
	kubectl apply -f - >/dev/null <<<"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: $NS}, spec: {nodeName: n1, containers: [{name: c, image: c}]}}"
	answered=$(kubectl get staticipnode n1 -o 'jsonpath={.status.answer.serial}')
	behind() { node_says "ANSWERED=$answered" && [ "$(cell "$WORK/columns" SERIAL)" -gt "$answered" ]; }
	wait_until 10 behind
	kubectl delete pod -n "$NS" p --force --grace-period=0 >/dev/null 2>&1
}

# plugin VERB UID: for pod p on node n1, with a wait of one second.
plugin() { plugin_on "$1" n1 p "$2" 1; }
pod_on_n1() { # the pod p; prints its UID
	kubectl create -o jsonpath='{.metadata.uid}' -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: $NS}, spec: {nodeName: n1, containers: [{name: c, image: i}]}}"
}
in_table() { grep -qrF -- "$1" "$WORK/n1/table/"; }

@test "with the controller away a pod waits in vain, and takes its address when it may" {
	fresh available
	kubectl apply -f - >/dev/null <<<'{apiVersion: v1, kind: Node, metadata: {name: n1}}'
	start_controller
	start_agent n1
	apply '' >/dev/null
	wait_until 20 in_table "podnet/$NS/p	"
	kill_it KILL controller
	uid=$(pod_on_n1)
	if out=$(plugin ADD "$uid"); then echo "$out"; false; fi
	grep -q '"code":11' <<<"$out"
	kubectl delete pod -n "$NS" p --force --grace-period=0 >/dev/null 2>&1
	start_controller
	apply 'handover: Available' >/dev/null
	wait_until 20 in_table '"handover":"Available"'
	kill_it KILL controller
	uid=$(pod_on_n1)
	plugin ADD "$uid" | grep -F '"10.80.0.1/24"'
	wait_until 10 eval "kubectl get staticipnode n1 -o json | jq -e '.status.attachments[0].uid == \"$uid\"'"
	[ -z "$(kubectl get staticipblocks -o jsonpath='{.items[*].spec.entries[*].uid}')" ]
	# the next controller enters what it took
	start_controller
	wait_until 20 eval '[ "$(kubectl get staticipblocks -o jsonpath="{.items[*].spec.entries[*].uid}")" = "$uid" ]'
	wait_until 20 eval "kubectl get staticipnode n1 -o json | jq -e '.spec.rows[] | select(.uid == \"$uid\") | .state == \"Granted\"'"
	plugin DEL "$uid"
}
