# The main plugins that hand staticip's addresses to pods on real nodes: a pod loses nothing,
# however it or its predecessor ends, and leaves nothing on a node.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/holders.bash"
. "$BATS_TEST_DIRNAME/kept.bash"
. "$BATS_TEST_DIRNAME/traces.bash"

# Where masquerading is seen: beyond the nodes is a machine (this one) that would send its
# answers to a pod's own address elsewhere, in both families.
BEYOND=(192.168.100.1 fd00:168::1)

setup_file() {
	local i
	export BATS_TEST_TIMEOUT=240
	# what runs all the time is not to come and go while traces are compared
	settle_kept
	ip addr add "${BEYOND[1]}/64" dev sip-br nodad
	for i in 1 2; do in_node "$i" ip addr add "fd00:168::1$i/64" dev eth0 nodad; done
}
teardown_file() {
	local i
	ip addr del "${BEYOND[1]}/64" dev sip-br || true
	for i in 1 2; do in_node "$i" ip addr del "fd00:168::1$i/64" dev eth0 || true; done
}

setup() {
	own_namespace
	alone
	clean_nodes
	note_traces
}
teardown() {
	[ -z "${ping:-}" ] || kill "$ping" 2>/dev/null || true
	mend_del
	kubectl uncordon n1 n2 >/dev/null
	k delete statefulsets,pods --all --wait=false >/dev/null
	wait_until 40 no_pods || true
	cluster conflist "$REPO/tests/cluster/conflist/staticip.conflist"
	drop_namespace
	clean_nodes
}
no_pods() { equal "pods" "$(k get pods -o name)" ""; }

# What the reference plugins keep on the nodes.
clean_nodes() {
	local i
	for i in 1 2; do
		in_node "$i" sh -c "ip link del $BRIDGE; nft delete table ip nat; nft delete table ip6 nat; nft delete table inet cni_plugins_masquerade" 2>/dev/null || true
	done
}

# under MAIN: its configuration is on both nodes from now on.
under() {
	main=$1
	case $1 in
	macvlan) cluster conflist "$REPO/tests/cluster/conflist/staticip.conflist" ;;
	*) cluster conflist "$BATS_TEST_DIRNAME/conflist/$1-masq.conflist" ;;
	esac
}

# ---- pods ------------------------------------------------------------------------------

two_entries() {
	cat <<-EOY
		addresses:
		- ips: [$V4.40/16, "$V6:40/64"]
		- ips: [$V4.41/16, "$V6:41/64"]
		gateways: [10.244.0.1, "fd00:10:244::1"]
		routes: [{dst: 0.0.0.0/0}, {dst: "::/0"}]
	EOY
}

# connected POD: with its gateway, and beyond it; a masqueraded pod also with its node and the
# other one.
connected() {
	local i
	reach "$1" 10.244.0.1 fd00:10:244::1 || return 1
	[ "$main" != macvlan ] || return 0
	reach "$1" "${BEYOND[@]}" || return 1
	for i in 1 2; do reach "$1" "192.168.100.1$i" "fd00:168::1$i" || return 1; done
}
# settled INDEX NODE
settled() {
	settled_pod "db-$1" "$V4.4$1" "$V6:4$1"
	[ -z "${2:-}" ] || equal "node of db-$1" "$(node_of "db-$1")" "n$2"
	wait_until 5 connected "db-$1"
}
# Where the main plugin can: macvlan everywhere, the others on one node.
both_meet() {
	wait_until 5 reach db-0 "$V4.41" "$V6:41"
	wait_until 5 reach db-1 "$V4.40" "$V6:40"
}

# ---- what there is while a pod runs ------------------------------------------------------

# has_trace I PATTERN...: so that the lack of it later means something.
has_trace() {
	local now pattern
	now=$(left "$1")
	for pattern in "${@:2}"; do contains "traces on n$1" "$now" "(^|"$'\n'")$pattern"; done
}
# of_db_0 I: by its addresses, or the id of its container.
traces_of_db_0() {
	has_trace "$1" 'netns cni-' "file /run/staticip/leases/[^ ]*$V4.40" "file /run/staticip/leases/[^ ]*$V6:40" "file /var/lib/cni/results/podnet-$container"
	case $main in
	macvlan) return 0 ;;
	bridge) has_trace "$1" 'link veth' "iptables -A POSTROUTING -s $V4.40/32 .*$container" "ip6tables -A POSTROUTING -s $V6:40/128 .*$container" 'iptables :CNI-' 'ip6tables :CNI-' ;;
	ptp) has_trace "$1" 'link veth' "route $V4.40 dev veth" "route $V6:40 dev veth" "nft inet cni_plugins_masquerade [^"$'\n'"]*$V4.40 " "nft inet cni_plugins_masquerade [^"$'\n'"]*$V6:40 " ;;
	esac
}

# The one that stays is pinged from all the time: who comes and goes beside it takes nothing.
start_ping() {
	local pid
	pid=$(sandbox "$1" "$2")
	"$REPO/tests/cluster/cluster.sh" node "$1" nsenter -t "${pid##* }" -n busybox ping -W 2 "$3" >"$BATS_TEST_TMPDIR/ping" 2>&1 3>&- 4>&- </dev/null &
	ping=$!
}
lost_nothing() {
	kill -s INT "$ping"
	wait "$ping" || true
	ping=
	contains "the pings of db-1" "$(tail -n 3 "$BATS_TEST_TMPDIR/ping")" '[1-9][0-9]* packets received, 0% packet loss'
}

