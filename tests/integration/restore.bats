#!/usr/bin/env bats
# The API server goes back in time: etcd is restored from a copy of before, while pods run that it
# knows nothing of, and others are back that are gone. Real etcd, API server, controller, agents and
# plugin; no kubelet: the pods' ADDs and DELs are the test's.

bats_require_minimum_version 1.5.0
setup() { load lib.bash; supervise; own_sandboxes; }
teardown() {
	touch "$WORK/enough"
	resume_control_plane
	stop_all
	end_sandboxes
	kubectl delete pods -A --all --force --grace-period=0 >/dev/null 2>&1 || true
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null 2>&1 || true
	rm -rf "$WORK/etcd.copy"
}

# ---- processes -----------------------------------------------------------------------

# Controller and agents are started again whenever they end, as a kubelet does it.
KEEP='while :; do setpriv --pdeathsig KILL "$@"; echo "ended with $?"; sleep 0.5; done'
supervise() {
	eval "start_once() $(declare -f start | tail -n +2)"
	start() {
		local name=$1
		shift
		case $name in
		controller | agent-*) start_once "$name" bash -c "$KEEP" keep "$@" ;;
		*) start_once "$name" "$@" ;;
		esac
	}
}
start_etcd() {
	start etcd "$BIN/etcd" --data-dir "$WORK/etcd" --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync --log-level warn
}
runs() { kill -s 0 "$(cat "$WORK/$1.pid")" 2>/dev/null; }
resume_control_plane() { # what a test that failed left stopped
	runs etcd || start_etcd
	runs apiserver || start_apiserver
}
# back_up: etcd's data as they are now.
back_up() {
	kill_it KILL etcd
	rm -rf "$WORK/etcd.copy"
	cp -a "$WORK/etcd" "$WORK/etcd.copy"
	start_etcd
	wait_until 60 kubectl get --raw /readyz
}
take_down() { kill_it KILL apiserver; kill_it KILL etcd; }
bring_back() { # as of the last back_up
	rm -rf "$WORK/etcd"
	cp -a "$WORK/etcd.copy" "$WORK/etcd"
	start_etcd
	start_apiserver
}
ended_with_1() { grep -q '^ended with 1$' "$WORK/$1.log"; }

# ---- what there is -------------------------------------------------------------------

# begin NAME: controller, nodes n1 and n2 with their agents, allocations for the pods p and q.
begin() {
	rm -f "$WORK"/enough "$WORK"/controller.log "$WORK"/agent-n*.log
	fresh "restore-$1"
	for node in n1 n2; do
		kubectl apply -f - >/dev/null <<<"{apiVersion: v1, kind: Node, metadata: {name: $node}}"
		start_agent $node
	done
	start_controller
	allocation a p 10.80.0.1
	allocation b q 10.80.0.2
	wait_until 30 ledger_is true
}
allocation() { # NAME POD ADDRESS
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $1, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: $2}, addresses: [{ips: [$3/24]}]}}"
}
# pod NAME NODE: prints its UID.
pod() {
	kubectl create -o jsonpath='{.metadata.uid}' -f - <<<"{apiVersion: v1, kind: Pod, metadata: {name: $1, namespace: $NS},
		spec: {nodeName: $2, containers: [{name: c, image: i}]}}"
}
gone() { kubectl delete pod -n "$NS" "$1" --force --grace-period=0 >/dev/null 2>&1; }
record() { kubectl get configmap -n "$TABLES" staticip-ledger -o jsonpath="{.data.$1}"; }
ledger_is() { [ "$(record complete)" = "$1" ]; }
epoch_number() { local epoch; epoch=$(record epoch) && [ -n "$epoch" ] && echo "${epoch%%-*}"; }
rebuilt_since() { ledger_is true && [ "$(epoch_number)" -gt "$1" ]; }
holder() { kubectl get staticipblocks -o json | jq -r --arg a "$1" '.items[].spec.entries[]? | select(.address == $a) | .uid'; }
holder_is() { [ "$(holder "$1")" = "$2" ] || { echo "$1 is held by '$(holder "$1")', not $2"; return 1; }; }
row_is() { # NODE UID STATE [WORDS]
	kubectl get staticipnode "$1" -o json |
		jq -e --arg u "$2" --arg s "$3" --arg w "${4:-}" '.spec.rows[] | select(.uid == $u and .state == $s and ((.message // "") | contains($w)))'
}
has_entry() { [ -n "$(holder "$1")" ]; }

