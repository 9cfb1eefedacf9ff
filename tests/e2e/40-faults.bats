# What goes wrong around staticip does no harm: the last good table stays, nothing is
# lost, and all is put right.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/history.bash"

setup() {
	own_namespace
	POLL=
}
teardown() {
	[ -z "$POLL" ] || kill "$POLL" 2>/dev/null || true
	resume staticip-controller
	resume staticip-agent
	drop_namespace
}

# good: four rows good-0 … good-3, $V4.1 to $V4.4.
good_allocation() {
	allocation good StatefulSet/good <<<"addressRanges: [$V4.1-$V4.4/16]" | apply
	wait_rows good-3 "$V4.4/16"
	wait_condition good Programmed "^True Published"
}
good_rows() { printf "podnet/$NS/good-%d\t$V4.%d/16\n" 0 1 1 2 2 3 3 4; }
both_have() {
	local i
	for i in 1 2; do equal "rows on node n$i" "$(rows "$i")" "$(sort <<<"$1")" || return 1; done
}

# same_but_for WHAT BEFORE AFTER NAME: "NAME VALUE" lines, one of which may differ.
same_but_for() {
	local lines
	lines=$(diff -U0 <(grep -v "^$4 " <<<"$2") <(grep -v "^$4 " <<<"$3")) || fail "$1, besides $4, changed"$'\n'"$lines"
}

# ---- the API server ------------------------------------------------------------

# Goal: its SIGKILL cuts all watches; afterwards changes arrive and no row has changed.
@test "an API server that is killed and comes back loses nothing and changes no row" {
	local before
	alone
	good_allocation
	before=$(map_versions)
	cluster restart-apiserver
	PATIENCE=90
	allocation later Pod/later <<<"addresses: [{ips: [$V4.77/16]}]" | apply
	wait_rows later "$V4.77/16"
	same_but_for "tables' versions" "$before" "$(map_versions)" "$(map_of later)"
	k patch staticipallocation good --type merge -p '{"spec":{"addressRanges":["'"$V4.11-$V4.14"'/16"]}}' >/dev/null
	wait_rows good-0 "$V4.11/16"
	wait_rows good-3 "$V4.14/16"
	k delete staticipallocation good >/dev/null
	wait_rows good-0 ""
	wait_recovered
}

# Goal: the watches really get 410 and what happened meanwhile is not lost: controller
# and agents sleep through changes, a compaction and a restart.
@test "after a compaction the watches get 410, list again, and miss nothing" {
	local since
	good_allocation
	allocation gone StatefulSet/gone <<<"addressRanges: [$V4.21-$V4.22/16]" | apply
	wait_rows gone-1 "$V4.22/16"
	alone
	wait_until 30 nothing_under_way
	since=$(date -u +%FT%TZ)
	pause staticip-controller
	pause staticip-agent
	k patch staticipallocation good --type merge -p '{"spec":{"addressRanges":["'"$V4.2-$V4.3"'/16"]}}' >/dev/null
	k delete staticipallocation gone >/dev/null
	allocation new StatefulSet/new <<<"addressRanges: [$V4.21-$V4.21/16]" | apply
	history_agrees # as long as it is there
	cluster compact >/dev/null
	cluster restart-apiserver
	PATIENCE=90
	resume staticip-controller
	wait_until 90 map_of new-0
	both_have "$(good_rows; printf "podnet/$NS/gone-%d\t$V4.%d/16\n" 0 21 1 22)"
	resume staticip-agent
	wait_until 90 both_have "$(printf "podnet/$NS/%s\t$V4.%d/16\n" good-0 2 good-1 3 new-0 21)"
	wait_recovered
	equal "how many agents got 410" "$(logs agent --since-time "$since" | grep -c 'configmaps: .*too old resource version')" 2
	# one that slept longer than its lease begins anew
	contains "the controller's log" "$(logs controller --since-time "$since")" 'staticipallocations: .*too old resource version|not leading any more'
}

# ---- a table in the wrong hands ------------------------------------------------

