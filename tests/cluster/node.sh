# Nodes of the test cluster: each has a network and a mount namespace of its own with
# an own /run, /var/log, /var/lib/{kubelet,cni}, /opt/cni/bin and /etc/cni/net.d, so that
# what a DaemonSet mounts from "the host" is the node's, as on separate machines.
# shellcheck shell=bash disable=SC2154,SC2034

# Where the node's namespaces need a folder to mount on; those made by us go again.
MOUNT_POINTS=(/opt/cni /opt/cni/bin /etc/cni /etc/cni/net.d /var/lib/cni /var/lib/kubelet)

make_mount_points() {
	local folder
	for folder in "${MOUNT_POINTS[@]}"; do
		[ ! -d "$folder" ] || continue
		mkdir "$folder"
		echo "$folder" >>"$RUN/made-folders"
	done
}

drop_mount_points() {
	local folder
	[ -e "$RUN/made-folders" ] || return 0
	tac "$RUN/made-folders" | while read -r folder; do rmdir "$folder" 2>/dev/null || true; done
}

containerd_config() {
	cat <<-EOT
		version = 2
		root = "$1/containerd"
		state = "/run/containerd"
		[grpc]
		  address = "$1/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "docker.io/local/pause:1"
		  # Where CAP_SYS_RESOURCE is missing, runc would end without a word.
		  restrict_oom_score_adj = true
		  stream_server_address = "127.0.0.1"
		  stream_server_port = "0"
		  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		    runtime_type = "io.containerd.runc.v2"
		    base_runtime_spec = "$1/base-spec.json"
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/opt/cni/bin"
		    conf_dir = "/etc/cni/net.d"
	EOT
}

# A container mounts a /proc of its own, in which the boot id would be the machine's, the
# same for all nodes and boots: a hook puts the node's there, as on a machine of its own.
# It runs in the container's mount namespace before its root is changed.
boot_id_hook() {
	cat >"$1/boot-id-hook" <<-EOT
		#!/bin/sh
		bundle=\$(/bin/sed 's/.*"bundle":"\([^"]*\)".*/\1/')
		exec /bin/mount --bind $1/boot_id "\$bundle/rootfs/proc/sys/kernel/random/boot_id"
	EOT
	chmod +x "$1/boot-id-hook"
	command ctr oci spec | jq --arg hook "$1/boot-id-hook" '.hooks.createContainer = [{path: $hook}]' >"$1/base-spec.json"
}

kubelet_config() {
	cat <<-EOT
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		failCgroupV1: false
		cgroupDriver: cgroupfs
		cgroupRoot: /sip-n$1
		maxPods: 250
		containerRuntimeEndpoint: unix://$RUN/n$1/containerd.sock
		authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
		authorization: {mode: AlwaysAllow}
		failSwapOn: false
		enforceNodeAllocatable: []
		nodeStatusUpdateFrequency: 4s
		resolvConf: ""
		localStorageCapacityIsolation: false
		volumePluginDir: /var/lib/kubelet/volume-plugins
		makeIPTablesUtilChains: false
		# A machine with little disk left must not lose its pods to it.
		evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
		imageGCHighThresholdPercent: 100
		registryPullQPS: 0
		serializeImagePulls: false
	EOT
}

# conflist I [FILE]: the node's CNI configuration, from a template in which @NODE@ is
# the node's number. Renamed into place: the runtime watches the folder.
conflist() {
	local folder=$RUN/n$1/net.d
	sed "s/@NODE@/$1/g" "${2:-$CNI_CONFLIST}" >"$folder/.10-podnet.new"
	mv "$folder/.10-podnet.new" "$folder/10-podnet.conflist"
}

