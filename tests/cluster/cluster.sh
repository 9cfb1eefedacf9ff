#!/bin/bash
# A real Kubernetes cluster on one machine: etcd, API server, controller-manager and
# scheduler beside N nodes (kubelet, containerd, runc) in namespaces of their own.
#
#   up [N]                    start it with N nodes (2), named n1, n2, ...
#   down                      end it, and remove everything it made
#   status                    what runs (exit 0: all of it, 3: not)
#   leftovers                 what is still there of any such cluster (exit 0: nothing)
#   kubectl ARGUMENT...       as its administrator
#   node I COMMAND...         run a command on node I (its mounts and network)
#   load TAR...               import images into every node
#   conflist FILE [I...]      give the nodes another CNI configuration
#   reboot-node I             pull the plug and start again: new boot, /run empty
#   kill-node I, start-node I the two halves of it
#   cut-node I, join-node I   take the node off the API server's network, and back
#   cut-pods I                take its pods off the underlay; join-node brings them back, too
#   join-api I, join-pods I   the two halves of join-node
#   delete-node I             the machine is gone, and its Node object
#   replace-node I            and another machine takes its name, with empty disks
#   stop-kubelet I, start-kubelet I, stop-containerd I, start-containerd I
#   sandbox I NAMESPACE/POD   container id and pid of the pod's sandbox on node I
#   kill-sandbox I NAMESPACE/POD
#   stop-apiserver, start-apiserver, restart-apiserver, and the same for etcd
#                             stop is SIGKILL; SIGNAL=TERM asks politely
#   api-path MODE             what comes by the API server's service, as controller and agents do:
#                             direct, pass (by a proxy), 429, slow SECONDS, cut
#   save-etcd NAME            a backup of etcd as it is now
#   restore-etcd NAME         etcd as it was then; the control plane and kubelets start again
#   compact [REVISION]        compact etcd (to now); prints the revision
#   revision                  etcd's revision
#
# Read from the environment:
#   RUN              folder for all state (build/cluster); in it admin.kubeconfig, log/, pid/
#   BIN              the programs (build/cluster-bin)
#   IMAGES           archives to import on each node at the start (build/images/{pause,busybox}.tar)
#   CNI_CONFLIST     template of /etc/cni/net.d/10-podnet.conflist (conflist/staticip.conflist)
#   APISERVER_FLAGS  further flags; start-apiserver uses those of `up` unless it is set
#   CTRD             folder of another containerd (build/cluster-bin/containerd2)
set -euo pipefail
shopt -s inherit_errexit
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(realpath -m "${BUILD:-$HERE/../../build}")
RUN=$(realpath -m "${RUN:-$BUILD/cluster}")
BIN=$(realpath -m "${BIN:-$BUILD/cluster-bin}")
PKI=$RUN/pki
PART=setup

say() { echo "cluster: $*" >&2; }

. "$HERE/process.sh"
. "$HERE/network.sh"
. "$HERE/control.sh"
. "$HERE/node.sh"
. "$HERE/faults.sh"

# ---- what is remembered between calls ----------------------------------------

remember() {
	{
		printf 'N=%q\nCTRD=%q\nCNI_CONFLIST=%q\n' "$N" "$CTRD" "$RUN/podnet.template"
		printf '[ -n "${APISERVER_FLAGS+set}" ] || APISERVER_FLAGS=%q\n' "${APISERVER_FLAGS:-}"
	} >"$RUN/settings"
}

recall() {
	[ -e "$RUN/settings" ] || { say "no cluster in $RUN (cluster.sh up)"; exit 3; }
	. "$RUN/settings"
	[ -z "$CTRD" ] || PATH=$CTRD:$PATH
}

# The kubelet sets these for the whole machine, and so do we: put back at the end.
SYSCTLS=(net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops
	kernel.keys.root_maxkeys kernel.keys.root_maxbytes)

# `ip netns` makes /run/netns a mount when there was none.
remember_machine() {
	sysctl -e "${SYSCTLS[@]}" >"$RUN/sysctl" 2>/dev/null || true
	mountpoint -q /run/netns || touch "$RUN/netns-was-no-mount"
}

restore_machine() {
	[ ! -s "$RUN/sysctl" ] || sysctl -qp "$RUN/sysctl" 2>/dev/null || true
	if [ -e "$RUN/netns-was-no-mount" ] && [ -z "$(ls -A /run/netns 2>/dev/null)" ]; then
		umount /run/netns 2>/dev/null || true
		rmdir /run/netns 2>/dev/null || true
	fi
	drop_mount_points
}

# ---- up -------------------------------------------------------------------------

refuse() { say "$*"; exit 1; }

