#!/bin/bash
# Packs what `make` built into images: build/images/staticip-{controller,agent}.tar
#   BUILD   where the programs are (default: build)
#   TAG     the images' tag (default: the content of VERSION)
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=$(realpath -m "${BUILD:-$HERE/../build}")
TAG=${TAG:-$(cat "$HERE/../VERSION")}

for program in staticip staticip-controller staticip-agent; do
	[ -x "$BUILD/$program" ] || { echo "images: $BUILD/$program is missing; run make first" >&2; exit 1; }
done
"$HERE/image.sh" --user 65532:65532 "docker.io/staticip/controller:$TAG" "$BUILD/images/staticip-controller.tar" \
	"$BUILD/staticip-controller"
# The plugin travels with the agent, which copies it to the node.
"$HERE/image.sh" "docker.io/staticip/agent:$TAG" "$BUILD/images/staticip-agent.tar" \
	"$BUILD/staticip-agent" "$BUILD/staticip=/usr/lib/staticip/staticip"
ls -sh1 "$BUILD"/images/staticip-*.tar | sed 's/^/images: /'
