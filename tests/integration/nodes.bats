#!/usr/bin/env bats
# A StaticIPNode and the agent of its node: the grants become a file, and what was
# revoked is answered for by the leases.

bats_require_minimum_version 1.5.0
setup() { load lib.bash; }
teardown() { umount "$WORK"/n1/leases/by-attachment/othernet 2>/dev/null || true; stop_all; end_pods; umount /proc/sys/kernel/random/boot_id 2>/dev/null || true; kubectl delete staticipnodes --all >/dev/null 2>&1 || true; }

# node NAME SPEC: applies it, as the controller does.
node() { kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPNode, metadata: {name: $1}, spec: $2}"; }
status() { kubectl get staticipnode n1 -o json | jq -c "$1"; }
status_is() { [ "$(status "$1")" = "$2" ] || { echo "$1 is $(status "$1"), not $2"; return 1; }; }
in_force() { grep -qF -- "$1" "$WORK/n1/node" || { cat "$WORK/n1/node"; return 1; }; }

PROFILES='profiles: [{name: default/ex, uid: u-ex, gateways: [10.0.2.1], routes: [{dst: 10.9.0.0/16}]}]'
GRANT='{key: backend/default/ex-0, uid: u-1, state: Granted, domain: network/backend, ips: [10.0.2.40/24], profile: default/ex}'
HOLD='{key: backend/default/ex-1, uid: u-2, state: Held, message: "10.0.2.41 is held by pod default/ex-1 (u-0) on node n2"}'

# plugin VERB CONTAINER POD UID: the plugin on node n1, whose host file names the agent's root;
# IPAM: more keys of the ipam block; NETNS: the pod's; NETWORK.
plugin() (
	export IPAM=${IPAM:-} NETNS=${NETNS:-} NETWORK=${NETWORK:-podnet}
	unshare --mount bash -c '
		mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\"root\": \"$1/n1\"}" >/etc/staticip/plugin.json
		CNI_COMMAND=$3 CNI_CONTAINERID=$4 CNI_NETNS=${NETNS:-/nowhere} CNI_IFNAME=eth0 CNI_PATH=/x CNI_ARGS="K8S_POD_NAMESPACE=$7;K8S_POD_NAME=$5;K8S_POD_UID=$6" \
			"$2" <<<"{\"cniVersion\": \"1.0.0\", \"name\": \"${NETWORK:-podnet}\", \"type\": \"macvlan\", \"ipam\": {\"type\": \"staticip\", \"wait\": 0 $IPAM}}"
	' plugin "$WORK" "$BUILD/staticip" "$1" "$2" "$3" "$4" "$NS"
)

@test "grants and holds become the node's table, and the agent answers" {
	fresh grants
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$HOLD, $GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	in_force 'backend/default/ex-0@u-1	{"state":"Granted","domain":"network/backend","p":"default/ex","ips":["10.0.2.40/24"]}'
	in_force 'backend/default/ex-1@u-2	{"state":"Held","why":"10.0.2.41 is held by pod default/ex-1 (u-0) on node n2"}'
	in_force '!default/ex	{"uid":"u-ex","gw":["10.0.2.1"],"routes":[{"dst":"10.9.0.0/16"}]}'
	uid=$(kubectl get staticipnode n1 -o jsonpath='{.metadata.uid}')
	status_is .status.answer "{\"ahead\":false,\"busy\":[],\"epoch\":\"e1\",\"grantsRequired\":false,\"objectUID\":\"$uid\",\"serial\":1,\"tablesAhead\":0}"
	status_is .status.bootID "\"$(cat /proc/sys/kernel/random/boot_id)\""
	status_is .status.protocol 2
	node n2 "{epoch: e1, serial: 9}"
	sleep 0.5
	in_force '"node":"n1"'
}

