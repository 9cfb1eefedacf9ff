# Networks of the test cluster, all on this machine: sip-br, where nodes and API server
# meet, and sip-ul, the underlay, one L2 on which the pods of all nodes are.
# shellcheck shell=bash disable=SC2154,SC2034

HOST=192.168.100.1                 # the API server's address on sip-br
SERVICE=10.96.0.1                  # the service "kubernetes"
UNDERLAY=(10.244.0.1/16 fd00:10:244::1/64)

# The owner is written on the bridge: another RUN, or this one after its folder was
# deleted, can tell whose it is.
owner_of_bridge() { ip -j link show sip-br 2>/dev/null | jq -r '.[0].ifalias // "?"' || true; }

claim_bridge() { ip link add sip-br type bridge 2>/dev/null && ip link set sip-br alias "$RUN"; }

networks() {
	PART=network
	# an address of its own: else it has that of a port, and another one when a machine
	# is started again, while the others go on to send to the old one
	ip link set sip-br address 02:73:69:70:00:01
	ip addr add $HOST/24 dev sip-br
	ip link set sip-br up
	# No querier here, so snooping would lose neighbour discovery sooner or later.
	ip link add sip-ul type bridge mcast_snooping 0
	ip addr add "${UNDERLAY[0]}" dev sip-ul
	ip addr add "${UNDERLAY[1]}" dev sip-ul nodad
	ip link set sip-ul up
	ip addr add $SERVICE/32 dev sip-br
	sysctl -qw net.ipv4.ip_forward=1
	# Pods reach the API server's service without kube-proxy; nothing of theirs leaves this machine.
	nft -f - <<-EON
		table inet sip-test {
			chain pre { type nat hook prerouting priority dstnat; ip daddr $SERVICE tcp dport 443 dnat ip to $HOST:6443; }
			chain out { type nat hook output priority -100; ip daddr $SERVICE tcp dport 443 dnat ip to $HOST:6443; }
			chain fence {
				type filter hook forward priority filter;
				iifname { "sip-br", "sip-ul" } oifname != { "sip-br", "sip-ul" } drop
				iifname != { "sip-br", "sip-ul" } oifname { "sip-br", "sip-ul" } drop
			}
		}
	EON
}

node_links() {
	local i=$1 ns=sip-n$1
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip link add "sip-b$i" type veth peer name eth0 netns "$ns"
	ip link add "sip-u$i" type veth peer name eth1 netns "$ns"
	ip link set "sip-b$i" master sip-br up
	ip link set "sip-u$i" master sip-ul up
	ip -n "$ns" addr add "$(node_address "$i")/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link set eth1 up
	ip -n "$ns" route add default via $HOST
}

node_address() { echo "192.168.100.$((10 + $1))"; }

# A namespace dies in the background; the link, deleted first, is gone at once and
# its name free again.
drop_node_links() {
	ip link del "sip-b$1" 2>/dev/null || true
	ip link del "sip-u$1" 2>/dev/null || true
	ip netns del "sip-n$1" 2>/dev/null || true
}

our_links() { ip -o link show 2>/dev/null | sed -n 's/^[0-9]*: \(sip-[a-z0-9]*\)[@:].*/\1/p'; }
our_namespaces() { ip netns list 2>/dev/null | sed -n 's/^\(sip-n[0-9]*\).*/\1/p'; }

drop_networks() {
	local name
	for name in $(our_links); do ip link del "$name" 2>/dev/null || true; done
	for name in $(our_namespaces); do ip netns del "$name" 2>/dev/null || true; done
	! nft list table inet sip-test >/dev/null 2>&1 || nft delete table inet sip-test
}
