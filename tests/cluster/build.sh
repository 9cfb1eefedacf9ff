#!/bin/bash
# Builds the programs of the test cluster from source into $BUILD/cluster-bin:
#   tests/cluster/build.sh [kubernetes] [etcd] [cni] [helm] [containerd2] [kwok] [cri]
# Without arguments the first four. A part is built again only when its sources,
# named by go.mod and go.sum, or its recipe below changed.
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(realpath -m "${BUILD:-$HERE/../../build}")
BIN=$BUILD/cluster-bin
KUBERNETES=1.36.3
JOBS=${JOBS:-2}

export CGO_ENABLED=0 GOWORK=off
worker=

say() { echo "cluster-bin: $*"; }

check_go() {
	local version
	command -v go >/dev/null || { say "no Go on PATH; 1.21 or newer is needed" >&2; exit 1; }
	version=$(GOTOOLCHAIN=local go env GOVERSION)
	[[ $version =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 21 ]] ||
		{ say "$version is too old; Go 1.21 or newer fetches the toolchain it needs" >&2; exit 1; }
}

gobuild() { go build -trimpath -buildvcs=false -p "$JOBS" "$@"; }

# The version is stamped, or /version and `kubectl get nodes` show none and
# charts' kubeVersion checks fail.
build_kubernetes() {
	local flags="-s -w" package name
	for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
		flags+=" -X $package.gitVersion=v$KUBERNETES -X $package.gitMajor=${KUBERNETES%%.*}"
		flags+=" -X $package.gitMinor=$(cut -d. -f2 <<<$KUBERNETES) -X $package.gitTreeState=clean"
	done
	cd "$HERE" && gobuild -ldflags "$flags" -o "$BIN/hyperkube" ./hyperkube
	for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
		ln -sfn hyperkube "$BIN/$name"
	done
}

build_etcd() { cd "$HERE" && gobuild -ldflags "-s -w" -o "$BIN/etcd" go.etcd.io/etcd/server/v3; }

build_cni() {
	local plugins=github.com/containernetworking/plugins/plugins
	cd "$HERE" && mkdir -p "$BIN/cni"
	gobuild -ldflags "-s -w -X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v1.9.1" \
		-o "$BIN/cni/" $plugins/main/{bridge,macvlan,ipvlan,vlan,ptp,tap,dummy,host-device,loopback} $plugins/ipam/{static,host-local} $plugins/meta/sbr
	gobuild -ldflags "-s -w" -o "$BIN/cnitool" github.com/containernetworking/cni/cnitool
}

# Unstamped, helm takes every cluster that it is not connected to for Kubernetes 1.20.
build_helm() {
	local flags="-s -w -X helm.sh/helm/v3/internal/version.version=v3.22.0" package
	for package in pkg/chartutil pkg/lint/rules; do
		flags+=" -X helm.sh/helm/v3/$package.k8sVersionMajor=${KUBERNETES%%.*}"
		flags+=" -X helm.sh/helm/v3/$package.k8sVersionMinor=$(cut -d. -f2 <<<$KUBERNETES)"
	done
	cd "$HERE/helm" && gobuild -ldflags "$flags" -o "$BIN/helm" helm.sh/helm/v3/cmd/helm
}

build_containerd2() {
	local cmd=github.com/containerd/containerd/v2/cmd
	cd "$HERE/containerd" && mkdir -p "$BIN/containerd2"
	gobuild -tags "no_btrfs no_devmapper no_zfs" -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=2.4.2" \
		-o "$BIN/containerd2/" $cmd/{containerd,containerd-shim-runc-v2,ctr}
}

build_kwok() { cd "$HERE" && gobuild -ldflags "-s -w" -o "$BIN/kwok" sigs.k8s.io/kwok/cmd/kwok; }

build_cri() { cd "$HERE" && gobuild -ldflags "-s -w" -o "$BIN/cri" ./cri; }

# What each part is called, and what it costs with an empty Go cache on two cores.
describe() {
	case $1 in
	kubernetes) echo "kube-apiserver and friends (about 4 minutes the first time)" ;;
	etcd) echo "etcd (about half a minute)" ;;
	cni) echo "the reference CNI plugins (about 20 s)" ;;
	helm) echo "helm (about a minute)" ;;
	containerd2) echo "containerd 2 (about a minute)" ;;
	kwok) echo "kwok (about a minute)" ;;
	cri) echo "the client of container runtimes (about 10 s)" ;;
	*) say "unknown part $1; parts are kubernetes, etcd, cni, helm, containerd2, kwok, cri" >&2; exit 2 ;;
	esac
}

made_by() {
	case $1 in
	kubernetes) echo hyperkube ;;
	cni) echo cnitool ;;
	containerd2) echo containerd2/containerd ;;
	*) echo "$1" ;;
	esac
}

fingerprint() {
	local module=$HERE
	case $1 in helm) module=$HERE/helm ;; containerd2) module=$HERE/containerd ;; esac
	{ cat "$module/go.mod" "$module/go.sum" "$HERE/hyperkube/main.go"; [ "$1" != cri ] || cat "$HERE/cri/main.go"; declare -f gobuild "build_$1"; echo "$KUBERNETES"; } | sha256sum
}

build() {
	local part=$1 what log stamp=$BIN/.$1.stamp now begin=$SECONDS last
	what=$(describe "$part")
	now=$(fingerprint "$part")
	[ -e "$BIN/$(made_by "$part")" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return
	check_go
	rm -f "$stamp"
	log=$BIN/$part.log
	say "building $what ..."
	(set -e; "build_$part") >"$log" 2>&1 &
	worker=$!
	last=$SECONDS
	while kill -0 $worker 2>/dev/null; do
		sleep 0.2
		[ $((SECONDS - last)) -lt 15 ] && continue
		last=$SECONDS
		say "  ... $((SECONDS - begin)) s"
	done
	wait $worker || { tail -n 20 "$log" >&2; say "building $part failed; all of it: $log" >&2; exit 1; }
	worker=
	echo "$now" >"$stamp"
	say "  done after $((SECONDS - begin)) s"
}

main() {
	local part
	[ $# -gt 0 ] || set -- kubernetes etcd cni helm
	for part; do describe "$part" >/dev/null; done
	mkdir -p "$BIN"
	# Two of these at once would write the same files.
	exec 9>"$BIN/.lock"
	flock -n 9 || { say "waiting for another build"; flock 9; }
	for part; do build "$part"; done
}

trap '[ -z "$worker" ] || pkill -P "$worker" || true' EXIT
trap 'exit 130' INT TERM
main "$@"
