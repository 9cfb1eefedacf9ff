# What the end-to-end tests have in common. Each test has a namespace $NS of its own
# and addresses of its own, $V4.1 to $V4.254 and $V6:1 to $V6:ffff, so that no test
# meets what another one left behind. PATIENCE is how many seconds controller and
# agents may take for anything; a test that keeps the API server from them sets it higher.
# shellcheck shell=bash disable=SC2034

set -o pipefail

REPO=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
BUILD=$REPO/build
RUN=${RUN:-$BUILD/cluster}
BIN=$BUILD/cluster-bin
SYSTEM=staticip-system
TABLES=staticip-tables
BUCKETS=64
export BUILD RUN BIN KUBECONFIG=$RUN/admin.kubeconfig PATH=$BIN:$PATH

. "$REPO/tests/e2e/watch.bash"

# bats waits for all that hold its descriptors 3 and 4; the cluster's programs must not.
cluster() {
	case $1 in stop-* | restart-*) touch "$BATS_SUITE_TMPDIR/disturbed" ;; esac
	"$REPO/tests/cluster/cluster.sh" "$@" 3>&- 4>&-
}

# ---- one test -------------------------------------------------------------------

# For setup(): the test's namespace and addresses.
own_namespace() {
	NS=e2e-$BATS_SUITE_TEST_NUMBER
	V4=10.244.$((10 + BATS_SUITE_TEST_NUMBER))
	V6=fd00:10:244::$((10 + BATS_SUITE_TEST_NUMBER))
	PATIENCE=15
	note_watcher
	kubectl create namespace "$NS" >/dev/null
	# Made by the controller-manager; no pod without it.
	wait_until 10 k get serviceaccount default
	# A test before this one failed before it had waited for it.
	[ ! -e "$BATS_SUITE_TMPDIR/disturbed" ] || { wait_recovered; PATIENCE=15; }
}

# For teardown(), as its last line: the namespace goes, in the background; a failed test
# says what the cluster knows. The test fails when the watcher saw what must not be.
drop_namespace() {
	local verdict=0
	watcher_agrees || verdict=$?
	[ -n "${BATS_TEST_COMPLETED:-}" ] && [ $verdict = 0 ] || [ -n "${BATS_TEST_SKIPPED:-}" ] || explain
	kubectl delete namespace "$NS" --wait=false >/dev/null
	return $verdict
}

# Until the namespaces of earlier tests are gone, and nothing is written on their account.
no_other_namespace() { ! kubectl get namespaces -o name | grep '^namespace/e2e-' | grep -vx "namespace/$NS"; }
alone() { wait_until 40 no_other_namespace; }

explain() {
	echo "--- what the cluster says:"
	kubectl -n "$NS" get staticipallocations,pods -o wide
	kubectl -n "$NS" get events --sort-by .lastTimestamp | tail -n 15
	kubectl get nodes -o 'custom-columns=NODE:.metadata.name,TAINTS:.spec.taints[*].key,UNSCHEDULABLE:.spec.unschedulable'
	kubectl -n $SYSTEM get pods -o wide
	kubectl -n $SYSTEM logs -l app.kubernetes.io/part-of=staticip --prefix --tail 12 --since 60s
} 2>&1

# ---- assertions: they print both values ------------------------------------------

fail() { echo "failed: $*" >&2; return 1; }

# equal WHAT IS WANTED
equal() { [ "$2" = "$3" ] || fail "$1"$'\n'"  is:     $2"$'\n'"  wanted: $3"; }
differ() { [ "$2" != "$3" ] || fail "$1: both are $2"; }
# contains WHAT TEXT PATTERN: an extended regular expression that the text matches.
contains() { [[ $2 =~ $3 ]] || fail "$1"$'\n'"  is:            $2"$'\n'"  should match:  $3"; }
lacks() { [[ ! $2 =~ $3 ]] || fail "$1"$'\n'"  is:               $2"$'\n'"  should not match: $3"; }

# wait_until SECONDS COMMAND...: until it succeeds; what it printed last otherwise.
wait_until() {
	local end=$((SECONDS + $1)) last
	shift
	until last=$("$@" 2>&1); do
		[ $SECONDS -lt $end ] || { fail "not in time: $*"$'\n'"$last"; return 1; }
		sleep 0.1
	done
}

# ---- objects ---------------------------------------------------------------------

k() { kubectl -n "$NS" "$@"; }
apply() { k apply -f - >/dev/null; } # YAML on standard input

# allocation NAME KIND/TARGET, the rest of the spec on standard input.
allocation() {
	printf '%s\n' "---" "apiVersion: staticip.dev/v1alpha1" "kind: StaticIPAllocation" \
		"metadata: {name: $1}" "spec:" "  network: podnet" "  targetRef: {kind: ${2%%/*}, name: ${2##*/}}"
	sed 's/^/  /'
}