@test "a revoked pod is busy until its lease is gone" {
	fresh revoked
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [{key: podnet/$NS/p, uid: u-1, state: Granted, domain: network/podnet, ips: [10.80.1.1/24], profile: default/ex}]}"
	wait_until 10 status_is .status.answer.serial 1
	plugin ADD c1 p u-1
	wait_until 10 status_is .status.attachmentCount 1
	status_is '.status.attachments[0] | [.network, .domain, .container, .interface, .namespace, .pod, .uid, .ips[0]]' \
		"[\"podnet\",\"network/podnet\",\"c1\",\"eth0\",\"$NS\",\"p\",\"u-1\",\"10.80.1.1/24\"]"
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1}, {uid: u-9}]}'
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[2,["u-1"]]'
	plugin DEL c1 p u-1
	# no new serial: the end of the lease itself is what the agent tells
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy, .status.attachmentCount]' '[2,[],0]'
}

@test "a serial that goes back is refused, a new epoch is not" {
	fresh serials
	start_agent n1
	node n1 "{epoch: e1, serial: 5, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 5
	node n1 '{epoch: e1, serial: 4, profiles: [], rows: []}'
	wait_until 10 grep -q 'N3: its serial 4 is lower than the 5 in force' "$WORK/agent-n1.log"
	in_force ex-0@u-1
	status_is .status.answer.serial 5
	node n1 '{epoch: e2, serial: 1, profiles: [], rows: []}'
	wait_until 10 status_is '[.status.answer.epoch, .status.answer.serial]' '["e2",1]'
	! grep -q ex-0@u-1 "$WORK/n1/node"
}

@test "an agent that refuses an earlier spec tells what it has, also when it was killed in between, and once" {
	fresh ahead
	start_agent n1
	node n1 "{epoch: 100-a-b, serial: 5, $PROFILES, rows: [$GRANT]}"
	IPAM=', "addresses": [{"address": "10.80.1.1/24"}]' plugin ADD c1 p u-1
	wait_until 10 status_is '[.status.answer.serial, .status.attachmentCount]' '[5,1]'
	kill_it KILL agent-n1
	# as a restore of the cluster leaves it
	uid=$(kubectl get staticipnode n1 -o jsonpath='{.metadata.uid}')
	node n1 '{epoch: 99-a-b, serial: 9, profiles: [], rows: [], revoked: [{uid: u-7}]}'
	kubectl patch staticipnode n1 --subresource=status --type=merge -p "{\"status\": {\"answer\": {\"objectUID\": \"$uid\", \"epoch\": \"99-a-b\", \"serial\": 8, \"busy\": []}}}" >/dev/null
	start_agent n1
	wait_until 10 status_is '.status.answer | [.ahead, .epoch, .serial, .busy]' '[true,"100-a-b",5,["u-1"]]'
	grep -q 'N3: its epoch 99-a-b is before the 100-a-b in force' "$WORK/agent-n1.log"
	in_force ex-0@u-1
	# told once, and what it did before is not said again
	version=$(kubectl get staticipnode n1 -o jsonpath='{.metadata.resourceVersion}')
	sleep 2
	[ "$(kubectl get staticipnode n1 -o jsonpath='{.metadata.resourceVersion}')" = "$version" ]
	# the same serial with another content is none that follows, either
	node n1 '{epoch: 100-a-b, serial: 5, profiles: [], rows: []}'
	wait_until 10 grep -q 'N4: its serial 5 is in force with another content' "$WORK/agent-n1.log"
	status_is .status.answer.ahead true
	node n1 '{epoch: 101-a-b, serial: 1, profiles: [], rows: [], revoked: [{uid: u-7}]}'
	wait_until 10 status_is '.status.answer | [.ahead, .epoch, .serial, .busy]' '[false,"101-a-b",1,[]]'
}

@test "a table with a row that cannot be read is refused whole, with an event" {
	fresh bad-row
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	node n1 "{epoch: e1, serial: 2, rows: [$GRANT]}"
	wait_until 10 grep -q 'N2: row backend/default/ex-0@u-1 names profile default/ex, which is not there' "$WORK/agent-n1.log"
	node n1 "{epoch: e1, serial: 3, $PROFILES, rows: [{key: backend/default/ex-0, uid: u-1, state: Granted, domain: network/backend, ips: [10.0.2.400/24], profile: default/ex}]}"
	wait_until 10 grep -q 'N2: spec.rows\[0\]' "$WORK/agent-n1.log"
	in_force '"serial":1'
	status_is .status.answer.serial 1
	wait_until 10 bash -c '"$BIN/kubectl" get events -n default -o json | jq -e ".items[] | select(.reason == \"NodeTableRefused\" and .involvedObject.name == \"n1\")"'
	node n1 "{epoch: e1, serial: 4, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 4
}

