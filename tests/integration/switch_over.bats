#!/usr/bin/env bats
# From tables that require no grants to those that do, under running pods; and which nodes a ledger
# that is made anew waits for. Real controller, agents and plugin, pods without a kubelet.

setup() { load lib.bash; }
teardown() {
	stop_all
	kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1 || true
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null 2>&1 || true
}

node() { kubectl apply -f - >/dev/null <<<"{apiVersion: v1, kind: Node, metadata: {name: $1}}"; }
ready() { # NODE STATUS
	kubectl patch node "$1" --subresource=status --type=merge -p "{\"status\": {\"conditions\": [{\"type\": \"Ready\", \"status\": \"$2\", \"reason\": \"Test\"}]}}" >/dev/null
}
allocation() { # NAME POD ADDRESSES
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $1, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: $2}, addresses: [{ips: [$3]}]}}"
}
pod() { # NAME NODE; prints its UID
	kubectl create -o jsonpath='{.metadata.uid}' -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: $1, namespace: $NS},
		spec: {nodeName: $2, containers: [{name: c, image: i}]}}"
}
gone() { kubectl delete pod -n "$NS" "$1" --force --grace-period=0 >/dev/null 2>&1; }
record() { kubectl get configmap -n "$TABLES" staticip-ledger -o jsonpath="{.data.$1}"; }
ledger_is() { [ "$(record complete)" = "$1" ]; }
holders() { kubectl get staticipblocks -o json | jq -r '.items[].spec.entries[]? | [.address, .uid, .node // "-"] | join(" ")' | sort; }
holders_are() { [ "$(holders)" = "$(printf '%s\n' "$@" | sort)" ] || { echo "the ledger is: $(holders)"; return 1; }; }
row_is() { # NODE UID STATE [WORDS]
	kubectl get staticipnode "$1" -o json |
		jq -e --arg u "$2" --arg s "$3" --arg w "${4:-}" '.spec.rows[]? | select(.uid == $u and .state == $s and ((.message // "") | contains($w)))'
}
answers() { # NODE GRANTS-REQUIRED: to the epoch of now
	kubectl get staticipnode "$1" -o json | jq -e --arg e "$(record epoch)" --argjson g "$2" '.status.answer | (.epoch | startswith($e)) and .grantsRequired == $g'
}
# plugin VERB NODE POD UID: with a wait of one second.
plugin() { plugin_on "$@" 1; }

# former_tables: in a namespace of their own, with rows for p and no word of grants.
former_tables() {
	kubectl create namespace "$FORMER" >/dev/null
	python3 - "$FORMER" "$NS" <<-'EOP' | kubectl apply -f - >/dev/null
		import json, sys
		namespace, of = sys.argv[1:]
		lines = ['!%s/a\t{"uid":"u-a"}' % of, 'podnet\t{"domain":"network/podnet","grants":false}',
			'podnet/%s/p\t{"p":"%s/a","ips":["10.80.0.1/24","fd80::1/64"]}' % (of, of)]
		body = "".join(line + "\n" for line in lines)
		head = "staticip-table 1 generation=1 rows=%d" % len(lines)
		h = 0xcbf29ce484222325
		for b in (head + body).encode(): h = (h ^ b) * 0x100000001b3 % 2**64
		print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "table-1-0", "namespace": namespace, "labels": {"staticip.dev/buckets": "1"}},
			"data": {"table": "%s sum=%016x\n%s" % (head, h, body)}}))
	EOP
}
# former_agent NODE: it follows the former tables.
former_agent() {
	mkdir -p "$WORK/$1"
	start "agent-$1" "$BUILD/staticip-agent" --kubeconfig="$KUBECONFIG" --tables-namespace="$FORMER" --root="$WORK/$1" --node-name="$1" --buckets=1 --log-level=debug
}

@test "pods that run without grants are known before anybody is granted what they have" {
	fresh switch-over
	FORMER=switch-over-former
	former_tables
	node n1
	node n2
	former_agent n1
	wait_until 20 test -e "$WORK/n1/table/live"
	old=$(pod p n1)
	plugin ADD n1 p "$old" | grep -F '"10.80.0.1/24"'
	# another pod is to have its addresses, of which nobody knows yet that they are in use
	allocation b q '10.80.0.1/24, "fd80::1/64"'
	new=$(pod q n2)
	start_controller
	start_agent n2
	wait_until 20 answers n2 true
	# n1 has answered, but its tables may still give addresses to anybody
	wait_until 20 answers n1 false
	wait_until 20 row_is n2 "$new" Held n1
	if plugin ADD n2 q "$new"; then false; fi
	sleep 2
	ledger_is false
	row_is n2 "$new" Held n1
	answers n1 false
	# it follows the tables of now: what it has is entered, and only then does anything pass on
	kill_it KILL agent-n1
	start_agent n1
	wait_until 20 ledger_is true
	wait_until 20 holders_are "10.80.0.1 $old n1" "fd80::1 $old n1"
	wait_until 20 row_is n2 "$new" Held "held by pod $NS/p"
	gone p
	plugin DEL n1 p "$old"
	wait_until 20 row_is n2 "$new" Granted
	holders_are "10.80.0.1 $new n2" "fd80::1 $new n2"
	plugin ADD n2 q "$new" | grep -F '"fd80::1/64"'
}

# lost_without_n2: pod p has its address on n1, n2's agent is away, and the ledger is deleted.
lost_without_n2() {
	fresh "$1"
	node n1
	node n2
	ready n1 True
	ready n2 True
	start_controller
	start_agent n1
	start_agent n2
	allocation a p 10.80.0.1/24
	wait_until 20 ledger_is true
	uid=$(pod p n1)
	wait_until 20 row_is n1 "$uid" Granted
	plugin ADD n1 p "$uid" >/dev/null
	kill_it KILL agent-n2
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 ledger_is false
	allocation b q 10.80.0.2/24
	next=$(pod q n1)
	wait_until 20 row_is n1 "$next" Held n2
	sleep 2
	ledger_is false
}
goes_on() {
	wait_until 20 ledger_is true
	wait_until 20 row_is n1 "$next" Granted
	holders_are "10.80.0.1 $uid n1" "10.80.0.2 $next n1"
}

@test "a node whose agent is away keeps a lost ledger waiting, until its Node object is deleted" {
	lost_without_n2 waits-deleted
	kubectl delete node n2 >/dev/null
	goes_on
}

@test "a node whose agent is away keeps a lost ledger waiting, until the taint says that it is off" {
	lost_without_n2 waits-tainted
	kubectl taint node n2 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
	sleep 2
	ledger_is false # it is ready
	ready n2 False
	goes_on
}

@test "a node whose agent is away keeps a lost ledger waiting, until its label says that staticip never ran there" {
	lost_without_n2 waits-labelled
	kubectl label node n2 staticip.dev/agent=none >/dev/null
	goes_on
}
