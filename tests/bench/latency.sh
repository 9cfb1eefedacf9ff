#!/bin/bash
# A real etcd and API server, one controller and the agents of three nodes as plain processes,
# in a network, mount and process namespace of their own that end with it; then latency.py.
# usage: latency.sh REPORT.md [ROUNDS]
set -euo pipefail
shopt -s inherit_errexit
HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(realpath "$HERE/../..")
report=$(realpath "${1:?usage: latency.sh REPORT.md [ROUNDS]}") rounds=${2:-100}
export REPO BIN=${BIN:-$REPO/build/cluster-bin} BUILD=${BUILD:-$REPO/build}

if [ -z "${WORK:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "namespaces need root"; exit 1; }
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/sip-latency.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	WORK=$WORK unshare --net --mount --pid --fork --kill-child=KILL --mount-proc "$0" "$report" "$rounds"
	exit
fi

. "$REPO/tests/integration/lib.bash"
keep_logs() {
	mkdir -p "$BUILD/bench/logs"
	cp "$WORK"/*.log "$BUILD/bench/logs/"
	rm -f "$WORK"/*.log
}
trap keep_logs EXIT

ip link set lo up
# the API server wants an address that is not loopback to advertise
ip link add advertised type bridge && ip addr add 192.0.2.1/24 dev advertised && ip link set advertised up
mount -t tmpfs -o mode=755 sip-latency "$WORK"
mkdir "$WORK/pki"
start_control_plane || { tail -n 20 "$WORK"/*.log; exit 1; }
fresh latency
for node in n1 n2 n3; do
	kubectl create -f - >/dev/null <<<"{apiVersion: v1, kind: Node, metadata: {name: $node}}"
done
LOG_LEVEL=${LOG_LEVEL:-info}
start controller "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --log-level="$LOG_LEVEL"
for node in n1 n2 n3; do start_agent "$node"; done
python3 -B "$HERE/latency.py" "$report" "$rounds"