@test "an agent that is killed answers again from the files, and for what came meanwhile" {
	fresh killed-agent
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	kill_it KILL agent-n1
	in_force ex-0@u-1
	node n1 "{epoch: e1, serial: 2, $PROFILES, rows: [$GRANT, $HOLD]}"
	touch "$WORK/n1/.node.tmp.1" # it was killed while it wrote
	start_agent n1
	wait_until 10 status_is .status.answer.serial 2
	[ ! -e "$WORK/n1/.node.tmp.1" ]
	in_force ex-1@u-2
}

@test "a StaticIPNode that vanishes leaves the grants in force" {
	fresh vanished
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	kubectl delete staticipnode n1 >/dev/null
	wait_until 10 grep -q 'StaticIPNode n1 is gone' "$WORK/agent-n1.log"
	in_force ex-0@u-1
	# made anew with the epoch and serial in force, but another object: not the same word
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 grep -q 'N4: its serial 1 is in force with another content' "$WORK/agent-n1.log"
	node n1 "{epoch: e3, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.epoch '"e3"'
}

@test "an answer that was overwritten is given again" {
	fresh overwritten
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	node n1 "{epoch: e1, serial: 2, $PROFILES, rows: [$GRANT], revoked: [{uid: u-9}]}"
	wait_until 10 status_is .status.answer.serial 2
	# as a PATCH that was given up and applied late does, or a restore of the cluster
	uid=$(kubectl get staticipnode n1 -o jsonpath='{.metadata.uid}')
	kubectl patch staticipnode n1 --subresource=status --type=merge \
		-p "{\"status\": {\"answer\": {\"objectUID\": \"$uid\", \"epoch\": \"e1\", \"serial\": 1, \"busy\": []}}}" >/dev/null
	wait_until 15 status_is .status.answer.serial 2
}

@test "a node's table that was removed or damaged comes back" {
	fresh removed
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	rm "$WORK/n1/node"
	wait_until 15 in_force ex-0@u-1
	echo damaged >"$WORK/n1/node"
	wait_until 15 in_force ex-0@u-1
}

# How many answers the API server had no object for.
unknown_answers() {
	kubectl get --raw /metrics | awk '/^apiserver_request_total.*code="404".*resource="staticipnodes".*verb="PATCH"/ { n += $NF } END { print n + 0 }'
}

@test "a StaticIPNode that is gone is answered no more" {
	fresh unanswered
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	kubectl delete staticipnode n1 >/dev/null
	wait_until 10 grep -q 'StaticIPNode n1 is gone' "$WORK/agent-n1.log"
	before=$(unknown_answers)
	IPAM=', "addresses": [{"address": "10.80.1.1/24"}]' plugin ADD c1 p u-1 # there is news
	sleep 12 # the leases are looked at each 10 s, whatever happens
	after=$(unknown_answers)
	[ "$after" = "$before" ] || { echo "$before before, $after after"; return 1; }
	node n1 "{epoch: e2, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.answer.epoch '"e2"'
}

# ---- what nodes leave behind ----------------------------------------------------

