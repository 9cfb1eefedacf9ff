# The control plane of the test cluster: certificates, etcd, API server,
# controller-manager and scheduler, in the machine's own network namespace.
# shellcheck shell=bash disable=SC2154,SC2034

ETCD=http://127.0.0.1:2379

certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/$1.key" -out "$PKI/$1.csr" -subj "$2"
	openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days 365 \
		-out "$PKI/$1.crt" -extfile <(printf 'subjectAltName=%s' "$3")
}

kubeconfig() {
	cat >"$RUN/$1.kubeconfig" <<-EOK
		apiVersion: v1
		kind: Config
		clusters: [{name: sip, cluster: {server: "https://$HOST:6443", certificate-authority: $PKI/ca.crt}}]
		users: [{name: $1, user: {client-certificate: $PKI/$1.crt, client-key: $PKI/$1.key}}]
		contexts: [{name: sip, context: {cluster: sip, user: $1}}]
		current-context: sip
	EOK
}

pki() {
	local i
	PART=pki
	mkdir -p "$PKI"
	{
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -keyout "$PKI/ca.key" -out "$PKI/ca.crt" -subj /CN=sip-ca
		certificate apiserver /CN=kube-apiserver "IP:127.0.0.1,IP:$HOST,IP:$SERVICE,DNS:localhost,DNS:kubernetes.default.svc"
		certificate admin /O=system:masters/CN=admin DNS:admin
		for i in $(seq "$N"); do certificate "n$i" "/O=system:nodes/CN=system:node:n$i" "DNS:n$i"; done
		openssl genrsa -out "$PKI/sa.key" 2048
		openssl rsa -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub"
	} >"$RUN/log/pki.log" 2>&1
	for i in admin $(seq -f n%g "$N"); do kubeconfig "$i"; done
}

api() { curl -sf --max-time 10 --cacert "$PKI/ca.crt" --cert "$PKI/admin.crt" --key "$PKI/admin.key" "https://$HOST:6443$1"; }
kubectl() { "$BIN/kubectl" --kubeconfig "$RUN/admin.kubeconfig" "$@"; }

start_etcd() {
	start etcd sip-control/runtime "$BIN/etcd" --data-dir "$RUN/etcd" --listen-client-urls $ETCD \
		--advertise-client-urls $ETCD --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync --log-level warn
	wait_for etcd 30 curl -sf --max-time 5 $ETCD/health
}

# etcd keeps all of its history, for who judges it afterwards (tests/integration/ledger_history.py);
# what compacts it is `compact`. APISERVER_FLAGS come after ours, and so win.
start_apiserver() {
	# shellcheck disable=SC2086
	start apiserver sip-control/runtime "$BIN/kube-apiserver" --etcd-servers $ETCD --etcd-compaction-interval=0 --cert-dir "$PKI" \
		--tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" \
		--client-ca-file "$PKI/ca.crt" --secure-port 6443 --bind-address $HOST --advertise-address $HOST \
		--authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
		--service-cluster-ip-range 10.96.0.0/16 --allow-privileged=true \
		--service-account-issuer https://kubernetes.default.svc --service-account-key-file "$PKI/sa.pub" \
		--service-account-signing-key-file "$PKI/sa.key" --endpoint-reconciler-type=none \
		--kubelet-preferred-address-types InternalIP --enable-aggregator-routing=true \
		--kubelet-client-certificate "$PKI/admin.crt" --kubelet-client-key "$PKI/admin.key" ${APISERVER_FLAGS:-}
}

apiserver_ready() { wait_for apiserver 60 api /readyz; }

start_managers() {
	start kcm sip-control/runtime "$BIN/kube-controller-manager" --kubeconfig "$RUN/admin.kubeconfig" --leader-elect=false \
		--service-account-private-key-file "$PKI/sa.key" --root-ca-file "$PKI/ca.crt" \
		--node-monitor-grace-period=16s --flex-volume-plugin-dir "$RUN/volume-plugins" --authentication-skip-lookup --bind-address 127.0.0.1
	start scheduler sip-control/runtime "$BIN/kube-scheduler" --kubeconfig "$RUN/admin.kubeconfig" --leader-elect=false \
		--authentication-skip-lookup --bind-address 127.0.0.1
}

# There is no etcdctl: etcd speaks JSON as well.
etcd_call() { curl -sSf --max-time 30 -X POST -d "$2" "$ETCD/v3/kv/$1"; }
revision() { etcd_call range '{"key":"AA==","limit":"1"}' | jq -r .header.revision; }

# Prints the revision below which nothing can be read any more.
compact() {
	local at
	at=${1:-$(revision)}
	etcd_call compaction "{\"revision\":\"$at\",\"physical\":true}" >/dev/null
	echo "$at"
}
