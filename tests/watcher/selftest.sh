#!/bin/bash
# Does the watcher see what it must see, and keep quiet otherwise? With network namespaces
# of our own, without a cluster. Prints TAP and "watcher: N passed, M failed".
#   tests/watcher/selftest.sh [WATCHER]   (build/tests/watcher/watcher)
set -euo pipefail
shopt -s inherit_errexit

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
WATCHER=$(realpath "${1:-build/tests/watcher/watcher}")
WORK=$(mktemp -d)
A=sipw-$$-a B=sipw-$$-b
V4=198.18.77 V6=2001:db8:77:
pids=() slowly=() watcher=
passed=0 failed=0 number=0

[ "$(id -u)" = 0 ] || { echo "watcher: run it as root: it makes network namespaces" >&2; exit 1; }

# ---- two namespaces on one wire, a process in each -----------------------------------

# Until it is inside: before its exec a signal would run our own traps in it.
live() {
	local outside
	outside=$(readlink /proc/self/ns/net)
	ip netns exec "$1" sleep 600 &
	pids+=($!)
	while [ "$(readlink "/proc/$!/ns/net")" = "$outside" ]; do sleep 0.01; done
}
# It is no child of the subshell that a case is, which therefore cannot wait for it. A
# zombie has no namespace.
end_process() {
	kill "$1"
	while readlink "/proc/$1/ns/net" >/dev/null 2>&1; do sleep 0.01; done
}
begin() {
	ip netns add $A
	ip netns add $B
	ip -n $A link add eth0 type veth peer name eth0 netns $B
	ip -n $A link set eth0 up
	ip -n $B link set eth0 up
	live $A
	live $B
	rm -f "$WORK"/*
}
# nodad: they are to be usable at once.
give() { ip -n "$1" addr add "$2" dev eth0 ${3:-nodad} 2>/dev/null || ip -n "$1" addr add "$2" dev eth0; }
take() { ip -n "$1" addr del "$2" dev eth0; }

end_watcher() {
	status=0
	[ -n "$watcher" ] || return 0
	kill "$watcher" 2>/dev/null || true
	wait "$watcher" || status=$?
	watcher=
}
clean() {
	end_watcher
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	[ ${#pids[@]} = 0 ] || wait "${pids[@]}" 2>/dev/null || true
	pids=()
	ip netns del $A 2>/dev/null || true
	ip netns del $B 2>/dev/null || true
}
trap 'clean; rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM

watch() {
	"${slowly[@]}" "$WATCHER" --interval=20 --state="$WORK/state" "$@" $V4.0/24 "${V6}:/64" >"$WORK/log" 2>&1 &
	watcher=$!
	looks 2
}
looks_done() { sed -n 's/^look \([0-9]*\) .*/\1/p' "$WORK/state" 2>/dev/null | grep . || echo 0; }
# Until that many looks have begun and ended after now.
looks() {
	local until=$(($(looks_done) + $1 + 1)) i
	for ((i = 0; i < 500; i++)); do
		[ "$(looks_done)" -lt "$until" ] || return 0
		sleep 0.02
	done
	echo "the watcher does not look"
	return 1
}

# ---- assertions ------------------------------------------------------------------------

fail() { echo "# $*"; [ ! -s "$WORK/log" ] || sed 's/^/# /' "$WORK/log"; return 1; }
# ended STATUS LINES-WITH [PATTERN...]: how it ended, and for each pattern one line.
ended() {
	local wanted=$1 pattern
	shift
	end_watcher
	[ "$status" = "$wanted" ] || fail "exit status $status, wanted $wanted"
	[ "$(grep -cE 'duplicate|leftover' "$WORK/log" || true)" = $# ] || fail "wanted $# lines"
	for pattern; do grep -qE "$pattern" "$WORK/log" || fail "no line: $pattern"; done
}
sees() { grep -q "^$1 " "$WORK/state" || fail "does not see $1: $(cat "$WORK/state")"; }
sees_not() { ! grep -q "^$1 " "$WORK/state" || fail "sees $1: $(cat "$WORK/state")"; }

# ---- the cases -------------------------------------------------------------------------

nothing_wrong() {
	give $A $V4.1/24; give $B $V4.2/24; give $A ${V6}:1/64; give $B ${V6}:2/64
	watch
	sees $V4.1; sees $V4.2; sees "${V6}:1"; sees "${V6}:2"
	ended 0
	grep -q 'looks, 4 addresses at most, 0 faults' "$WORK/log" || fail "what it says at its end"
}
ipv4_twice() {
	give $A $V4.1/24
	watch
	give $B $V4.1/32
	looks 3
	ended 1 "duplicate $V4.1: netns [0-9]+ \(pid ${pids[0]}, .*netns [0-9]+ \(pid ${pids[1]},|duplicate $V4.1: netns [0-9]+ \(pid ${pids[1]}, .*\(pid ${pids[0]},"
}
ipv6_twice() {
	give $A ${V6}:1/64; give $B ${V6}:1/64
	watch
	ended 1 "duplicate ${V6}:1: "
}
one_wrong_among_right() {
	local i
	for i in $(seq 1 60); do give $A $V4.$i/24; give $B $V4.$((100 + i))/24; done
	give $B $V4.30/24
	watch
	ended 1 "duplicate $V4.30: "
}
link_down() {
	give $A $V4.1/24; give $B $V4.1/24
	ip -n $B link set eth0 down
	ip -n $A link set eth0 up
	watch
	sees $V4.1
	ended 0
}
still_tentative() {
	give $A ${V6}:1/64
	# Without a carrier the kernel never ends looking for duplicates.
	ip -n $B link add away type veth peer name gone
	ip -n $B link set away up
	ip -n $B addr add ${V6}:1/64 dev away
	[ -n "$(ip -n $B addr show dev away tentative)" ] || fail "the kernel does not keep it tentative"
	watch
	ended 0
}
other_prefix() {
	give $A 198.18.78.1/24; give $B 198.18.78.1/24
	watch
	sees_not 198.18.78.1
	ended 0
}
# First gone here, then there: with the watcher slowed down between two namespaces, so that
# each address is seen in both by one look or the other.
handed_over() {
	local i
	slowly=(strace -D -f -o /dev/null -e trace=setns -e inject=setns:delay_enter=10000)
	watch --interval=1
	for ((i = 1; i <= 60; i++)); do
		give $A $V4.$i/24
		take $A $V4.$i/24
		give $B $V4.$i/24
	done
	ended 0
}
short() {
	give $A $V4.1/24
	watch
	give $B $V4.1/24
	looks 1
	take $B $V4.1/24
	ended 1 "duplicate $V4.1: "
}
process_ends() {
	give $A $V4.1/24; give $B $V4.1/24
	end_process "${pids[1]}"
	watch
	sees $V4.1
	ended 0
}
other_cgroup() {
	give $A $V4.1/24; give $B $V4.1/24
	watch --cgroup=/no-such-group
	sees_not $V4.1
	ended 0
}
node_namespace() {
	give $A $V4.1/24; give $B $V4.1/24
	watch --skip="/run/netns/$B*"
	sees $V4.1
	ended 0
}
# A node whose /run/netns has a pod's namespace in which nothing runs (any more).
mount_only() {
	give $A $V4.1/24; give $B $V4.1/24
	end_process "${pids[1]}"
	# Our own mounts are those of a node whose own namespace is this machine's.
	echo $$ >"$WORK/node"
	watch --nodes="$WORK/nod*"
	ended 1 "leftover $V4.1: .*\(pid ${pids[0]}, .*|leftover $V4.1: .*no process, /proc/$$/root/run/netns/$B"
}
# Between two containers a pod's namespace may have no process for a moment.
leftover_comes_to_life() {
	give $A $V4.1/24; give $B $V4.1/24
	end_process "${pids[1]}"
	echo $$ >"$WORK/node"
	watch --nodes="$WORK/nod*"
	live $B
	looks 3
	ended 1 "leftover $V4.1: " "duplicate $V4.1: "
}
# Simulated nodes have no containers: what a mount has is a pod's.
mounts_are_pods() {
	give $A $V4.1/24; give $B $V4.1/24
	end_process "${pids[0]}"
	end_process "${pids[1]}"
	echo $$ >"$WORK/node"
	watch --nodes="$WORK/nod*" --mounted
	ended 1 "duplicate $V4.1: .*no process, /proc/$$/root/run/netns/.* and .*no process, /proc/$$/root/run/netns/"
}
# Looking must not keep what is looked at alive.
lets_go() {
	give $A $V4.1/24
	watch --interval=1
	end_process "${pids[0]}"
	ip netns del $A
	looks 2
	sees_not $V4.1
	ended 0
}
stays_outside() {
	watch --interval=1
	local i mine
	mine=$(readlink /proc/self/ns/net)
	for ((i = 0; i < 200; i++)); do
		[ "$(readlink "/proc/$watcher/ns/net")" = "$mine" ] || fail "seen inside of another namespace"
	done
	ended 0
}
bad_arguments() {
	local code
	for argument in 10.0.0.0 10.0.0.0/33 10.0.0/8 ::/129 x/8 10.0.0.0/8x --interval=x; do
		code=0
		timeout 5 "$WATCHER" "$argument" >/dev/null 2>&1 || code=$?
		[ $code = 2 ] || fail "exit status of $argument: $code"
	done
}

# run WHAT CASE
run() {
	number=$((number + 1))
	begin
	# not in an "if": set -e must hold inside
	set +e
	(set -e; trap end_watcher EXIT; "$2") >"$WORK.out" 2>&1
	local code=$?
	set -e
	clean 2>/dev/null
	if [ $code = 0 ]; then
		passed=$((passed + 1))
		echo "ok $number $1"
	else
		failed=$((failed + 1))
		echo "not ok $number $1"
		cat "$WORK.out"
	fi
	rm -f "$WORK.out"
}

run "two pods with their own addresses are right" nothing_wrong
run "an IPv4 address in two pods is a duplicate" ipv4_twice
run "an IPv6 address in two pods is a duplicate" ipv6_twice
run "one duplicate among many right ones is found, and only that" one_wrong_among_right
run "an address whose link is down is not usable" link_down
run "an IPv6 address that still looks for duplicates is not usable" still_tentative
run "addresses outside the prefixes are not watched" other_prefix
run "an address that passes on again and again is never a duplicate" handed_over
run "a duplicate that is over after a look or two was one" short
run "a namespace without a process is not a pod" process_ends
run "processes of another cgroup are not pods" other_cgroup
run "a node's namespace is not a pod" node_namespace
run "a namespace that only a node's mount has is a leftover" mount_only
run "a leftover that has a process again is a duplicate" leftover_comes_to_life
run "two that only mounts have are pods when they are said to be" mounts_are_pods
run "a namespace ends while it is watched" lets_go
run "the watcher is never seen inside of a namespace" stays_outside
run "wrong arguments are refused" bad_arguments
echo "watcher: $passed passed, $failed failed"
[ $failed = 0 ]
