#!/bin/bash
# Runs one of the measuring programs here under a mount namespace of its own with a fresh /run, in
# which it makes its tables and network namespaces: nothing of the machine is read or changed.
# usage: run.sh PROGRAM.py ARGUMENT...
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=${1:?usage: run.sh PROGRAM.py ARGUMENT...}
shift
[ "$(id -u)" = 0 ] || { echo "mount and network namespaces need root"; exit 1; }
exec unshare --mount --propagation private bash -c '
	mount -t tmpfs -o mode=755 bench /run && mkdir /run/netns /run/bench &&
	exec python3 -B "$@"' run "$here/$program" "$@"