# plugin VERB NODE POD UID SANDBOX: waits for a second.
plugin() {
	local root="$WORK/$2"
	unshare --mount bash -c '
		mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\"root\": \"$1\"}" >/etc/staticip/plugin.json
		CNI_COMMAND=$3 CNI_CONTAINERID=$6 CNI_NETNS=/run/netns/$6 CNI_IFNAME=eth0 CNI_PATH=/x CNI_ARGS="K8S_POD_NAMESPACE=$7;K8S_POD_NAME=$4;K8S_POD_UID=$5" \
			"$2" <<<"{\"cniVersion\": \"1.0.0\", \"name\": \"podnet\", \"type\": \"macvlan\", \"ipam\": {\"type\": \"staticip\", \"wait\": 1}}"
	' plugin "$root" "$BUILD/staticip" "$1" "$3" "$4" "$5" "$NS"
}
# Names of network namespaces are the machine's, and another run may have the same.
own_sandboxes() { mkdir -p /run/netns && mount -t tmpfs sandboxes /run/netns; }
sandbox() {
	ip netns add "$1"
	ip -n "$1" link add eth0 type veth peer name other
	ip -n "$1" link set other up
	ip -n "$1" link set eth0 up
	echo "$1" >>"$WORK/sandboxes"
}
end_sandboxes() {
	local name
	while read -r name; do ip netns del "$name" 2>/dev/null; done <"$WORK/sandboxes" 2>/dev/null || true
	rm -f "$WORK/sandboxes"
	umount -l /run/netns 2>/dev/null || true
}
# add NODE POD UID SANDBOX ADDRESS: the sandbox is made, and gets the address.
add() {
	grep -qx "$4" "$WORK/sandboxes" 2>/dev/null || sandbox "$4"
	local out
	out=$(plugin ADD "$1" "$2" "$3" "$4") || { echo "$out"; return 1; }
	grep -qF "\"$5/24\"" <<<"$out" || { echo "$out"; return 1; }
	ip -n "$4" addr replace "$5/24" dev eth0
}
del() { plugin DEL "$@"; }
is_up() { [ -n "$(ip -n "$1" -o link show dev eth0 up)" ]; }

# never NODE POD UID SANDBOX: tries to start it until $WORK/enough, as a kubelet does; says if it could.
never() {
	local tries=0
	sandbox "$4"
	while [ ! -e "$WORK/enough" ]; do
		if plugin ADD "$@" >"$WORK/never.out" 2>&1; then
			cp "$WORK/never.out" "$WORK/happened"
			return
		fi
		tries=$((tries + 1))
	done
	echo $tries >"$WORK/tries"
}

