#!/bin/bash
# Makes a container image without Docker: an archive for `ctr images import` or
# `docker load`, of one layer with the given executables and the shared libraries
# that they need. The same input gives the same bytes.
#   image.sh [options] TAG OUT.tar FILE[=/PATH]...     (PATH: /usr/bin/NAME of its own)
#   --entrypoint PATH   the program that the container runs (default: the first file)
#   --user UID[:GID]    who runs it (default: root)
#   --tree DIR          put the content of this folder into / as well
#   --bare              nothing but what is named: no /etc/passwd, no /tmp
set -euo pipefail
shopt -s inherit_errexit
umask 022

entrypoint='' user='' tree='' bare=
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

fail() { echo "image.sh: $*" >&2; exit 1; }
# Fixed order, time and owner, or the image would differ from build to build.
pack() { tar --create --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory "$@"; }
digest() { sha256sum "$1" | cut -d' ' -f1; }
quote() { local s=${1//\\/\\\\}; printf '"%s"' "${s//\"/\\\"}"; }

architecture() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# "name PATH" of each library, and "- PATH" of the ELF interpreter; nothing when static.
libraries() {
	ldd "$1" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $1, $3} $2 == "=>" && $3 == "not" {print $1, "missing"}
		$1 ~ /^\// && $2 ~ /^\(/ {print "-", $1}' || true
}

add_libraries() {
	local name path folder
	folder=$(libraries "$1" | awk '$1 == "libc.so.6" {sub("/[^/]*$", "", $2); print $2}')
	while read -r name path; do
		[ "$path" != missing ] || fail "$1 needs $name, which is not installed"
		# One folder that the loader searches without a cache file, wherever they were here.
		if [ "$name" = - ]; then name=$path; else name=$folder/$name; fi
		[ -e "$root$name" ] || install -D -m 755 "$path" "$root$name"
	done < <(libraries "$1")
}

add_file() {
	local from=${1%%=*} to=${1#*=}
	[ "$to" != "$1" ] || to=/usr/bin/$(basename "$from")
	[ -f "$from" ] || fail "no such file: $from"
	install -D -m 755 "$from" "$root$to"
	add_libraries "$from"
	[ -n "$entrypoint" ] || entrypoint=$to
}

add_basics() {
	install -d -m 755 "$root/etc"
	install -d -m 1777 "$root/tmp"
	printf '%s\n' root:x:0:0:root:/:/sbin/nologin nonroot:x:65532:65532:nonroot:/:/sbin/nologin \
		nobody:x:65534:65534:nobody:/:/sbin/nologin >"$root/etc/passwd"
	printf '%s\n' root:x:0: nonroot:x:65532: nogroup:x:65534: >"$root/etc/group"
	echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
}

archive() {
	local tag=$1 out=$2 image=$work/image layer
	mkdir -p "$image" "$(dirname "$out")"
	pack "$root" --file "$work/layer.tar" .
	layer=$(digest "$work/layer.tar")
	mv "$work/layer.tar" "$image/$layer.tar"
	printf '{"architecture":"%s","os":"linux","created":"1970-01-01T00:00:00Z","config":{"Entrypoint":[%s],"User":%s,"WorkingDir":"/","Env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"1970-01-01T00:00:00Z"}]}' \
		"$(architecture)" "$(quote "$entrypoint")" "$(quote "$user")" "$layer" >"$work/config.json"
	config=$(digest "$work/config.json").json
	mv "$work/config.json" "$image/$config"
	printf '[{"Config":"%s","RepoTags":[%s],"Layers":["%s.tar"]}]' "$config" "$(quote "$tag")" "$layer" >"$image/manifest.json"
	# Whoever loads it meanwhile gets the old archive or the new one.
	pack "$image" --file "$out.new" .
	mv "$out.new" "$out"
}

main() {
	local file tag out config
	while [[ ${1:-} == --* ]]; do
		case $1 in
		--entrypoint) entrypoint=$2; shift ;;
		--user) user=$2; shift ;;
		--tree) tree=$2; shift ;;
		--bare) bare=1 ;;
		*) fail "unknown option $1" ;;
		esac
		shift
	done
	[ $# -ge 3 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
	tag=$1 out=$2; shift 2
	install -d -m 755 "$root"
	[ -n "$bare" ] || add_basics
	[ -z "$tree" ] || cp -R --no-dereference --preserve=mode,links "$tree/." "$root/"
	for file; do add_file "$file"; done
	archive "$tag" "$out"
}

main "$@"