fnv1a() {
	local byte hash=$((0xcbf29ce484222325))
	for byte in $(od -An -v -tu1); do hash=$(((hash ^ byte) * 0x100000001b3)); done
	printf '%016x' $hash
}
# table GENERATION BODY: with a right sum.
table() {
	local head
	head="staticip-table 1 generation=$1 rows=$(wc -l <<<"$2")"
	printf '%s sum=%s\n%s\n' "$head" "$({ printf %s "$head"; echo "$2"; } | fnv1a)" "$2"
}
put_table() {
	kubectl -n $TABLES patch configmap "$1" --type merge -p "$(jq -n --arg text "$2"$'\n' '{data: {table: $text}}')" >/dev/null
}

body_of() { tail -n +2 "$(folder "$1")/table/$BUCKETS/${2##*-}"; }

# Looks at both nodes over and over, until it is killed: the bucket's rows are the good
# ones and all buckets are whole. What is not so is written to FAULTS, a dot per look to LOOKS.
poll() {
	local i
	while :; do
		for i in 1 2; do
			equal "bucket on node n$i" "$(body_of "$i" "$1")" "$2"
			tables "$i" >/dev/null
			echo .
		done >>"$BATS_TEST_TMPDIR/looks" 2>>"$BATS_TEST_TMPDIR/faults"
	done
}

