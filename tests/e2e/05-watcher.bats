# The watcher that judges each test below sees what is wrong, in real pods: else its
# silence would mean nothing.

. "$BATS_TEST_DIRNAME/lib.bash"

setup() { own_namespace; }
teardown() { drop_namespace; }

# two_pods: lone ($V4.7, $V6:7) on n1 and other ($V4.8, $V6:8) on n2.
two_pods() {
	{
		allocation lone Pod/lone <<<"addresses: [{ips: [$V4.7/16, '$V6:7/64']}]"
		allocation other Pod/other <<<"addresses: [{ips: [$V4.8/16, '$V6:8/64']}]"
		a_pod lone n1
		a_pod other n2
	} | apply
	running lone
	running other
}

# ip_in I POD ARGUMENT...: ip in the pod's network namespace, with the rights of the node.
ip_in() {
	local pid
	pid=$(sandbox "$1" "$2") && in_node "$1" nsenter -t "${pid##* }" -n ip "${@:3}"
}
reported() { contains "what the watcher said of $1" "$(overlaps_of "$1")" "duplicate $1: .*pod (lone|other), uid $2.* and .*pod (lone|other), uid $3"; }

@test "the watcher sees an address that is in two pods, in both families" {
	local address uids
	two_pods
	look_again
	equal "what it saw of right pods" "$(faults_seen)" ""
	uids="($(uid_of lone)|$(uid_of other))"
	ip_in 2 other addr add "$V4.7/32" dev eth0
	ip_in 2 other addr add "$V6:7/128" dev eth0 nodad
	for address in "$V4.7" "$V6:7"; do
		wait_until 5 reported "$address" "$uids" "$uids"
		may_overlap "$address"
	done
	ip_in 2 other addr del "$V4.7/32" dev eth0
	ip_in 2 other addr del "$V6:7/128" dev eth0
	look_again
	equal "what else it saw" "$(unexpected_faults)" ""
}

@test "the watcher misses the address of a Running pod that does not have it" {
	two_pods
	# IPv6 is usable a second after the pod started.
	wait_until 10 all_running_are_seen
	ip_in 2 other addr del "$V4.8/16" dev eth0
	run all_running_are_seen
	[ "$status" != 0 ]
	contains "what is missed" "$output" "is: +$V4.8"$'\n'
	ip_in 2 other addr add "$V4.8/16" dev eth0
	ip_in 1 lone link set eth0 down
	run all_running_are_seen
	contains "what is missed with the link down" "$output" "is: +$V4.7 $V6:7"$'\n'
	ip_in 1 lone link set eth0 up
	# The kernel looks for duplicates again.
	ip_in 1 lone addr replace "$V6:7/64" dev eth0
	wait_until 10 all_running_are_seen
}
