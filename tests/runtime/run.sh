#!/bin/bash
# Goal: real container runtimes, each started by itself, give pods their addresses with
# our plugin, and leave nothing when the pods are gone. Everything runs in mount, network
# and process namespaces of its own, with a fresh /run: what was started ends with them.
# usage: run.sh PLUGIN [REGEX]     closing line: runtime: N passed, N failed
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
BUILD=$(realpath -m "${BUILD:-$here/../../build}")
export BUILD
plugin=$(realpath "${1:?usage: run.sh PLUGIN [REGEX]}")

skip() {
	echo "skipped: $1"
	echo "runtime: 0 passed, 0 failed"
	exit 0
}
[ "$(id -u)" = 0 ] || skip "namespaces and containers need root"
command -v containerd runc >/dev/null || skip "no containerd or runc; tests/deps.sh cluster installs them"
"$here/../cluster/build.sh" cni containerd2 cri
"$here/../cluster/images.sh"

# Where cgroups have no namespace, those of the pods are the machine's: ours by name.
export CGROUP=sip-runtime-$$
child=
finish() {
	[ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true # and with it all in its namespaces
	{ wait; } 2>/dev/null
	find /sys/fs/cgroup -depth -type d -path "*/$CGROUP*" -exec rmdir {} + 2>/dev/null || true
}
trap finish EXIT
trap 'exit 130' INT TERM
unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private bash -c '
	mount -t tmpfs runtime /var/lib && # libcni keeps its results there
	mount -t tmpfs -o mode=755 runtime /run && mkdir /run/staticip /run/netns /run/work &&
	exec python3 -B "$@"' run "$here/runtime.py" "$plugin" "${2:-}" &
child=$!
rc=0
wait "$child" || rc=$?
child=
exit $rc