# tampered RULE COMMAND...: the controller sleeps, so that only the agents stand between
# COMMAND and the pods; then it wakes up.
tampered() {
	local rule=$1 map body
	shift
	alone
	good_allocation
	map=$(map_of good-0)
	body=$(body_of 1 "$map")
	kubectl -n $TABLES delete events --field-selector "involvedObject.name=$map" >/dev/null
	poll "$map" "$body" 3>&- 4>&- &
	POLL=$!
	pause staticip-controller
	"$@" "$map" "$body"
	wait_event "$map" "TableRefused: .* rule $rule: .* on node n1 generation" $TABLES
	wait_event "$map" "TableRefused: .* rule $rule: .* on node n2 generation" $TABLES
	resume staticip-controller
	wait_condition good Programmed '^True Restored: .*changed by another hand'
	wait_event "$map" 'TableRestored: ' $TABLES
	wait_until 15 equal_on_all "$map"
	kill "$POLL" || fail "the poll ended: $(<"$BATS_TEST_TMPDIR/faults")"
	POLL=
	equal "rows in the ConfigMap" "$(kubectl -n $TABLES get configmap "$map" -o 'jsonpath={.data.table}' | tail -n +2)" "$body"
	equal "what was not as it should be meanwhile" "$(cat "$BATS_TEST_TMPDIR/faults")" ""
	[ "$(wc -l <"$BATS_TEST_TMPDIR/looks")" -gt 20 ] || fail "only $(wc -l <"$BATS_TEST_TMPDIR/looks") looks at the nodes"
	both_have "$(good_rows)"
	# and it is still in force: the next change passes
	k patch staticipallocation good --type merge -p '{"spec":{"addressRanges":["'"$V4.11-$V4.14"'/16"]}}' >/dev/null
	wait_rows good-0 "$V4.11/16"
}
equal_on_all() {
	local i text
	text=$(kubectl -n $TABLES get configmap "$1" -o 'jsonpath={.data.table}') || return 1
	for i in 1 2; do equal "file on node n$i" "$(<"$(folder "$i")/table/$BUCKETS/${1##*-}")" "$text" || return 1; done
}

scribble() { put_table "$1" "rubbish"; }
take_data() { kubectl -n $TABLES patch configmap "$1" --type json -p '[{"op": "remove", "path": "/data"}]' >/dev/null; }
drop_map() { kubectl -n $TABLES delete configmap "$1" >/dev/null; }
older_rows() { put_table "$1" "$(table 1 "${2//$V4.1\/16/$V4.99/16}")"; }

# Goal for these four: the nodes keep the last good table at every moment, events and
# the condition say so, and the controller puts it right.
@test "a table that is overwritten with rubbish is refused and restored" { tampered A4 scribble; }
@test "a table whose data is removed is refused and restored" { tampered A3 take_data; }
@test "a table that is deleted stays in force and is written again" { tampered A8 drop_map; }
@test "a valid table of a lower generation is refused and restored" { tampered A6 older_rows; }

# ---- controller and agents -----------------------------------------------------

controller_is_another() {
	local now
	now=$(system_pods controller) && [ -n "$now" ] && differ "controller" "$now" "$1"
}
allocation_versions() { kubectl get staticipallocations -A -o 'jsonpath={range .items[*]}{.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}'; }

# A change that comes after a restart arrives, and nothing else was written.
nothing_rewritten() {
	allocation later Pod/later <<<"addresses: [{ips: [$V4.77/16]}]" | apply
	PATIENCE=40
	wait_rows later "$V4.77/16"
	wait_condition later Programmed '^True Published'
	same_but_for "tables' versions" "$1" "$(map_versions)" "$(map_of later)"
	same_but_for "allocations' versions" "$2" "$(allocation_versions)" "$(k get sip later -o 'jsonpath={.metadata.uid}')"
	both_have "$(good_rows; printf "podnet/$NS/later\t$V4.77/16")"
}

# Goal: a restart of the controller changes no row and writes no object (I9).
@test "a controller that is replaced writes only what changes afterwards" {
	local maps allocations old
	alone
	good_allocation
	maps=$(map_versions) allocations=$(allocation_versions) old=$(system_pods controller)
	kubectl -n $SYSTEM delete pod "${old%% *}" >/dev/null
	system_ready
	controller_is_another "$old"
	nothing_rewritten "$maps" "$allocations"
}

@test "a controller that is killed writes only what changes afterwards" {
	local maps allocations old
	alone
	good_allocation
	maps=$(map_versions) allocations=$(allocation_versions) old=$(system_pods controller)
	kill -s KILL $(processes staticip-controller)
	wait_until 40 controller_is_another "$old"
	nothing_rewritten "$maps" "$allocations"
}

# inode and time of each file of node n1
files() { (cd "$(folder 1)/table/$BUCKETS" && stat -c '%n %i %y' -- *); }

# Goal: the files are the state; an agent that finds them right leaves them alone.
@test "an agent that is replaced touches no file, and then follows" {
	local before old bucket
	alone
	good_allocation
	before=$(files)
	old=$(kubectl -n $SYSTEM get pods -l app.kubernetes.io/component=agent --field-selector spec.nodeName=n1 -o 'jsonpath={.items[0].metadata.name}')
	kubectl -n $SYSTEM delete pod "$old" >/dev/null
	system_ready
	lacks "agents" "$(system_pods agent)" "$old"
	same_but_for "inode and time of each file" "$before" "$(files)" nothing
	allocation later Pod/later <<<"addresses: [{ips: [$V4.77/16]}]" | apply
	wait_rows later "$V4.77/16"
	bucket=$(map_of later)
	same_but_for "inode and time of each file" "$before" "$(files)" "${bucket##*-}"
}

no_agent() { equal "agents" "$(processes staticip-agent)" ""; }

# Goal: a pod that has its grant needs no agent to be made again. The DaemonSet is told to run
# nowhere: SIGTERM to all.
@test "without agents the tables stay, and a pod is made again with its address" {
	local before sandbox_made
	alone
	{ allocation lone Pod/lone <<<"addresses: [{ips: [$V4.7/16]}]"; a_pod lone n1; } | apply
	running lone
	before=$(files)
	kubectl -n $SYSTEM patch daemonset staticip-agent --type merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"e2e":"nowhere"}}}}}' >/dev/null
	run wait_until 30 no_agent
	same_but_for "inode and time of each file" "$before" "$(files)" nothing
	{ kill_sandbox 1 lone >/dev/null && running lone && wait_until 20 has_addresses lone "$V4.7/16"; } && sandbox_made=0 || sandbox_made=1
	kubectl -n $SYSTEM patch daemonset staticip-agent --type merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"e2e":null}}}}}' >/dev/null
	[ "$status" = 0 ] || fail "$output"
	system_ready
	equal "the pod made again" "$sandbox_made" 0
}