# pod_spec INDENT: ends at once when asked, so that tests go fast.
pod_spec() {
	sed "s/^/$1/" <<-'EOY'
		dnsPolicy: Default
		enableServiceLinks: false
		automountServiceAccountToken: false
		terminationGracePeriodSeconds: 2
		containers:
		- name: main
		  image: docker.io/local/busybox:1
		  imagePullPolicy: Never
		  command: [sh, -c, "trap exit TERM; sleep infinity & wait"]
	EOY
}

# stateful_set NAME REPLICAS [LINE-OF-SPEC...]: its pods spread over the open nodes.
stateful_set() {
	local line
	cat <<-EOY
		---
		apiVersion: apps/v1
		kind: StatefulSet
		metadata: {name: $1}
		spec:
		  serviceName: $1
		  replicas: $2
		  podManagementPolicy: Parallel
		  selector: {matchLabels: {app: $1}}
	EOY
	for line in "${@:3}"; do echo "  $line"; done
	cat <<-EOY
		  template:
		    metadata: {labels: {app: $1}}
		    spec:
		      topologySpreadConstraints:
		      - topologyKey: kubernetes.io/hostname
		        maxSkew: 1
		        whenUnsatisfiable: DoNotSchedule
		        nodeTaintsPolicy: Honor
		        labelSelector: {matchLabels: {app: $1}}
	EOY
	pod_spec "      "
}

# a_pod NAME NODE
a_pod() {
	printf '%s\n' "---" "apiVersion: v1" "kind: Pod" "metadata: {name: $1}" "spec:" "  nodeName: $2"
	pod_spec "  "
}

rolled_out() { k rollout status "statefulset/$1" --timeout="${2:-40}s" >/dev/null; }
running() { k wait --for=condition=Ready "pod/$1" --timeout="${2:-30}s" >/dev/null; }
# remake POD: deletes it and waits until its successor, which somebody makes, is Ready.
remake() {
	local old
	old=$(uid_of "$1")
	k delete pod "$1" >/dev/null
	wait_until 20 another_uid "$1" "$old"
	running "$1"
}
uid_of() { k get pod "$1" -o 'jsonpath={.metadata.uid}'; }
another_uid() {
	local uid
	uid=$(uid_of "$1") && [ -n "$uid" ] && [ "$uid" != "$2" ]
}
node_of() { k get pod "$1" -o 'jsonpath={.spec.nodeName}'; } # n1
number_of() { node_of "$1" | tr -d n; }                      # 1

# condition NAME TYPE: "STATUS REASON: MESSAGE", about the spec as it is now.
condition() {
	k get staticipallocation "$1" -o json | jq -er --arg type "$2" '.metadata.generation as $now
		| .status.conditions[]? | select(.type == $type and .observedGeneration == $now)
		| "\(.status) \(.reason): \(.message)"'
}
condition_matches() {
	local is
	is=$(condition "$1" "$2") || { echo "no condition $2 about the newest spec of $1 yet"; return 1; }
	contains "condition $2 of $1" "$is" "$3"
}
# wait_condition NAME TYPE PATTERN
wait_condition() { wait_until "$PATIENCE" condition_matches "$@"; }
ready() { wait_condition "$1" Ready '^True Ready'; }

# events NAME: "REASON: MESSAGE" of each event about that object.
events() {
	kubectl -n "${2:-$NS}" get events --field-selector "involvedObject.name=$1" -o json |
		jq -r '.items[] | "\(.reason): \(.message)"'
}
event_matches() { contains "events about $1" "$(events "$1" "${3:-$NS}")" "$2"; }
# wait_event NAME PATTERN [NAMESPACE]
wait_event() { wait_until "$PATIENCE" event_matches "$@"; }

# ---- inside of pods --------------------------------------------------------------

in_pod() { k exec "$1" -- "${@:2}"; }
global_addresses() { sed -nE 's/^ *inet6? ([^ ]+) .*scope global.*/\1/p' | sort | xargs; }
# All global addresses of the pod's eth0 with prefix, sorted, in one line.
addresses_of() { in_pod "$1" ip addr show eth0 | global_addresses; }
# Its IPv4 (or with -6 IPv6) routes, without link-local and multicast ones, in lines.
routes_of() { in_pod "$1" ip "${2:--4}" route | sed -E '/^(fe80|multicast|ff00)/d; s/ +/ /g; s/ $//' | sort; }
# has_addresses POD ADDRESS...
has_addresses() { equal "addresses of $1" "$(addresses_of "$1")" "$(printf '%s\n' "${@:2}" | sort | xargs)"; }
has_route() { contains "routes of $1" "$(routes_of "$1"; routes_of "$1" -6)" "(^|"$'\n'")$2($|[ "$'\n'"])"; }
# reach POD ADDRESS...: the first ping to each is answered.
reach() {
	local address
	for address in "${@:2}"; do
		in_pod "$1" ping -q -c 1 -W 1 "$address" >/dev/null || { fail "$1 does not reach $address"; return 1; }
	done
}

