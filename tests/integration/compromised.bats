#!/usr/bin/env bats
# An agent in wrong hands writes what it likes into its own StaticIPNode's status, and a tenant what they like into
# a pod: that must cost the others nothing. Node n1 has a real agent; n2's is the test.

setup() {
	load lib.bash
	fresh "wrong$BATS_TEST_NUMBER"
}
teardown() {
	stop_all
	kubectl delete pods -n "$NS" --all --force --grace-period=0 >/dev/null 2>&1 || true
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null 2>&1 || true
}

node() { kubectl apply -f - >/dev/null <<<"{apiVersion: v1, kind: Node, metadata: {name: $1}}"; }
allocation() { # POD ADDRESS
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $1, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: $1}, addresses: [{ips: [$2/24]}]}}"
}
pod() { # NAME NODE
	kubectl create -o jsonpath='{.metadata.uid}' -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: $1, namespace: $NS},
		spec: {nodeName: $2, containers: [{name: c, image: i}]}}"
}
row_is() { # NODE UID STATE [WORDS]
	kubectl get staticipnode "$1" -o json |
		jq -e --arg u "$2" --arg s "$3" --arg w "${4:-}" '.spec.rows[]? | select(.uid == $u and .state == $s and ((.message // "") | contains($w)))'
}
record() { kubectl get configmap -n "$TABLES" staticip-ledger -o jsonpath="{.data.$1}"; }
complete_since() { [ "$(record complete)" = true ] && [ "$(record epoch)" != "$1" ]; }
epoch_is() { [ "$(record epoch)" = "$1" ] || { echo "the epoch is $(record epoch), not $1"; return 1; }; }

gone() { kubectl delete pod -n "$NS" "$1" --force --grace-period=0 >/dev/null 2>&1; }
# plugin VERB NODE POD UID: with a wait of one second.
plugin() { plugin_on "$@" 1; }

# two_nodes: n1 with its agent, and n2, which has answered once; the ledger is complete.
two_nodes() {
	node n1
	node n2
	start_controller
	start_agent n1
	wait_until 20 says n2 '{}'
	wait_until 20 complete_since ''
}

# says NODE JSON: its status, patched with that, and the answer to what it was told last.
says() {
	local answer
	answer=$(kubectl get staticipnode "$1" -o json | jq -c --argjson more "$2" '{status: ({protocol: 2, answer: {objectUID: .metadata.uid,
		epoch: .spec.epoch, serial: .spec.serial, busy: [], grantsRequired: true, tablesAhead: 0, ahead: false}} * $more)}') &&
		kubectl patch staticipnode "$1" --subresource=status --type=merge -p "$answer" >/dev/null
}
AHEAD='{"answer": {"ahead": true}}'
doubted() { grep -q "node $1 says again that it has had more than the API server knows" "$WORK/controller.log"; }

@test "a node that says again and again that it is ahead stops the others once" {
	two_nodes
	allocation p 10.82.0.1
	allocation q 10.82.0.2
	allocation r 10.82.0.3
	first=$(record epoch)
	says n2 "$AHEAD"
	wait_until 20 complete_since "$first" & all=$!
	# in the new epoch it is ahead, too: nobody waits for it
	wait_until 20 eval '[ "$(record epoch)" != "$first" ]'
	wait_until 20 eval 'kubectl get staticipnode n2 -o json | jq -e --arg e "$(record epoch)" ".spec.epoch | startswith(\$e)"'
	says n2 "$AHEAD"
	wait "$all"
	wait_until 20 doubted n2
	second=$(record epoch)
	wait_until 20 row_is n1 "$(pod p n1)" Granted
	q=$(pod q n2)
	wait_until 20 row_is n2 "$q" Held 'node n2 says that it is ahead'
	says n2 "$AHEAD"
	sleep 2
	epoch_is "$second"
	wait_until 20 eval 'kubectl get events -A -o json | jq -e ".items[] | select(.reason == \"NodeDoubted\" and .involvedObject.name == \"n2\")"'
	# what it says like others counts like others'
	says n2 '{}'
	wait_until 20 row_is n2 "$q" Granted
	# another's first word is followed
	kill_it KILL agent-n1
	says n1 "$AHEAD"
	wait_until 20 eval '[ "$(record epoch)" != "$second" ]'
}

# attachments NAMESPACE [MORE-OF-UID SECOND-NUMBER-OF-ADDRESSES]: 75 invented ones with 8 addresses each, of pods that are not there.
attachments() {
	jq -nc --arg ns "$1" --arg more "${2:-}" --arg net "${3:-83}" '{attachments: [range(75) as $i | {network: "podnet", domain: "network/podnet", container: "c\($i)", interface: "eth0",
		namespace: $ns, pod: "no-\($i)", uid: "no-\($i)\($more)", ips: [range(8) as $k | "10.\($net).\($i).\($k + 1)/24"]}]}'
}
entries() { kubectl get staticipblocks -o json | jq '[.items[].spec.entries[]?] | length'; }
entries_are() { [ "$(entries)" = "$1" ] || { echo "$(entries) entries, not $1"; return 1; }; }

