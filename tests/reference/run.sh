#!/bin/bash
# The reference plugins' own test suites (Go, ginkgo), their cases unmodified, with
# staticip as the executable: README.md.
#   tests/reference/run.sh [--with FILE|reference] [SUITE...]
# FILE is build/staticip unless given. "reference" runs the reference's own executables
# the same way: what fails there is the set-up's fault. The last line is
# "reference: N passed, N failed".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(realpath -m "${BUILD:-$HERE/../../build}")
WORK=$BUILD/reference
SOURCE=$WORK/plugins
SUITES=(ipam/static ipam/host-local meta/sbr main/bridge main/ptp main/macvlan main/ipvlan main/vlan main/host-device)
DUMMY_SUITES=(meta/sbr main/macvlan main/ipvlan main/vlan main/host-device)
plugin=$BUILD/staticip with=staticip passed=0 failed=0 child=

say() { echo "reference: $*"; }

# ---- building: a copy of the module with our shim in it ---------------------

source_module() {
	(cd "$HERE/../cluster" && go mod download github.com/containernetworking/plugins &&
		go list -m -f '{{.Dir}}' github.com/containernetworking/plugins)
}

copy_source() {
	local module=$1 suite
	rm -rf "$SOURCE" && cp -r "$module" "$SOURCE" && chmod -R u+w "$SOURCE" || return
	mkdir "$SOURCE/plugins/shim" && cp -r "$HERE/shim/call" "$HERE/shim/wrapper" "$SOURCE/plugins/shim/"
	for suite in ipam/static ipam/host-local meta/sbr; do
		cp "$HERE/shim/role/main.go" "$SOURCE/plugins/$suite/main.go"
	done
	cp "$HERE/shim/dns/dns.go" "$SOURCE/plugins/ipam/host-local/dns.go"
	for suite in "${SUITES[@]}"; do cp "$HERE/shim/suite/fresh_test.go" "$SOURCE/plugins/$suite/"; done
	! kernel_lacks dummy || without_dummy
}

# The only change in a suite's own files.
without_dummy() {
	local suite
	for suite in "${DUMMY_SUITES[@]}"; do
		sed -i 's/netlink\.LinkAdd(/addLink(/' "$SOURCE/plugins/$suite/"*_test.go
		cp "$HERE/shim/suite/links_test.go" "$SOURCE/plugins/$suite/"
	done
}

build() {
	local suite
	cd "$SOURCE" || return
	for suite in "${SUITES[@]}"; do
		say "  building the suite $suite"
		go test -c -trimpath -buildvcs=false -o "$WORK/${suite#*/}.test" "./plugins/$suite" || return
	done
	go build -trimpath -buildvcs=false -o "$WORK/path/host-local" ./plugins/shim/wrapper && cp "$WORK/path/host-local" "$WORK/path/static"
}

# Built again only when the module, the shim or this script changed.
prepare() {
	local module now
	module=$(source_module) || return
	now=$({ echo "$module"; kernel_lacks dummy; echo $?; find "$HERE/shim" "$HERE/run.sh" -type f -exec sha256sum {} +; } | sha256sum)
	[ "$(cat "$WORK/.stamp" 2>/dev/null)" = "$now" ] && return
	say "building the suites of ${module##*/} (about a minute the first time) ..."
	mkdir -p "$WORK/path" "$WORK/staticip" && rm -f "$WORK/.stamp"
	copy_source "$module" && (build) && echo "$now" >"$WORK/.stamp"
}

# ---- what this kernel has ---------------------------------------------------

kernel_lacks() {
	local add
	case $1 in
	dummy) add='ip link add d type dummy' ;;
	ipvlan) add='ip link add v type veth && ip link add d link v type ipvlan' ;;
	vlan) add='ip link add v type veth && ip link add d link v type vlan id 5' ;;
	vlan-filtering) add='ip link add d type bridge vlan_filtering 1' ;;
	esac
	! unshare --net sh -c "$add" >/dev/null 2>&1
}

# The lines of a list about a suite, without that column.
lines_about() {
	local suite rest
	while IFS=$'\t' read -r suite rest; do
		[ "$suite" != "$1" ] || echo "$rest"
	done <"$HERE/$2"
}

# The cases of a suite that are not run here: lines REGEX<TAB>REASON.
not_run() {
	local when regex reason
	while IFS=$'\t' read -r when regex reason; do
		[[ $when != no-* ]] || kernel_lacks "${when#no-}" || continue
		printf '%s\t%s\n' "$regex" "$reason"
	done < <(lines_about "$1" not-run.tsv)
}

# How a suite's cases fail with staticip: lines REGEX<TAB>FAILURE<TAB>REASON.
differences() { [ "$with" = reference ] || lines_about "$1" differences.tsv; }

# ---- running ----------------------------------------------------------------

