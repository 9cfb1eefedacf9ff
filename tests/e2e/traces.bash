# What pods leave traces of on a node, as lines to compare: links, routes, neighbours, rules of
# the packet filter, network namespaces, and the files of libcni and staticip. Sourced after
# lib.bash.
# shellcheck shell=bash disable=SC2154

# traces I: all of node I. The packet filter by both of its tools, without counters: what one
# of them does not show, the other does.
traces() {
	# shellcheck disable=SC2016
	in_node "$1" bash -c '
		ip -o link | sed -nE "s/^[0-9]+: ([^:@]+).*/link \1/p"
		{ ip -4 route show table all; ip -6 route show table all; } | sed -E "s/ +/ /g; s/ $//; s/^/route /"
		ip neigh show nud permanent | sed "s/^/neighbour /"
		nft -s list ruleset 2>/dev/null | awk "/^table /{t = \$2 \" \" \$3; print \"nft \" t; next} /^\t(chain|set|map) /{c = t \" \" \$2; print \"nft \" c; next}
			/^\t\t/{sub(/^[ \t]+/, \"\"); print \"nft \" c \": \" \$0}"
		for tool in iptables ip6tables; do $tool-save 2>/dev/null | sed -nE "s/ \[[0-9:]+\]$//; s/^(-A|:)/$tool \1/p"; done
		ls /run/netns | sed "s/^/netns /"
		find /run/staticip/leases /var/lib/cni ! -type d | sed "s/^/file /"
	' | sort
}

# What the reference plugins leave themselves, so that the next pod finds it: the bridge with its
# gateway address; forwarding, with which a node gets the anycast addresses of its subnets; and of
# the packet filter what is nobody's own: the tables, the kernel's hooks into them, and
# (ipMasqBackend nftables) the rules that lead from the hook to the pods' rules.
BRIDGE=e2ebr
MASQUERADING='nft inet cni_plugins_masquerade'
by_design() {
	grep -vE -e "^link $BRIDGE$" -e "^route .* dev $BRIDGE( |$)" -e '^route anycast .* dev eth[01] ' \
		-e "^nft (ip|ip6) nat( [A-Z]+)?$" -e '^nft (ip|ip6) nat [A-Z]+: type nat hook ' \
		-e '^ip6?tables :(PREROUTING|INPUT|OUTPUT|POSTROUTING) ACCEPT$' \
		-e "^$MASQUERADING( masq_checks| postrouting)?$" -e "^$MASQUERADING (masq_checks|postrouting): comment " \
		-e "^$MASQUERADING postrouting: (type nat hook|ip daddr 224\.0\.0\.0/4 return|ip6 daddr ff00::/8 return|goto masq_checks)"
}

# note_traces: of both nodes as they are.
note_traces() {
	local i
	for i in 1 2; do traces "$i" | by_design >"$BATS_TEST_TMPDIR/traces-n$i"; done
}
# left I: what is on node I and was not when it was noted.
left() { comm -13 "$BATS_TEST_TMPDIR/traces-n$1" <(traces "$1" | by_design); }
# missing I: and the other way round.
missing() { comm -23 "$BATS_TEST_TMPDIR/traces-n$1" <(traces "$1" | by_design); }

nothing_left() {
	local i
	for i; do
		equal "what is left on n$i" "$(left "$i")" "" || return 1
		equal "what was taken from n$i" "$(missing "$i")" "" || return 1
	done
}
