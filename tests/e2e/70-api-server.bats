# The API server is slow, refuses, or cannot be reached by controllers and agents: nothing is
# lost, nothing passes on without proof, and afterwards all settles. What nodes and people do
# meanwhile goes its straight way (cluster.sh api-path), but where the API server is away for all.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/holders.bash"

setup_file() { export BATS_TEST_TIMEOUT=300; }
setup() {
	own_namespace
	mend_nodes
	pick_nodes
}
teardown() {
	cluster start-apiserver 2>/dev/null || true
	cluster api-path direct 2>/dev/null || true
	mend_nodes
	drop_namespace
}

# db-0 runs on the far node; what comes after it goes to the near one. $old is its UID.
holder_on_far() {
	one_on "$far"
	old=$(uid_of db-0)
	only_node "$near"
}
# Its successor is there, on the near node, as soon as the kubelet has ended db-0.
delete_holder() {
	k delete pod db-0 --wait=false >/dev/null
	another_pod db-0 "$old" 40
}
# As it was: who holds the addresses, and that nobody else runs with them.
still_held() {
	held_by db-0 "$old" "n$far" "$V4.40" "$V6:40"
	equal "phase of db-0" "$(k get pod db-0 -o 'jsonpath={.status.phase}')" Pending
}
handed_over() {
	running db-0 "$1"
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" "n$near"
	wait_until 30 state_is "n$far" "$old" ""
}

@test "while the API server answers 429 nothing passes on; afterwards all does" {
	holder_on_far
	cluster api-path 429
	delete_holder
	sleep 10
	still_held
	cluster api-path direct
	handed_over 90
	wait_recovered
}

@test "while the API server is away for controllers and agents nothing passes on; afterwards all does" {
	local begin
	{ allocation calm Pod/calm <<<"addresses: [{ips: [$V4.5/16, '$V6:5/64']}]"; a_pod calm "n$near"; } | apply
	settled_pod calm "$V4.5" "$V6:5"
	holder_on_far
	cluster api-path cut
	begin=$SECONDS
	delete_holder
	{ allocation young Pod/young <<<"addresses: [{ips: [$V4.6/16, '$V6:6/64']}]"; a_pod young "n$near"; } | apply
	# a grant that is on the node is good without anybody's word
	kill_sandbox "$near" calm >/dev/null
	running calm 60
	wait_until 20 has_addresses calm "$V4.5/16" "$V6:5/64"
	[ $((begin + 30)) -le $SECONDS ] || sleep $((begin + 30 - SECONDS))
	still_held
	equal "phase of young" "$(k get pod young -o 'jsonpath={.status.phase}')" Pending
	cluster api-path direct
	handed_over 120
	running young 90
	settled_pod young "$V4.6" "$V6:6"
	settled_pod calm "$V4.5" "$V6:5"
	wait_recovered
}

# in_sandbox I POD: "ID: ADDRESSES" of the pod as its node knows it, nothing when it has no sandbox.
in_sandbox() {
	local now
	now=$(sandbox "$1" "$2")
	[ -z "$now" ] || echo "${now%% *}: $(in_node "$1" nsenter -t "${now##* }" -n ip addr show eth0 up 2>/dev/null | global_addresses)"
}
calm_again() { contains "calm on n$near" "$(in_sandbox "$near" calm)" "^[0-9a-f]+: $V4.5/16 $V6:5/64$" && differ "sandboxes of calm" "$(sandbox "$near" calm)" "$1"; }
# As the nodes have it: the successor is told to wait, and has no address.
nothing_passed_on() {
	lacks "db-0 on n$near" "$(in_sandbox "$near" db-0)" "$V4.40|$V6:40"
	contains "what n$near is told" "$(cat "$(folder "$near")/node")" "podnet/$NS/db-0@$successor"$'\t''[{]"state":"Held"'
	lacks "what n$near is told" "$(cat "$(folder "$near")/node")" "podnet/$NS/db-0@$successor"$'\t''[{]"state":"Granted"'
}

# Goal: the process itself is gone, for kubelets and people as well. A pod was force-deleted right
# before, and its node cannot say that it has nothing of it any more; what is granted needs nobody.
@test "an API server that is stopped for two minutes: grants stand, nothing passes on; afterwards all settles" {
	local begin calm killed
	{ allocation calm Pod/calm <<<"addresses: [{ips: [$V4.5/16, '$V6:5/64']}]"; a_pod calm "n$near"; } | apply
	settled_pod calm "$V4.5" "$V6:5"
	calm=$(uid_of calm)
	holder_on_far
	pause_agent "$far"
	force_delete db-0
	another_pod db-0 "$old"
	successor=$(uid_of db-0)
	wait_until 20 state_is "n$far" "$old" revoked
	wait_until 20 state_is "n$near" "$successor" Held
	wait_until 10 nothing_passed_on
	cluster stop-apiserver
	begin=$SECONDS
	resume staticip-agent
	killed=$(sandbox "$near" calm)
	cluster kill-sandbox "$near" "$NS/calm"
	wait_until 60 calm_again "$killed"
	while [ $((begin + 120)) -gt $SECONDS ]; do
		nothing_passed_on
		sleep 2
	done
	cluster start-apiserver
	equal "seconds without an API server" "$((SECONDS - begin >= 120))" 1
	handed_over 120
	equal "UID of db-0" "$(uid_of db-0)" "$successor"
	running calm 60
	equal "UID of calm" "$(uid_of calm)" "$calm"
	settled_pod calm "$V4.5" "$V6:5"
	wait_until 60 node_is "$near" True
	wait_until 60 node_is "$far" True
	wait_recovered
	system_ready
}

@test "with an API server that takes three seconds a hand-over is slow, and right" {
	holder_on_far
	cluster api-path slow 3
	delete_holder
	running db-0 150
	cluster api-path direct
	handed_over 30
	wait_recovered
}

# Answers that take half of the renew deadline and more: nobody can keep the lead.
@test "with an API server that takes five seconds nothing passes on; afterwards all does" {
	holder_on_far
	cluster api-path slow 5
	sleep 15
	delete_holder
	sleep 15
	still_held
	cluster api-path direct
	handed_over 120
	wait_recovered
}