# ---- DEL that fails ------------------------------------------------------------------------

# The main plugin's next DEL on node I fails before it did anything, and the ones after it do not.
del_fails_once() {
	local folder=$RUN/n$1/cni
	rm -f "$folder/failed"
	mv "$folder/$main" "$folder/$main.real"
	cat >"$folder/$main" <<-EOS
		#!/bin/sh
		if [ "\$CNI_COMMAND" = DEL ] && ! [ -e /opt/cni/bin/failed ]; then
			echo "\$CNI_CONTAINERID" >/opt/cni/bin/failed
			echo '{"code": 999, "msg": "no DEL this time"}'
			exit 1
		fi
		exec /opt/cni/bin/$main.real
	EOS
	chmod +x "$folder/$main"
}
mend_del() {
	local i name
	for i in 1 2; do
		rm -f "$RUN/n$i/cni/failed"
		for name in macvlan bridge ptp; do
			[ ! -e "$RUN/n$i/cni/$name.real" ] || mv -f "$RUN/n$i/cni/$name.real" "$RUN/n$i/cni/$name"
		done
	done
}

# ---- the tests -----------------------------------------------------------------------------

# hand_over I COMMAND...: db-0 ends by COMMAND and comes again on node I, as it was.
hand_over() {
	local old
	old=$(uid_of db-0)
	only_node "$1"
	"${@:2}" db-0
	another_pod db-0 "$old"
	settled 0 "$1"
}
delete() { k delete pod "$1" --wait=false >/dev/null; }

whole_life() {
	local before
	under "$1"
	only_node 1
	{ two_entries | allocation db StatefulSet/db; stateful_set db 2; } | apply
	settled 0 1
	settled 1 1
	both_meet
	container=$(sandbox 1 db-0) container=${container%% *}
	traces_of_db_0 1
	start_ping 1 db-1 "$([ "$main" = macvlan ] && echo 10.244.0.1 || echo "${BEYOND[0]}")"
	hand_over 2 delete
	wait_until 20 lacks_trace 1 "$container|[^0-9]$V4\.40[^0-9]|$V6:40[^0-9a-f]"
	[ "$main" != macvlan ] || both_meet # on two nodes
	container=$(sandbox 2 db-0) container=${container%% *}
	traces_of_db_0 2
	del_fails_once 2
	hand_over 1 force_delete
	equal "the container whose DEL failed" "$(<"$RUN/n2/cni/failed")" "$container"
	wait_until 40 nothing_left 2
	both_meet
	lost_nothing
	kubectl uncordon n2 >/dev/null
	before="$(uid_of db-0) $(uid_of db-1)"
	k rollout restart statefulset/db >/dev/null
	rolled_out db 60
	differ "UIDs" "$(uid_of db-0) $(uid_of db-1)" "$before"
	settled 0
	settled 1
	k delete statefulset db >/dev/null
	wait_until 40 no_pods
	wait_until 20 nothing_left 1 2
}
lacks_trace() { lacks "traces on n$1" "$(left "$1") " "$2"; }

@test "under macvlan pods lose nothing and leave nothing" { whole_life macvlan; }
@test "under bridge with masquerading pods lose nothing and leave nothing" { whole_life bridge; }
@test "under ptp with masquerading pods lose nothing and leave nothing" { whole_life ptp; }

# Each pod ends under the configuration of another one: libcni remembers what a pod got, not by
# which plugin. In this order only: macvlan's DEL knows nothing of masquerading, and would leave
# that of a pod that bridge or ptp made.
@test "pods that run while the main plugin is changed keep their network and leave nothing" {
	local pod pods=([1]=macvlan [2]=bridge [3]=ptp) after
	for pod in 1 2 3; do
		allocation "${pods[pod]}" "Pod/${pods[pod]}" <<-EOY | apply
			addresses: [{ips: [$V4.$pod/16, "$V6:$pod/64"]}]
			gateways: [10.244.0.1, "fd00:10:244::1"]
			routes: [{dst: 0.0.0.0/0}, {dst: "::/0"}]
		EOY
	done
	for pod in 1 2 3; do
		under "${pods[pod]}"
		a_pod "${pods[pod]}" n1 | apply
		settled_pod "${pods[pod]}" "$V4.$pod" "$V6:$pod"
		wait_until 5 connected "${pods[pod]}"
	done
	for pod in 1 2 3; do
		has_addresses "${pods[pod]}" "$V4.$pod/16" "$V6:$pod/64"
		main=${pods[pod]}
		connected "$main"
	done
	# the kubelet makes it again, under the plugin of now
	after=$(kill_sandbox 1 bridge)
	running bridge
	wait_until 20 has_addresses bridge "$V4.2/16" "$V6:2/64"
	wait_until 5 connected bridge
	has_trace 1 "route $V4.2 dev veth" "file /var/lib/cni/results/podnet-${after%% *}"
	k delete pods --all --wait=false >/dev/null
	wait_until 40 no_pods
	wait_until 20 nothing_left 1 2
}
