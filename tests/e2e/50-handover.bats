# An address passes on only when its holder is proven gone; until then who waits is told
# for whom, and why. DC-..: the acceptance rows of a predecessor (danm's static-ip
# controller); DC-16 is about a webhook, which there is none of.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/holders.bash"

setup_file() { system_pods agent >"$BATS_FILE_TMPDIR/agents"; }
setup() { own_namespace; }
teardown() {
	local i
	for i in 1 2; do [ ! -e "$RUN/n$i/cni/macvlan.real" ] || mv -f "$RUN/n$i/cni/macvlan.real" "$RUN/n$i/cni/macvlan"; done
	mend_nodes
	drop_namespace
}

# ---- how pods end ----------------------------------------------------------------------

dual_stack_set() {
	{
		allocation db StatefulSet/db <<-EOY
			addresses:
			- ips: [$V4.40/16, "$V6:40/64"]
			- ips: [$V4.41/16, "$V6:41/64"]
		EOY
		stateful_set db 2
	} | apply
	rolled_out db
}
both_settled() {
	settled_pod db-0 "$V4.40" "$V6:40"
	settled_pod db-1 "$V4.41" "$V6:41"
}

@test "a rolling restart: each pod has its addresses again, in both families" {
	local before
	dual_stack_set
	both_settled
	before="$(uid_of db-0) $(uid_of db-1)"
	k rollout restart statefulset/db >/dev/null
	rolled_out db 60
	differ "UIDs" "$(uid_of db-0) $(uid_of db-1)" "$before"
	both_settled
	wait_until 20 nothing_revoked n1
	wait_until 20 nothing_revoked n2
}

@test "a pod that is deleted hands its addresses to its successor on another node" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	k delete pod db-0 --wait=false >/dev/null
	another_pod db-0 "$old"
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" n2
	wait_until 20 state_is n1 "$old" ""
}

# Goal: the object is gone at once, the container is not: only the node's answer counts.
@test "a pod that is force-deleted while the agent is away is waited for" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	pause_agent 1
	force_delete db-0
	another_pod db-0 "$old"
	held db-0 "$V4.40" "$NS/db-0" "$old" n1 "node n1 is Ready, its agent has not answered for the pod yet; free when it does, or by kubectl annotate staticipnode n1 staticip.dev/release=$old"
	held_on_node db-0 "$V4.40" "$NS/db-0" "$old"
	state_is n1 "$old" revoked
	resume staticip-agent
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_until 20 state_is n1 "$old" ""
}

@test "a pod that is evicted hands its addresses to its successor on another node" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	kubectl create --raw "/api/v1/namespaces/$NS/pods/db-0/eviction" -f - >/dev/null <<<'{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "db-0", "namespace": "'"$NS"'"}}'
	another_pod db-0 "$old"
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" n2
}

# pass NAME ADDRESS: the allocation "from" of Pod FROM goes, Pod NAME gets its address.
succeed() {
	k delete staticipallocation from >/dev/null
	wait_rows "$1" ""
	allocation to "Pod/$2" <<<"addresses: [{ips: [$V4.7/16, '$V6:7/64']}]" | apply
	a_pod "$2" "$3" | apply
}
from_pod() {
	allocation from Pod/first <<<"addresses: [{ips: [$V4.7/16, '$V6:7/64']}]"
	a_pod first n1
}

@test "a pod that has completed holds nothing, though its object stays" {
	local first
	from_pod | sed 's/command: .*/command: [sh, -c, "sleep 3"]/; s/nodeName: n1/&\n  restartPolicy: Never/' | apply
	running first
	first=$(uid_of first)
	wait_until 10 held_by first "$first" n1 "$V4.7" "$V6:7"
	wait_until 20 free "$V4.7" "$V6:7"
	equal "phase of first" "$(k get pod first -o 'jsonpath={.status.phase}')" Succeeded
	succeed first second n2
	settled_pod second "$V4.7" "$V6:7"
	equal "phase of first" "$(k get pod first -o 'jsonpath={.status.phase}')" Succeeded
}

# Goal: completion of a StatefulSet's pod. Its containers always start again, so what ends it is a
# deadline; then its phase is Failed, and its set replaces it.
@test "a StatefulSet's pod that has failed hands its addresses to its successor on another node" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	k patch pod db-0 -p '{"spec":{"activeDeadlineSeconds":1}}' >/dev/null
	another_pod db-0 "$old" 40
	wait_event db-0 '(^|'$'\n'')DeadlineExceeded: '
	wait_event db 'SuccessfulDelete: Delete Pod db-0 in StatefulSet db'
	settled_pod db-0 "$V4.40" "$V6:40"
	equal "node of db-0" "$(node_of db-0)" n2
	wait_until 20 state_is n1 "$old" ""
}

