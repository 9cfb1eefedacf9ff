#!/bin/bash
# Controller and agents as plain processes against a real etcd and API server, with
# faults. Everything runs in a network, mount and process namespace of its own and
# ends with it, whatever happens.
#   tests/integration/run.sh [BATS-FILE...]
set -uo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
REPO=$(realpath "$HERE/../..")
export REPO BIN=${BIN:-$REPO/build/cluster-bin} BUILD=${BUILD:-$REPO/build}
[ $# -gt 0 ] || set -- "$HERE"/*.bats
WORK=$(mktemp -d "${TMPDIR:-/tmp}/sip-integration.XXXXXX")
export WORK
trap 'rm -rf "$WORK"' EXIT
unshare --net --mount --pid --fork --kill-child=KILL --mount-proc "$HERE/inside.sh" "$@"
