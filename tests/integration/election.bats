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
teardown() {
	if [ -e "$WORK/churn.pid" ]; then churn_over KILL; fi
	stop_all
}
# Changes for SECONDS in the background.
churn() { start churn python3 "$REPO/tests/integration/churn.py" "$API" "$NS" "$1" 12; }
churn_over() { # [SIGNAL]
	local pid
	pid=$(<"$WORK/churn.pid")
	[ -z "${1:-}" ] || kill -s "$1" "$pid" 2>/dev/null || true
	tail --pid="$pid" -f /dev/null
	rm "$WORK/churn.pid"
}

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
never_says() {
	! says "$@" || { grep -E "$2" "$WORK/candidate-$1.log"; return 1; }
}
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
	churn 12
	candidate b
	wait_until 10 says b 'the lease is held by '
	sleep 2
	kill_it TERM candidate-a
	says a 'ending on signal 15'
	never_says a 'lease not given up'
	wait_until 20 leads b
	# it was no end of a's 6 s that let b take the lease: b saw it free
	says b 'the lease is held by nobody'
	churn_over
	works 99
	one_writer 10
}

is_stopped() { grep -q '^State:.T ' "/proc/$1/status"; }
# stop_behind SYSCALLS CANDIDATE: SIGSTOP as it comes back from one of its next calls of these.
stop_behind() {
	local pid tracer end=$((SECONDS + 20))
	pid=$(<"$WORK/candidate-$2.pid")
	while [ $SECONDS -lt $end ]; do
		strace -qq -o /dev/null -p "$pid" -e "trace=$1" -e "inject=$1:signal=SIGSTOP:when=$((RANDOM % 40 + 1))" 3>&- &
		tracer=$!
		sleep 1
		kill "$tracer"
		wait "$tracer" || true
		! is_stopped "$pid" || return 0
	done
	echo "candidate $2 was not stopped behind $1"
	return 1
}

@test "a controller that ends in order exits with 0, a leader with the lease given up" {
	# Goal: SIGTERM to one that leads and has written its tables, then to one that follows. (Amid writes
	# that are not answered in time the lease stays.)
	fresh in-order
	"$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" 2>"$WORK/candidate-x.log" 3>&- &
	wait_until 40 eval '[ "$(kubectl get configmaps -n "$TABLES" -l staticip.dev/buckets=64 -o name | wc -l)" = 64 ]'
	sleep 1
	kill -s TERM $!
	wait $!
	says x 'leading as'
	[ -z "$(lease holderIdentity)" ]
	[ "$(lease leaseDurationSeconds)" = 1 ]
	candidate a
	wait_until 20 leads a
	timeout --preserve-status -s TERM 3 "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" 2>"$WORK/candidate-x.log"
	never_says x 'leading as'
	leads a
}

@test "a leader that is stopped amid its work and wakes up after its successor has worked writes nothing" {
	# Goal: SIGSTOP under 50 and more changes a second, for longer than the lease: with what it
	# read and has not looked at, with what it has half sent, or anywhere. The successor works;
	# SIGCONT. What the old one had in mind is not sent, it follows.
	fresh stopped
	candidate a
	candidate b
	wait_until 20 leader
	churn 50
	for calls in read,recvfrom write,sendto epoll_wait,epoll_ctl; do
		old=$(leader)
		[ "$old" = a ] && new=b || new=a
		before=$(lines $new) was=$(lines "$old")
		sleep "0.$((RANDOM % 1000))"
		stop_behind $calls "$old"
		wait_until 30 says_after $new "$before" 'synced: '
		leads $new
		before=$(lines $new)
		wait_until 20 says_after $new "$before" ': (AddressConflict|TargetNotFound): ' # it tells what it did
		kill_it CONT "candidate-$old"
		wait_until 20 says_after "$old" "$was" 'not leading any more'
		wait_until 20 says_after "$old" "$was" 'the lease is held by '
		leads $new
	done
	churn_over
	[ "$(lease leaseTransitions)" = 3 ]
	works 99
	one_writer 100
}

listens() { ss -ltn "sport = :$1" | grep -q LISTEN; }
start_proxy() {
	start proxy python3 "$REPO/tests/integration/cut_proxy.py" 7443 6443 7
	wait_until 10 listens 7443
	kill_it USR1 proxy & # it shall not cut by itself
	sleep 0.2
}

# cut_off HOW BACK-HOW NUMBER: the leader a is, behind the proxy; b follows, then works;
# a comes back and follows. Then b ends, and a leads again.
cut_off() {
	local was
	was=$(lines a)
	$1
	wait_until 20 says_after a "$was" 'not leading any more: the lease .* was not renewed for 3 s'
	wait_until 30 leads b
	works "$3"
	was=$(lines a)
	$2
	wait_until 20 says_after a "$was" 'the lease is held by '
	leads b
	works $(($3 + 1))
	leads b
	kill_it TERM candidate-b
	wait_until 20 leads a
	works $(($3 + 2))
}
stop_proxy() { kill_it STOP proxy; }
wake_proxy() { kill_it CONT proxy; }
kill_proxy() { kill_it KILL proxy; }

@test "a leader that is cut off from the API server ends to lead, and comes back as a follower" {
	# Goal: requests that are never answered, then connections that are refused.
	fresh cut-off
	start_proxy
	candidate a https://127.0.0.1:7443
	wait_until 20 leads a
	works 1
	candidate b
	wait_until 10 says b 'the lease is held by '
	cut_off stop_proxy wake_proxy 2
	was=$(lines b)
	candidate b
	wait_until 10 says_after b "$was" 'the lease is held by '
	cut_off kill_proxy start_proxy 5
	one_writer
}

@test "a Lease that is deleted or taken by hand is respected" {
	# Goal: a leader whose Lease is gone makes it again; one whose Lease names another ends at
	# once, and waits for that one's time by its own clock, whatever the times in it say.
	fresh by-hand
	candidate a
	wait_until 20 leads a
	kubectl delete lease staticip-controller -n "$TABLES" >/dev/null
	wait_until 20 leads a
	never_says a 'not leading any more'
	was=$(lines a)
	kubectl patch lease staticip-controller -n "$TABLES" --type merge -p \
		'{"spec":{"holderIdentity":"somebody","leaseDurationSeconds":5,"renewTime":"1999-01-01T00:00:00.000000Z"}}' >/dev/null
	wait_until 20 says_after a "$was" "not leading any more: the lease .* was taken from us; it is held by 'somebody'"
	[ "$(lease holderIdentity)" = somebody ]
	wait_until 20 leads a
	works 1
}
