# Bad input is refused, with the field and the rule named, and changes nothing else. What one
# object tells about itself is refused by the API server (CEL rules of the CRD); the rest
# by a condition.

. "$BATS_TEST_DIRNAME/lib.bash"

setup_file() { note_system_pods; }
setup() { own_namespace; }
teardown() { drop_namespace; }

# An allocation "bad" with these lines of spec, for $TARGET (StatefulSet/db).
bad() { printf '%s\n' "$@" | allocation bad "${TARGET:-StatefulSet/db}"; }

# rejected FIELD MESSAGE LINE...: kubectl apply of it fails, names the field and says the
# message (regular expressions).
rejected() {
	local answer code=0
	answer=$(bad "${@:3}" | k apply -f - 2>&1) || code=$?
	differ "exit status of kubectl apply, which said: $answer" "$code" 0
	contains "kubectl's answer" "$answer" '"bad" is invalid'
	contains "kubectl's answer" "$answer" "$1: $2"
	equal "allocations in the namespace" "$(k get staticipallocations -o name)" ""
}

# invalid MESSAGE LINE...: it is accepted by the API server and refused by condition and
# event; it has no row, and an allocation beside it is not touched.
invalid() {
	local before
	allocation good StatefulSet/good <<<"addressRanges: [$V4.101-$V4.104/16]" | apply
	wait_rows good-3 "$V4.104/16"
	wait_condition good Programmed '^True Published'
	before=$(k get staticipallocation good -o 'jsonpath={.metadata.resourceVersion}')
	bad "${@:2}" | apply
	wait_condition bad Accepted "^False Invalid: $1"
	wait_condition bad Programmed '^False NoRow'
	wait_condition bad Ready "^False Invalid: $1"
	wait_event bad "Invalid: $1"
	equal "rows" "$(rows 1)" "$(printf "podnet/$NS/good-%d\t$V4.10%d/16\n" 0 1 1 2 2 3 3 4)"
	equal "resourceVersion of the good one" "$(k get staticipallocation good -o 'jsonpath={.metadata.resourceVersion}')" "$before"
}

# ---- the API server --------------------------------------------------------------

@test "an address without prefix length is rejected" {
	rejected 'spec.addresses\[0\].ips\[0\]' '.*an address with its prefix length, as 10.0.2.40/24' \
		"addresses: [{ips: [$V4.1]}]"
}

@test "an IPv6 address that is not in canonical form is rejected" {
	rejected 'spec.addresses\[0\].ips\[1\]' '.*canonical form \(RFC 5952\)' \
		"addresses: [{ips: [$V4.1/16, 'fd00:10:244:0::1/64']}]"
}

@test "an IPv6 address in capitals is rejected" {
	rejected 'spec.addresses\[0\].ips\[0\]' '.*canonical form' \
		"addresses: [{ips: ['FD00:10:244::1/64']}]"
}

@test "addresses and addressRanges at once are rejected" {
	rejected spec '.*give either addresses or addressRanges' \
		"addresses: [{ips: [$V4.1/16]}]" "addressRanges: [$V4.2-$V4.3/16]"
}

@test "neither addresses nor addressRanges is rejected" {
	rejected spec '.*give either addresses or addressRanges' "routes: []"
}

@test "a gateway outside of the entry's subnets is rejected" {
	rejected 'spec.addresses\[0\]' '.*each gateway lies in the subnet of one of the entry.s addresses' \
		"addresses: [{ips: [$V4.1/16], gateways: [10.245.0.1]}]"
}

@test "two gateways of one family are rejected" {
	rejected 'spec.gateways' '.*at most one gateway per family' \
		"addresses: [{ips: [$V4.1/16]}]" "gateways: [10.244.0.1, 10.244.0.2]"
	rejected 'spec.addresses\[0\].gateways' '.*at most one gateway per family' \
		"addresses: [{ips: ['$V6:1/64'], gateways: ['fd00:10:244::1', 'fd00:10:244::2']}]"
}

@test "a route whose gateway is of another family is rejected" {
	rejected 'spec.routes\[1\]' '.*gateway and destination are of one family' \
		"addresses: [{ips: [$V4.1/16]}]" "routes: [{dst: 10.8.0.0/16}, {dst: 10.9.0.0/16, gw: 'fd00:10:244::1'}]"
}

@test "a route destination with host bits is rejected" {
	rejected 'spec.routes\[0\].dst' '.*a prefix without host bits, as 10.9.0.0/16' \
		"addresses: [{ips: [$V4.1/16]}]" "routes: [{dst: 10.9.0.1/16}]"
}

@test "a route metric that does not fit into 32 bits is rejected" {
	rejected 'spec.routes\[0\].priority' '.*4294967295' \
		"addresses: [{ips: [$V4.1/16]}]" "routes: [{dst: 10.9.0.0/16, priority: 4294967296}]"
}

