#!/bin/bash
# Goal: lib/net's client and watch hold against a real etcd and kube-apiserver:
# paging, TLS by name, conflicts, a killed server, a compacted history, a new CA.
#
# Read from the environment: BIN (build/cluster-bin) with etcd, kube-apiserver and
# kubectl; PROBE (built when unset).
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BIN=${BIN:-$PWD/build/cluster-bin}
PORT=${PORT:-36443}
ETCD=http://127.0.0.1:$((PORT + 1))
API=https://127.0.0.1:$PORT
RUN=$(mktemp -d /tmp/net_watch.XXXXXX)
PIDS=()
passed=0 failed=0

cleanup() {
	for pid in "${PIDS[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
	[ "$failed" = 0 ] && [ -z "${KEEP:-}" ] && rm -rf "$RUN" || echo "state kept in $RUN"
}
trap cleanup EXIT

# check NAME COMMAND...: one test
check() {
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok   $name"
	else
		failed=$((failed + 1))
		echo "FAIL $name"
		tail -n 5 "$RUN/watch.log" 2>/dev/null | sed 's/^/     | /'
	fi
}

# within SECONDS COMMAND...: becomes true in time. After a fault up to 60 s may pass
# (30 s and jitter, like client-go), so the limits are generous.
within() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.1
	done
}

# ---- the servers -----------------------------------------------------------------

# ca NAME: a CA and the API server's certificate by it
ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-keyout "$RUN/$1.key" -out "$RUN/$1.crt" -subj "/CN=$1"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$RUN/server.key" \
		-out "$RUN/server.csr" -subj /CN=kube-apiserver
	openssl x509 -req -in "$RUN/server.csr" -CA "$RUN/$1.crt" -CAkey "$RUN/$1.key" -CAcreateserial -days 2 \
		-out "$RUN/server.crt" -extfile <(printf 'subjectAltName=%s' "$2")
} >>"$RUN/pki.log" 2>&1

start_etcd() {
	"$BIN/etcd" --data-dir "$RUN/etcd" --listen-client-urls "$ETCD" --advertise-client-urls "$ETCD" \
		--listen-peer-urls "http://127.0.0.1:$((PORT + 2))" --unsafe-no-fsync --log-level warn \
		>"$RUN/etcd.log" 2>&1 &
	PIDS+=($!)
	within 30 curl -sf --max-time 5 "$ETCD/health" >/dev/null
}

start_apiserver() {
	"$BIN/kube-apiserver" --etcd-servers "$ETCD" --cert-dir "$RUN" --secure-port "$PORT" --bind-address 127.0.0.1 \
		--tls-cert-file "$RUN/server.crt" --tls-private-key-file "$RUN/server.key" --authorization-mode RBAC \
		--token-auth-file "$RUN/tokens.csv" --service-cluster-ip-range 10.0.0.0/24 --endpoint-reconciler-type=none \
		--disable-admission-plugins ServiceAccount --service-account-issuer "$API" \
		--service-account-key-file "$RUN/sa.key" --service-account-signing-key-file "$RUN/sa.key" \
		>>"$RUN/apiserver.log" 2>&1 &
	APISERVER=$!
	PIDS+=("$APISERVER")
	within 60 kubectl get --raw /readyz >/dev/null
}

kill_apiserver() {
	kill -KILL "$APISERVER"
	wait "$APISERVER" 2>/dev/null || true
}

kubectl() { "$BIN/kubectl" --server "$API" --insecure-skip-tls-verify --token secret "$@" 2>>"$RUN/kubectl.log"; }

etcd_call() { curl -sSf --max-time 30 -X POST -d "$2" "$ETCD/v3/kv/$1"; }
compact() {
	local now
	now=$(etcd_call range '{"key":"AA==","limit":"1"}' | sed 's/.*"revision":"\([0-9]*\)".*/\1/')
	etcd_call compaction "{\"revision\":\"$now\",\"physical\":true}" >/dev/null
}

# config NAME CA FIELDS
config() {
	cat >"$RUN/$1" <<-EOK
		current-context: x
		contexts: [{name: x, context: {cluster: c, user: u}}]
		users: [{name: u, user: {tokenFile: token}}]
		clusters: [{name: c, cluster: {server: "$API", certificate-authority: $2 $3}}]
	EOK
}

# ---- the probe -------------------------------------------------------------------

build_probe() {
	make -s O="$RUN/build" "$RUN/build/libnet.a" "$RUN/build/libtable.a" "$RUN/build/libcore.a"
	# shellcheck disable=SC2046
	cc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -g -Ilib -o "$RUN/probe" tests/integration/net_probe.c \
		"$RUN/build/libnet.a" "$RUN/build/libtable.a" "$RUN/build/libcore.a" \
		$(pkg-config --cflags --libs libcurl json-c yaml-0.1) -lev -lm
	PROBE=$RUN/probe
}

start_watch() {
	: >"$RUN/watch.log"
	"$PROBE" "$RUN/config" watch /api/v1/namespaces/default/configmaps "$@" >"$RUN/watch.log" 2>&1 &
	WATCH=$!
	PIDS+=("$WATCH")
}

stop_watch() {
	kill "$WATCH"
	wait "$WATCH" 2>/dev/null || true
}

