# A node fails: what its pods had stays theirs until there is proof, each kind of proof in
# turn, and a node that returns does no harm. DC-..: see 50-handover.bats.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/holders.bash"

# A node is NotReady some 20 s after it was last heard of.
setup_file() { export BATS_TEST_TIMEOUT=240; }
setup() {
	own_namespace
	mend_nodes
	pick_nodes
}
teardown() {
	cluster api-path direct 2>/dev/null || true
	mend_nodes
	drop_namespace
}

# ---- what the tests share ----------------------------------------------------------------

# db-0 on the far node, which is then lost ($1: cut_off or lose), and force-deleted;
# its successor is on the near one. $old is the UID of the first.
lose_holder() {
	one_on "$far" "${@:2}"
	old=$(uid_of db-0)
	only_node "$near"
	"$1" "$far"
	force_delete db-0
	another_pod db-0 "$old"
}
lose() {
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	cluster kill-node "$1"
	wait_until 60 node_is "$1" Unknown
}
held_by_lost() { held db-0 "$V4.40" "$NS/db-0" "$old" "n$far" "node n$far is not Ready since [0-9TZ:-]+; $1"; }
ways="free when it is back and its agent answers, when it is off with the taint node.kubernetes.io/out-of-service, or by kubectl annotate staticipnode n"

# ---- held, and what releases --------------------------------------------------------------

@test "DC-02, DC-11: a node is cut off: its pod's addresses are held, and free when it is back" {
	lose_holder cut_off
	held_by_lost "$ways"
	held_on_node db-0 "$V4.40" "$NS/db-0" "$old"
	join "$far"
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_until 20 state_is "n$far" "$old" ""
}

@test "DC-07: a node that is off and out of service releases its pods' addresses" {
	lose_holder lose
	held_by_lost "$ways"
	out_of_service "$far"
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_event "n$far" "AddressesReleased: the addresses of pod $NS/db-0 \(UID $old\) pass on without this node's answer: OutOfService" default
	equal "silence" "$(kubectl get staticipnode "n$far" -o json | jq -r --arg uid "$old" '.spec.revoked[] | select(.uid == $uid) | .silence')" true
	cluster start-node "$far"
	wait_until 60 node_is "$far" True
	wait_until 30 state_is "n$far" "$old" ""
	settled_pod db-0 "$V4.40" "$V6:40"
}

@test "the operator's word releases one pod's addresses, and no other's" {
	local other
	{ allocation other Pod/other <<<"addresses: [{ips: [$V4.7/16]}]"; a_pod other "n$far"; } | apply
	running other
	other=$(uid_of other)
	lose_holder lose
	held_by_lost "$ways"
	force_delete other
	a_pod other "n$near" | apply
	held other "$V4.7" "$NS/other" "$other" "n$far" "node n$far is not Ready"
	kubectl annotate staticipnode "n$far" "staticip.dev/release=$old" >/dev/null
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_event "n$far" "AddressesReleased: the addresses of pod $NS/db-0 \(UID $old\) pass on without this node's answer: Released" default
	equal "who holds the other's" "$(holder "$V4.7")" "$NS/other $other n$far"
	wait_until 20 annotation_is_gone
	cluster start-node "$far"
	running other 60
}
annotation_is_gone() { equal "annotation" "$(kubectl get staticipnode "n$far" -o 'jsonpath={.metadata.annotations.staticip\.dev/release}')" ""; }

@test "AfterGrace releases when the node was not Ready for that long, and not before" {
	lose_holder lose "onNodeFailure: AfterGrace" "graceSeconds: 60"
	lost=$SECONDS
	held_by_lost "free .*60 s after it became not Ready, or by"
	sleep $((lost + 30 - SECONDS))
	equal "who holds $V4.40" "$(holder "$V4.40")" "$NS/db-0 $old n$far"
	running db-0 90
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_event "n$far" "AddressesReleased: .*: AfterGrace" default
}

# ---- reboot, Node objects -----------------------------------------------------------------

@test "a node that reboots gives its pods' addresses back, and its own pods start again" {
	one_on "$far"
	old=$(uid_of db-0)
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	cluster reboot-node "$far"
	wait_until 60 sandbox_is_another
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "UID of db-0" "$(uid_of db-0)" "$old"
	# and to another node, with the answer of the rebooted one
	only_node "$near"
	remake db-0
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" "n$near"
}
sandbox_is_another() { [ -n "$(sandbox "$far" db-0)" ]; }

@test "a Node that is deleted and was no cloud's releases nothing, and another machine under its name neither" {
	one_on "$far"
	old=$(uid_of db-0)
	only_node "$near"
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	cluster delete-node "$far"
	force_delete db-0 || true
	another_pod db-0 "$old" 40
	held db-0 "$V4.40" "$NS/db-0" "$old" "n$far" "Node n$far is deleted since"
	cluster replace-node "$far"
	wait_until 60 node_is "$far" True
	system_ready
	held db-0 "$V4.40" "$NS/db-0" "$old" "n$far" "node n$far is another machine"
	kubectl annotate staticipnode "n$far" "staticip.dev/release=$old" >/dev/null
	settled_pod db-0 "$V4.40" "$V6:40"
}

# Goal: kubectl delete node, and the machine is the same: the kubelet registers it again,
# and the agent's answer speaks for it.
@test "a Node that is deleted and registers again is the same machine" {
	one_on "$far"
	old=$(uid_of db-0)
	only_node "$near"
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	cluster stop-kubelet "$far"
	kubectl delete node "n$far" >/dev/null
	force_delete db-0 || true
	cluster start-kubelet "$far"
	wait_until 60 node_is "$far" True
	another_pod db-0 "$old" 40
	settled_pod db-0 "$V4.40" "$V6:40"
	system_ready
}

# ---- the API server --------------------------------------------------------------------------


@test "while the API server refuses or is away nothing passes on; afterwards all does" {
	local mode
	one_on "$far"
	old=$(uid_of db-0)
	only_node "$near"
	for mode in 429 cut; do
		cluster api-path $mode
		sleep 1
		[ $mode = 429 ] || { k delete pod db-0 --wait=false >/dev/null; another_pod db-0 "$old" 40; }
		sleep 5
	done
	equal "who holds $V4.40" "$(holder "$V4.40")" "$NS/db-0 $old n$far"
	cluster api-path direct
	PATIENCE=60 running db-0 90
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_recovered
}
