# What an allocation does: its pods have exactly its addresses and routes, wherever
# and whenever they run.

. "$BATS_TEST_DIRNAME/lib.bash"

setup_file() { note_system_pods; }
setup() { own_namespace; }
teardown() {
	kubectl uncordon n1 n2 >/dev/null
	[ -z "${other_conflist:-}" ] || usual_conflist
	drop_namespace
}

# conflist FILE: on both nodes, until the end of the test.
conflist() {
	other_conflist=1
	cluster conflist "$BATS_TEST_DIRNAME/conflist/$1"
}
usual_conflist() {
	local i
	cluster conflist "$REPO/tests/cluster/conflist/staticip.conflist"
	for i in 1 2; do in_node "$i" ip link del e2ebr 2>/dev/null || true; done
}

# The entries and routes of most tests: db-0 has .40, db-1 has .41.
dual_stack() {
	cat <<-EOY
		addresses:
		- ips: [$V4.40/16, "$V6:40/64"]
		- ips: [$V4.41/16, "$V6:41/64"]
		gateways: [10.244.0.1, "fd00:10:244::1"]
		routes:
		- {dst: 10.9.0.0/16, gw: 10.244.0.99}
		- {dst: 10.10.0.0/16, priority: 77}
		- {dst: "fd00:9::/32"}
	EOY
}

# Goal: the main promise. All routes of spec.routes are there, with the gateway of the
# family where none is given, and nothing else is.
@test "the pods of a StatefulSet have exactly their addresses and routes, on two nodes" {
	{ dual_stack | allocation db StatefulSet/db; stateful_set db 2; } | apply
	rolled_out db
	differ "nodes of db-0 and db-1" "$(node_of db-0)" "$(node_of db-1)"
	has_addresses db-0 "$V4.40/16" "$V6:40/64"
	has_addresses db-1 "$V4.41/16" "$V6:41/64"
	equal "IPv4 routes" "$(routes_of db-0)" "10.10.0.0/16 via 10.244.0.1 dev eth0 metric 77
10.244.0.0/16 dev eth0 scope link src $V4.40
10.9.0.0/16 via 10.244.0.99 dev eth0"
	has_route db-0 "fd00:9::/32 via fd00:10:244::1 dev eth0"
	reach db-0 "$V4.41" "$V6:41"
	reach db-1 "$V4.40" "$V6:40"
	ready db
	equal "status" "$(k get sip db -o 'jsonpath={.status.total} {.status.inUse} {.status.target}')" "2 2 StatefulSet/db"
	equal "podIPs" "$(k get pod db-0 -o 'jsonpath={.status.podIPs[*].ip}')" "$V4.40 $V6:40"
}

# This machine is the router of the pods' network, and on no node.
router_reaches() {
	local address
	for address; do busybox ping -q -c 1 -W 1 "$address" >/dev/null || { fail "the router does not reach $address"; return 1; }; done
}

# Goal: an address follows its pod to another node, and whoever knows the old MAC
# address, on that node and off it, reaches it with the first packet.
@test "a pod that moves to another node keeps its addresses and is reachable at once" {
	local from to
	{ dual_stack | allocation db StatefulSet/db; stateful_set db 2; } | apply
	rolled_out db
	from=$(node_of db-0) to=$(node_of db-1)
	reach db-1 "$V4.40" "$V6:40"
	router_reaches "$V4.40" "$V6:40"
	kubectl cordon "$from" >/dev/null
	remake db-0
	reach db-1 "$V4.40" "$V6:40"
	router_reaches "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" "$to"
	has_addresses db-0 "$V4.40/16" "$V6:40/64"
}

# Goal: the kubelet makes a sandbox again, the pod object stays the same: same address.
@test "a pod whose sandbox is killed comes back with its addresses" {
	local before after node
	{ dual_stack | allocation db StatefulSet/db; stateful_set db 1; } | apply
	rolled_out db
	node=$(number_of db-0) before=$(sandbox "$(number_of db-0)" db-0)
	after=$(kill_sandbox "$node" db-0)
	differ "sandbox" "${before%% *}" "${after%% *}"
	running db-0
	wait_until 20 has_addresses db-0 "$V4.40/16" "$V6:40/64"
}

# Goal: the same with no API server: everything that ADD needs is on the node.
@test "without an API server a killed sandbox comes back with its addresses" {
	local after node
	{ dual_stack | allocation db StatefulSet/db; stateful_set db 1; } | apply
	rolled_out db
	node=$(number_of db-0)
	cluster stop-apiserver
	run kill_sandbox "$node" db-0
	after=$output
	run_addresses=$(in_node "$node" nsenter -t "${after##* }" -n ip addr show eth0 | global_addresses)
	cluster start-apiserver
	[ "$status" = 0 ] || fail "no new sandbox: $after"
	equal "addresses in the new sandbox" "$run_addresses" "$V4.40/16 $V6:40/64"
	running db-0
	wait_recovered
}