preflight() {
	local owner name
	[ "$(id -u)" = 0 ] || refuse "must be run by root"
	[[ $N =~ ^[1-9][0-9]?$ ]] || refuse "the number of nodes is 1 to 99, not $N"
	[[ $RUN != /run/* && $RUN != /var/log/* && ${#RUN} -le 80 ]] || refuse "RUN=$RUN must be short and outside /run and /var/log"
	for name in hyperkube etcd cni/macvlan; do
		[ -e "$BIN/$name" ] || refuse "$BIN/$name is missing; tests/cluster/build.sh makes it"
	done
	for name in containerd ctr runc; do
		type -P "$name" >/dev/null || refuse "$name is missing; tests/deps.sh cluster installs it"
	done
	owner=$(owner_of_bridge)
	[ -z "$owner" ] || refuse "a cluster is already up in $owner (RUN=$owner cluster.sh down ends it)"
	[ -z "$(list_leftovers)" ] || { list_leftovers >&2; refuse "these are left from an earlier cluster; cluster.sh down removes them"; }
	name=$(ip -4 route show | awk '/^(192\.168\.100\.|10\.244\.|10\.96\.)/ {print $1; exit}')
	[ -z "$name" ] || refuse "this machine already uses $name, which the test cluster needs"
}

up_failed() {
	local code=$?
	trap - EXIT INT TERM
	[ $code != 0 ] || return 0
	if [ $code -gt 128 ]; then
		say "interrupted; taking it down"
		down
		exit $code
	fi
	say "up failed in $PART"
	if [ -s "$RUN/log/$PART.log" ]; then
		say "the end of $PART.log:"
		tail -n 25 "$RUN/log/$PART.log" | cut -c1-400 >&2
	fi
	rm -rf "$RUN-failed"
	! cp -r "$RUN/log" "$RUN-failed" 2>/dev/null || say "all logs: $RUN-failed"
	down
	exit $code
}

all_ready() { [ "$(kubectl get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l)" = "$N" ]; }

up() {
	local begin=$SECONDS i
	N=${1:-2} CTRD=${CTRD:+$(realpath "$CTRD")}
	CNI_CONFLIST=${CNI_CONFLIST:-$HERE/conflist/staticip.conflist}
	[ -z "$CTRD" ] || PATH=$CTRD:$PATH
	[ -e "$CNI_CONFLIST" ] || refuse "no such file: CNI_CONFLIST=$CNI_CONFLIST"
	preflight
	# From here on it is ours to clean up; two at once are told apart by who makes the bridge.
	claim_bridge || refuse "another cluster is being started"
	trap up_failed EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	mkdir -p "$RUN"/{log,pid,born}
	cp "$CNI_CONFLIST" "$RUN/podnet.template"
	CNI_CONFLIST=$RUN/podnet.template
	remember
	remember_machine
	say "starting $N nodes"
	bring_up
	trap - EXIT INT TERM
	rm -rf "$RUN-failed"
	say "up after $((SECONDS - begin)) s; export KUBECONFIG=$RUN/admin.kubeconfig"
}

bring_up() {
	local i images=${IMAGES-}
	[ -n "${IMAGES+set}" ] || { PART=images; BUILD=$BUILD "$HERE/images.sh"; images="$BUILD/images/pause.tar $BUILD/images/busybox.tar"; }
	networks
	pki
	make_mount_points
	make_group sip-control
	start_etcd
	start_apiserver
	# While the API server gets ready.
	for i in $(seq "$N"); do prepare_node "$i"; boot_node "$i"; done
	# shellcheck disable=SC2086
	for i in $(seq "$N"); do containerd_ready "$i"; load_images "$i" $images; done
	apiserver_ready
	start_managers
	for i in $(seq "$N"); do start_kubelet "$i"; done
	for i in $(seq "$N"); do wait_for "kubelet-n$i" 60 node_ready "$i"; done
}

node_ready() { api "/api/v1/nodes/n$1" | jq -e '.status.conditions[] | select(.type == "Ready") | .status == "True"'; }

# ---- down -----------------------------------------------------------------------

down() {
	local owner name
	[ "$(id -u)" = 0 ] || refuse "must be run by root"
	owner=$(owner_of_bridge)
	if [ -n "$owner" ] && [ "$owner" != "$RUN" ] && [ "$owner" != "?" ] && [ -e "$owner" ]; then
		refuse "the cluster that is up belongs to RUN=$owner"
	fi
	trap '' INT
	for name in "$RUN"/pid/*; do [ ! -e "$name" ] || stop "$(basename "$name")"; done
	for name in $(groups); do kill_group "$name"; done
	drop_networks
	for name in $(groups); do remove_group "$name"; done
	restore_machine
	rm -rf "$RUN"
	trap - INT
	[ -z "$(list_leftovers)" ] || { say "could not remove:"; list_leftovers >&2; return 1; }
}

list_leftovers() {
	local name
	for name in $(groups); do
		echo "cgroup $name"
		ps -o pid=,args= -p "$(group_pids "$name" | paste -sd,)" 2>/dev/null | cut -c1-120 | sed 's/^/  process /' || true
	done
	our_links | sed 's/^/link /'
	our_namespaces | sed 's/^/network namespace /'
	! nft list table inet sip-test >/dev/null 2>&1 || echo "nft table inet sip-test"
	ip -4 -o addr show to "$SERVICE" 2>/dev/null | sed 's/.*inet /address /'
	awk -v run="$RUN/" 'index($2, run) == 1 {print "mount " $2}' /proc/mounts
	[ ! -e "$RUN" ] || echo "folder $RUN"
}

leftovers() {
	local list
	list=$(list_leftovers)
	[ -z "$list" ] || { echo "$list"; return 1; }
}

# ---- one part of it -------------------------------------------------------------

status() {
	local name code=0
	recall
	for name in "$RUN"/pid/*; do
		name=$(basename "$name")
		if alive "$name"; then echo "$name: running, pid $(pid_of "$name")"; else echo "$name: not running"; code=3; fi
	done
	kubectl get nodes 2>&1 || code=3
	return $code
}

need_node() {
	recall
	[[ ${1:-} =~ ^[0-9]+$ ]] && [ "$1" -ge 1 ] && [ "$1" -le "$N" ] || { say "a node is 1 to $N"; exit 2; }
}

boot_again() {
	need_node "$1"
	! alive "node-n$1" || refuse "node n$1 is running"
	boot_node "$1"
	containerd_ready "$1"
	start_kubelet "$1"
}

node() {
	need_node "${1:-}"
	alive "node-n$1" || refuse "node n$1 is not running"
	# A part of the node from now on: it ends with it.
	echo $$ >"$TRACK/sip-n$1/runtime/cgroup.procs"
	exec nsenter --target "$(pid_of "node-n$1")" --mount --net -- "${@:2}"
}

load() {
	local i worker workers=()
	recall
	for i in $(seq "$N"); do
		if alive "containerd-n$i"; then load_images "$i" "$@" & workers+=($!); fi
	done
	for worker in "${workers[@]}"; do wait "$worker"; done
}

kill_sandbox() {
	local list
	list=$(sandboxes "$1" "$2")
	[ -n "$list" ] || refuse "no sandbox of $2 runs on n$1"
	while read -r _ pid; do kill -s KILL "$pid"; done <<<"$list"
}

conflists() {
	local file=$1 i
	shift
	recall
	# shellcheck disable=SC2046
	[ $# -gt 0 ] || set -- $(seq "$N")
	for i; do conflist "$i" "$file"; done
}

usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

command=${1:-}
[ $# = 0 ] || shift
case $command in
up) up "$@" ;;
down) down ;;
status) status ;;
leftovers) leftovers ;;
kubectl) recall; kubectl "$@" ;;
node) node "$@" ;;
load) load "$@" ;;
conflist) conflists "$@" ;;
kill-node) need_node "${1:-}"; kill_node "$1" ;;
start-node) boot_again "${1:-}" ;;
reboot-node) need_node "${1:-}"; kill_node "$1"; boot_again "$1" ;;
cut-node) need_node "${1:-}"; ip link set "sip-b$1" down ;;
cut-pods) need_node "${1:-}"; ip link set "sip-u$1" down ;;
join-node) need_node "${1:-}"; ip link set "sip-u$1" up; ip link set "sip-b$1" up ;;
join-api) need_node "${1:-}"; ip link set "sip-b$1" up ;;
join-pods) need_node "${1:-}"; ip link set "sip-u$1" up ;;
stop-kubelet) need_node "${1:-}"; stop "kubelet-n$1" "${SIGNAL:-KILL}" ;;
start-kubelet) need_node "${1:-}"; start_kubelet "$1" ;;
stop-containerd) need_node "${1:-}"; stop "containerd-n$1" "${SIGNAL:-KILL}" ;;
start-containerd) need_node "${1:-}"; start_containerd "$1"; containerd_ready "$1" ;;
sandbox) need_node "${1:-}"; sandboxes "$1" "$2" ;;
kill-sandbox) need_node "${1:-}"; kill_sandbox "$1" "$2" ;;
stop-apiserver) recall; stop apiserver "${SIGNAL:-KILL}" ;;
start-apiserver) recall; start_apiserver; apiserver_ready ;;
restart-apiserver) recall; stop apiserver "${SIGNAL:-KILL}"; start_apiserver; apiserver_ready ;;
stop-etcd) recall; stop etcd "${SIGNAL:-KILL}" ;;
start-etcd) recall; start_etcd ;;
restart-etcd) recall; stop etcd "${SIGNAL:-KILL}"; start_etcd ;;
delete-node) need_node "${1:-}"; delete_node "$1" ;;
replace-node) need_node "${1:-}"; replace_node "$1" ;;
api-path) recall; api_path "$@" ;;
save-etcd) recall; save_etcd "${1:?}" ;;
restore-etcd) recall; restore_etcd "${1:?}" ;;
compact) recall; compact "$@" ;;
revision) recall; revision ;;
*) usage ;;
esac
