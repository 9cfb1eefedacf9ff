#!/usr/bin/env bats
# Several controllers, of which one works: by a Lease, and whatever is done to them.
# Why no test sets a clock: nothing reads one that can be set. What counts is
# CLOCK_BOOTTIME, and the times in the Lease are never read (unit tests of
# lib/net/election_record.c).

setup() {
	load lib.bash
	BEFORE=$(wc -l <"$WORK/audit.json") # what earlier tests wrote
	rm -f "$WORK"/candidate-?.log
}
teardown() { stop_all; }

lease() { kubectl get lease staticip-controller -n "$TABLES" -o "jsonpath={.spec.$1}"; }
# Who has the lease, by its candidate's log: a, b or c.
leader() {
	local holder file
	holder=$(lease holderIdentity)
	[ -n "$holder" ] || { echo "nobody leads"; return 1; }
	file=$(grep -l "leading as $holder" "$WORK"/candidate-?.log) || { echo "$holder is none of ours"; return 1; }
	file=${file##*candidate-}
	echo "${file%.log}"
}
leads() { [ "$(leader)" = "$1" ]; }
another_leads() { # WHO-NOT
	local now
	now=$(leader) && [ "$now" != "$1" ] || { echo "led by: $now"; return 1; }
}
says() { grep -qE "$2" "$WORK/candidate-$1.log"; } # CANDIDATE REGEX
says_after() { tail -n +"$(($2 + 1))" "$WORK/candidate-$1.log" | grep -qE "$3"; } # CANDIDATE LINES REGEX
lines() { wc -l <"$WORK/candidate-$1.log"; }

# declare_pod NUMBER: an allocation for one pod.
declare_pod() {
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: p$1, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: p$1}, addresses: [{ips: [10.79.0.$1/24]}]}}
	EOA
}
published() { # NUMBER
	kubectl get configmaps -n "$TABLES" -l staticip.dev/buckets -o json | jq -e --arg key "podnet/$NS/p$1	" \
		'any(.items[]; .data.table | contains($key))' >/dev/null
}
works() { declare_pod "$1" && wait_until 20 published "$1"; } # somebody does

one_writer() { # [MINIMUM]
	local out
	out=$(tail -n +$((BEFORE + 1)) "$WORK/audit.json" | python3 "$REPO/tests/integration/one_writer.py" "$TABLES" "${1:-1}") || { echo "$out"; return 1; }
	echo "# $out" >&3
}

@test "of three controllers one leads, and only that one writes" {
	# Goal: two never work at the same time; the others wait.
	fresh three
	candidate a
	candidate b
	candidate c
	wait_until 20 leader
	works 1
	lead=$(leader)
	sleep 7 # longer than a lease: it is renewed
	[ "$(leader)" = "$lead" ]
	[ "$(lease leaseTransitions)" = 0 ]
	[[ "$(lease renewTime)" =~ ^20[0-9-]+T[0-9:]+\.[0-9]{6}Z$ ]]
	[ "$(cat "$WORK"/candidate-?.log | grep -c 'leading as')" = 1 ]
	[ "$(cat "$WORK"/candidate-?.log | grep -c 'synced: ')" = 1 ]
	one_writer
}

@test "a leader that is killed is followed by another, and the tables go on" {
	# Goal: SIGKILL; the rows stay as they are, the next change is made by the successor.
	fresh killed
	candidate a
	wait_until 20 leads a
	works 1
	candidate b
	wait_until 10 says b 'the lease is held by '
	before=$(kubectl get configmaps -n "$TABLES" -o jsonpath='{.items[*].metadata.resourceVersion}')
	kill_it KILL candidate-a
	wait_until 30 leads b
	wait_until 20 says b 'synced: 1 allocations'
	[ "$(kubectl get configmaps -n "$TABLES" -o jsonpath='{.items[*].metadata.resourceVersion}')" = "$before" ]
	[ "$(lease leaseTransitions)" = 1 ]
	works 2
	published 1
	one_writer
}

@test "a leader that is asked to end hands over without a wait" {
	# Goal: SIGTERM amid work: it ends with 0, the lease is nobody's, the successor does not
	# wait for its end.
	fresh asked
	candidate a
	wait_until 20 leads a
	python3 "$REPO/tests/integration/churn.py" "$API" "$NS" 12 11 >/dev/null 3>&- & churn=$!
	candidate b
	wait_until 10 says b 'the lease is held by '
	sleep 2
	kill_it TERM candidate-a
	says a 'ending on signal 15'
	! says a 'lease not given up'
	wait_until 20 leads b
	# it was no end of a's 6 s that let b take the lease: b saw it free
	says b 'the lease is held by nobody'
	wait $churn
	works 99
	one_writer 10
}