@test "a Pod with two entries is rejected" {
	TARGET=Pod/lone rejected spec '.*a Pod has exactly one entry in addresses' \
		"addresses: [{ips: [$V4.1/16]}, {ips: [$V4.2/16]}]"
}

@test "a range of two addresses for one Pod is rejected" {
	TARGET=Pod/lone rejected spec '.*a Pod has exactly one address of each range' "addressRanges: [$V4.1-$V4.2/16]"
}

@test "an address that no host can have is rejected" {
	local address
	for address in 127.0.0.1/8 224.0.0.1/4 0.0.0.0/0 fe80::1/64 ::1/64; do
		rejected 'spec.addresses\[0\].ips\[0\]' '.*not an address of a host' "addresses: [{ips: ['$address']}]"
	done
}

@test "an unknown kind of target is rejected" {
	TARGET=Deployment/db rejected 'spec.targetRef.kind' '.*supported values: "Pod", "StatefulSet"' \
		"addresses: [{ips: [$V4.1/16]}]"
}

@test "a network name that CNI does not allow is rejected" {
	local answer code=0
	answer=$(bad "addresses: [{ips: [$V4.1/16]}]" | sed 's/network: podnet/network: .pod net/' | k apply -f - 2>&1) || code=$?
	differ "exit status" "$code" 0
	contains "kubectl's answer" "$answer" 'spec.network: .*should match'
}

@test "an interface name that Linux does not allow is rejected" {
	rejected 'spec.interface' '.*should match' "interface: a/b" "addresses: [{ips: [$V4.1/16]}]"
	rejected 'spec.interface' '.*not the name of an interface' \
		"interface: .." "addresses: [{ips: [$V4.1/16]}]"
	rejected 'spec.interface' '.*may not be more than 15' \
		"interface: abcdefghijklmnop" "addresses: [{ips: [$V4.1/16]}]"
}

@test "more than 1024 entries are rejected" {
	rejected 'spec.addresses' '.*must have at most 1024 items' \
		"addresses: [$(for i in $(seq 0 1024); do printf '{ips: [10.240.%d.%d/16]}, ' $((i / 256)) $((i % 256)); done)]"
}

@test "a range that is none is rejected" {
	rejected 'spec.addressRanges\[0\]' '.*FIRST-LAST/PREFIX of one family' "addressRanges: [$V4.1/16]"
	rejected 'spec.addressRanges\[0\]' '.*FIRST-LAST/PREFIX of one family' \
		"addressRanges: ['$V4.1-$V6:1/64']"
	rejected 'spec.addressRanges\[1\]' '.*canonical form' \
		"addressRanges: [$V4.1-$V4.2/16, 'fd00:0::1-fd00::2/64']"
}

@test "a range that does not lie in one subnet is rejected" {
	rejected 'spec.addressRanges\[0\]' '.*first and last address lie in one subnet' \
		"addressRanges: [10.244.1.250-10.244.2.5/24]"
}

@test "an unknown field is rejected" {
	local answer code=0
	answer=$(bad "addresses: [{ips: [$V4.1/16]}]" "gatways: [10.244.0.1]" | k apply -f - 2>&1) || code=$?
	differ "exit status" "$code" 0
	contains "kubectl's answer" "$answer" 'unknown field "spec.gatways"'
}

# ---- conditions ------------------------------------------------------------------

@test "ranges of different length are refused by condition" {
	invalid 'spec.addressRanges\[1\] has 3 addresses, spec.addressRanges\[0\] has 4: .*rule V5' \
		"addressRanges: [$V4.1-$V4.4/16, '$V6:1-$V6:3/64']"
}

@test "ranges that overlap are refused by condition" {
	invalid 'spec.addressRanges\[0\] and spec.addressRanges\[1\] overlap .*rule V6' \
		"addressRanges: [$V4.1-$V4.4/16, $V4.4-$V4.7/16]"
}

@test "a range that goes backwards is refused by condition" {
	invalid "spec.addressRanges\[0\]: .*$V4.4.*" "addressRanges: [$V4.4-$V4.1/16]"
}

@test "a range of more than 1024 addresses is refused by condition" {
	invalid "spec.addressRanges\[0\]: .*10.240.0.1-10.240.4.1/16' has more than 1024 addresses .*rule V4" \
		"addressRanges: [10.240.0.1-10.240.4.1/16]"
}

@test "an address twice in one object is refused by condition" {
	invalid "spec[.][a-zA-Z]+: $V4.1 is in entry 0 and in entry 2 .*rule V8" \
		"addresses: [{ips: [$V4.1/16]}, {ips: [$V4.2/16]}, {ips: [$V4.1/24]}]"
}