@test "a node that reports what nobody has can take so many addresses, and not all" {
	two_nodes
	allocation p 10.82.0.1 # makes the network known
	wait_until 20 eval 'kubectl get configmaps -n "$TABLES" -o json | grep -q "podnet/$NS/p"'
	says n2 "$(attachments $'no\nnamespace' -unreadable 84)"
	sleep 2
	entries_are 0
	says n2 "$(attachments "$NS")"
	wait_until 20 entries_are 512
	wait_until 20 grep -q 'node n2 reports more than 512 addresses' "$WORK/controller.log"
	sleep 2
	entries_are 512
	wait_until 20 row_is n1 "$(pod p n1)" Granted
	entries_are 513
}

entry_is() { # ADDRESS UID NODE
	kubectl get staticipblocks -o json | jq -e --arg a "$1" --arg u "$2" --arg n "$3" '.items[].spec.entries[]? | select(.address == $a and .uid == $u and (.node // "-") == $n)'
}

@test "a pod that names a node which is none makes none, and has its address when there is one" {
	node n1
	start_controller
	start_agent n1
	allocation p 10.82.0.1
	allocation q 10.82.0.2
	p=$(pod p ghost)
	wait_until 20 row_is n1 "$(pod q n1)" Granted
	wait_until 20 entry_is 10.82.0.1 "$p" -
	wait_until 20 eval 'kubectl get events -n "$NS" -o json | jq -e ".items[] | select(.involvedObject.name == \"p\") | .message | contains(\"there is no Node ghost\")"'
	[ "$(kubectl get staticipnodes -o name)" = staticipnode.staticip.dev/n1 ]
	node ghost
	wait_until 20 row_is ghost "$p" Granted
	entry_is 10.82.0.1 "$p" ghost
	# and one that ends before there is one leaves nothing
	allocation r 10.82.0.3
	r=$(pod r ghost2)
	wait_until 20 entry_is 10.82.0.3 "$r" -
	kubectl delete pod -n "$NS" r --force --grace-period=0 >/dev/null 2>&1
	wait_until 20 eval '! entry_is 10.82.0.3 "$r" -'
	[ -z "$(kubectl get staticipnode ghost2 --ignore-not-found)" ]
}

nodes_known() { curl -sS --max-time 5 http://127.0.0.1:10480/metrics | python3 "$REPO/tests/integration/metrics.py" staticip_nodes; }
nodes_known_are() { [ "$(nodes_known)" = "$1" ] || { echo "$(nodes_known) nodes, not $1"; return 1; }; }

@test "nodes that come and go leave nothing behind, also those that never answered, when somebody removes them" {
	start controller "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --leader-elect=false \
		--log-level=debug --health-address=127.0.0.1:10480
	for name in n1 n2 n3 n4; do node $name; done
	wait_until 20 eval 'for name in n1 n2 n3 n4; do says $name "{}" || exit 1; done'
	wait_until 20 complete_since ''
	nodes_known_are 4
	kubectl delete node n3 n4 >/dev/null
	wait_until 20 nodes_known_are 2
	# the pod of n2 is gone, and n2 never says so: its address is released by hand
	allocation p 10.82.0.1
	p=$(pod p n2)
	wait_until 20 row_is n2 "$p" Granted
	kubectl delete pod -n "$NS" p --force --grace-period=0 >/dev/null 2>&1
	kubectl annotate staticipnode n2 "staticip.dev/release=$p" >/dev/null
	wait_until 20 eval '! entry_is 10.82.0.1 "$p" n2'
	kubectl get staticipnode n2 -o json | jq -e --arg u "$p" '.spec.revoked[] | select(.uid == $u) | .silence'
	kubectl delete node n2 >/dev/null
	sleep 2
	nodes_known_are 2 # it may come back
	kubectl delete staticipnode n2 >/dev/null
	wait_until 20 nodes_known_are 1
	sleep 1
	[ "$(kubectl get staticipnodes -o name)" = staticipnode.staticip.dev/n1 ]
	# one of the same name begins as any
	node n2
	wait_until 20 says n2 '{}'
	wait_until 20 row_is n2 "$(pod p n2)" Granted
}

@test "while the ledger is made anew a node cannot take the pods of another one that answers" {
	two_nodes
	allocation p 10.82.0.1
	victim=$(pod p n1)
	wait_until 20 row_is n1 "$victim" Granted
	plugin ADD n1 p "$victim" >/dev/null
	wait_until 20 eval 'kubectl get staticipnode n1 -o json | jq -e ".status.attachments[0].uid == \"$victim\""'
	first=$(record epoch)
	lies="{\"attachments\": [{\"network\": \"podnet\", \"domain\": \"network/podnet\", \"container\": \"c\", \"interface\": \"eth0\", \"namespace\": \"$NS\", \"pod\": \"p\", \"uid\": \"$victim\", \"ips\": [\"10.82.0.99/24\"]}]}"
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 eval '[ "$(record epoch)" != "$first" ]'
	wait_until 20 eval 'kubectl get staticipnode n2 -o json | jq -e --arg e "$(record epoch)" ".spec.epoch | startswith(\$e)"'
	says n2 "$lies"
	wait_until 20 complete_since "$first"
	sleep 2
	entry_is 10.82.0.1 "$victim" n1
	entries_are 1
	gone p
	plugin DEL n1 p "$victim"
	wait_until 20 entries_are 0
}