# ---- nodes and tables ------------------------------------------------------------

in_node() { cluster node "$@"; }
# Where node I's folder /run/staticip is, seen from here.
folder() { echo "/proc/$(<"$RUN/pid/node-n$1")/root/run/staticip"; }
tables() { "$BUILD/tests/tool/sip_tables" "$(folder "$1")/table/$BUCKETS"; }
# row I POD[/INTERFACE]: the addresses in node I's table, empty when there is no row.
row() { tables "$1" | sed -n "s|^podnet/$NS/$2\t||p"; }
# has_rows POD ADDRESSES: both nodes' tables say so; ADDRESSES "" = no row.
has_rows() {
	local i is
	for i in 1 2; do
		is=$(row "$i" "$1") || return 1
		equal "row of $1 on node n$i" "$is" "$2" || return 1
	done
}
wait_rows() { wait_until "$PATIENCE" has_rows "$@"; }
# All rows of the test's namespace on node I, sorted.
rows() { tables "$1" | sed -n "\|^podnet/$NS/|p" | sort; }

# map_of POD: name of the ConfigMap that has its row.
map_of() {
	kubectl -n $TABLES get configmaps -o json |
		jq -er --arg key "podnet/$NS/$1	" '.items[] | select(.data.table // "" | contains($key)) | .metadata.name'
}
map_versions() {
	kubectl -n $TABLES get configmaps -l staticip.dev/buckets \
		-o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}'
}

# processes NAME: host pids of all staticip-agent or staticip-controller of the cluster.
processes() {
	local pid
	for pid in $(pgrep -f "^[^ ]*/$1( |\$)"); do
		! grep -q '/sip-n[0-9]' "/proc/$pid/cgroup" 2>/dev/null || echo "$pid"
	done
}
pause() { processes "$1" | xargs kill -s STOP; }
resume() { processes "$1" | xargs kill -s CONT; }

# system_pods COMPONENT: "NAME UID RESTARTS" in lines.
system_pods() {
	kubectl -n $SYSTEM get pods -l "app.kubernetes.io/component=$1" --field-selector status.phase=Running \
		-o 'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].restartCount}{"\n"}{end}'
}
# For setup_file() and the last test of a file: all of that happened without a crash.
note_system_pods() { { system_pods controller; system_pods agent; } >"$BATS_FILE_TMPDIR/system-pods"; }
same_system_pods() { equal "pods and their restarts" "$(system_pods controller; system_pods agent)" "$(<"$BATS_FILE_TMPDIR/system-pods")"; }
system_ready() {
	kubectl -n $SYSTEM rollout status deployment/staticip-controller daemonset/staticip-agent --timeout=30s >/dev/null
}
logs() { kubectl -n $SYSTEM logs -l "app.kubernetes.io/component=$1" --prefix --tail -1 "${@:2}"; }

# After the API server was away: until controller and agents follow again, all of their
# watches, seen by what they say of new objects. Later tests can be impatient again.
wait_recovered() {
	PATIENCE=90
	{
		allocation recovered Pod/recovered <<<"addresses: [{ips: [$V4.253/16]}]"
		allocation recovered-set StatefulSet/recovered <<<"addresses: [{ips: [$V4.252/16]}]"
		a_pod recovered n1 | sed 's/nodeName: n1/schedulerName: nobody/'
		stateful_set recovered 0
	} | apply
	wait_rows recovered "$V4.253/16"
	ready recovered
	ready recovered-set
	k delete --wait=false pod/recovered statefulset/recovered sip/recovered sip/recovered-set >/dev/null
	wait_rows recovered ""
	wait_rows recovered-0 ""
	rm -f "$BATS_SUITE_TMPDIR/disturbed"
}

# Of the pod on node I, by the node's word alone: "ID PID".
sandbox() { cluster sandbox "$1" "$NS/$2"; }
another_sandbox() {
	local now
	now=$(sandbox "$1" "$2")
	[ -n "$now" ] && [ "${now%% *}" != "${3%% *}" ]
}
# kill_sandbox I POD: and waits for the next one, which the kubelet makes; prints it.
kill_sandbox() {
	local old
	old=$(sandbox "$1" "$2")
	cluster kill-sandbox "$1" "$NS/$2"
	wait_until 40 another_sandbox "$1" "$2" "$old"
	sandbox "$1" "$2"
}
