# Helpers of the integration tests. Read from the environment: REPO, BUILD, BIN, WORK.
# shellcheck shell=bash

API=https://127.0.0.1:6443
export KUBECONFIG=$WORK/kubeconfig
kubectl() { "$BIN/kubectl" "$@"; }

# wait_until SECONDS COMMAND...: until it succeeds; fails with its last output.
wait_until() {
	local end=$((SECONDS + $1)) out
	shift
	until out=$("$@" 2>&1); do
		if [ $SECONDS -ge $end ]; then
			echo "not in time: $*"
			echo "$out"
			return 1
		fi
		sleep 0.1
	done
}

# start NAME COMMAND...: in the background, output in $WORK/NAME.log, pid in NAME.pid.
start() {
	local name=$1
	shift
	"$@" >>"$WORK/$name.log" 2>&1 3>&- &
	echo $! >"$WORK/$name.pid"
	disown
}
kill_it() { # SIGNAL NAME
	local pid
	pid=$(cat "$WORK/$2.pid")
	kill -s "$1" "$pid" && { [ "$1" = STOP ] || [ "$1" = CONT ] || tail --pid="$pid" -f /dev/null; }
}

# In sessions of their own: the scheduler shares the processors among sessions, and what the tests do
# shall not keep the API server from answering.
start_apiserver() {
	start apiserver setsid "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --etcd-compaction-interval=0 --cert-dir "$WORK/pki" \
		--secure-port 6443 --bind-address 127.0.0.1 --advertise-address 192.0.2.1 --authorization-mode RBAC \
		--service-cluster-ip-range 10.96.0.0/16 --service-account-issuer https://kubernetes.default.svc \
		--service-account-key-file "$WORK/pki/sa.pub" --service-account-signing-key-file "$WORK/pki/sa.key" \
		--endpoint-reconciler-type=none --token-auth-file "$WORK/pki/tokens" --disable-admission-plugins ServiceAccount \
		--audit-policy-file "$WORK/pki/audit" --audit-log-path "$WORK/audit.json" --audit-log-mode blocking
	wait_until 60 kubectl get --raw /readyz
}

# kubeconfig SERVER [TOKEN]: by token, like a pod's; as administrator, or as one of the
# candidates whose writes the audit log has.
kubeconfig() {
	cat <<-EOK
		apiVersion: v1
		kind: Config
		clusters: [{name: t, cluster: {server: "$1", insecure-skip-tls-verify: true}}]
		users: [{name: u, user: {token: ${2:-secret}}}]
		contexts: [{name: c, context: {cluster: t, user: u}}]
		current-context: c
	EOK
}

