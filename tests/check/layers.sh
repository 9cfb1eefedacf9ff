#!/bin/bash
# Each layer includes only itself and what stands below it (DESIGN.md, "Layout"),
# and each third-party library has its users listed here.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0

# may FOLDER REGEX: every quoted include of FOLDER matches REGEX
may() {
	local out
	out=$(grep -HnE '^#include "' "$1"/*.[ch] 2>/dev/null | grep -vE "\"($2)/" || true)
	[ -z "$out" ] || { echo "layers: $1 may include only $2:"; echo "$out"; bad=1; }
}
may lib/core core
may lib/table 'core|table'
may lib/node 'core|table|node'
may lib/net 'core|table|net'
may plugin 'core|table|node|plugin'
may agent 'core|table|node|net|agent'
may controller 'core|table|net|controller'

# only LIBRARY-REGEX FOLDER-REGEX: the library's headers appear only there
only() {
	local out
	out=$(grep -rHnE "^#include <($1)" lib plugin agent controller --include='*.[ch]' | grep -vE "^($2)/" || true)
	[ -z "$out" ] || { echo "layers: <$1> belongs to $2 only:"; echo "$out"; bad=1; }
}
only 'curl/' 'lib/net'
only 'yaml' 'lib/net'
only 'microhttpd' 'lib/net'
only 'ev\.h' 'lib/net|agent|controller'
only 'netlink/' 'lib/node'
only 'json-c/' 'lib/table|lib/node|lib/net|plugin|agent|controller'

[ $bad = 0 ] && echo "layers: as designed"
exit $bad
