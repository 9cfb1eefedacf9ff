#!/bin/bash
# Goal: the built plugin answers as the protocol, its predecessors and our own
# design say. Runs under a mount namespace of its own with a fresh /run and /var/lib, so that
# nothing of the machine is read or changed.
# usage: run.sh PLUGIN [REGEX]     closing line: scenarios: N passed, N failed
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
plugin=$(realpath "${1:?usage: run.sh PLUGIN [REGEX]}")
if [ "$(id -u)" != 0 ]; then
	echo "skipped: mount and network namespaces need root"
	echo "scenarios: 0 passed, 0 failed"
	exit 0
fi
DEBIAN_CNI=$(dpkg-query -W -f '${Version}\n' containernetworking-plugins 2>&1; dpkg --verify containernetworking-plugins 2>&1 | grep /usr/lib/cni/ || true)
export DEBIAN_CNI
exec unshare --mount --propagation private bash -c '
	mount -t tmpfs scenarios /var/lib && # cnitool keeps its results there
	mount -t tmpfs -o mode=755 scenarios /run && mkdir /run/staticip /run/netns /run/work &&
	exec python3 -B "$@"' run "$here/run.py" "$plugin" "${2:-}"