# Goal: the grant is on the node; a sandbox of the same pod needs nobody's word again.
@test "a sandbox that is killed comes back without controller and agent" {
	local uid node
	one_on 1
	uid=$(uid_of db-0)
	pause staticip-controller
	pause staticip-agent
	kill_sandbox 1 db-0 >/dev/null
	running db-0
	wait_until 20 has_addresses db-0 "$V4.40/16" "$V6:40/64"
	equal "UID of db-0" "$(uid_of db-0)" "$uid"
	resume staticip-agent
	resume staticip-controller
	held_by db-0 "$uid" n1 "$V4.40" "$V6:40"
}

# A main plugin whose DEL fails, before it or its IPAM plugin did anything.
del_fails() {
	local folder=$RUN/n$1/cni
	mv "$folder/macvlan" "$folder/macvlan.real"
	printf '#!/bin/sh\nif [ "$CNI_COMMAND" = DEL ]; then\n\techo "{\\"code\\": 999, \\"msg\\": \\"no DEL today\\"}"\n\texit 1\nfi\nexec %s\n' /opt/cni/bin/macvlan.real >"$folder/macvlan"
	chmod +x "$folder/macvlan"
}
del_works() { mv -f "$RUN/n$1/cni/macvlan.real" "$RUN/n$1/cni/macvlan"; }
busy_with() { contains "busy on n$1" "$(kubectl get staticipnode "n$1" -o 'jsonpath={.status.answer.busy[*]}')" "$2"; }

@test "a pod that is stuck in DEL holds its addresses, and hands them over when DEL works" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	del_fails 1
	force_delete db-0
	another_pod db-0 "$old"
	held db-0 "$V4.40" "$NS/db-0" "$old" n1 "node n1"
	wait_until 20 busy_with 1 "$old"
	del_works 1
	settled_pod db-0 "$V4.40" "$V6:40"
	wait_until 20 nothing_revoked n1
}

@test "controllers that are killed in the middle of it go on with the hand-over" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	pause_agent 1
	force_delete db-0
	another_pod db-0 "$old"
	wait_until 20 state_is n1 "$old" revoked
	kill -s KILL $(processes staticip-controller)
	resume staticip-agent
	settled_pod db-0 "$V4.40" "$V6:40"
}

# ---- DC-01 to DC-06, DC-09 to DC-15 ----------------------------------------------------------

host_pod() { a_pod "$1" n1 | sed 's/nodeName: n1/&\n  hostNetwork: true/'; }

# The predecessor stood in the way of every pod that was made, and so needed a list of namespaces
# to let pass. Nothing of ours does (no webhook; the plugin asks the node's tables only), so there is no
# such list: a namespace takes part by having allocations, which is a matter of RBAC.
@test "DC-01, DC-03: a pod that no allocation names is not touched, in kube-system or elsewhere" {
	local uid
	from_pod | apply
	running first
	host_pod plain | apply
	host_pod "plain-$NS" | kubectl -n kube-system apply -f - >/dev/null
	running plain
	kubectl -n kube-system wait --for=condition=Ready "pod/plain-$NS" --timeout=30s >/dev/null
	uid=$(uid_of plain)
	state_is n1 "$uid" ""
	lacks "the ledger" "$(kubectl get staticipblocks -o json)" "$uid|plain|kube-system|$SYSTEM"
	lacks "what the nodes are told" "$(kubectl get staticipnodes -o json)" "$uid|plain|kube-system/|$SYSTEM/"
	kubectl -n kube-system delete pod "plain-$NS" --wait=false >/dev/null
}

# DC-02 and DC-07 are about nodes that fail: 60-node-failure.bats.

@test "DC-04: what a pod's annotations say has no effect, be it JSON or not" {
	from_pod | sed 's/{name: first}/{name: first, annotations: {staticip.dev\/addresses: "not json", danm.k8s.io\/interfaces: "[{\\"ip\\": \\"'"$V4"'.9\/16\\"}]"}}/' | apply
	contains "annotations" "$(k get pod first -o 'jsonpath={.metadata.annotations}')" 'not json.*|.*not json'
	settled_pod first "$V4.7" "$V6:7"
	free "$V4.9"
}

@test "DC-05: an address that nobody has is granted" {
	free "$V4.7" "$V6:7"
	from_pod | apply
	settled_pod first "$V4.7" "$V6:7"
	state_is n1 "$(uid_of first)" Granted
}