prepare_node() {
	local dir=$RUN/n$1
	mkdir -p "$dir"/{containerd,cni,kubelet,net.d,var-lib-cni,var-log}
	cp -f --reflink=auto "$BIN"/cni/* "$dir/cni/"
	containerd_config "$dir" >"$dir/containerd.toml"
	kubelet_config "$1" >"$dir/kubelet.yaml"
	boot_id_hook "$dir"
	tr -d - </proc/sys/kernel/random/uuid >"$dir/machine_id"
	conflist "$1"
}

# The machine itself: namespaces that live as long as this process, whatever becomes
# of containerd and kubelet. A new boot id makes it a reboot for the API server.
start_machine() {
	local i=$1 dir=$RUN/n$1
	node_links "$i"
	# Bridge-plugin configurations expect the underlay as a port of this bridge.
	if grep -q '"podbr"' "$dir/net.d/10-podnet.conflist"; then
		ip -n "sip-n$i" link add podbr type bridge mcast_snooping 0
		ip -n "sip-n$i" link set eth1 master podbr
		ip -n "sip-n$i" link set podbr up
	fi
	make_group "sip-n$i"
	cat /proc/sys/kernel/random/uuid >"$dir/boot_id"
	rm -f "$dir/booted"
	# shellcheck disable=SC2016
	start "node-n$i" "sip-n$i/runtime" nsenter --net="/run/netns/sip-n$i" unshare --mount --propagation private bash -euc '
		cd "$1"
		mount -t tmpfs -o mode=755 sip-run /run
		mkdir -p /run/netns /run/lock
		mount --bind cni /opt/cni/bin
		mount --bind net.d /etc/cni/net.d
		mount --bind var-lib-cni /var/lib/cni
		mount --bind var-log /var/log
		mount --bind kubelet /var/lib/kubelet
		mount --bind boot_id /proc/sys/kernel/random/boot_id
		[ ! -e /etc/machine-id ] || mount --bind machine_id /etc/machine-id
		mount --make-rshared /
		touch booted
		exec -a "sip-node $1" sleep infinity' node "$dir"
	wait_for "node-n$i" 10 test -e "$dir/booted"
}

in_node() {
	local i=$1
	shift
	nsenter --target "$(pid_of "node-n$i")" --mount --net -- "$@"
}

start_containerd() {
	start "containerd-n$1" "sip-n$1/runtime" nsenter --target "$(pid_of "node-n$1")" --mount --net -- \
		env "PATH=$PATH" containerd -c "$RUN/n$1/containerd.toml"
}

ctr() { command ctr --address "$RUN/n$1/containerd.sock" "${@:2}"; }
containerd_ready() { wait_for "containerd-n$1" 30 ctr "$1" version; }

start_kubelet() {
	start "kubelet-n$1" "sip-n$1/runtime" nsenter --target "$(pid_of "node-n$1")" --mount --net -- \
		env "PATH=$PATH" "$BIN/kubelet" --config "$RUN/n$1/kubelet.yaml" --kubeconfig "$RUN/n$1.kubeconfig" \
		--hostname-override "n$1" --node-ip "$(node_address "$1")"
}

# What was imported once is there on a machine that takes the node's name.
load_images() {
	local i=$1 tar
	shift
	touch "$RUN/n$i/images"
	printf '%s\n' "$@" | sort -u - "$RUN/n$i/images" -o "$RUN/n$i/images"
	PART=images-n$i
	for tar; do ctr "$i" -n k8s.io images import "$tar"; done >>"$RUN/log/images-n$i.log" 2>&1
}

# shellcheck disable=SC2046
load_again() { load_images "$1" $(<"$RUN/n$1/images"); }

# sandboxes I NAMESPACE/POD: "CONTAINER-ID PID" of those of the pod that run.
sandboxes() {
	local kind='labels."io.cri-containerd.kind"==sandbox'
	kind+=",labels.\"io.kubernetes.pod.namespace\"==${2%%/*},labels.\"io.kubernetes.pod.name\"==${2##*/}"
	ctr "$1" -n k8s.io containers list -q "$kind" 2>/dev/null | grep -Ff - <(ctr "$1" -n k8s.io tasks list 2>/dev/null) |
		awk '$3 == "RUNNING" {print $1, $2}' || true
}

boot_node() {
	start_machine "$1"
	start_containerd "$1"
}

# As if the plug were pulled: no DEL, no status, nothing tidied up. What was mounted
# goes with the mount namespace, when its last process has ended.
kill_node() {
	kill_group "sip-n$1"
	drop_node_links "$1"
}
