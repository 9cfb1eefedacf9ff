#!/usr/bin/env bats
# Tables that somebody else changed, also while no controller was there.

setup() { load lib.bash; }
teardown() { stop_all; }

allocate() { # NAME POD ADDRESS
	kubectl apply -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $1, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: $2}, addresses: [{ips: [$3]}]}}
	EOA
}
reason_of() { kubectl get staticipallocation -n "$NS" "$1" -o jsonpath="{.status.conditions[?(@.type==\"$2\")].reason}"; }
reason_is() { [ "$(reason_of "$1" "$2")" = "$3" ] || { echo "$1 $2: $(reason_of "$1" "$2"), not $3"; return 1; }; }
# The ConfigMap that has a row with this text.
map_with() { kubectl get configmaps -n "$TABLES" -l staticip.dev/buckets -o json | jq -r --arg t "$1" '.items[] | select(.data.table // "" | contains($t)) | .metadata.name'; }
put_table() { kubectl patch configmap -n "$TABLES" "$1" --type merge -p "$(jq -n --arg t "$2" '{data: {table: $t}}')" >/dev/null; }
maps() { kubectl get configmaps -n "$TABLES" -l staticip.dev/buckets=64 --no-headers | wc -l; }
maps_are() { [ "$(maps)" = "$1" ] || { echo "$(maps) tables, not $1"; return 1; }; }
controller_lives() { kill -0 "$(cat "$WORK/controller.pid")"; }

# table GENERATION KEY JSON [KEY JSON...]: the text of a table, lines in the order given.
table() {
	python3 - "$@" <<-'EOP'
		import sys
		generation, rest = sys.argv[1], sys.argv[2:]
		lines = list(zip(rest[::2], rest[1::2]))
		body = "".join(f"{k}\t{j}\n" for k, j in lines)
		head = f"staticip-table 1 generation={generation} rows={len(lines)}"
		h = 0xCBF29CE484222325
		for c in (head + body).encode():
		    h = ((h ^ c) * 0x100000001B3) % 2**64
		sys.stdout.write(f"{head} sum={h:016x}\n{body}")
	EOP
}

@test "a table damaged while no controller runs does not take an address from who has it" {
	# Goal: I1, R3: the incumbent is younger than the one that waits.
	fresh damaged
	start_controller
	start_agent n1
	allocate young yy 10.80.0.1/24
	wait_until 20 reason_is young Programmed Published
	kill_it KILL controller
	kubectl create -f - >/dev/null <<-EOA
		{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: waits, namespace: $NS},
		 spec: {network: podnet, targetRef: {kind: Pod, name: ww}, addresses: [{ips: [10.80.0.1/24]}]}}
	EOA
	put_table "$(map_with "podnet/$NS/yy")" rubbish
	start_controller
	wait_until 20 reason_is waits Accepted AddressConflict
	wait_until 20 reason_is young Programmed Published
	must_settle 20 n1
	[ "$(tables_of n1)" = "podnet/$NS/yy	10.80.0.1/24" ]
}

@test "a table whose label was changed or taken away gets it back" {
	# Goal: agents find tables by that label.
	fresh label
	start_controller
	wait_until 20 maps_are 64
	kubectl label configmap -n "$TABLES" table-64-3 staticip.dev/buckets=1 --overwrite >/dev/null
	wait_until 20 maps_are 64
	kubectl label configmap -n "$TABLES" table-64-3 staticip.dev/buckets- >/dev/null
	wait_until 20 maps_are 64
}

@test "a foreign table with odd rows neither ends the controller nor stays" {
	# Goal: I6: whole by its checksum, but no row of it is one.
	fresh foreign
	start_controller
	start_agent n1
	allocate mine p 10.80.1.1/24
	wait_until 20 reason_is mine Programmed Published
	uid=$(kubectl get staticipallocation -n "$NS" mine -o jsonpath='{.metadata.uid}')
	kill_it KILL controller
	put_table table-64-9 "$(table 99999999999 '!foreign/mine' "{\"uid\":\"$uid\"}" 'podnet/zz-0' '{"p":"foreign/mine","ips":["10.80.1.1/24"]}')
"
	start_controller
	wait_until 20 eval "! kubectl get configmap -n $TABLES table-64-9 -o json | grep -q zz-0"
	controller_lives
	must_settle 20 n1
}

@test "a namespace for tables that is missing is waited for without hurry" {
	# Goal: no hot loop against the API server.
	fresh missing
	kubectl delete namespace "$TABLES" >/dev/null &
	wait_until 20 eval "kubectl get namespace $TABLES -o json | kubectl replace --raw /api/v1/namespaces/$TABLES/finalize -f - < <(kubectl get namespace $TABLES -o json | jq '.spec.finalizers=[]') >/dev/null 2>&1; ! kubectl get namespace $TABLES >/dev/null 2>&1"
	start_controller
	sleep 6
	controller_lives
	lines=$(grep -c "namespaces.*$TABLES.*not found" "$WORK/controller.log" || true)
	# 64 tables: a first write, one look, and then every 2 s and less often
	[ "$lines" -ge 1 ] && [ "$lines" -le 400 ] || { echo "$lines lines"; false; }
	kubectl create namespace "$TABLES" >/dev/null
	wait_until 60 maps_are 64
}