@test "the network address of a subnet is refused by condition" {
	invalid "spec[.][a-zA-Z]+: entry 1: $V4.0/24 is the network address of $V4.0/24: no pod can have it .*rule V7" \
		"addresses: [{ips: [$V4.1/24]}, {ips: [$V4.0/24]}]"
}

@test "the broadcast address of a subnet is refused by condition" {
	invalid "spec[.][a-zA-Z]+: entry 2: $V4.255/24 is the broadcast address of $V4.0/24: .*rule V7" \
		"addressRanges: [$V4.253-$V4.255/24]"
}

@test "a gateway outside of an entry's subnet is refused by condition" {
	invalid "spec[.][a-zA-Z]+: gateway 10.245.0.1 is in no subnet of entry 0's addresses .*rule V9" \
		"addressRanges: [$V4.1-$V4.2/16]" "gateways: [10.245.0.1]"
}

@test "a gateway that is a pod's own address is refused by condition" {
	invalid "spec[.][a-zA-Z]+: gateway $V4.2 is entry 1's own address .*rule V10" \
		"addressRanges: [$V4.1-$V4.2/16]" "gateways: [$V4.2]"
}

@test "a route of a family that an entry lacks is refused by condition" {
	invalid 'spec.routes\[0\]: fd00:9::/32 is IPv6, but entry 0 has no IPv6 address .*rule V11' \
		"addressRanges: [$V4.1-$V4.2/16]" "routes: [{dst: 'fd00:9::/32', gw: 'fd00:10:244::1'}]"
}

@test "a route whose gateway a pod does not reach is refused by condition" {
	invalid 'spec.routes\[1\]: gw 10.245.0.1 is in no subnet of entry 0.s addresses .*rule V11' \
		"addressRanges: [$V4.1-$V4.2/16]" "routes: [{dst: 10.8.0.0/16}, {dst: 10.9.0.0/16, gw: 10.245.0.1}]"
}

@test "a route that is there twice is refused by condition" {
	invalid 'spec.routes\[0\] and spec.routes\[1\] are the same .*rule V12' \
		"addressRanges: [$V4.1-$V4.2/16]" "routes: [{dst: 10.9.0.0/16, gw: 10.244.0.9}, {dst: 10.9.0.0/16, gw: 10.244.0.9}]"
}

# ---- what an invalid object does not do --------------------------------------------

# Goal: an edit that is not valid takes nothing away, and the way back is an edit.
@test "an invalid edit of a good object keeps its rows" {
	local maps
	allocation db StatefulSet/db <<<"addressRanges: [$V4.1-$V4.2/16]" | apply
	wait_rows db-1 "$V4.2/16"
	wait_condition db Programmed '^True Published'
	maps=$(map_versions)
	k patch staticipallocation db --type merge -p '{"spec":{"addressRanges":["'"$V4.1-$V4.2/16"'","'"$V4.2-$V4.3/16"'"]}}' >/dev/null
	wait_condition db Accepted '^False Invalid: .*rule V6.*; the rows of the last valid version stay'
	wait_condition db Programmed '^True Published: all 2 rows'
	has_rows db-0 "$V4.1/16"
	has_rows db-1 "$V4.2/16"
	lacks "maps that have its rows: changed" "$(diff <(echo "$maps") <(map_versions))" "$(map_of db-0) "
	k patch staticipallocation db --type merge -p '{"spec":{"addressRanges":["'"$V4.5-$V4.6/16"'"]}}' >/dev/null
	wait_condition db Accepted '^True Valid'
	wait_rows db-1 "$V4.6/16"
}

# Goal: invariant I7: each refusal is an event too, also when many come at once.
@test "each of thirty invalid objects has its condition and its event" {
	local i
	for i in $(seq 30); do
		allocation "bad-$i" StatefulSet/db <<<"addressRanges: [$V4.0-$V4.9/24]"
	done | apply
	for i in $(seq 30); do wait_condition "bad-$i" Accepted '^False Invalid: .*rule V7'; done
	for i in $(seq 30); do wait_event "bad-$i" 'Invalid: .*rule V7'; done
}

# Goal: rows that an invalid edit left in force are still taken away with the object.
@test "an invalid object that is deleted takes its last rows with it" {
	allocation db StatefulSet/db <<<"addressRanges: [$V4.1-$V4.2/16]" | apply
	wait_rows db-1 "$V4.2/16"
	k patch staticipallocation db --type merge -p '{"spec":{"addressRanges":["'"$V4.2-$V4.1/16"'"]}}' >/dev/null
	wait_condition db Accepted '^False Invalid'
	k delete staticipallocation db >/dev/null
	wait_rows db-0 ""
	wait_rows db-1 ""
}

@test "through all of this no program of staticip was restarted" { same_system_pods; }