start_control_plane() {
	openssl genrsa -out "$WORK/pki/sa.key" 2048 2>/dev/null
	openssl rsa -in "$WORK/pki/sa.key" -pubout -out "$WORK/pki/sa.pub" 2>/dev/null
	printf '%s,%s,%s,"system:masters"\n' secret admin 1 secret-a candidate-a 2 secret-b candidate-b 3 secret-c candidate-c 4 >"$WORK/pki/tokens"
	cat >"$WORK/pki/audit" <<-EOA
		apiVersion: audit.k8s.io/v1
		kind: Policy
		omitStages: [RequestReceived]
		rules:
		- {level: Metadata, users: [candidate-a, candidate-b, candidate-c], verbs: [create, update, patch, delete]}
		- {level: None}
	EOA
	kubeconfig $API >"$KUBECONFIG"
	start etcd setsid "$BIN/etcd" --data-dir "$WORK/etcd" --listen-client-urls http://127.0.0.1:2379 \
		--advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync --log-level warn
	start_apiserver || { tail -n 20 "$WORK"/*.log; return 1; }
	kubectl apply -f "$REPO/crds" >/dev/null
	kubectl wait --for condition=Established --timeout 20s crd --all >/dev/null
}

# fresh NAME: a namespace for tables and one for allocations of this test.
fresh() {
	TABLES=$1-tables NS=$1
	kubectl create namespace "$TABLES" >/dev/null
	kubectl create namespace "$NS" >/dev/null
}

start_controller() { # [KUBECONFIG]: one by itself, which need not wait for a lease
	start controller "$BUILD/staticip-controller" --kubeconfig="${1:-$KUBECONFIG}" --tables-namespace="$TABLES" --leader-elect=false --log-level=debug
}
# One of several: candidate a|b|c [SERVER]
candidate() {
	kubeconfig "${2:-$API}" "secret-$1" >"$WORK/kubeconfig-$1"
	start "candidate-$1" "$BUILD/staticip-controller" --kubeconfig="$WORK/kubeconfig-$1" --tables-namespace="$TABLES" \
		--leader-elect-lease-duration=6 --leader-elect-renew-deadline=3 --leader-elect-retry-period=1 --log-level=debug
}
start_agent() { # NODE [KUBECONFIG]
	mkdir -p "$WORK/$1"
	start "agent-$1" "$BUILD/staticip-agent" --kubeconfig="${2:-$KUBECONFIG}" --tables-namespace="$TABLES" \
		--root="$WORK/$1" --node-name="$1" --log-level=debug
}
# plugin_on VERB NODE POD UID WAIT: the plugin beside that node's agent; the container's id is the UID.
plugin_on() {
	unshare --mount bash -c '
		mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\"root\": \"$1\"}" >/etc/staticip/plugin.json
		CNI_COMMAND=$3 CNI_CONTAINERID=$5 CNI_NETNS=/nowhere CNI_IFNAME=eth0 CNI_PATH=/x CNI_ARGS="K8S_POD_NAMESPACE=$6;K8S_POD_NAME=$4;K8S_POD_UID=$5" \
			"$2" <<<"{\"cniVersion\": \"1.0.0\", \"name\": \"podnet\", \"type\": \"macvlan\", \"ipam\": {\"type\": \"staticip\", \"wait\": $7}}"
	' plugin "$WORK/$2" "$BUILD/staticip" "$1" "$3" "$4" "$NS" "$5"
}
tables_of() {
	local out
	out=$("$BUILD/tests/tool/sip_tables" "$WORK/$1/table/live") || return
	LC_ALL=C sort <<<"$out"
}

# What the API server says is declared and not refused, as tables_of prints it.
declared() {
	kubectl get staticipallocations -n "$NS" -o json | python3 "$REPO/tests/integration/declared.py"
}
# settled NODE: the node's table is exactly what is declared.
settled() { diff <(declared) <(tables_of "$1"); }
# must_settle SECONDS NODE: settled in time, or what the API server has is shown.
must_settle() {
	wait_until "$1" settled "$2" && return
	kubectl get staticipallocations -n "$NS" -o wide
	kubectl get configmaps -n "$TABLES" -l staticip.dev/buckets -o json | jq -r '.items[] | .metadata.name + " " + .metadata.resourceVersion + " " + .data.table' | grep -v '^$'
	mkdir -p "$BUILD/test-logs/integration"
	cp "$WORK"/*.log "$BUILD/test-logs/integration/"
	return 1
}

# What etcd kept, judged by the rules J1 to J5 (ledger_rules.py).
history() { python3 "$REPO/tests/integration/ledger_history.py" "$@"; }
# judged [OPTION...]: the history since revision $SINCE breaks no rule; said in the test's output.
judged() {
	local out rc=0
	out=$(history --since "$SINCE" "$@" 2>&1) || rc=$?
	sed 's/^/# /' <<<"$out" >&3
	return $rc
}

# end_it PID: killed at any instruction, as it must bear. With ENDING=TERM it is asked first:
# a sanitizer's build looks for leaks when it ends by itself.
end_it() {
	if [ "${ENDING:-KILL}" = TERM ] && kill -s TERM "$1" 2>/dev/null; then
		kill -s CONT "$1"
		timeout 10 tail --pid="$1" -s 0.1 -f /dev/null || late="$late $1"
	fi 2>/dev/null
	kill -s KILL "$1" 2>/dev/null || true
}
# Ends what start started, tests' last act.
stop_all() {
	local file late=
	touch "$WORK/enough" # ends the loops of a test that failed
	for file in "$WORK"/controller*.pid "$WORK"/candidate-*.pid "$WORK"/agent-*.pid "$WORK"/machine-*.pid "$WORK"/proxy*.pid "$WORK"/watcher.pid; do
		[ ! -e "$file" ] || end_it "$(cat "$file")"
		rm -f "$file"
	done
	rm -rf "$WORK"/n[0-9]*
	kubectl delete staticipallocations -A --all >/dev/null 2>&1 || true
	[ -z "$late" ] || { echo "did not end within 10 s of SIGTERM:$late"; return 1; }
}
