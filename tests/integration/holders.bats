#!/usr/bin/env bats
# Who holds an address, while the ledger is whole: grants, holds, the hand-over and its proofs, with real agents and the
# real plugin; pods are objects of a real API server, and the test is their kubelet. What etcd kept of
# each test is judged afterwards, revision by revision (J1 to J5, ledger_rules.py).

setup() {
	load lib.bash
	SINCE=$(history --revision)
}
teardown() {
	stop_all
	{
		kubectl delete pods -n "$NS" --all --force --grace-period=0
		kubectl delete statefulsets -n "$NS" --all
		kubectl delete staticipblocks,staticipnodes,nodes --all
	} >/dev/null 2>&1 || true
}

# cluster NAME: tables, a controller, nodes n1 and n2 with their agents, StatefulSet ex whose pod ex-0
# has $A4 and $A6, and ex-1 the next ones.
cluster() {
	fresh "holders-$1"
	A4=10.81.0.10 A6=fd81::10
	start_controller
	machine n1
	machine n2
	start_agent n1
	start_agent n2
	owner=$(kubectl create -o jsonpath='{.metadata.uid}' -f - <<-EOS
		{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: ex, namespace: $NS}, spec: {serviceName: ex, replicas: 2,
		 selector: {matchLabels: {app: ex}}, template: {metadata: {labels: {app: ex}}, spec: {containers: [{name: c, image: none}]}}}}
	EOS
	)
	allocate ex StatefulSet ex "[{ips: [$A4/24, '$A6/64']}, {ips: [10.81.0.11/24, 'fd81::11/64']}]"
}
machine() { # NAME [PROVIDER-ID]
	kubectl create -f - >/dev/null <<<"{apiVersion: v1, kind: Node, metadata: {name: $1}, spec: {providerID: '${2:-}'}}"
	ready "$1" True
}
ready() { # NODE STATUS
	kubectl patch node "$1" --subresource=status --type=merge -p "{\"status\": {\"conditions\": [{\"type\": \"Ready\", \"status\": \"$2\", \"reason\": \"Test\"}]}}" >/dev/null
}
allocate() { # NAME KIND TARGET ENTRIES [MORE]
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $1, namespace: $NS},
	 spec: {network: podnet, targetRef: {kind: $2, name: $3}, addresses: $4 ${5:-}}}"
}

ready_is() { # ALLOCATION WORDS: with which its condition Ready begins
	local is
	is=$(kubectl get staticipallocation -n "$NS" "$1" -o json | jq -r '.status.conditions[] | select(.type == "Ready") | "\(.status) \(.reason) \(.message)"')
	[[ $is == "$2"* ]] || { echo "Ready of $1: $is"; return 1; }
}

# A controller for which a Node is gone for long after 8 s.
hasty_controller() {
	start controller "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" \
		--leader-elect=false --node-gone-seconds=8 --log-level=debug
}

# pod NAME NODE [OWNED]: created and, unless NODE is "", bound. Prints its UID.
pod() {
	local owners= uid
	[ "${3:-owned}" != owned ] || owners="ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: ex, uid: $owner, controller: true}], labels: {app: ex, apps.kubernetes.io/pod-index: '${1##*-}'}"
	uid=$(kubectl create -o jsonpath='{.metadata.uid}' -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: $1, namespace: $NS, $owners}, spec: {containers: [{name: c, image: none}]}}")
	[ -z "$2" ] || bind "$1" "$2"
	echo "$uid"
}
bind() { # POD NODE
	kubectl create --raw "/api/v1/namespaces/$NS/pods/$1/binding" -f - >/dev/null <<<"{\"apiVersion\": \"v1\", \"kind\": \"Binding\", \"metadata\": {\"name\": \"$1\"}, \"target\": {\"kind\": \"Node\", \"name\": \"$2\"}}"
}
force_delete() { kubectl delete pod -n "$NS" "$1" --force --grace-period=0 >/dev/null 2>&1; }

# plugin VERB NODE POD UID [WAIT]: the container's id is the UID.
plugin() { plugin_on "${@:1:4}" "${5:-0}"; }
# gets NODE POD UID ADDRESS...: an ADD that waits has exactly these.
gets() {
	local node=$1 pod=$2 uid=$3 out
	shift 3
	out=$(plugin ADD "$node" "$pod" "$uid" 15) || { echo "$out"; return 1; }
	[ "$(jq -r '.ips[].address | sub("/.*"; "")' <<<"$out" | sort | xargs)" = "$*" ] || { echo "$out"; return 1; }
}
# refused CODE NODE POD UID WORD...: an ADD that does not wait is told so, now or soon.
refused() {
	local out
	wait_until 10 is_refused "$@"
}
is_refused() {
	local code=$1 node=$2 pod=$3 uid=$4 out word
	shift 4
	out=$(plugin ADD "$node" "$pod" "$uid") && { echo "has an address: $out"; return 1; }
	[ "$(jq .code <<<"$out")" = "$code" ] || { echo "code: $out"; return 1; }
	for word; do
		jq -r '.msg + "; " + .details' <<<"$out" | grep -qF -- "$word" || { echo "without '$word': $out"; return 1; }
	done
}

