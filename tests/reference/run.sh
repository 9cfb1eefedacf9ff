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
		go test -c -o "$WORK/${suite#*/}.test" "./plugins/$suite" || return
	done
	go build -o "$WORK/path/host-local" ./plugins/shim/wrapper && cp "$WORK/path/host-local" "$WORK/path/static"
}

# Built again only when the module, the shim or this script changed.
prepare() {
	local module now
	module=$(source_module) || return
	now=$({ echo "$module"; kernel_lacks dummy; echo $?; find "$HERE" -type f -not -name '*.md' -exec sha256sum {} +; } | sha256sum)
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

# The cases of a suite that are not run here: lines REGEX<TAB>REASON.
not_run() {
	local suite when regex reason
	while IFS=$'\t' read -r suite when regex reason; do
		[ "$suite" = "$1" ] || continue
		case $when in
		always | "$with") ;;
		no-*) kernel_lacks "${when#no-}" || continue ;;
		*) continue ;;
		esac
		printf '%s\t%s\n' "$regex" "$reason"
	done <"$HERE/not-run.tsv"
}

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

# How many cases of the report are in a state, and their names.
cases() {
	jq -r --arg state "$2" '.[].SpecReports[] | select(.LeafNodeType == "It" and .State == $state)
		| (.ContainerHierarchyTexts + [.LeafNodeText]) | join(" ")' "$WORK/$1.json"
}

# One line for a case that fails in the same way in several versions, 20 at most.
show_failures() {
	jq -r --arg suite "$1" '[.[].SpecReports[] | select(.State != "passed" and .State != "skipped") |
		{version: (.LeafNodeText | capture("^\\[(?<v>[0-9.]+)\\]").v // "-"),
		 name: (.LeafNodeText | sub("^\\[[0-9.]+\\] "; "")), line: .Failure.Location.LineNumber,
		 why: (.Failure.Message | gsub("0x[0-9a-f]+"; "0x") | gsub("\\s+"; " ") | .[:400])}]
		| group_by([.name, .line, .why]) | .[:20][] | "   FAIL \($suite) \([.[].version] | join(" ")): \(.[0].name), line \(.[0].line): \(.[0].why)"' \
		"$WORK/$1.json"
}

# Prints what was left out and why; a line that matches nothing is out of date.
show_not_run() {
	local name=$1 regex reason count stale=0
	while IFS=$'\t' read -r regex reason; do
		count=$(cases "$name" skipped | grep -cE -- "$regex")
		echo "ok $name: $count cases /$regex/ # skip $reason"
		[ "$count" != 0 ] || { echo "   FAIL $name: no case matches /$regex/ of not-run.tsv"; stale=$((stale + 1)); }
	done < <(not_run "$name")
	return $stale
}

judge() {
	local name=$1 seconds=$2 ok bad whole calls
	if [ ! -s "$WORK/$name.json" ]; then
		tail -n 20 "$WORK/$name.log"
		say "$name: it ended without a report: $WORK/$name.log"
		failed=$((failed + 1))
		return
	fi
	whole=$(jq '[.[].SpecReports[] | select(.LeafNodeType == "It")] | length' "$WORK/$name.json")
	ok=$(cases "$name" passed | wc -l)
	bad=$(jq '[.[].SpecReports[] | select(.State != "passed" and .State != "skipped" and .State != "pending")] | length' "$WORK/$name.json")
	show_failures "$name"
	show_not_run "$name"
	bad=$((bad + $?))
	calls=$(cat "$WORK/$name.calls" 2>/dev/null | wc -l)
	if { [ $((ok + bad)) = 0 ] || [ "$calls" = 0 ]; } && ! not_run "$name" | grep -q '^\.[[:blank:]]'; then
		say "$name: no case ran, or none called the plugin"
		bad=$((bad + 1))
	fi
	say "$name: $whole cases, $ok passed, $bad failed, $((whole - ok - bad)) not run; $calls calls in $seconds s"
	passed=$((passed + ok)) failed=$((failed + bad))
}

main() {
	local suite begin
	[ "${1:-}" != --with ] || { plugin=$(realpath -m "${2:?a file, or reference}"); with=$2; shift 2; }
	[ "$with" = reference ] || with=staticip
	[ $with = reference ] || [ -x "$plugin" ] || { say "$plugin is no executable; make builds it" >&2; exit 2; }
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