# pod NETNS ADDRESS: a namespace with the address on eth0, up, and its other end on this side.
pod() {
	ip netns add "$1"
	ip link add "$1" type veth peer name eth0 netns "$1"
	ip link set "$1" up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "$2" dev eth0
	ip -n "$1" link set eth0 up
	PODS="${PODS:-} $1"
}
end_pods() {
	local name
	for name in ${PODS:-}; do
		ip netns del "$name" 2>/dev/null || true
		ip link del "$name" 2>/dev/null || true
	done
	PODS=
}
is_up() { [ -n "$(ip -n "$1" -o link show dev eth0 up)" ]; }
is_down() { ! is_up "$1"; }
# take VERB CONTAINER POD UID NETNS ADDRESS: the plugin with an inline address in a namespace.
take() { NETNS=/run/netns/$5 IPAM=", \"addresses\": [{\"address\": \"$6\"}]" plugin "$1" "$2" "$3" "$4"; }
leases() { find "$WORK/n1/leases/by-attachment" -type f -printf '%f\n' | sort | xargs; }
leases_are() { [ "$(leases)" = "$1" ] || { echo "leases: $(leases), not $1"; return 1; }; }
condition() { status ".status.conditions[] | select(.type == \"$1\") | [.status, .reason]"; }
condition_is() { [ "$(condition "$1")" = "$2" ] || { echo "$1 is $(condition "$1"), not $2"; return 1; }; }
events_of() { kubectl get events -n default -o json | jq -r ".items[] | select(.reason == \"$1\" and .involvedObject.name == \"n1\") | .message // .note"; }
has_event() { events_of "$1" | grep -q -- "$2" || { events_of "$1"; return 1; }; }

@test "a pod whose address went to another is cut off, and busy until its DEL" {
	fresh silence
	start_agent n1
	pod zombie 10.80.1.1/24
	ip addr add 10.80.1.254/24 dev zombie
	take ADD c1 p u-1 zombie 10.80.1.1/24
	node n1 '{epoch: e1, serial: 1}'
	wait_until 10 status_is .status.attachmentCount 1
	ping -c 1 -W 2 10.80.1.1
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1, silence: true, addresses: ["network/podnet 10.80.1.1"]}]}'
	wait_until 10 is_down zombie
	run ! ping -c 1 -W 1 10.80.1.1
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[2,["u-1"]]'
	wait_until 10 has_event AddressCutOff "cut off 10.80.1.1 of pod silence/p (UID u-1, container c1, interface eth0) in /run/netns/zombie"
	# a main plugin that was slow, or somebody else, sets it up once more
	ip -n zombie link set eth0 up
	wait_until 10 is_down zombie
	[ "$(grep -c 'cut off 10.80.1.1' "$WORK/agent-n1.log")" = 1 ]
	status_is .status.answer.busy '["u-1"]'
	take DEL c1 p u-1 zombie 10.80.1.1/24
	wait_until 10 status_is '[.status.answer.busy, .status.attachmentCount]' '[[],0]'
}

@test "a revocation without silence leaves the pod its link" {
	fresh unsilenced
	start_agent n1
	pod quiet 10.80.1.2/24
	take ADD c1 p u-1 quiet 10.80.1.2/24
	node n1 '{epoch: e1, serial: 1, revoked: [{uid: u-1}]}'
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[1,["u-1"]]'
	sleep 2.5 # it is looked at each second
	is_up quiet
	leases_are c1:eth0
}

@test "a lease whose namespace is gone is ended, and its pod is not busy any more" {
	fresh gone
	start_agent n1
	pod gone 10.80.1.3/24
	pod stays 10.80.1.4/24
	take ADD c1 p u-1 gone 10.80.1.3/24
	take ADD c2 q u-2 stays 10.80.1.4/24
	node n1 '{epoch: e1, serial: 1, revoked: [{uid: u-1}, {uid: u-2}]}'
	wait_until 10 status_is .status.answer.busy '["u-1","u-2"]'
	ip netns del gone # no DEL comes
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy, .status.attachmentCount]' '[1,["u-2"],1]'
	leases_are c2:eth0
	[ ! -e "$WORK/n1/leases/network/podnet/10.80.1.3" ]
	grep -q 'ended the lease of container c1 (interface eth0): its network namespace is gone' "$WORK/agent-n1.log"
}

@test "a namespace that a process is in is not gone without its mount" {
	fresh held
	start_agent n1
	pod held 10.80.1.5/24
	take ADD c1 p u-1 held 10.80.1.5/24
	nsenter --net=/run/netns/held sleep 300 3>&- &
	echo $! >"$WORK/agent-holder.pid" # stop_all ends it
	node n1 '{epoch: e1, serial: 1, revoked: [{uid: u-1}]}'
	wait_until 10 status_is .status.answer.busy '["u-1"]'
	ip netns del held
	sleep 2.5
	leases_are c1:eth0
	kill "$(cat "$WORK/agent-holder.pid")"
	wait_until 10 status_is .status.answer.busy '[]'
}

