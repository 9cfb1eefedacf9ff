#!/bin/bash
# Installs the Debian packages that the named groups need and that are missing:
#   tests/deps.sh [build] [test] [cluster]      (all three without arguments)
# Without root it names what is missing and how to get it, and fails.
set -euo pipefail
shopt -s inherit_errexit

BUILD_PACKAGES=(pkg-config libcurl4-openssl-dev libjson-c-dev libev-dev libnl-3-dev libyaml-dev libmicrohttpd-dev)
TEST_PACKAGES=(libcmocka-dev clang libclang-rt-14-dev llvm bats jq python3 python3-prometheus-client curl iproute2 iputils-ping nftables openssl procps iptables strace valgrind
	containernetworking-plugins spin)
CLUSTER_PACKAGES=(containerd runc nftables iproute2 busybox-static openssl procps jq util-linux kmod curl)

say() { echo "deps: $*" >&2; }

wanted() {
	local group
	for group; do
		case $group in
		build) printf '%s\n' "${BUILD_PACKAGES[@]}" ;;
		test) printf '%s\n' "${TEST_PACKAGES[@]}" ;;
		cluster) printf '%s\n' "${CLUSTER_PACKAGES[@]}" ;;
		*) say "unknown group $group; groups are build, test, cluster"; exit 2 ;;
		esac
	done
}

# One dpkg-query for all: it fails when it does not know one, which is no error here.
missing() {
	local all
	all=$(wanted "$@" | sort -u)
	# shellcheck disable=SC2086
	comm -23 <(echo "$all") \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $all 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

install_packages() {
	local log
	log=$(mktemp)
	# shellcheck disable=SC2064
	trap "rm -f '$log'" EXIT
	say "installing $*"
	export DEBIAN_FRONTEND=noninteractive
	# A lock that another installation holds is waited for, not an error.
	if ! { apt-get -qq update && apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		say "apt-get failed; by hand: apt-get update && apt-get install --no-install-recommends $*"
		exit 1
	fi
}

# The nodes run containerds of their own. A machine that had none before does not
# get a service out of this: what the package started or enabled is put back.
no_containerd_service() {
	[ -d /run/systemd/system ] || return 0
	systemctl --quiet disable --now containerd.service 2>/dev/null || say "containerd.service could not be stopped"
}

main() {
	local lack
	[ $# -gt 0 ] || set -- build test cluster
	lack=$(missing "$@")
	[ -n "$lack" ] || return 0
	mapfile -t lack <<<"$lack"
	if [ "$(id -u)" != 0 ]; then
		say "missing: ${lack[*]}"
		say "as root: apt-get update && apt-get install --no-install-recommends ${lack[*]}"
		exit 1
	fi
	install_packages "${lack[@]}"
	case " ${lack[*]} " in *" containerd "*) no_containerd_service ;; esac
}

main "$@"
