#!/bin/bash
# Goal: leases stay right whoever meets whom and whoever is killed when: many
# attachments at once in random order (STRESS_SECONDS, 60; STRESS_SEED), and a kill at
# each single system call of each act (STRESS_EVERY=3: at each third). Runs under a mount namespace of its own with a
# fresh /run, so that nothing of the machine is read or changed.
# usage: run.sh PLUGIN     closing line: stress: N passed, N failed
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
plugin=$(realpath "${1:?usage: run.sh PLUGIN}")
if [ "$(id -u)" != 0 ]; then
	echo "skipped: mount and network namespaces need root"
	echo "stress: 0 passed, 0 failed"
	exit 0
fi
exec unshare --mount --propagation private bash -c '
	mount -t tmpfs -o mode=755 stress /run && mkdir /run/staticip /run/netns /run/work &&
	exec python3 -B "$@"' run "$here/run.py" "$plugin"