@test "a lease that DEL could not silence is silenced and ended by the agent" {
	fresh closing
	start_agent n1
	pod closing 10.80.1.6/24
	take ADD c1 p u-1 closing 10.80.1.6/24
	node n1 '{epoch: e1, serial: 1, revoked: [{uid: u-1}]}'
	wait_until 10 status_is .status.answer.busy '["u-1"]'
	kill_it STOP agent-n1
	# as a DEL leaves it that could not set the link down
	python3 - "$WORK/n1/leases/by-attachment/podnet/c1:eth0" <<-'EOP'
		import json, os, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		lease = json.loads(os.pread(fd, 4096, 0)); lease["closing"] = True
		os.pwrite(fd, (json.dumps(lease, separators=(",", ":")).ljust(4095) + "\n").encode(), 0)
	EOP
	is_up closing
	kill_it CONT agent-n1
	wait_until 10 status_is '[.status.answer.busy, .status.attachmentCount]' '[[],0]'
	is_down closing
}

@test "a plugin that was stopped with a lease's lock holds up no answer" {
	fresh locked
	start_agent n1
	IPAM=', "addresses": [{"address": "10.80.1.7/24"}]' plugin ADD c1 p u-1
	flock "$WORK/n1/leases/network/podnet/10.80.1.7" sleep 300 3>&- &
	echo $! >"$WORK/agent-locker.pid"
	node n1 '{epoch: e1, serial: 1, revoked: [{uid: u-1}]}'
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[1,["u-1"]]'
	! grep -q 'locked by another process' "$WORK/agent-n1.log"
}

@test "clients that ask for the measurements and read nothing do not keep a revocation from its answer" {
	fresh readers
	mkdir -p "$WORK/n1"
	start agent-n1 "$BUILD/staticip-agent" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --root="$WORK/n1" --node-name=n1 \
		--log-level=debug --metrics-address=127.0.0.1:10483
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [{key: podnet/$NS/p, uid: u-1, state: Granted, domain: network/podnet, ips: [10.80.1.1/24], profile: default/ex}]}"
	wait_until 10 status_is .status.answer.serial 1
	plugin ADD c1 p u-1
	wait_until 10 status_is .status.attachmentCount 1
	start proxy-deaf python3 "$REPO/tests/integration/deaf.py" 127.0.0.1 10483 24
	wait_until 10 grep -q ready "$WORK/proxy-deaf.log"
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1}]}'
	wait_until 5 status_is '[.status.answer.serial, .status.answer.busy]' '[2,["u-1"]]'
	plugin DEL c1 p u-1
	wait_until 5 status_is '[.status.answer.serial, .status.answer.busy]' '[2,[]]'
	curl -sSf --max-time 5 -o /dev/null http://127.0.0.1:10483/metrics
	kill -0 "$(cat "$WORK/proxy-deaf.pid")" # they were there all the time
}

# empty: as somebody does who thinks that it is a cache.
empty() { find "$WORK/n1" -mindepth 1 -delete; }

