#!/bin/bash
# Does the test cluster itself work? Without staticip: the reference IPAM hands out the
# addresses. Brings a cluster up, uses everything that cluster.sh promises, takes it
# down, and looks for leftovers.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export RUN=${RUN:-$HERE/../../build/selftest}
export CNI_CONFLIST=${CNI_CONFLIST:-$HERE/conflist/host-local.conflist}
passed=0

cluster() { "$HERE/cluster.sh" "$@"; }
kubectl() { cluster kubectl "$@"; }
fail() { echo "not ok: $*"; kubectl get pods,events -A -o wide 2>/dev/null | tail -n 40; exit 1; }
# check WHAT COMMAND...: the command succeeds, now or within 60 s.
check() {
	local what=$1 end=$((SECONDS + 60)) begin=$SECONDS
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { "$@" || true; fail "$what"; }
		sleep 0.2
	done
	passed=$((passed + 1))
	echo "ok: $what ($((SECONDS - begin)) s)"
}

not() { ! "$@"; }
contains() { grep -q -- "$1" <<<"$("${@:2}" 2>&1)"; }
ips() { kubectl get pod "$1" -o 'jsonpath={.status.podIPs[*].ip}'; }
reach() {
	local ip
	for ip in $(ips "$2"); do kubectl exec "$1" -- ping -c 1 -W 1 "$ip" || return 1; done
}
# With the API server away: a pod on node $1 by the node's own word.
pod_on() { cluster node "$1" sh -c 'cd /var/log/pods && for p in default_web-*; do p=${p#*_}; echo default/${p%%_*}; done' | head -n 1; }
replaced() {
	local now
	now=$(cluster sandbox 2 "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}
both_ready() { kubectl wait --for=condition=Ready pod/web-0 pod/web-1 --timeout=1s; }
again_on_n1() {
	kubectl get pods -o json |
		jq -e '.items[] | select(.spec.nodeName == "n1") | .status.containerStatuses[0] | .ready and .restartCount > 0'
}
raw() { curl -sS --max-time 20 --cacert "$RUN/pki/ca.crt" --cert "$RUN/pki/admin.crt" --key "$RUN/pki/admin.key" "https://192.168.100.1:6443$1"; }

workload() {
	kubectl apply -f - <<-EOY >/dev/null
		apiVersion: apps/v1
		kind: StatefulSet
		metadata: {name: web}
		spec:
		  serviceName: web
		  replicas: 2
		  podManagementPolicy: Parallel
		  selector: {matchLabels: {app: web}}
		  template:
		    metadata: {labels: {app: web}}
		    spec:
		      dnsPolicy: Default
		      terminationGracePeriodSeconds: 0
		      topologySpreadConstraints:
		      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
		      containers:
		      - name: c
		        image: docker.io/local/busybox:1
		        imagePullPolicy: Never
		        command: [httpd, -f, -p, "80"]
		        readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
	EOY
}

# A list that was begun before the compaction cannot be continued, a watch from
# before the restart cannot go on: both must say 410.
expired() {
	local token from
	from=$(raw /api/v1/nodes | jq -r .metadata.resourceVersion)
	token=$(raw '/api/v1/events?limit=1' | jq -r .metadata.continue)
	kubectl annotate --overwrite node n1 "selftest=$RANDOM" >/dev/null
	cluster compact >/dev/null
	check "a list continued over a compaction is answered 410" contains '"code": *410' raw "/api/v1/events?limit=1&continue=$token"
	cluster restart-apiserver
	check "a watch from before compaction and restart gets 410" contains '"code": *410' \
		raw "/api/v1/nodes?watch=1&timeoutSeconds=5&resourceVersion=$from"
}

finish() { local code=$?; trap - EXIT; cluster down; exit $code; }
trap finish EXIT
trap 'exit 130' INT TERM

cluster up 2
workload
check "two pods Ready" both_ready
check "two nodes have one each" contains 'n1 n2' eval "kubectl get pods -o jsonpath='{.items[*].spec.nodeName}' | tr ' ' '\n' | sort | xargs"
check "pods of different nodes reach each other over both families" reach web-0 web-1
check "the other way too" reach web-1 web-0
check "exec and logs" kubectl logs web-0
check "pods reach the API server's service" kubectl exec web-0 -- nc -w 2 10.96.0.1 443 -e true
check "no pod gets out of this machine" not kubectl exec web-0 -- ping -c 1 -W 1 "$(ip -4 route show default | awk '{print $3; exit}' | grep . || echo 198.51.100.1)"
check "a node's /run is its own tmpfs" contains tmpfs cluster node 1 stat -f -c %T /run
"$HERE/cluster.sh" node 1 touch /run/mark
check "and not another node's" not cluster node 2 test -e /run/mark

boot=$(kubectl get node n1 -o 'jsonpath={.status.nodeInfo.bootID}')
begin=$SECONDS
cluster reboot-node 1
check "node n1 rebooted" not contains "$boot" kubectl get node n1 -o 'jsonpath={.status.nodeInfo.bootID}'
check "its /run is empty" not cluster node 1 test -e /run/mark
check "its pod runs again" again_on_n1
echo "   reboot to Ready pod: $((SECONDS - begin)) s"
check "both reach each other" reach web-0 web-1

cluster stop-apiserver
check "the API server is away" not raw /readyz
pod=$(pod_on 2)
old=$(cluster sandbox 2 "$pod")
cluster kill-sandbox 2 "$pod"
check "the kubelet replaces a killed sandbox alone" replaced "$pod" "$old"
cluster start-apiserver
check "and back" raw /readyz
cluster restart-etcd
check "after a restart of etcd as well" kubectl get nodes
expired

cluster cut-node 2
check "a node that is cut off gets NotReady" contains 'n2 *NotReady' kubectl get nodes
cluster join-node 2
check "and Ready again" contains 'n2 *Ready' kubectl get nodes
check "up refuses while one is up" contains 'already up' cluster up 1
cluster status >/dev/null
passed=$((passed + 1))
trap - EXIT
cluster down
check "nothing is left" cluster leftovers
check "down again is no error" cluster down
echo "$passed passed"
