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

# ---- faults ------------------------------------------------------------------------

node_fact() { kubectl get node "$1" -o "jsonpath={$2}"; }
equal() { [ "$1" = "$2" ] || { echo "$1 is not $2"; return 1; }; }
boot_id_in() { kubectl exec "$1" -- cat /proc/sys/kernel/random/boot_id; }
# Each pod sees the boot id that its node has for the API server.
boot_ids_agree() {
	local pod
	for pod in web-0 web-1; do
		equal "$(boot_id_in $pod)" "$(node_fact "$(kubectl get pod $pod -o 'jsonpath={.spec.nodeName}')" .status.nodeInfo.bootID)" || return 1
	done
}

# From a node, by the service, as staticip's programs do: the HTTP status and how long it took.
by_service() { cluster node 1 curl -sk --max-time "${2:-5}" -o /dev/null -w '%{http_code} %{time_total}\n' "https://10.96.0.1$1"; }
answers() { contains "^$1 " by_service /version; }
answers_late() { by_service /version 10 | awk '{exit !($1 == 200 && $2 >= 2)}'; }
refused_fast() { ! by_service /version 3 >/dev/null; }
open_watch() {
	rm -f "$RUN/watch"
	cluster node 1 curl -skfN --max-time 60 -H "Authorization: Bearer $token" \
		'https://10.96.0.1/apis/coordination.k8s.io/v1/leases?watch=1' >"$RUN/watch" &
	watch=$!
	check "a watch by the service is open" test -s "$RUN/watch"
}
# It notices with the next event: each node renews its Lease every 10 s.
watch_ended() { ! kill -0 $watch 2>/dev/null; }

ways_to_the_api() {
	# By a token, as pods come: a certificate does not get through a proxy.
	kubectl create clusterrolebinding selftest --clusterrole=cluster-admin --serviceaccount=default:default >/dev/null
	token=$(kubectl create token default)
	open_watch
	check "by the service, straight" answers 200
	cluster api-path pass
	check "by a proxy" answers 200
	check "what was open straight has ended" watch_ended
	open_watch
	cluster api-path 429
	check "refused with 429" answers 429
	check "while an open watch goes on" not watch_ended
	check "and kubectl is not" kubectl get nodes
	cluster api-path slow 2
	check "answered after two seconds, if the request was late" answers_late
	check "and if the answer was" answers_late
	cluster api-path cut
	check "not answered" refused_fast
	check "what was open by the proxy has ended" watch_ended
	cluster api-path direct
	check "straight again" answers 200
}

another_machine() {
	local uid machine
	uid=$(node_fact n2 .metadata.uid) machine=$(node_fact n2 .status.nodeInfo.machineID)
	check "each node is a machine of its own" not equal "$machine" "$(node_fact n1 .status.nodeInfo.machineID)"
	cluster delete-node 2
	check "a node that is deleted has no Node" not kubectl get node n2
	cluster replace-node 2
	check "another machine has its name" contains 'n2 *Ready' kubectl get nodes
	check "with another Node" not equal "$uid" "$(node_fact n2 .metadata.uid)"
	check "and another machine id" not equal "$machine" "$(node_fact n2 .status.nodeInfo.machineID)"
	check "pods start there" both_ready
	machine=$(node_fact n2 .status.nodeInfo.machineID)
	cluster reboot-node 2
	check "after its reboot pods start" both_on_their_boot
	check "it is still that machine" equal "$machine" "$(node_fact n2 .status.nodeInfo.machineID)"
}
both_on_their_boot() { both_ready && boot_ids_agree; }

backup() {
	kubectl create configmap before >/dev/null
	cluster save-etcd one
	kubectl delete configmap before >/dev/null
	kubectl create configmap after >/dev/null
	cluster restore-etcd one
	check "what was there when the backup was made is there" kubectl get configmap before
	check "what came afterwards is not" not kubectl get configmap after
	check "pods run" both_ready
	kubectl delete pod web-0 --wait=false >/dev/null
	check "and are made again" another_pod web-0
}
another_pod() { kubectl get pod "$1" -o json | jq -e '(.metadata.creationTimestamp | fromdate) > now - 30 and .status.containerStatuses[0].ready'; }

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
check "pods see the boot id of their node" both_on_their_boot
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
ways_to_the_api
another_machine
backup
check "up refuses while one is up" contains 'already up' cluster up 1
cluster status >/dev/null
passed=$((passed + 1))
trap - EXIT
cluster down
check "nothing is left" cluster leftovers
check "down again is no error" cluster down
echo "$passed passed"
