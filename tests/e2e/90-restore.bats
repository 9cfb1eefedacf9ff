# etcd is restored from a backup that was made when the suite began, ten minutes ago or more: the API
# server knows pods that are gone, and none of those that run. No address is in two pods at any
# time, and all settles as it was then. Its name sorts behind those of all tests that change
# something: they are what was changed in between, and this file does the rest.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/holders.bash"
. "$BATS_TEST_DIRNAME/kept.bash"

AGE_S=${BACKUP_AGE:-600}
YOUNG=e2e-young # a namespace of which the backup knows nothing

setup_file() {
	export BATS_TEST_TIMEOUT=$((AGE_S + 300))
	settle_kept
	wc -l <"$WATCHER_LOG" >"$BATS_FILE_TMPDIR/watcher-said"
	new_namespace $YOUNG
}
teardown_file() { kubectl delete namespace $YOUNG $PAST $KEPT --ignore-not-found --wait=false >/dev/null; }

setup() {
	NS=$KEPT PATIENCE=60
	# all that it saw since this file began
	WATCHER_SAID=$(<"$BATS_FILE_TMPDIR/watcher-said") OVERLAPS=()
}
teardown() {
	local verdict=0
	kubectl uncordon n1 n2 >/dev/null || true
	watcher_agrees || verdict=$?
	[ -n "${BATS_TEST_COMPLETED:-}" ] && [ $verdict = 0 ] || explain
	return $verdict
}

uid_then() { at_backup "$1" | cut -d' ' -f1; }
node_then() { at_backup "$1" | cut -d' ' -f2 | tr -d n; }
record() { kubectl -n $TABLES get configmap staticip-ledger -o "jsonpath={.data.$1}"; }
epoch_number() { local epoch; epoch=$(record epoch) && echo "${epoch%%-*}"; }

# ---- before ------------------------------------------------------------------------------

# again POD NODE V4 V6: it is deleted, and made again there with these addresses.
again() {
	local old
	old=$(uid_of "$1")
	only_node "$2"
	k delete pod "$1" --wait=false >/dev/null
	another_pod "$1" "$old"
	settled_pod "$1" "$3" "$4"
	equal "node of $1" "$(node_of "$1")" "n$2"
}
other() { echo $((3 - $1)); }

@test "after the backup pods move, addresses pass on, allocations are edited, others come" {
	again kept-0 "$(other "$(node_then kept-0)")" $KEPT_V4.40 $KEPT_V6:40
	k patch staticipallocation kept --type json -p '[{"op": "replace", "path": "/spec/addresses/1/ips", "value": ["'$KEPT_V4.51/16'", "'$KEPT_V6:51/64'"]}]' >/dev/null
	wait_rows kept-1 "$KEPT_V4.51/16,$KEPT_V6:51/64"
	again kept-1 "$(node_then kept-1)" $KEPT_V4.51 $KEPT_V6:51
	# what others had then
	{
		kept_pod taker 41 "n$(other "$(node_then kept-1)")"
		kept_pod heir 7 "n$(other "$(NS=$PAST node_then past)")"
	} | apply
	settled_pod taker $KEPT_V4.41 $KEPT_V6:41
	settled_pod heir $KEPT_V4.7 $KEPT_V6:7
	NS=$YOUNG
	kept_pod young 60 n1 | apply
	settled_pod young $KEPT_V4.60 $KEPT_V6:60
}

# ---- the restore -------------------------------------------------------------------------

wait_for_age() {
	local left
	while left=$(($(at_backup time) + AGE_S - $(date +%s))) && [ $left -gt 0 ]; do
		echo "# $left s until the backup is $((AGE_S / 60)) minutes old" >&3
		sleep $((left < 60 ? left : 60))
	done
	echo "# the backup is $(($(date +%s) - $(at_backup time))) s old" >&3
}
rebuilt() {
	equal "complete" "$(record complete)" true || return 1
	[ "$(epoch_number)" -gt "$1" ] || fail "the epoch is $(epoch_number), and was $1 before"
}
# By a look into the pods: their status is of the backup.
back() {
	wait_until 150 has_addresses "$1" "$2/16" "$3/64"
	settled_pod "$1" "$2" "$3"
	equal "UID and node of $1" "$(uid_of "$1") $(node_of "$1")" "$(at_backup "$1")"
}

@test "etcd is restored from a backup of ten minutes ago: pods have the addresses of then, each in one of them" {
	local before begin pod
	wait_for_age
	before=$(epoch_number)
	begin=$SECONDS
	cluster restore-etcd $BACKUP
	for pod in kept-0 kept-1; do equal "UID of $pod" "$(uid_of $pod)" "$(uid_then $pod)"; done
	equal "pods" "$(k get pods -o name | xargs)" "pod/kept-0 pod/kept-1"
	back kept-0 $KEPT_V4.40 $KEPT_V6:40
	back kept-1 $KEPT_V4.41 $KEPT_V6:41
	wait_until 60 rebuilt "$before"
	NS=$PAST back past $KEPT_V4.7 $KEPT_V6:7
	wait_until 60 system_ready
	echo "# all is as it was then, $((SECONDS - begin)) s after the restore was begun" >&3
}

# ---- afterwards --------------------------------------------------------------------------

no_sandbox() { # NAMESPACE POD
	local i
	for i in 1 2; do equal "sandbox of $1/$2 on n$i" "$(cluster sandbox "$i" "$1/$2")" "" || return 1; done
}
no_lease() {
	local i address
	for i in 1 2; do
		for address; do equal "leases of $address on n$i" "$(find "$(folder "$i")/leases" -name "*$address")" "" || return 1; done
	done
}

@test "what came after the backup is gone, and its addresses can be had" {
	local pod
	for pod in $KEPT/taker $KEPT/heir $YOUNG/young; do wait_until 60 no_sandbox "${pod%/*}" "${pod#*/}"; done
	equal "namespace" "$(kubectl get namespace $YOUNG --ignore-not-found -o name)" ""
	wait_until 30 no_lease $KEPT_V4.51 $KEPT_V6:51 $KEPT_V4.60 $KEPT_V6:60
	wait_until 30 free $KEPT_V4.51 $KEPT_V6:51 $KEPT_V4.60 $KEPT_V6:60
	wait_rows kept-1 "$KEPT_V4.41/16,$KEPT_V6:41/64"
	wait_rows taker ""
	{ kept_pod young 60 n1; kept_pod other 51 n2; } | apply
	settled_pod young $KEPT_V4.60 $KEPT_V6:60
	settled_pod other $KEPT_V4.51 $KEPT_V6:51
	# and addresses pass on
	again kept-0 "$(other "$(node_then kept-0)")" $KEPT_V4.40 $KEPT_V6:40
	wait_until 30 nothing_revoked n1
	wait_until 30 nothing_revoked n2
}

no_namespace() { equal "namespace" "$(kubectl get namespace "$1" --ignore-not-found -o name)" ""; }

@test "a namespace that the restore brought back can be deleted again" {
	kubectl delete namespace $PAST --wait=false >/dev/null
	wait_until 60 no_namespace $PAST
	wait_until 30 free $KEPT_V4.7 $KEPT_V6:7
	wait_until 30 no_lease $KEPT_V4.7 $KEPT_V6:7
}
