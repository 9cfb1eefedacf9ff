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
	[ -z "${WIRE:-}" ] || kill "$WIRE" 2>/dev/null || true
	mend_nodes
	controller_as_it_was
	drop_namespace
}

# ---- what the tests share ----------------------------------------------------------------

# db-0 on the far node, which is then lost ($1: cut_off or lose), and force-deleted;
# its successor is on the near one. $old is the UID of the first.
lose_holder() {
	one_on "$far" "${@:2}"
	began=$(date +%s)
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

# The pod that was cut off is there, with both addresses, by its network namespace.
zombie_has_addresses() {
	equal "addresses of the pod that was cut off" \
		"$(in_node "$far" nsenter -t "${zombie##* }" -n ip addr show eth0 up | global_addresses)" "$1"
}
# What an assertion lets happen until the node is back, and the watcher's proof that it did.
overlap_is_seen() {
	local address
	may_overlap "$V4.40" "$V6:40"
	for address in "$V4.40" "$V6:40"; do
		wait_until 10 contains_overlap "$address"
	done
}
contains_overlap() { contains "what the watcher said of $1" "$(overlaps_of "$1")" "duplicate"; }
alone_in() { equal "namespaces with $1" "$(awk -v a="$1" '$1 == a && $3 != 0' "$WATCHER_STATE" | wc -l)" 1; }
# ---- on the wire --------------------------------------------------------------------------

mac_of() { in_pod "$1" cat /sys/class/net/eth0/address; }
mac_of_zombie() { in_node "$far" nsenter -t "${zombie##* }" -n ip -o link show eth0 | sed -nE 's/.*link\/ether ([0-9a-f:]+).*/\1/p'; }
# listen ADDRESS...: from now on, who claims these, by ARP and neighbour discovery, asked ten times a second.
listen() {
	listen_no_more
	python3 "$REPO/tests/e2e/wire.py" sip-ul "$@" >"$BATS_TEST_TMPDIR/wire" 2>"$BATS_TEST_TMPDIR/wire.err" 3>&- 4>&- &
	WIRE=$!
}
listen_no_more() {
	[ -n "${WIRE:-}" ] || return 0
	kill "$WIRE" || fail "the listener has ended: $(<"$BATS_TEST_TMPDIR/wire.err")"
	WIRE=
}
heard() { grep -c "^$1 " "$BATS_TEST_TMPDIR/wire" || true; }
heard_more() { [ "$(heard "$1")" -gt "$2" ] || fail "$1 was claimed $(heard "$1") times: $(<"$BATS_TEST_TMPDIR/wire.err")"; }
# keep_hearing N ADDRESS...: each is claimed N times more.
keep_hearing() {
	local address before
	for address in "${@:2}"; do
		before=$(heard "$address")
		wait_until 15 heard_more "$address" $((before + $1)) || return 1
	done
}
# claimed_by MAC ADDRESS...: all that was heard, since listen, of these.
claimed_by() {
	local address
	for address in "${@:2}"; do
		equal "who claims $address" "$(sed -n "s/^$address //p" "$BATS_TEST_TMPDIR/wire" | sort -u | xargs)" "$1" || return 1
	done
}
only_new_answers() {
	listen "$V4.40" "$V6:40"
	keep_hearing 10 "$V4.40" "$V6:40"
	listen_no_more
	claimed_by "$(mac_of db-0)" "$V4.40" "$V6:40"
}
# After the node is back: the addresses are in one pod again, the new one.
overlap_is_over() {
	wait_until 30 alone_in "$V4.40"
	wait_until 30 alone_in "$V6:40"
	has_addresses db-0 "$V4.40/16" "$V6:40/64"
	look_again
	WATCHER_SAID=$(wc -l <"$WATCHER_LOG") OVERLAPS=()
}

# ---- held, and what releases --------------------------------------------------------------

# What would release a holder that is lost, each as a trial only.
dry_runs() {
	kubectl annotate --dry-run=server staticipnode "n$far" "staticip.dev/release=$old"
	kubectl taint --dry-run=server node "n$far" node.kubernetes.io/out-of-service=nodeshutdown:NoExecute
	kubectl delete --dry-run=server node "n$far"
	kubectl delete --dry-run=server staticipnode "n$far"
	k patch --dry-run=server staticipallocation db --type merge -p '{"spec":{"onNodeFailure":"AfterGrace","graceSeconds":60}}'
	k delete --dry-run=server pod db-0 --force --grace-period=0
	k delete --dry-run=server staticipallocation db
	single thief "$V4.40" "n$near" | k create --dry-run=server -f -
} >/dev/null

@test "DC-02, DC-11, DC-15: a node is cut off: its pod's addresses are held, also against dry runs, and free when it is back" {
	local answered asserted shakes
	lose_holder cut_off
	held_by_lost "$ways"
	hold_is_measured "$NS/db-0" "$old" "n$far" "free when it is back and its agent answers" "$began"
	dry_runs
	held_by_lost "$ways"
	held_on_node db-0 "$V4.40" "$NS/db-0" "$old"
	zombie=$(sandbox "$far" db-0)
	zombie_has_addresses "$V4.40/16 $V6:40/64"
	answered=$(measured staticip_releases_total proof=Answered) shakes=$(measured staticip_handshake_seconds_count)
	asserted=$(by_assertion)
	join "$far"
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_until 20 state_is "n$far" "$old" ""
	hold_is_over "$old"
	[ "$(measured staticip_releases_total proof=Answered)" -gt "$answered" ] || fail "staticip_releases_total proof=Answered did not grow from $answered"
	[ "$(measured staticip_handshake_seconds_count)" -gt "$shakes" ] || fail "staticip_handshake_seconds_count did not grow from $shakes"
	equal "releases by assertion" "$(by_assertion)" "$asserted"
}
by_assertion() {
	local proof
	for proof in OutOfService NodeGone AfterGrace Released; do measured staticip_releases_total proof=$proof; done | xargs
}

@test "DC-07: a node that is off and out of service releases its pods' addresses" {
	local before
	lose_holder lose
	held_by_lost "$ways"
	before=$(measured staticip_releases_total proof=OutOfService)
	out_of_service "$far"
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "releases by proof OutOfService" "$(measured staticip_releases_total proof=OutOfService)" $((before + 1))
	hold_is_over "$old"
	wait_event "n$far" "AddressesReleased: the addresses of pod $NS/db-0 \(UID $old\) pass on without this node's answer: OutOfService" default
	equal "silence" "$(kubectl get staticipnode "n$far" -o json | jq -r --arg uid "$old" '.spec.revoked[] | select(.uid == $uid) | .silence')" true
	cluster start-node "$far"
	wait_until 60 node_is "$far" True
	wait_until 30 state_is "n$far" "$old" ""
	settled_pod db-0 "$V4.40" "$V6:40"
}

# The operator was wrong, the node only was cut off. Its pod lives, with its addresses; the kubelet
# would remove it: the agent is to be first. The successor runs, and nobody meets the old one.
released_in_error() {
	lose_holder cut_off
	cluster cut-pods "$far"
	zombie=$(sandbox "$far" db-0)
	cluster stop-kubelet "$far"
	zombie_has_addresses "$V4.40/16 $V6:40/64"
	kubectl annotate staticipnode "n$far" "staticip.dev/release=$old" >/dev/null
	running db-0 40
	wait_until 10 has_addresses db-0 "$V4.40/16" "$V6:40/64"
	differ "MAC of the new pod and of the old one" "$(mac_of db-0)" "$(mac_of_zombie)"
	overlap_is_seen
}
cut_off_is_told() { wait_event "n$far" "AddressCutOff: cut off $V4.40, $V6:40 of .*given to another pod while this node did not answer" default; }
returned() {
	contains "busy on n$far" "$(kubectl get staticipnode "n$far" -o 'jsonpath={.status.answer.busy[*]}')" "$old"
	cluster start-kubelet "$far"
	wait_until 60 node_is "$far" True
	wait_until 60 state_is "n$far" "$old" ""
	settled_pod db-0 "$V4.40" "$V6:40"
}

# Goal: the agent cuts the old pod off as soon as it hears of it. So whoever brings the API server's
# network back before the pods' sees no trace of it: the new pod's MAC is the only one, before,
# during and after the return. Another pod of the node shows that it did return.
@test "DC-17: a node that was released returns with the old pod alive, and hears of it first: the old pod is never on the wire" {
	local mate
	{ allocation mate Pod/mate <<<"addresses: [{ips: [$V4.5/16, '$V6:5/64']}]"; a_pod mate "n$far"; } | apply
	settled_pod mate "$V4.5" "$V6:5"
	mate=$(mac_of mate)
	released_in_error
	listen "$V4.40" "$V6:40" "$V4.5" "$V6:5"
	keep_hearing 5 "$V4.40" "$V6:40"
	cluster join-api "$far"
	cut_off_is_told
	overlap_is_over
	kill -0 "${zombie##* }"
	equal "how often a pod of n$far was heard" "$(heard "$V4.5") $(heard "$V6:5")" "0 0"
	cluster join-pods "$far"
	keep_hearing 10 "$V4.5" "$V6:5" "$V4.40" "$V6:40"
	listen_no_more
	claimed_by "$(mac_of db-0)" "$V4.40" "$V6:40"
	claimed_by "$mate" "$V4.5" "$V6:5"
	returned
}

# Goal: where both networks come back at once, nobody can keep a machine that has not heard yet
# from being as it was. Promised is: from the agent's word on, only the new pod answers.
@test "DC-17: a node that was released and returns with the old pod alive cuts it off" {
	released_in_error
	only_new_answers
	cluster join-node "$far"
	cut_off_is_told
	overlap_is_over
	kill -0 "${zombie##* }"
	only_new_answers
	returned
}

# single NAME ADDRESS NODE [LINE-OF-SPEC...]: a bare pod and its allocation.
single() {
	{ echo "addresses: [{ips: [$2/16]}]"; printf '%s\n' "${@:4}"; } | allocation "$1" "Pod/$1"
	a_pod "$1" "$3"
}

# Goal: three pods of one lost node; each is released by its own proof, or not at all.
@test "the operator's word releases one pod's addresses, a grace another's when it is over, and no third's" {
	local other late
	{ single other "$V4.7" "n$far"; single late "$V4.8" "n$far" "onNodeFailure: AfterGrace" "graceSeconds: 60"; } | apply
	running other
	running late
	other=$(uid_of other) late=$(uid_of late)
	lose_holder lose
	lost=$SECONDS
	force_delete other
	force_delete late
	{ a_pod other "n$near"; a_pod late "n$near"; } | apply
	held_by_lost "$ways"
	kubectl annotate staticipnode "n$far" "staticip.dev/release=$old" >/dev/null
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_event "n$far" "AddressesReleased: the addresses of pod $NS/db-0 \(UID $old\) pass on without this node's answer: Released" default
	wait_until 20 annotation_is_gone
	held other "$V4.7" "$NS/other" "$other" "n$far" "node n$far is not Ready"
	held late "$V4.8" "$NS/late" "$late" "n$far" "60 s after it became not Ready, or by kubectl annotate"
	[ $((lost + 45)) -le $SECONDS ] || sleep $((lost + 45 - SECONDS))
	equal "who holds $V4.8" "$(holder "$V4.8")" "$NS/late $late n$far"
	running late 60
	wait_until 10 held_by late "$(uid_of late)" "n$near" "$V4.8"
	wait_event "n$far" "AddressesReleased: the addresses of pod $NS/late \(UID $late\) pass on without this node's answer: AfterGrace" default
	equal "who holds the other's" "$(holder "$V4.7")" "$NS/other $other n$far"
	cluster start-node "$far"
	running other 60
}
annotation_is_gone() { equal "annotation" "$(kubectl get staticipnode "n$far" -o 'jsonpath={.metadata.annotations.staticip\.dev/release}')" ""; }

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

# The chart's settings and one more argument, until the end of the test.
controller_with() {
	changed=1
	helm -n $SYSTEM upgrade --reuse-values --wait --timeout 60s --set "controller.extraArgs={$1}" staticip "$REPO/helm/staticip" >/dev/null
}
controller_as_it_was() {
	[ -n "${changed:-}" ] || return 0
	helm -n $SYSTEM rollback --wait --timeout 60s staticip >/dev/null
}

@test "DC-08: a Node that is deleted releases what its machine had, if a cloud ended it, after a while" {
	local begin
	controller_with --node-gone-seconds=40
	pick_nodes
	kubectl patch node "n$far" --type merge -p '{"spec":{"providerID":"cloud://e2e/machine-1"}}' >/dev/null
	one_on "$far"
	old=$(uid_of db-0)
	only_node "$near"
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	begin=$SECONDS
	cluster delete-node "$far"
	force_delete db-0 || true
	another_pod db-0 "$old" 40
	# the controller that led may have been on that node: then the next one counts anew
	PATIENCE=40 held db-0 "$V4.40" "$NS/db-0" "$old" "n$far" "Node n$far is deleted( since [0-9TZ:-]+)?; .*40 s after its Node was deleted, or by kubectl annotate"
	running db-0 90
	settled_pod db-0 "$V4.40" "$V6:40"
	[ $((SECONDS - begin)) -ge 40 ] || fail "released after $((SECONDS - begin)) s"
	wait_event "n$far" "AddressesReleased: the addresses of pod $NS/db-0 \(UID $old\) pass on without this node's answer: NodeGone" default
	cluster replace-node "$far"
	wait_until 60 node_is "$far" True
}

@test "a Node that is deleted and was no cloud's releases nothing, and another machine under its name neither" {
	one_on "$far"
	old=$(uid_of db-0)
	only_node "$near"
	touch "$BATS_SUITE_TMPDIR/nodes-disturbed"
	cluster delete-node "$far"
	force_delete db-0 || true
	another_pod db-0 "$old" 40
	# the controller that led may have been on that node: then another takes over first
	PATIENCE=40 held db-0 "$V4.40" "$NS/db-0" "$old" "n$far" "Node n$far is deleted"
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
