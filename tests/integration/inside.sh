#!/bin/bash
# What run.sh runs inside its namespaces: the control plane, then bats.
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
. "$HERE/lib.bash"

ip link set lo up
# the API server wants an address that is not loopback to advertise
ip link add advertised type bridge && ip addr add 192.0.2.1/24 dev advertised && ip link set advertised up
mount -t tmpfs -o mode=755 sip-integration "$WORK" || exit 1
mkdir "$WORK/pki"
start_control_plane || { echo "integration: 0 passed, 1 failed"; exit 1; }
BATS_TEST_TIMEOUT=240 bats --tap "$@" | tee "$WORK/tap"
ok=$(grep -cE '^ok ' "$WORK/tap") bad=$(grep -cE '^not ok ' "$WORK/tap")
[ "$ok" != 0 ] || bad=$((bad + 1))
if [ "$bad" != 0 ]; then
	mkdir -p "$BUILD/test-logs/integration"
	cp "$WORK"/*.log "$BUILD/test-logs/integration/"
	echo "logs: $BUILD/test-logs/integration"
fi
echo "integration: $ok passed, $bad failed"
[ "$bad" = 0 ]
