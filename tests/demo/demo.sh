#!/bin/bash
# The whole story on a real two-node cluster, in about half a minute once everything is
# built: builds, starts the cluster, installs the chart, and shows what staticip is for,
# with real commands and their real output. What is claimed is checked: the demo fails
# when something is not as it says. At the end, whatever happened, nothing is left.
#   KEEP=1   leave the cluster up, and say how to use it
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(realpath "$HERE/../..")
CLUSTER=tests/cluster/cluster.sh
KEEP=${KEEP:-}
cd "$REPO"
RUN=$REPO/build/cluster BIN=$REPO/build/cluster-bin BUILD=$REPO/build
export RUN BIN BUILD KUBECONFIG=$RUN/admin.kubeconfig PATH=$BIN:$PATH

job=    # what runs now, in a process group of its own
ours=   # set while a cluster is up that we started
OUT=$(mktemp)

# ---- how it looks ------------------------------------------------------------

bold='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

chapter() { printf '\n%s== %s%s   [%d s]\n' "$bold" "$*" "$plain" $SECONDS; }
claim() { printf '%s  ✔ %s%s\n' "$green" "$*" "$plain"; }

fail() {
	printf '%s  ✘ not as it should be: %s%s\n' "$red" "$*" "$plain" >&2
	exit 1
}

# ---- running and checking ----------------------------------------------------

# attend [-o FILE] COMMAND...: in a process group of its own, so that we can end all of it
# at once when interrupted.
attend() {
	local code=0 file=
	[ "$1" != -o ] || { file=$2; shift 2; }
	set -m
	if [ -n "$file" ]; then "$@" </dev/null >"$file" 2>&1 & else "$@" </dev/null & fi
	job=$!
	set +m
	wait "$job" || code=$?
	job=
	return $code
}

# run COMMAND...: shows the command and what it prints; that is then in $OUT.
run() {
	local code=0 word line='$'
	for word; do
		[[ $word =~ ^[A-Za-z0-9_./:=,%@+-]+$ ]] || word="'$word'"
		line+=" $word"
	done
	printf '%s%s%s\n' "$bold" "$line" "$plain"
	attend -o "$OUT" "$@" || code=$?
	cat "$OUT"
	[ $code = 0 ] || fail "this command failed (exit status $code): $*"
}

# has PATTERN...: the last output has a line for each pattern (extended regular
# expression; blanks stand for any white space).
has() {
	local pattern
	for pattern; do
		grep -Eq -- "${pattern// /[[:space:]]+}" "$OUT" || fail "no line above has \"$pattern\""
	done
}

# shown WHAT PATTERN...: that is so, and what it means.
shown() { has "${@:2}" && claim "$1"; }

# equal WHAT IS WANTED
equal() {
	[ "$2" = "$3" ] || fail "$1: it is \"$2\", it should be \"$3\""
	claim "$1"
}

# wait_until WHAT SECONDS COMMAND...
wait_until() {
	local what=$1 end=$((SECONDS + $2))
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "$what: not within the time"
		sleep 0.1
	done
}

# ---- beginning and end -------------------------------------------------------

end_job() {
	[ -n "$job" ] || return 0
	kill -s TERM -- "-$job" 2>/dev/null || true
	wait "$job" 2>/dev/null || true
}

how_to_use() {
	cat <<-EOT

		The cluster is still up. To use it from this folder:

		    export KUBECONFIG=$KUBECONFIG PATH=$BIN:\$PATH
		    kubectl -n demo get staticipallocations,pods -o wide
		    make deploy          # installs what you have changed since
		    make cluster-down    # ends it and removes everything
	EOT
}

# What the cluster says, when something is not as it should be.
explain() {
	printf '\n%swhat the cluster says:%s\n' "$bold" "$plain"
	kubectl get pods -A -o wide
	kubectl -n demo get events --sort-by .lastTimestamp | tail -n 12
	kubectl -n staticip-system logs -l app.kubernetes.io/part-of=staticip --prefix --tail 10
}

