#!/bin/bash
# STYLE.md, "Banned": calls whose misuse the compiler does not see.
set -euo pipefail
cd "$(dirname "$0")/../.."
bad=0
calls='strcpy|strcat|sprintf|vsprintf|strncpy|strncat|strtok|atoi|atol|strtol|strtoul|sscanf|gets|alloca|inet_addr|inet_aton|system|popen|getaddrinfo|gethostbyname'
out=$(grep -rnwE "($calls) ?\(" lib plugin agent controller --include='*.[ch]' || true)
[ -z "$out" ] || { echo "banned calls:"; echo "$out"; bad=1; }
out=$(grep -rnE '(^|[^_a-z.>])(malloc|calloc|realloc|reallocarray|free|strdup) ?\(' lib plugin agent controller --include='*.[ch]' | grep -v '^lib/core/mem\.' || true)
[ -z "$out" ] || { echo "allocate through core/mem.h:"; echo "$out"; bad=1; }
out=$(grep -rnE '(^|[^_a-z])getenv ?\(' lib plugin agent controller --include='*.c' | grep -vE '/main\.c:' || true)
[ -z "$out" ] || { echo "getenv outside main:"; echo "$out"; bad=1; }
out=$(grep -rnwE 'goto|TODO|FIXME|XXX' lib plugin agent controller --include='*.[ch]' || true)
[ -z "$out" ] || { echo "goto, or unfinished by its own words:"; echo "$out"; bad=1; }
[ $bad = 0 ] && echo "banned calls: none"
exit $bad