# The ledger: "ADDRESS UID NODE", sorted.
ledger() { kubectl get staticipblocks -o json | jq -r '.items[].spec.entries[]? | [.address, .uid, .node // "-"] | join(" ")' | sort; }
ledger_is() { # [ADDRESS UID NODE]...
	local want
	want=$([ $# = 0 ] || printf '%s %s %s\n' "$@" | sort)
	[ "$(ledger)" = "$want" ] || { echo "the ledger is: $(ledger)"; echo "wanted: $want"; return 1; }
}
held_by() { ledger_is "$A4" "$1" "$2" "$A6" "$1" "$2"; }
node_spec() { kubectl get staticipnode "$1" -o json | jq -c "$2"; }
node_spec_is() { [ "$(node_spec "$1" "$2")" = "$3" ] || { echo "$2 of $1: $(node_spec "$1" "$2"), not $3"; return 1; }; }
revokes() { node_spec_is "$1" '[.spec.revoked[]?.uid]' "$2"; }
# still COMMAND...: holds now, and after 2 s in which something wrong could have happened.
still() { "$@" && sleep 2 && "$@"; }

# old_and_new: ex-0 ($old) leased on n1, force-deleted; ex-0 ($new) bound to n2, and held.
old_and_new() {
	old=$(pod ex-0 n1)
	gets n1 ex-0 "$old" $A4 $A6
	force_delete ex-0
	new=$(pod ex-0 n2)
	refused 11 n2 ex-0 "$new" "is held by pod $NS/ex-0" "node n1" "since 20" "$old"
}
new_has_it() {
	gets n2 ex-0 "$new" $A4 $A6
	held_by "$new" n2
}

@test "the rules of the history fire on each wrong history, and on no right one" {
	python3 "$REPO/tests/integration/ledger_rules_test.py"
}

@test "a pod is granted its addresses when it is bound, and frees them when it is gone" {
	cluster granted
	uid=$(pod ex-0 "")
	wait_until 10 held_by "$uid" -
	bind ex-0 n1
	gets n1 ex-0 "$uid" $A4 $A6
	held_by "$uid" n1
	node_spec_is n1 '[.spec.rows[] | [.key, .uid, .state]]' "[[\"podnet/$NS/ex-0\",\"$uid\",\"Granted\"]]"
	# what is written again and again carries no book of its fields
	[ "$(kubectl get staticipnode n1 -o json --show-managed-fields | jq .metadata.managedFields)" = null ]
	[ "$(kubectl get staticipblocks -o json --show-managed-fields | jq -c '[.items[].metadata.managedFields]')" = '[null,null]' ]
	kubectl delete pod -n "$NS" ex-0 --wait=false >/dev/null
	wait_until 10 revokes n1 "[\"$uid\"]"
	still held_by "$uid" n1
	plugin DEL n1 ex-0 "$uid"
	force_delete ex-0
	wait_until 10 ledger_is
	wait_until 10 revokes n1 '[]'
	judged --at-rest
}

@test "an ordinary hand-over: the next pod waits in its ADD until DEL was answered for" {
	cluster ordinary
	old=$(pod ex-0 n1)
	gets n1 ex-0 "$old" $A4 $A6
	kubectl delete pod -n "$NS" ex-0 --wait=false >/dev/null
	plugin DEL n1 ex-0 "$old"
	force_delete ex-0
	new=$(pod ex-0 n2)
	new_has_it
	judged
}

@test "a force-deleted pod holds its addresses until its node has answered" {
	cluster forced
	old_and_new
	still held_by "$old" n1
	plugin DEL n1 ex-0 "$old"
	new_has_it
	judged
}

@test "while the agent is away its pods' addresses are held" {
	cluster away
	old=$(pod ex-0 n1)
	gets n1 ex-0 "$old" $A4 $A6
	kill_it KILL agent-n1
	plugin DEL n1 ex-0 "$old"
	force_delete ex-0
	new=$(pod ex-0 n2)
	refused 11 n2 ex-0 "$new" "is held by pod $NS/ex-0" "node n1" "since 20" "$old" staticip.dev/release
	still held_by "$old" n1
	start_agent n1
	new_has_it
	judged
}

@test "a pod that never had its sandbox frees its addresses too" {
	cluster never
	old=$(pod ex-0 n1)
	wait_until 10 held_by "$old" n1
	force_delete ex-0
	new=$(pod ex-0 n2)
	new_has_it
	judged
}

@test "a completed pod frees its addresses although its object stays" {
	cluster completed
	allocate other Pod after "[{ips: [10.81.0.20/24]}]"
	old=$(pod ex-0 n1)
	gets n1 ex-0 "$old" $A4 $A6
	kubectl patch pod -n "$NS" ex-0 --subresource=status --type=merge -p '{"status": {"phase": "Succeeded"}}' >/dev/null
	still held_by "$old" n1
	plugin DEL n1 ex-0 "$old"
	wait_until 10 ledger_is
	wait_until 10 revokes n1 '[]'
	judged --at-rest
}

@test "a bare pod with the name of a StatefulSet's ordinal is refused" {
	cluster bare
	uid=$(pod ex-0 n1 bare)
	refused 102 n1 ex-0 "$uid" "is for the pods of StatefulSet/ex" "only has the name"
	still ledger_is
	judged
}

@test "of two addresses with one held, the pod gets neither, and both when it is free" {
	cluster both
	kubectl delete staticipallocation -n "$NS" ex >/dev/null
	allocate one Pod one "[{ips: [$A4/24]}]"
	one=$(pod one n1 bare)
	gets n1 one "$one" $A4
	kubectl delete staticipallocation -n "$NS" one >/dev/null
	allocate ex StatefulSet ex "[{ips: [$A4/24, '$A6/64']}]"
	new=$(pod ex-0 n2)
	refused 11 n2 ex-0 "$new" "$A4 is held by pod $NS/one" "node n1" "since 20" "$one"
	still eval "! ledger | grep -q '$new n2'"
	force_delete one
	plugin DEL n1 one "$one"
	new_has_it
	judged
}

@test "who waits for the last of its addresses has the first without a node, so it needs no proof to go" {
	cluster last
	kubectl delete staticipallocation -n "$NS" ex >/dev/null
	allocate one Pod one "[{ips: ['$A6/64']}]"
	one=$(pod one n1 bare)
	gets n1 one "$one" $A6
	kubectl delete staticipallocation -n "$NS" one >/dev/null
	allocate ex StatefulSet ex "[{ips: [$A4/24, '$A6/64']}]"
	new=$(pod ex-0 n2)
	refused 11 n2 ex-0 "$new" "$A6 is held by pod $NS/one" "node n1" "$one"
	ledger_is "$A4" "$new" - "$A6" "$one" n1
	kill_it KILL agent-n2
	force_delete ex-0
	wait_until 10 ledger_is "$A6" "$one" n1
	judged
}

@test "who has an address keeps it when its allocation is edited or deleted" {
	cluster kept
	old=$(pod ex-0 n1)
	gets n1 ex-0 "$old" $A4 $A6
	kubectl delete staticipallocation -n "$NS" ex >/dev/null
	allocate thief Pod thief "[{ips: [$A4/24]}]"
	thief=$(pod thief n2 bare)
	refused 11 n2 thief "$thief" "$A4 is held by pod $NS/ex-0" "node n1" "since 20" "$old"
	wait_until 10 ready_is thief "False AddressHeld entry 0: $A4 is held by pod $NS/ex-0 ($old) on node n1 since 20"
	still held_by "$old" n1
	# a new sandbox of the holder needs nothing but its grant
	gets n1 ex-0 "$old" $A4 $A6
	plugin DEL n1 ex-0 "$old"
	force_delete ex-0
	gets n2 thief "$thief" $A4
	wait_until 10 ready_is thief "True Ready"
	judged
}

@test "a controller that is killed in between goes on from what it finds" {
	cluster killed
	old_and_new
	kill_it KILL controller
	plugin DEL n1 ex-0 "$old"
	still held_by "$old" n1
	start_controller
	new_has_it
	kill_it KILL controller
	start_controller
	wait_until 10 revokes n1 '[]'
	held_by "$new" n2
	judged --at-rest
}

@test "a ledger that was deleted is made again from the nodes' reports, and gives nothing twice" {
	cluster lost
	old_and_new
	other=$(pod ex-1 n1)
	gets n1 ex-1 "$other" 10.81.0.11 fd81::11
	kubectl delete staticipblocks --all >/dev/null
	wait_until 20 ledger_is $A4 "$old" n1 $A6 "$old" n1 10.81.0.11 "$other" n1 fd81::11 "$other" n1
	refused 11 n2 ex-0 "$new" "is held by pod $NS/ex-0" "node n1" "since 20" "$old"
	plugin DEL n1 ex-0 "$old"
	gets n2 ex-0 "$new" $A4 $A6
	judged --by-hand
}

@test "after the ledger was deleted with the controller away, nothing is granted before all nodes answered" {
	cluster rebuilt
	old_and_new
	kill_it KILL controller
	kill_it KILL agent-n1
	kubectl delete staticipblocks --all >/dev/null
	start_controller
	sleep 3
	is_refused 11 n2 ex-0 "$new" n1
	still eval "! ledger | grep -q $new"
	start_agent n1
	wait_until 20 held_by "$old" n1
	plugin DEL n1 ex-0 "$old"
	new_has_it
	judged --by-hand
}

@test "a StaticIPNode that was deleted comes back with what it revoked" {
	cluster unnoded
	old_and_new
	kubectl delete staticipnode n1 >/dev/null
	wait_until 20 revokes n1 "[\"$old\"]"
	still held_by "$old" n1
	plugin DEL n1 ex-0 "$old"
	new_has_it
	judged --by-hand
}

@test "the operator's word on the StaticIPNode releases, and the node is told to silence" {
	cluster word
	old_and_new
	kill_it KILL agent-n1
	kubectl annotate staticipnode n1 staticip.dev/release="$old" >/dev/null
	new_has_it
	node_spec_is n1 '[.spec.revoked[] | [.uid, .silence]]' "[[\"$old\",true]]"
	start_agent n1
	wait_until 10 node_spec_is n1 .status.answer.busy "[\"$old\"]"
	plugin DEL n1 ex-0 "$old"
	wait_until 10 revokes n1 '[]'
	wait_until 10 node_spec_is n1 '.metadata.annotations["staticip.dev/release"]' null
	judged --at-rest
}

@test "the taint out-of-service of a node that is not ready releases" {
	cluster taint
	old_and_new
	kill_it KILL agent-n1
	kubectl taint node n1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute >/dev/null
	still held_by "$old" n1 # it is ready
	ready n1 False
	new_has_it
	node_spec_is n1 '[.spec.revoked[] | [.uid, .silence]]' "[[\"$old\",true]]"
	plugin DEL n1 ex-0 "$old"
	start_agent n1
	wait_until 10 revokes n1 '[]'
	judged --at-rest
}

@test "a node that is not ready holds its addresses, AfterGrace for its seconds" {
	cluster grace
	allocate ex StatefulSet ex "[{ips: [$A4/24, '$A6/64']}]" ', onNodeFailure: AfterGrace, graceSeconds: 60'
	old_and_new
	kill_it KILL agent-n1
	ready n1 False
	still held_by "$old" n1
	wait_until 90 eval "ledger | grep -q '$new n2'"
	new_has_it
	node_spec_is n1 '[.spec.revoked[] | [.uid, .silence]]' "[[\"$old\",true]]"
	judged
}

@test "a Node that is gone holds its addresses" {
	cluster gone
	old_and_new
	kill_it KILL agent-n1
	kubectl delete node n1 >/dev/null
	still held_by "$old" n1
	refused 11 n2 ex-0 "$new" "is held by pod $NS/ex-0" "node n1" "since 20" "$old" staticip.dev/release
	# another machine under its name: its agent has no lease, but cannot speak for the old one
	rm -rf "$WORK/n1"
	machine n1
	start_agent n1
	wait_until 10 node_spec_is n1 .status.answer.busy '[]'
	still held_by "$old" n1
	kubectl annotate staticipnode n1 staticip.dev/release="$old" >/dev/null
	new_has_it
	judged
}

@test "a cloud's Node that is gone for long releases, also when a controller starts meanwhile" {
	cluster cloud
	kubectl patch node n1 -p '{"spec": {"providerID": "cloud://1"}}' >/dev/null
	kill_it KILL controller
	hasty_controller
	old_and_new
	kill_it KILL agent-n1
	kubectl delete node n1 >/dev/null
	still held_by "$old" n1
	kill_it KILL controller
	hasty_controller
	still held_by "$old" n1
	wait_until 30 held_by "$new" n2
	new_has_it
	node_spec_is n1 '[.spec.revoked[] | [.uid, .silence]]' "[[\"$old\",true]]"
	judged
}