finish() {
	local code=$?
	trap - EXIT
	trap '' INT TERM
	end_job
	rm -f "$OUT"
	[ -z "$ours" ] || [ $code != 1 ] || explain >&2 || true
	# Interrupted, it is taken down even so.
	if [ -n "$ours" ] && [ -n "$KEEP" ] && [ $code -le 1 ]; then
		how_to_use
	elif [ -n "$ours" ]; then
		$CLUSTER down || code=1
		$CLUSTER leftovers || { echo "demo: these are left over" >&2; code=1; }
	fi
	if [ $code = 0 ]; then
		printf '\n%sdemo: all of it as it should be, after %d s%s\n' "$green" $SECONDS "$plain"
	else
		printf '\n%sdemo: %s after %d s%s\n' "$red" \
			"$([ $code -gt 128 ] && echo interrupted || echo failed)" $SECONDS "$plain" >&2
	fi
	exit $code
}

preflight() {
	[ "$(id -u)" = 0 ] || { echo "demo: run it as root: it starts a cluster" >&2; exit 1; }
	$CLUSTER leftovers >"$OUT" && return
	if $CLUSTER status >/dev/null 2>&1; then
		echo "demo: a cluster is already up in $RUN; make cluster-down ends it" >&2
	else
		echo "demo: a cluster is already up, or was not ended (make cluster-down):" >&2
		cat "$OUT" >&2
	fi
	exit 1
}

# ---- the story ---------------------------------------------------------------

start() {
	chapter "Build (minutes the first time, then nothing)"
	attend make --no-print-directory -j2
	attend tests/cluster/build.sh

	chapter "A cluster of two nodes, and staticip on it by helm"
	attend $CLUSTER up 2
	ours=1 # before that, `up` itself cleans up
	attend tests/cluster/deploy.sh
	run kubectl get nodes
	run kubectl -n staticip-system get pods -o wide
	shown "controller and both agents run" "staticip-controller-.* Running" "staticip-agent-.* Running .* n1 " "staticip-agent-.* Running .* n2 "
}

allocate() {
	chapter "Two pods, with the addresses and the route that we choose"
	run cat tests/demo/allocation.yaml
	run kubectl create namespace demo
	run kubectl apply -f tests/demo/allocation.yaml -f tests/demo/statefulset.yaml
	run kubectl -n demo rollout status statefulset/db --timeout=60s
	wait_until "allocation demo/db ready and in use" 10 in_use 2
	run kubectl -n demo get staticipallocations
	shown "the allocation is ready" "^db podnet StatefulSet/db 10.244.7.40 \+1 2 2 0 True Ready"
	run kubectl -n demo get pods -o wide
	shown "on different nodes, with exactly these addresses" "^db-0 1/1 Running .* 10.244.7.40 n" "^db-1 1/1 Running .* 10.244.7.41 n"
	[ "$(node_of db-0)" != "$(node_of db-1)" ] || fail "both pods are on $(node_of db-0)"
	look_inside db-0 40
	look_inside db-1 41
	# shellcheck disable=SC2046
	reach "db-0 reaches db-1 over both families" 41 $(in_pod db-0)
	# shellcheck disable=SC2046
	reach "and db-1 reaches db-0" 40 $(in_pod db-1)
}

in_use() { [ "$(kubectl -n demo get sip db -o 'jsonpath={.status.inUse}')" = "$1" ]; }
node_of() { kubectl -n demo get pod "$1" -o 'jsonpath={.spec.nodeName}'; }
global_addresses() { sed -nE 's/^ *inet6? ([^ ]+) .*scope global.*/\1/p' "$OUT" | xargs; }

# look_inside POD N: its addresses end in N, and the routes are there.
look_inside() {
	run kubectl -n demo exec "$1" -- ip addr show eth0
	equal "$1 has its two addresses and no other" "$(global_addresses)" "10.244.7.$2/16 fd00:10:244::7:$2/64"
	run kubectl -n demo exec "$1" -- ip route
	shown "the route is there" "^10.9.0.0/16 via 10.244.0.99 dev eth0"
	run kubectl -n demo exec "$1" -- ip -6 route
	shown "for IPv6 too" "^fd00:9::/32 via fd00:10:244::1 dev eth0"
}