@test "DC-06: a pod whose address another one has, on a node that is Ready, waits and says for whom" {
	local first
	from_pod | apply
	settled_pod first "$V4.7" "$V6:7"
	first=$(uid_of first)
	succeed first second n2
	held second "$V4.7" "$NS/first" "$first" n1 "it is free when "
	held_on_node second "$V4.7" "$NS/first" "$first"
	k delete pod first --wait=false >/dev/null
	settled_pod second "$V4.7" "$V6:7"
}

dynamic() { sed "s/{name: $1}/&\n  annotations: {danm.k8s.io\/interfaces: '[{\"network\": \"podnet\", \"ip\": \"dynamic\"}]'}/; s/metadata: {name: $1}/metadata:\n  name: $1/"; }

# What "dynamic" asked for, an address of anybody's choice, is here a pod without an allocation: it
# gets nothing of ours, and the annotation means nothing with and without one.
@test "DC-09: a pod whose annotation asks for one dynamic interface: no effect" {
	local uid before
	before=$(system_pods controller; system_pods agent)
	from_pod | dynamic first | apply
	host_pod plain | dynamic plain | apply
	contains "annotations" "$(k get pods -o 'jsonpath={.items[*].metadata.annotations}')" 'dynamic.*dynamic'
	running plain
	settled_pod first "$V4.7" "$V6:7"
	uid=$(uid_of plain)
	state_is n1 "$uid" ""
	lacks "the ledger" "$(kubectl get staticipblocks -o json)" "$uid"
	equal "pods and their restarts" "$(system_pods controller; system_pods agent)" "$before"
}

@test "a pod with an allocation for another of its interfaces has that for eth0" {
	{
		allocation eth0 Pod/lone <<-EOY
			interface: eth0
			addresses: [{ips: [$V4.1/16, '$V6:1/64']}]
		EOY
		allocation net1 Pod/lone <<-EOY
			interface: net1
			addresses: [{ips: [$V4.2/16]}]
		EOY
		a_pod lone n1
	} | apply
	settled_pod lone "$V4.1" "$V6:1"
	held_by lone "$(uid_of lone)" n1 "$V4.2"
}

@test "DC-10: IPv6 alone is compared exactly, and an IPv6 address is held as an IPv4 one is" {
	local first
	{
		allocation from Pod/first <<<"addresses: [{ips: ['$V6:7/64']}]"
		allocation near Pod/near <<<"addresses: [{ips: ['$V6:70/64']}]"
		a_pod first n1
	} | apply
	running first
	first=$(uid_of first)
	wait_until 10 held_by first "$first" n1 "$V6:7"
	a_pod near n2 | apply
	running near
	k delete staticipallocation from >/dev/null
	wait_rows first ""
	{ allocation to Pod/second <<<"addresses: [{ips: ['$V6:7/64']}]"; a_pod second n2; } | apply
	held second "$V6:7" "$NS/first" "$first" n1 "it is free when "
	k delete pod first --wait=false >/dev/null
	running second 40
	has_addresses second "$V6:7/64"
}

# DC-11 with a holder whose node is lost: 60-node-failure.bats.
@test "DC-11: of two families one is held: the pod waits, and takes neither" {
	local first
	{ allocation from Pod/first <<<"addresses: [{ips: [$V4.7/16]}]"; a_pod first n1; } | apply
	running first
	first=$(uid_of first)
	succeed first second n2
	held second "$V4.7" "$NS/first" "$first" n1 "it is free when "
	equal "grant" "$(row_state n2 "$(uid_of second)")" Held
	k delete pod first --wait=false >/dev/null
	settled_pod second "$V4.7" "$V6:7"
}

# one_of_two ETH0 NET1: pod second has allocations for two interfaces, one of them with .7,
# which first holds.
one_of_two() {
	local first
	{ allocation from Pod/first <<<"addresses: [{ips: [$V4.7/16]}]"; a_pod first n1; } | apply
	running first
	first=$(uid_of first)
	k delete staticipallocation from >/dev/null
	wait_rows first ""
	{
		allocation eth0 Pod/second <<-EOY
			interface: eth0
			addresses: [{ips: [$V4.$1/16]}]
		EOY
		allocation net1 Pod/second <<-EOY
			interface: net1
			addresses: [{ips: [$V4.$2/16]}]
		EOY
		a_pod second n2
	} | apply
	held second "$V4.7" "$NS/first" "$first" n1 "it is free when "
	equal "what second has" "$(row_state n2 "$(uid_of second)")" Held
	k delete pod first --wait=false >/dev/null
	running second 40
	has_addresses second "$V4.$1/16"
	held_by second "$(uid_of second)" n2 "$V4.7" "$V4.8"
}

