# Faults of the test cluster: a machine that is replaced, an API server that is slow, refuses
# or cannot be reached, and an etcd that comes back from a backup.
# shellcheck shell=bash disable=SC2154,SC2034

# ---- machines -----------------------------------------------------------------------

# The machine is gone for good, and its Node object with it.
delete_node() {
	kill_node "$1"
	kubectl delete --ignore-not-found --wait=false node "n$1" >/dev/null
	wait_for apiserver 20 no_such_node "$1"
}
no_such_node() { [ -z "$(kubectl get --ignore-not-found -o name node "n$1")" ]; }

# Another machine takes its name: empty disks, another machine id, and so another Node.
replace_node() {
	local folder
	delete_node "$1"
	for folder in containerd kubelet var-lib-cni var-log; do rm -rf "$RUN/n$1/${folder:?}"; done
	prepare_node "$1"
	boot_node "$1"
	containerd_ready "$1"
	load_again "$1"
	start_kubelet "$1"
}

# ---- the way to the API server's service ---------------------------------------------

# What reaches the API server by its service, as controller and agents do, goes by a proxy;
# kubectl, kubelets and the control plane go the straight way.
PROXY_PORT=6444

# service_leads_to PORT: connections that are open stay where they lead.
service_leads_to() {
	local chain
	for chain in pre out; do
		printf 'flush chain inet sip-test %s\n' $chain
		printf 'add rule inet sip-test %s ip daddr %s tcp dport 443 dnat ip to %s:%s\n' $chain $SERVICE $HOST "$1"
	done | nft -f -
}

# What the nodes' programs have open to the service ends, by a reset on both sides.
end_open_ones() {
	local i
	for i in $(seq "$N"); do
		! alive "node-n$i" || in_node "$i" ss -4 -t -K dst $SERVICE dport = 443 >/dev/null 2>&1 || true
	done
}

# api_path direct | pass | 429 | slow SECONDS | cut
api_path() {
	local fresh=
	case ${1:-} in
	direct)
		service_leads_to 6443
		stop api-path TERM
		rm -f "$RUN/pid/api-path" "$RUN/born/api-path"
		return ;;
	pass | 429 | slow | cut) ;;
	*) say "api-path direct, pass, 429, slow SECONDS or cut, not ${1:-nothing}"; exit 2 ;;
	esac
	echo "$*" >"$RUN/api-path.new"
	mv "$RUN/api-path.new" "$RUN/api-path"
	alive api-path || { rm -f "$RUN/api-path.seen"; fresh=1; }
	start api-path sip-control/runtime python3 "$HERE/api_path.py" "$HOST" $PROXY_PORT 6443 "$PKI" "$RUN/api-path"
	wait_for api-path 10 cmp "$RUN/api-path" "$RUN/api-path.seen"
	[ -z "$fresh" ] || { service_leads_to $PROXY_PORT; end_open_ones; }
}

# ---- backups --------------------------------------------------------------------------

# As a snapshot of the disk: etcd stands still, then goes on, and starts from such a copy
# as after a power cut.
save_etcd() {
	local code=0
	alive etcd || refuse "etcd is not running"
	rm -rf "$RUN/backup-$1"
	kill -s STOP "$(pid_of etcd)"
	cp -a --reflink=auto "$RUN/etcd" "$RUN/backup-$1" || code=$?
	kill -s CONT "$(pid_of etcd)"
	return $code
}

# As the handbook says: everything of Kubernetes' own that has caches is started again.
restore_etcd() {
	local name i
	[ -d "$RUN/backup-$1" ] || refuse "no backup $1"
	for name in scheduler kcm apiserver etcd; do stop $name; done
	rm -rf "$RUN/etcd"
	cp -a --reflink=auto "$RUN/backup-$1" "$RUN/etcd"
	start_etcd
	revision >"$RUN/restored" # what comes after it was not so before
	start_apiserver
	apiserver_ready
	start_managers
	for i in $(seq "$N"); do
		alive "kubelet-n$i" || continue
		stop "kubelet-n$i"
		start_kubelet "$i"
	done
}
