#!/usr/bin/env bats
# A StaticIPNode and the agent of its node: the grants become a file, and what was
# revoked is answered for by the leases.

setup() { load lib.bash; }
teardown() { stop_all; kubectl delete staticipnodes --all >/dev/null 2>&1 || true; }

# node NAME SPEC: applies it, as the controller does.
node() { kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPNode, metadata: {name: $1}, spec: $2}"; }
status() { kubectl get staticipnode n1 -o json | jq -c "$1"; }
status_is() { [ "$(status "$1")" = "$2" ] || { echo "$1 is $(status "$1"), not $2"; return 1; }; }
in_force() { grep -qF -- "$1" "$WORK/n1/node" || { cat "$WORK/n1/node"; return 1; }; }

PROFILES='profiles: [{name: default/ex, uid: u-ex, gateways: [10.0.2.1], routes: [{dst: 10.9.0.0/16}]}]'
GRANT='{key: backend/default/ex-0, uid: u-1, state: Granted, domain: network/backend, ips: [10.0.2.40/24], profile: default/ex}'
HOLD='{key: backend/default/ex-1, uid: u-2, state: Held, message: "10.0.2.41 is held by pod default/ex-1 (u-0) on node n2"}'

# plugin VERB CONTAINER POD UID: the plugin on node n1, whose host file names the agent's root;
# IPAM: more keys of the ipam block.
plugin() {
	export IPAM=${IPAM:-}
	unshare --mount bash -c '
		mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\"root\": \"$1/n1\"}" >/etc/staticip/plugin.json
		CNI_COMMAND=$3 CNI_CONTAINERID=$4 CNI_NETNS=/nowhere CNI_IFNAME=eth0 CNI_PATH=/x CNI_ARGS="K8S_POD_NAMESPACE=$7;K8S_POD_NAME=$5;K8S_POD_UID=$6" \
			"$2" <<<"{\"cniVersion\": \"1.0.0\", \"name\": \"podnet\", \"type\": \"macvlan\", \"ipam\": {\"type\": \"staticip\", \"wait\": 0 $IPAM}}"
	' plugin "$WORK" "$BUILD/staticip" "$1" "$2" "$3" "$4" "$NS"
}

@test "grants and holds become the node's table, and the agent answers" {
	fresh grants
	start_agent n1
	node n1 "{epoch: e1, serial: 1, $PROFILES, rows: [$HOLD, $GRANT]}"
	wait_until 10 status_is .status.answer.serial 1
	in_force 'backend/default/ex-0@u-1	{"state":"Granted","domain":"network/backend","p":"default/ex","ips":["10.0.2.40/24"]}'
	in_force 'backend/default/ex-1@u-2	{"state":"Held","why":"10.0.2.41 is held by pod default/ex-1 (u-0) on node n2"}'
	in_force '!default/ex	{"uid":"u-ex","gw":["10.0.2.1"],"routes":[{"dst":"10.9.0.0/16"}]}'
	uid=$(kubectl get staticipnode n1 -o jsonpath='{.metadata.uid}')
	status_is .status.answer "{\"busy\":[],\"epoch\":\"e1\",\"grantsRequired\":false,\"objectUID\":\"$uid\",\"serial\":1}"
	status_is .status.bootID "\"$(cat /proc/sys/kernel/random/boot_id)\""
	status_is .status.protocol 2
	node n2 "{epoch: e1, serial: 9}"
	sleep 0.5
	in_force '"node":"n1"'
}

@test "a revoked pod is busy until its lease is gone" {
	fresh revoked
	start_controller
	start_agent n1
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: p}, addresses: [{ips: [10.80.1.1/24]}]}}
	EOA
	wait_until 20 settled n1
	wait_until 20 test -e "$WORK/n1/table/live"
	plugin ADD c1 p u-1
	node n1 '{epoch: e1, serial: 1}'
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
	fresh killed
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