# handed_over: p (UID $first) has 10.80.0.1 on n1, and then, after the back-up, another p ($second) on n2;
# q has 10.80.0.2 on n1 all the time.
handed_over() {
	first=$(pod p n1)
	q=$(pod q n1)
	wait_until 20 add n1 p "$first" r-first 10.80.0.1
	wait_until 20 add n1 q "$q" r-q 10.80.0.2
	wait_until 20 holder_is 10.80.0.1 "$first"
	back_up
	gone p
	del n1 p "$first" r-first
	second=$(pod p n2)
	wait_until 30 row_is n2 "$second" Granted
	wait_until 20 add n2 p "$second" r-second 10.80.0.1
	before=$(epoch_number)
	# what a cluster writes in ten minutes: the server does not catch up in the time of the test
	python3 -c 'import json; print(json.dumps({"apiVersion": "v1", "kind": "List", "items": [
		{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c%d" % i}} for i in range(400)]}))' |
		kubectl create -n "$NS" -f - >/dev/null
}

ahead() { kubectl get staticipnode "$1" -o json | jq -e '.status.answer.ahead'; }

# passes_on: what $second has it keeps until its DEL; then it goes to $first, who is back.
passes_on() {
	wait_until 60 rebuilt_since "$before"
	holder_is 10.80.0.1 "$second"
	holder_is 10.80.0.2 "$q"
	wait_until 20 row_is n1 "$first" Held "$second"
	is_up r-second
	wait_until 20 row_is n1 "$q" Granted
	# something new is granted
	allocation c r 10.80.0.3
	r=$(pod r n1)
	wait_until 20 add n1 r "$r" r-new 10.80.0.3
	# a sandbox of who kept it is made again
	del n1 q "$q" r-q
	sandbox r-q2
	wait_until 20 add n1 q "$q" r-q2 10.80.0.2
	is_up r-second
	[ ! -e "$WORK/happened" ] || { cat "$WORK/happened"; return 1; }
	touch "$WORK/enough"
	wait "$never"
	[ ! -e "$WORK/happened" ] || { cat "$WORK/happened"; return 1; }
	[ "$(cat "$WORK/tries")" -ge 1 ]
	# the kubelet of n2 ends what the API server does not know
	del n2 p "$second" r-second
	wait_until 30 row_is n1 "$first" Granted
	wait_until 20 add n1 p "$first" r-again 10.80.0.1
	holder_is 10.80.0.1 "$first"
}
# tries_again: $first is started once more by the kubelet of n1, all the time.
tries_again() {
	rm -f "$WORK/happened" "$WORK/tries"
	never n1 p "$first" r-back 3>&- & never=$!
}

@test "an address that passed on after the backup stays with who has it" {
	begin passed-on
	handed_over
	take_down
	tries_again
	bring_back
	passes_on
	ended_with_1 controller # it found out itself
}

@test "with a controller that has seen nothing, the nodes tell that they are ahead" {
	begin nodes-ahead
	handed_over
	kill_it KILL controller
	take_down
	tries_again
	bring_back
	wait_until 60 ended_with_1 agent-n1
	wait_until 60 ended_with_1 agent-n2
	wait_until 60 ahead n1
	start_controller
	passes_on
	grep -q 'has answered to more than the API server knows' "$WORK/controller.log"
}

@test "what was granted is withdrawn until the node that was away has told what it has" {
	begin away
	handed_over
	kill_it KILL agent-n2 # the only one that knows of $second
	take_down
	tries_again
	bring_back
	wait_until 60 ledger_is false
	# nobody of the two is given anything
	sleep 3
	ledger_is false
	[ ! -e "$WORK/happened" ] || { cat "$WORK/happened"; return 1; }
	start_agent n2
	passes_on
}

@test "the node of the pod that is back was away all the time" {
	begin back-away
	handed_over
	kill_it KILL agent-n1
	take_down
	tries_again
	bring_back
	wait_until 60 ledger_is false
	sleep 3
	ledger_is false
	start_agent n1
	passes_on
}

@test "tables of before the backup reach the nodes, which have newer ones" {
	begin tables
	must_settle 30 n1
	back_up
	kubectl delete staticipallocation -n "$NS" b >/dev/null
	allocation a p 10.80.0.7
	must_settle 30 n1
	# more often than once a second, as a large cluster does
	for i in 1 2 3 4 5 6 7 8; do allocation a p "10.80.0.1$i"; done
	must_settle 30 n1
	kill_it KILL controller # it would see it itself
	take_down
	bring_back
	start_controller
	must_settle 60 n1
	must_settle 60 n2
	tables_of n1 | grep -q "^podnet/$NS/q"
	tables_of n1 | grep -q 10.80.0.1/
}

@test "a ledger that is deleted, with the controller there and away, gives nothing twice" {
	begin deleted
	first=$(pod p n1)
	q=$(pod q n2)
	wait_until 20 add n1 p "$first" r-first 10.80.0.1
	wait_until 20 add n2 q "$q" r-q 10.80.0.2
	before=$(epoch_number)
	kubectl delete staticipblocks --all >/dev/null
	wait_until 30 rebuilt_since "$before"
	holder_is 10.80.0.1 "$first"
	holder_is 10.80.0.2 "$q"
	# while nobody looks, a pod is gone, too, and its successor waits on another node
	kill_it KILL controller
	before=$(epoch_number)
	kubectl delete staticipblocks --all >/dev/null
	gone p
	second=$(pod p n2)
	start_controller
	wait_until 30 rebuilt_since "$before"
	wait_until 20 row_is n2 "$second" Held "$first"
	holder_is 10.80.0.1 "$first"
	holder_is 10.80.0.2 "$q"
	sandbox r-second
	run ! plugin ADD n2 p "$second" r-second
	del n1 p "$first" r-first
	wait_until 20 add n2 p "$second" r-second 10.80.0.1
	holder_is 10.80.0.1 "$second"
}