@test "an emptied directory: leases come back from the interfaces before anything is answered" {
	fresh emptied
	start_agent n1
	pod one 10.80.1.11/24
	pod two 10.80.1.12/24
	pod three 10.80.1.13/24
	pod four 10.80.1.14/24
	take ADD c1 p u-1 one 10.80.1.11/24
	take ADD c2 q u-2 two 10.80.1.12/24
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.attachmentCount 2
	[ "$(cat "$WORK/n1/marker")" = "$(cat /proc/sys/kernel/random/boot_id)" ]
	kill_it KILL agent-n1
	# nobody could report these two: a grant and a revocation tell of them
	take ADD c3 ex-0 u-3 three 10.80.1.13/24
	take ADD c4 r u-4 four 10.80.1.14/24
	empty
	ip netns del two
	node n1 "{epoch: e1, serial: 2, $PROFILES, rows: [{key: podnet/default/ex-0, uid: u-3, state: Granted, domain: network/podnet, ips: [10.80.1.13/24], profile: default/ex}],
		revoked: [{uid: u-1, addresses: [network/podnet 10.80.1.11]}, {uid: u-2, addresses: [network/podnet 10.80.1.12]}, {uid: u-4, addresses: [network/podnet 10.80.1.14]}]}"
	start_agent n1
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[2,["u-1","u-4"]]'
	status_is '[.status.attachments[] | .container + ":" + .uid] | map(sub("regained-[0-9]+"; "regained")) | sort' '["c1:u-1","regained:u-3","regained:u-4"]'
	condition_is LeasesLost '["False","Regained"]'
	wait_until 10 has_event LeasesLost 'somebody emptied the directory'
	wait_until 10 has_event LeasesRegained '3 leases were lost and made again'
	[ -e "$WORK/n1/marker" ]
	# the runtime's DEL finds what has its container's name, the end of the namespace ends the others
	take DEL c1 p u-1 one 10.80.1.11/24
	ip netns del four
	wait_until 20 status_is '[.status.answer.busy, .status.attachmentCount]' '[[],1]'
}

@test "an agent whose directory is emptied while it runs answers nothing before the leases are back" {
	fresh emptied-running
	start_agent n1
	pod one 10.80.1.21/24
	take ADD c1 p u-1 one 10.80.1.21/24
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is .status.attachmentCount 1
	kill_it STOP agent-n1
	empty
	kill_it CONT agent-n1
	node n1 "{epoch: e1, serial: 2, $PROFILES, rows: [$GRANT], revoked: [{uid: u-1, addresses: [network/podnet 10.80.1.21]}]}"
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[2,["u-1"]]'
	leases_are c1:eth0
	in_force ex-0@u-1
	condition_is LeasesLost '["False","Regained"]'
}

@test "of pods with one address on two networks each DEL finds its own after the directory was emptied" {
	fresh emptied-twins
	start_agent n1
	pod one 10.80.1.25/24
	pod two 10.80.1.25/24
	take ADD c1 p u-1 one 10.80.1.25/24
	NETWORK=other take ADD c2 q u-2 two 10.80.1.25/24
	node n1 '{epoch: e1, serial: 1}'
	wait_until 10 status_is .status.attachmentCount 2
	kill_it STOP agent-n1
	empty
	kill_it CONT agent-n1
	node n1 '{epoch: e1, serial: 2}'
	wait_until 15 status_is .status.answer.serial 2
	NETWORK=other take DEL c2 q u-2 two 10.80.1.25/24
	is_up one
	is_down two
	take DEL c1 p u-1 one 10.80.1.25/24
	is_down one
}

@test "leases that are removed without the marker are found again before anything is answered" {
	fresh emptied-leases
	start_agent n1
	pod one 10.80.1.26/24
	take ADD c1 p u-1 one 10.80.1.26/24
	node n1 '{epoch: e1, serial: 1}'
	wait_until 10 status_is .status.attachmentCount 1
	# nobody is revoked yet, so no answer while they go can free an address
	rm -r "$WORK/n1/leases"
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1, addresses: [network/podnet 10.80.1.26]}]}'
	wait_until 20 status_is .status.answer.serial 2
	status_is .status.answer.busy '["u-1"]'
	condition_is LeasesLost '["False","Regained"]'
}

@test "an agent whose directory was moved away answers nothing, and one that starts anew finds the leases" {
	fresh moved
	start_agent n1
	pod one 10.80.1.27/24
	take ADD c1 p u-1 one 10.80.1.27/24
	node n1 '{epoch: e1, serial: 1}'
	wait_until 10 status_is .status.attachmentCount 1
	mv "$WORK/n1" "$WORK/n1.moved"
	mkdir "$WORK/n1"
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1, addresses: [network/podnet 10.80.1.27]}]}'
	wait_until 20 grep -q 'ending: the lock was lost' "$WORK/agent-n1.log"
	status_is .status.answer.serial 1
	start_agent n1
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[2,["u-1"]]'
	condition_is LeasesLost '["False","Regained"]'
	rm -r "$WORK/n1.moved"
}