# Goal: addressRanges mean one address of each range per index.
@test "address ranges give each pod one address of each range" {
	{
		allocation db StatefulSet/db <<-EOY
			addressRanges: ["$V4.254-10.244.$((11 + BATS_SUITE_TEST_NUMBER)).0/16", "$V6:fff-$V6:1001/64"]
		EOY
		stateful_set db 2
	} | apply
	wait_rows db-2 "10.244.$((11 + BATS_SUITE_TEST_NUMBER)).0/16,$V6:1001/64"
	rolled_out db
	has_addresses db-0 "$V4.254/16" "$V6:fff/64"
	has_addresses db-1 "$V4.255/16" "$V6:1000/64"
}

# Goal: target Pod, and that the pod's name alone decides.
@test "a single Pod gets the address of its allocation" {
	{
		allocation lone Pod/lone <<-EOY
			addresses: [{ips: [$V4.7/16]}]
		EOY
		a_pod lone n1
		allocation other Pod/other <<-EOY
			addresses: [{ips: [$V4.8/16]}]
		EOY
	} | apply
	running lone
	has_addresses lone "$V4.7/16"
	ready lone
	wait_condition other Ready '^False TargetNotFound: there is no Pod other in namespace'
}

# Goal: entry i serves ordinal start + i.
@test "ordinals.start of a StatefulSet is honoured" {
	{
		allocation db StatefulSet/db <<-EOY
			addresses: [{ips: [$V4.40/16]}, {ips: [$V4.41/16]}]
		EOY
		stateful_set db 2 "ordinals: {start: 5}"
	} | apply
	rolled_out db
	has_addresses db-5 "$V4.40/16"
	has_addresses db-6 "$V4.41/16"
	has_rows db-0 ""
}

# Goal: a row for one interface comes before the pod's, and one for another interface
# does not concern eth0.
@test "an allocation for one interface goes before the one for the pod" {
	{
		allocation any Pod/lone <<-EOY
			addresses: [{ips: [$V4.1/16]}]
		EOY
		allocation eth0 Pod/lone <<-EOY
			interface: eth0
			addresses: [{ips: [$V4.2/16]}]
		EOY
		allocation net1 Pod/second <<-EOY
			interface: net1
			addresses: [{ips: [$V4.3/16]}]
		EOY
		allocation second Pod/second <<-EOY
			addresses: [{ips: [$V4.4/16]}]
		EOY
	} | apply
	wait_rows lone/eth0 "$V4.2/16"
	wait_rows second "$V4.4/16"
	{ a_pod lone n1; a_pod second n2; } | apply
	running lone
	running second
	has_addresses lone "$V4.2/16"
	has_addresses second "$V4.4/16"
}

# Goal: pods that were there first wait, and start when their allocation comes.
@test "a StatefulSet that was there before its allocation gets its addresses" {
	stateful_set db 2 | apply
	wait_event db-0 'FailedCreatePodSandBox.*no StaticIPAllocation gives pod '"$NS"'/db-0 an address on network podnet'
	dual_stack | allocation db StatefulSet/db | apply
	rolled_out db
	has_addresses db-0 "$V4.40/16" "$V6:40/64"
	has_addresses db-1 "$V4.41/16" "$V6:41/64"
}

# Goal: a pod without an entry has no address, says why, and disturbs no other.
@test "more pods than entries: the rest wait and are told why, until it is scaled down" {
	{
		allocation db StatefulSet/db <<-EOY
			addresses: [{ips: [$V4.40/16]}, {ips: [$V4.41/16]}]
		EOY
		stateful_set db 3
	} | apply
	wait_condition db Ready '^False TooFewAddresses: StatefulSet db has 3 replicas, the allocation 2 entries: pods from db-2 on have no address'
	running db-0
	running db-1
	wait_event db-2 'FailedCreatePodSandBox.*no StaticIPAllocation gives pod '"$NS"'/db-2 an address on network podnet \(interface eth0\); see: kubectl get staticipallocations -n '"$NS"
	has_addresses db-1 "$V4.41/16"
	k scale statefulset db --replicas=2 >/dev/null
	ready db
}

# Goal: deleting the allocation takes the rows, not the network of a pod that runs.
@test "after its allocation is deleted a pod runs on, and its row is gone" {
	{
		allocation lone Pod/lone <<-EOY
			addresses: [{ips: [$V4.7/16]}]
		EOY
		a_pod lone n1
	} | apply
	running lone
	k delete staticipallocation lone >/dev/null
	wait_rows lone ""
	has_addresses lone "$V4.7/16"
	reach lone 10.244.0.1
}