@test "DC-12: of two interfaces the first one's address is held: the pod waits" { one_of_two 7 8; }
@test "DC-12: of two interfaces the second one's address is held: the pod waits" { one_of_two 8 7; }

@test "DC-13: an address is the same whatever its prefix length" {
	local first
	{ allocation from Pod/first <<<"addresses: [{ips: [$V4.7/16]}]"; a_pod first n1; } | apply
	running first
	first=$(uid_of first)
	k delete staticipallocation from >/dev/null
	wait_rows first ""
	{ allocation to Pod/second <<<"addresses: [{ips: [$V4.7/24]}]"; a_pod second n2; } | apply
	held second "$V4.7" "$NS/first" "$first" n1 "it is free when "
	k delete pod first --wait=false >/dev/null
	running second 40
	has_addresses second "$V4.7/24"
}

@test "DC-14: a holder in another namespace is named, and waited for" {
	local first there=$NS-b
	{ allocation from Pod/first <<<"addresses: [{ips: [$V4.7/16]}]"; a_pod first n1; } | apply
	running first
	first=$(uid_of first)
	kubectl create namespace "$there" >/dev/null
	NS=$there wait_until 10 k get serviceaccount default
	# as long as the allocation is there, it is a conflict of allocations
	allocation to Pod/second <<<"addresses: [{ips: [$V4.7/16]}]" | NS=$there apply
	NS=$there wait_condition to Accepted "^False AddressConflict: .*$NS/from"
	k delete staticipallocation from >/dev/null
	NS=$there wait_condition to Accepted '^True'
	a_pod second n2 | NS=$there apply
	NS=$there held second "$V4.7" "e2e-$BATS_SUITE_TEST_NUMBER/first" "$first" n1 "it is free when "
	k delete pod first --wait=false >/dev/null
	NS=$there running second 40
	NS=$there has_addresses second "$V4.7/16"
	kubectl delete namespace "$there" --wait=false >/dev/null
}

# DC-15 with a holder whose node is lost: 60-node-failure.bats.
@test "DC-15: a dry run of a deletion takes nothing from anybody" {
	local first
	from_pod | apply
	settled_pod first "$V4.7" "$V6:7"
	first=$(uid_of first)
	k delete pod first --dry-run=server >/dev/null
	k delete staticipallocation from --dry-run=server >/dev/null
	sleep 2
	held_by first "$first" n1 "$V4.7" "$V6:7"
	state_is n1 "$first" Granted
	has_addresses first "$V4.7/16" "$V6:7/64"
}

# ---- who may hold --------------------------------------------------------------------------

# Goal: a name alone gives nobody an address.
@test "a bare pod with the name of a StatefulSet's pod is refused, and says so" {
	{
		allocation db StatefulSet/db <<<"addresses: [{ips: [$V4.40/16, '$V6:40/64']}]"
		stateful_set db 0
	} | apply
	wait_rows db-0 "$V4.40/16,$V6:40/64"
	a_pod db-0 n1 | apply
	wait_event db-0 "AddressRefused: StaticIPAllocation $NS/db is for the pods of StatefulSet/db; pod $NS/db-0 only has the name of one of them"
	wait_until 10 state_is n1 "$(uid_of db-0)" Refused
	PATIENCE=40 wait_event db-0 'FailedCreatePodSandBox.*only has the name'
	free "$V4.40" "$V6:40"
}

# Goal: what a live pod has outlives its allocation.
@test "an allocation that is edited takes nothing from the pod that lives" {
	local uid
	one_on 1
	uid=$(uid_of db-0)
	k patch staticipallocation db --type merge -p '{"spec":{"addresses":[{"ips":["'"$V4"'.50/16","'"$V6"':50/64"]}]}}' >/dev/null
	wait_rows db-0 "$V4.50/16,$V6:50/64"
	sleep 2
	held_by db-0 "$uid" n1 "$V4.40" "$V6:40"
	has_addresses db-0 "$V4.40/16" "$V6:40/64"
	remake db-0
	settled_pod db-0 "$V4.50" "$V6:50"
	wait_until 10 free "$V4.40" "$V6:40"
}

# A controller that slept longer than its lease begins anew; an agent has no reason to.
@test "the agents did all of that without a restart" {
	system_ready
	equal "agents and their restarts" "$(system_pods agent)" "$(<"$BATS_FILE_TMPDIR/agents")"
}