# reach WHAT N FROM...: each of three pings, 0.2 s apart, is answered, over both
# families; FROM is what comes before `ping` on the command line.
reach() {
	local what=$1 address
	for address in "10.244.7.$2" "fd00:10:244::7:$2"; do
		run "${@:3}" ping -q -c 3 -i 0.2 -W 1 "$address"
		has " 3 packets received"
	done
	claim "$what"
}

in_pod() { echo "kubectl -n demo exec $1 --"; }

move() {
	local from to
	from=$(node_of db-0)
	to=$(node_of db-1)
	chapter "A pod moves from $from to $to and keeps its address"
	reach "its network's router, this machine, knows where it is" 40 busybox
	run kubectl cordon "$from"
	run kubectl -n demo delete pod db-0
	wait_until "a new pod db-0" 20 kubectl -n demo get pod db-0
	run kubectl -n demo wait --for=condition=Ready pod/db-0 --timeout=60s
	# shellcheck disable=SC2046
	reach "reachable at once: db-1, which knew its old MAC address, finds it" 40 $(in_pod db-1)
	reach "and so does the router" 40 busybox
	run kubectl -n demo get pods -o wide
	shown "the same address, on the other node" "^db-0 1/1 Running .* 10.244.7.40 $to "
	look_inside db-0 40
	run kubectl uncordon "$from"
}

conflict() {
	local message='{.status.conditions[?(@.type=="Accepted")].message}{"\n"}'
	chapter "Another allocation wants an address that is taken"
	run cat tests/demo/taken.yaml
	run kubectl apply -f tests/demo/taken.yaml
	run kubectl -n demo wait --for=condition=Accepted=false staticipallocation/cache --timeout=20s
	run kubectl -n demo get staticipallocations
	shown "it is refused; the first one is as it was" "^cache podnet .* False AddressConflict" "^db podnet .* 2 2 0 True Ready"
	run kubectl -n demo get staticipallocation cache -o "jsonpath=$message"
	shown "and told who has the address" "10.244.7.41 on network podnet belongs to StaticIPAllocation demo/db"
}

new_sandbox() {
	local now
	now=$($CLUSTER sandbox "$1" demo/db-0)
	[ -n "$now" ] && [ "$now" != "$2" ]
}

# With no API server there is no kubectl exec: we look from the node.
survive() {
	local node old new
	node=$(node_of db-0)
	node=${node#n}
	chapter "The API server is gone, and a pod's sandbox dies"
	run $CLUSTER sandbox "$node" demo/db-0
	old=$(<"$OUT")
	run $CLUSTER stop-apiserver
	! kubectl get --raw /readyz --request-timeout=2s >/dev/null 2>&1 || fail "the API server still answers"
	claim "no API server: kubectl gets no answer"
	run $CLUSTER kill-sandbox "$node" demo/db-0
	wait_until "a new sandbox of db-0" 40 new_sandbox "$node" "$old"
	run $CLUSTER sandbox "$node" demo/db-0
	new=$(<"$OUT")
	[ "${new%% *}" != "${old%% *}" ] || fail "the sandbox is still ${old%% *}"
	claim "the kubelet alone made a new sandbox"
	run $CLUSTER node "$node" nsenter -t "${new##* }" -n ip addr show eth0
	equal "it has the same addresses" "$(global_addresses)" "10.244.7.40/16 fd00:10:244::7:40/64"
	run $CLUSTER start-apiserver
	run kubectl -n demo wait --for=condition=Ready pod/db-0 --timeout=30s
	wait_until "the allocation says so" 20 in_use 2
	run kubectl -n demo get staticipallocations
	shown "all is as it was" "^db podnet .* 2 2 0 True Ready"
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
preflight
start
allocate
move
conflict
survive