# A suite in namespaces of its own, with a fresh /run and /var/lib and a copy of /etc:
# nothing of the machine is changed.
run_suite() {
	local suite=$1 name=${1#*/} plugins=$WORK/staticip regex
	local -a options=(-ginkgo.no-color -ginkgo.seed=1 -ginkgo.timeout=5m "-ginkgo.json-report=$WORK/$name.json")
	while IFS=$'\t' read -r regex _; do options+=("-ginkgo.skip=$regex"); done < <(not_run "$name")
	[ "$with" = staticip ] || plugins=$BUILD/cluster-bin/cni
	rm -f "$WORK/$name.json" "$WORK/$name.calls"
	REFERENCE_WITH=$with REFERENCE_PLUGINS=$plugins REFERENCE_CALLS=$WORK/$name.calls PATH=$WORK/path:$PATH timeout 320 \
		unshare --mount --net --propagation private bash -ec '
		mount -t tmpfs -o mode=755 reference /run && mkdir /run/tmp /run/netns
		cp -a /etc /run/etc && mount --bind /run/etc /etc
		mount -t tmpfs reference /var/lib && mount -t sysfs reference /sys
		ip link set lo up
		cd "$1" && shift && export TMPDIR=/run/tmp && exec "$@"' run \
		"$SOURCE/plugins/$suite" "$WORK/$name.test" "${options[@]}" >"$WORK/$name.log" 2>&1 &
	child=$!
	wait $child
	child=
}

# ---- judging ----------------------------------------------------------------

# The report as lines STATE<TAB>NAME<TAB>LINE<TAB>WHY.
cases() {
	jq -r '.[].SpecReports[] | select(.LeafNodeType == "It" or (.State | test("passed|skipped") | not))
		| [.State, (.ContainerHierarchyTexts // [] | join(" ")) + " " + .LeafNodeText, .Failure.Location.LineNumber // 0,
		   (.Failure.Message // "" | gsub("0x[0-9a-f]+"; "0x") | gsub("\\s+"; " ") | .[:500])] | @tsv' "$WORK/$1.json"
}

# Divides the cases into $WORK/NAME.{passed,not-run,differ,failed}; a line of a list
# that fits no case is out of date, and counts as a failure.
divide() {
	local name=$1 regex failure reason lines
	local report=$WORK/$name.report left=$WORK/$name.failed
	cases "$name" >"$report"
	grep -P '^passed\t' "$report" >"$WORK/$name.passed"
	grep -P '^(skipped|pending)\t' "$report" >"$WORK/$name.not-run"
	grep -vP '^(passed|skipped|pending)\t' "$report" >"$left"
	: >"$WORK/$name.differ"
	: >"$WORK/$name.stale"
	while IFS=$'\t' read -r regex reason; do
		lines=$(grep -cP -- "$regex" "$WORK/$name.not-run")
		echo "ok $name: $lines cases /$regex/ # skip $reason"
		[ "$lines" != 0 ] || echo "stale	no case is /$regex/ of not-run.tsv	0	" >>"$WORK/$name.stale"
	done < <(not_run "$name")
	while IFS=$'\t' read -r regex failure reason; do
		lines=$(grep -P -- "$regex.*\t.*\t.*$failure" "$left") ||
			{ echo "stale	no case /$regex/ fails with /$failure/ of differences.tsv	0	" >>"$WORK/$name.stale"; continue; }
		echo "ok $name: $(wc -l <<<"$lines") cases /$regex/ # differs: $reason"
		cat <<<"$lines" >>"$WORK/$name.differ"
		grep -vP -- "$regex.*\t.*\t.*$failure" "$left" >"$left.rest"
		mv "$left.rest" "$left"
	done < <(differences "$name")
	cat "$WORK/$name.stale" >>"$left"
}

# One line for what fails in the same way, 20 at most.
show_failures() {
	cut -f 2- "$WORK/$1.failed" | sed -E 's/\[([0-9.]+)\] /[V] /' | sort | uniq -c | head -n 20 |
		awk -F '\t' -v suite="$1" '{ printf "   FAIL %s: %s, line %s: %s\n", suite, $1, $2, $3 }'
}

count() { wc -l <"$WORK/$1.$2"; }

judge() {
	local name=$1 seconds=$2 ok bad calls
	if [ ! -s "$WORK/$name.json" ]; then
		tail -n 20 "$WORK/$name.log"
		say "$name: it ended without a report: $WORK/$name.log"
		failed=$((failed + 1))
		return
	fi
	divide "$name"
	show_failures "$name"
	ok=$(count "$name" passed) bad=$(count "$name" failed)
	touch "$WORK/$name.calls"
	calls=$(count "$name" calls)
	if { [ "$ok" = 0 ] || [ "$calls" = 0 ]; } && ! not_run "$name" | grep -q '^\.[[:blank:]]'; then
		say "$name: no case passed, or none called the plugin"
		bad=$((bad + 1))
	fi
	say "$name: $ok passed, $bad failed, $(count "$name" differ) differ, $(count "$name" not-run) not run; $calls calls in $seconds s"
	passed=$((passed + ok)) failed=$((failed + bad))
}

main() {
	local suite begin
	[ "${1:-}" != --with ] || { plugin=$(realpath -m "${2:?a file, or reference}"); with=$2; shift 2; }
	[ "$with" = reference ] || with=staticip
	[ "$with" = reference ] || [ -x "$plugin" ] || { say "$plugin is no executable; make builds it" >&2; exit 2; }
	if [ "$(id -u)" != 0 ]; then
		say "skipped: mount and network namespaces need root"
		say "0 passed, 0 failed"
		exit 0
	fi
	prepare || { say "the suites could not be built"; say "0 passed, 1 failed"; exit 1; }
	for suite in static host-local sbr; do ln -sfn "$plugin" "$WORK/staticip/$suite"; done
	! kernel_lacks dummy || say "the kernel has no dummy links: in the set-ups of ${DUMMY_SUITES[*]} addLink (a veth) stands for netlink.LinkAdd"
	for suite in "${SUITES[@]}"; do
		[ $# = 0 ] || [[ " $* " = *" ${suite#*/} "* ]] || continue
		begin=$SECONDS
		run_suite "$suite"
		judge "${suite#*/}" $((SECONDS - begin))
	done
	say "$passed passed, $failed failed"
	[ $failed = 0 ] && [ $passed != 0 ]
}

export CGO_ENABLED=0 GOWORK=off
trap '[ -z "$child" ] || kill "$child" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
main "$@"