# table GENERATION [LINE...]: writes the only table, as the controller does.
table() {
	local ns=$TABLES generation=$1
	shift
	python3 - "$ns" "$generation" "$@" <<-'EOP' | kubectl apply -f - >/dev/null
		import json, sys
		ns, generation, *lines = sys.argv[1:]
		body = "".join(line + "\n" for line in lines)
		head = "staticip-table 1 generation=%s rows=%d" % (generation, len(lines))
		h = 0xcbf29ce484222325
		for b in (head + body).encode(): h = (h ^ b) * 0x100000001b3 % 2**64
		print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "table-1-0", "namespace": ns, "labels": {"staticip.dev/buckets": "1"}},
			"data": {"table": "%s sum=%016x\n%s" % (head, h, body)}}))
	EOP
}
network_row() { printf 'podnet\t{"domain":"network/podnet","grants":%s}' "$1"; }
# start_one_bucket_agent: an agent of one table.
start_one_bucket_agent() {
	mkdir -p "$WORK/n1"
	start agent-n1 "$BUILD/staticip-agent" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --root="$WORK/n1" --node-name=n1 --buckets=1 --log-level=debug
}

condition_says() { status ".status.conditions[] | select(.type == \"$1\") | .message" | grep -qF -- "$2" || { status .status.conditions; return 1; }; }

@test "one namespace whose lease cannot be made again does not keep the others from theirs" {
	fresh one-fails
	start_agent n1
	pod one 10.80.1.51/24
	pod two 10.80.1.52/24
	NETWORK=othernet take ADD c1 p u-1 one 10.80.1.51/24
	take ADD c2 q u-2 two 10.80.1.52/24
	node n1 '{epoch: e1, serial: 1}'
	wait_until 10 status_is .status.attachmentCount 2
	kill_it KILL agent-n1
	empty
	mkdir -p "$WORK/n1/leases/by-attachment/othernet"
	mount -t tmpfs -o ro none "$WORK/n1/leases/by-attachment/othernet"
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1}, {uid: u-2}]}'
	start_agent n1
	wait_until 10 condition_says LeasesLost 'network namespace /run/netns/one'
	condition_is LeasesLost '["True","CannotLook"]'
	[ "$(find "$WORK/n1/leases/by-attachment/podnet" -type f | wc -l)" = 1 ]
	status_is .status.answer.serial 1 # nothing is proven as long as one is not known
	umount "$WORK/n1/leases/by-attachment/othernet"
	wait_until 40 status_is '[.status.answer.serial, (.status.answer.busy | sort)]' '[2,["u-1","u-2"]]'
	[ "$(find "$WORK/n1/leases/by-attachment" -type f | wc -l)" = 2 ]
	condition_is LeasesLost '["False","Regained"]'
}

# start_blind_agent: one that is process 1 of its own process namespace, as in a pod without hostPID.
start_blind_agent() {
	start agent-n1 unshare --pid --fork --kill-child=KILL --mount-proc "$BUILD/staticip-agent" --kubeconfig="$KUBECONFIG" \
		--tables-namespace="$TABLES" --root="$WORK/n1" --node-name=n1 --buckets=1 --log-level=debug
}
gone() { [ ! -e "$1" ]; }

@test "an agent that does not see the host ends no lease, says so, and takes no lost leases for gone" {
	fresh blind
	mkdir "$WORK/n1"
	start_blind_agent
	pod one 10.80.1.41/24
	take ADD c1 p u-1 one 10.80.1.41/24
	node n1 '{epoch: e1, serial: 1, revoked: [{uid: u-1}]}'
	wait_until 10 status_is .status.answer.busy '["u-1"]'
	condition_is HostView '["False","NotSeen"]'
	ip netns del one
	sleep 2.5
	leases_are c1:eth0
	kill_it KILL agent-n1
	empty
	node n1 '{epoch: e1, serial: 2, revoked: [{uid: u-1}]}'
	table 1
	start_blind_agent
	wait_until 10 condition_is LeasesLost '["True","CannotLook"]'
	condition_is Ready '["False","LeasesLost"]'
	sleep 1
	status_is .status.answer.serial 1
	[ ! -e "$WORK/n1/table" ] && [ ! -e "$WORK/n1/node" ] && [ ! -e "$WORK/n1/marker" ]
	kill_it KILL agent-n1
	# one that sees the host finds that nobody has the address any more
	start_one_bucket_agent
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy]' '[2,[]]'
	wait_until 10 condition_is Ready '["True","Serving"]'
	condition_is HostView ''
	condition_is LeasesLost '["False","Regained"]'
	[ "$(readlink "$WORK/n1/table/live")" = 1 ]
}