says() { [ "$(grep -cE "$1" "$RUN/watch.log")" -ge "${2:-1}" ]; }
says_exactly() { [ "$(grep -cE "$1" "$RUN/watch.log")" = "$2" ]; }
call() { timeout 20 "$PROBE" "$RUN/$1" "${@:2}" | tee -a "$RUN/calls.log"; }
call_says() { call "${@:2}" | grep -qE "$1"; }

# ---- the tests -------------------------------------------------------------------

lists_and_watches() {
	for i in $(seq 10); do kubectl create configmap "m$i" --from-literal=a=1 >/dev/null; done
	start_watch 3
	check "lists ten objects by pages of three" within 10 says '^synced'
	check "each of them once" says_exactly '^\+ default/m[0-9]+ ' 10
	kubectl create configmap new --from-literal=a=1 >/dev/null
	check "sees a new object" within 5 says '^\+ default/new '
	kubectl label configmap new x=y >/dev/null
	check "sees a change" within 5 says '^\+ default/new ' 2
	kubectl delete configmap new >/dev/null
	check "sees a deletion" within 5 says '^- default/new '
	check "without a fault" says_exactly '^fault' 0
}

survives_a_killed_server() {
	kill_apiserver
	check "tells that the server is gone" within 10 says '^fault .*again in'
	start_apiserver
	kubectl create configmap after --from-literal=a=1 >/dev/null
	check "goes on with the next server by itself" within 150 says '^\+ default/after '
	check "tells no object twice" says_exactly '^\+ default/m[0-9]+ ' 10
	check "and loses none" says_exactly '^- default/m' 0
}

survives_a_compacted_history() {
	local synced
	synced=$(grep -c ^synced "$RUN/watch.log")
	kill -STOP "$WATCH"
	kill_apiserver # or the events wait in the stopped watch's socket
	start_apiserver
	kubectl delete configmap m1 m2 m3 >/dev/null
	kubectl create configmap m3 --from-literal=a=2 >/dev/null
	kill_apiserver # its memory of the events goes with it
	compact
	start_apiserver
	kill -CONT "$WATCH"
	check "lists again after its version is compacted" within 150 says '^synced' $((synced + 1))
	check "what was deleted meanwhile is gone" says '^- default/m1 '
	check "all of it" says '^- default/m2 '
	check "a namesake is another object" says '^- default/m3 '
	check "and there" within 5 says '^\+ default/m3 ' 2
	check "nothing else is gone" says_exactly '^- default/m[4-9]' 0
	check "nothing else is told again" says_exactly '^\+ default/m[4-9] ' 6
}

calls_are_answered() {
	check "reads" call_says '^ok 200' config GET /api/v1/namespaces/default
	check "what is not there is told so" call_says '^failed 404 NotFound GET .*configmaps "no" not found' \
		config GET /api/v1/namespaces/default/configmaps/no
	check "a stale write is a Conflict" call_says '^failed 409 Conflict' config PUT \
		/api/v1/namespaces/default/configmaps/m4 '{"metadata":{"name":"m4","resourceVersion":"1"},"data":{"a":"9"}}'
	check "a create of what is there is AlreadyExists" call_says '^failed 409 AlreadyExists' config POST \
		/api/v1/namespaces/default/configmaps '{"metadata":{"name":"m4"}}'
	config named ca.crt ', tls-server-name: named.example'
	check "the TLS name may be another than the host" call_says '^ok 200' named GET /version
	config misnamed ca.crt ', tls-server-name: other.example'
	check "but not any other" call_says '^failed 0 - .*certificate' misnamed GET /version
	config distrust other.crt ''
	check "a server of another CA is not believed" call_says '^failed 0 - .*certificate' distrust GET /version
	config system /etc/ssl/certs/ca-certificates.crt ''
	check "nor one that the system's CAs do not know" call_says '^failed 0 - .*certificate' system GET /version
}

survives_a_new_ca() {
	kill_apiserver
	ca new "IP:127.0.0.1"
	cp "$RUN/new.crt" "$RUN/ca.crt"
	start_apiserver
	kubectl create configmap rotated --from-literal=a=1 >/dev/null
	check "believes the new CA after its file changed" within 150 says '^\+ default/rotated '
}

survives_a_new_token() {
	kill_apiserver
	echo 'renewed,admin,1,"system:masters"' >"$RUN/tokens.csv"
	kubectl() { "$BIN/kubectl" --server "$API" --insecure-skip-tls-verify --token renewed "$@" 2>>"$RUN/kubectl.log"; }
	echo renewed >"$RUN/token"
	start_apiserver
	kubectl create configmap renewed --from-literal=a=1 >/dev/null
	check "uses the new token after a 401" within 150 says '^\+ default/renewed '
}

mkdir -p "$RUN/etcd"
chmod 700 "$RUN/etcd"
echo 'secret,admin,1,"system:masters"' >"$RUN/tokens.csv"
echo secret >"$RUN/token"
openssl genrsa -out "$RUN/sa.key" 2048 2>>"$RUN/pki.log"
ca other "IP:127.0.0.1"
ca first "IP:127.0.0.1,DNS:named.example"
cp "$RUN/first.crt" "$RUN/ca.crt"
config config ca.crt ''
[ -n "${PROBE:-}" ] || build_probe
start_etcd
start_apiserver
within 30 kubectl get namespace default >/dev/null

lists_and_watches
calls_are_answered
survives_a_killed_server
survives_a_compacted_history
survives_a_new_ca
survives_a_new_token
stop_watch

echo "net_watch: $passed passed, $failed failed"
[ "$failed" = 0 ]
