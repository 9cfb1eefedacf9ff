#!/bin/bash
# What must stay whatever the machine does meanwhile: how many instructions, page faults and system
# calls the plugin's verbs cost, and that memcheck finds nothing in them.
# usage: steady.sh     closing line: steady: N passed, N failed
set -euo pipefail
cd "$(dirname "$0")/../.."
make --no-print-directory -j2 build/staticip bench-tools
make --no-print-directory -j2 SAN=valgrind build/valgrind/staticip
if [ "$(id -u)" != 0 ]; then
	echo "skipped: mount and network namespaces need root"
	echo "steady: 0 passed, 0 failed"
	exit 0
fi
exec tests/bench/run.sh steady.py build/staticip build/tests/bench/empty build/valgrind/staticip build/tests/bench/plugin_bench