@test "after a reboot the boot is told first, and nothing is taken for lost" {
	fresh reboot
	start_agent n1
	IPAM=', "addresses": [{"address": "10.80.1.31/24"}]' plugin ADD c1 p u-1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$GRANT]}"
	wait_until 10 status_is '[.status.answer.serial, .status.attachmentCount]' '[1,1]'
	kill_it KILL agent-n1
	empty
	echo 00000000-1111-2222-3333-444444444444 >"$WORK/boot_id"
	mount --bind "$WORK/boot_id" /proc/sys/kernel/random/boot_id
	kubectl get staticipnode n1 -w -o json >"$WORK/seen" 3>&- &
	echo $! >"$WORK/agent-watch.pid"
	wait_until 10 grep -q bootID "$WORK/seen"
	node n1 "{epoch: e1, serial: 2, $PROFILES, rows: [$GRANT], revoked: [{uid: u-1}]}"
	start_agent n1
	wait_until 10 status_is '[.status.answer.serial, .status.answer.busy, .status.attachmentCount]' '[2,[],0]'
	umount /proc/sys/kernel/random/boot_id
	status_is .status.bootID '"00000000-1111-2222-3333-444444444444"'
	[ "$(cat "$WORK/n1/marker")" = 00000000-1111-2222-3333-444444444444 ]
	! grep -q 'somebody emptied' "$WORK/agent-n1.log"
	# the new boot was told while the answer was still that of the old one
	wait_until 10 bash -c 'jq -es "any(.[]; .status.bootID == \"00000000-1111-2222-3333-444444444444\" and .status.answer.serial == 1)" "$WORK/seen"'
}

@test "the answer says when everything in force requires grants" {
	fresh required
	start_one_bucket_agent
	node n1 '{epoch: e1, serial: 1}'
	wait_until 10 status_is .status.answer.grantsRequired false
	condition_is Ready '["False","NoTables"]'
	table 1 "$(network_row false)"
	wait_until 10 condition_is Ready '["True","Serving"]'
	status_is .status.answer.grantsRequired false
	table 2 "$(network_row true)"
	wait_until 10 status_is .status.answer.grantsRequired true
	table 3 "$(network_row false)"
	wait_until 10 status_is .status.answer.grantsRequired false
}

@test "without the marker nobody takes an address that was not granted" {
	fresh unmarked
	start_one_bucket_agent
	node n1 '{epoch: e1, serial: 1}'
	table 1 '!default/ex	{"uid":"u-ex","handover":"Available"}' "$(network_row true)" \
		"podnet/$NS/p	{\"p\":\"default/ex\",\"ips\":[\"10.80.1.51/24\"]}" "podnet/$NS/q	{\"p\":\"default/ex\",\"ips\":[\"10.80.1.52/24\"]}"
	wait_until 10 test -e "$WORK/n1/table/live"
	wait_until 10 test -e "$WORK/n1/marker"
	plugin ADD c1 p u-1
	kill_it STOP agent-n1
	rm "$WORK/n1/marker"
	run -1 plugin ADD c2 q u-2
	grep -q "marker is not there, so nobody knows which addresses this node's pods have" <<<"$output"
	[ "$(jq .code <<<"$output")" = 11 ]
	# an inline source is not of the cluster's tables
	IPAM=', "addresses": [{"address": "10.80.9.1/24"}]' NETWORK=other plugin ADD c3 r u-3
	kill_it CONT agent-n1
	wait_until 20 test -e "$WORK/n1/marker"
	plugin ADD c2 q u-2
}