# Goal: an edit reaches the tables; the pod has the new address when it is made again.
@test "after an edit of the addresses a pod that is made again has the new one" {
	{
		allocation db StatefulSet/db <<-EOY
			addresses: [{ips: [$V4.40/16]}]
		EOY
		stateful_set db 1
	} | apply
	rolled_out db
	k patch staticipallocation db --type merge -p '{"spec":{"addresses":[{"ips":["'"$V4"'.50/16"]}]}}' >/dev/null
	wait_rows db-0 "$V4.50/16"
	has_addresses db-0 "$V4.40/16"
	remake db-0
	has_addresses db-0 "$V4.50/16"
}

# Goal: rules R2, R3, R4: who has an address keeps it, the other is told who; what
# becomes free goes to the one that waits.
@test "an address that is taken is refused by name, and given on when it is free" {
	allocation first StatefulSet/first <<-EOY | apply
		addressRanges: [$V4.1-$V4.3/16]
	EOY
	wait_rows first-2 "$V4.3/16"
	allocation second StatefulSet/second <<-EOY | apply
		addressRanges: [$V4.3-$V4.5/16]
	EOY
	wait_condition second Accepted "^False AddressConflict: entry 0: $V4.3 on network podnet belongs to StaticIPAllocation $NS/first: .*rule R2"
	has_rows first-2 "$V4.3/16"
	wait_rows second-0 ""
	wait_rows second-1 "$V4.4/16"
	equal "state of entry 0" "$(k get sip second -o 'jsonpath={.status.addresses[0].state}')" Refused
	wait_event second 'AddressConflict: '
	k delete staticipallocation first >/dev/null
	wait_condition second Accepted '^True Valid'
	wait_rows second-0 "$V4.3/16"
}

# Goal: rule R1: one allocation per pod and network.
@test "a pod that has an allocation cannot get a second one on the network" {
	allocation first Pod/lone <<-EOY | apply
		addresses: [{ips: [$V4.1/16]}]
	EOY
	wait_rows lone "$V4.1/16"
	allocation second Pod/lone <<-EOY | apply
		addresses: [{ips: [$V4.2/16]}]
	EOY
	wait_condition second Accepted "^False TargetConflict: entry 0: podnet/$NS/lone has its row from StaticIPAllocation $NS/first: .*rule R1"
	has_rows lone "$V4.1/16"
}

# Goal: addresses stay with the ordinals while a StatefulSet is renewed pod by pod.
@test "in a rolling restart of four pods each keeps its address" {
	local i
	{
		allocation db StatefulSet/db <<-EOY
			addressRanges: [$V4.40-$V4.43/16]
		EOY
		stateful_set db 4
	} | apply
	rolled_out db
	declare -A old
	for i in 0 1 2 3; do old[$i]=$(uid_of db-$i); done
	k rollout restart statefulset/db >/dev/null
	rolled_out db 60
	for i in 0 1 2 3; do
		differ "UID of db-$i" "$(uid_of db-$i)" "${old[$i]}"
		has_addresses db-$i "$V4.$((40 + i))/16"
	done
}

# Goal: the chained role on a macvlan network: the node's own address by the first
# address of the pod's subnet, and routes of both families as they are written.
@test "the chained plugin's routes are in the pod, and lead to its node" {
	conflist macvlan-routes.conflist
	{ dual_stack | allocation db StatefulSet/db; stateful_set db 2; } | apply
	rolled_out db
	equal "IPv4 routes" "$(routes_of db-0)" "10.10.0.0/16 via 10.244.0.1 dev eth0 metric 77
10.244.0.0/16 dev eth0 scope link src $V4.40
10.77.0.0/16 via 10.244.0.77 dev eth0
10.9.0.0/16 via 10.244.0.99 dev eth0
192.168.100.1$(number_of db-0) via 10.244.0.1 dev eth0"
	has_route db-0 "fd00:77::/32 via fd00:10:244::77 dev eth0"
	has_route db-0 "fd00:9::/32 via fd00:10:244::1 dev eth0"
	has_route db-1 "192.168.100.1$(number_of db-1) via 10.244.0.1 dev eth0"
	reach db-0 "192.168.100.1$(number_of db-0)"
}

# Goal: the same under another main plugin.
@test "with the bridge plugin addresses and chained routes are the same" {
	conflist bridge-routes.conflist
	{ dual_stack | allocation db StatefulSet/db; stateful_set db 1; } | apply
	rolled_out db
	has_addresses db-0 "$V4.40/16" "$V6:40/64"
	has_route db-0 "10.9.0.0/16 via 10.244.0.99 dev eth0"
	has_route db-0 "fd00:9::/32 via fd00:10:244::1 dev eth0"
	has_route db-0 "10.77.0.0/16 via 10.244.0.77 dev eth0"
	has_route db-0 "192.168.100.1$(number_of db-0) via 10.244.0.1 dev eth0"
	reach db-0 "192.168.100.1$(number_of db-0)"
}

@test "through all of this no program of staticip was restarted" { same_system_pods; }
