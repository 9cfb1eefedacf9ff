#!/bin/bash
# Makes the two images that every node of the test cluster has, in $BUILD/images:
#   pause.tar     docker.io/local/pause:1     the sandbox of each pod
#   busybox.tar   docker.io/local/busybox:1   what the tests run in pods: sh, ip, ping, nc, wget, httpd ...
set -euo pipefail
shopt -s inherit_errexit
umask 022

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(realpath -m "${BUILD:-$HERE/../../build}")
OUT=$BUILD/images
IMAGE=$HERE/../../images/image.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

newer() { [ "$1" -nt "$2" ] && [ "$1" -nt "$IMAGE" ] && [ "$1" -nt "${BASH_SOURCE[0]}" ]; }

pause_image() {
	newer "$OUT/pause.tar" "$HERE/pause/pause.c" && return
	"${CC:-cc}" -O2 -Wall -Werror -static -s -o "$work/pause" "$HERE/pause/pause.c"
	"$IMAGE" --bare docker.io/local/pause:1 "$OUT/pause.tar" "$work/pause=/pause"
}

busybox_image() {
	local busybox applet
	busybox=$(readlink -f "$(command -v busybox)")
	newer "$OUT/busybox.tar" "$busybox" && return
	if ldd "$busybox" >/dev/null 2>&1; then
		echo "images: $busybox is not the static one (Debian package busybox-static)" >&2
		exit 1
	fi
	mkdir -p "$work/tree/bin"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$work/tree/bin/$applet"
	done
	"$IMAGE" --tree "$work/tree" --entrypoint /bin/sh docker.io/local/busybox:1 "$OUT/busybox.tar" "$busybox=/bin/busybox"
}

mkdir -p "$OUT"
pause_image
busybox_image
