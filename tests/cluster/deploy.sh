#!/bin/bash
# Installs staticip as it was just built on the cluster that is up, as a user would:
# images into the nodes, then the chart. Called again it brings what has changed.
#   tests/cluster/deploy.sh [helm arguments, e.g. --set tables.buckets=1]
#   BUILD   where the programs are (build)      RUN, BIN   as in cluster.sh
#   WAIT    how long the pods may take (60s)
set -euo pipefail
shopt -s inherit_errexit

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(realpath "$HERE/../..")
BUILD=$(realpath -m "${BUILD:-$REPO/build}")
RUN=$(realpath -m "${RUN:-$REPO/build/cluster}")
BIN=$(realpath -m "${BIN:-$REPO/build/cluster-bin}")
WAIT=${WAIT:-60s}
export BUILD RUN BIN KUBECONFIG=$RUN/admin.kubeconfig

[ -e "$KUBECONFIG" ] || { echo "deploy: no cluster in $RUN (make cluster)" >&2; exit 1; }

kubectl() { "$BIN/kubectl" --namespace staticip-system "$@"; }
say() { echo "deploy: $*"; }
digest() { sha256sum "$BUILD/images/staticip-$1.tar" | cut -c1-16; }

# The tag stays while the content changes: the digest tells the pods apart, so that
# exactly those are replaced whose image is another.
values() {
	local part common
	for part in controller agent; do
		common="podAnnotations: {staticip.dev/image: \"$(digest $part)\"}, image: {tag: \"$(cat "$REPO/VERSION")\"}"
		[ $part = controller ] || common+=', maxUnavailable: 100%'
		echo "$part: {$common}"
	done
}

# helm installs CRDs with the first installation only.
update_crds() {
	! "$BIN/helm" status staticip -n staticip-system >/dev/null 2>&1 ||
		kubectl apply --server-side --force-conflicts -f "$REPO/crds" >/dev/null
}

explain() {
	say "not running; this is what the cluster says:" >&2
	{
		kubectl get pods -o wide
		kubectl get events --sort-by .lastTimestamp | tail -n 15
		kubectl logs -l app.kubernetes.io/part-of=staticip --prefix --tail 20
		kubectl logs -l app.kubernetes.io/part-of=staticip --prefix --tail 20 --previous
	} >&2 2>/dev/null || true
	exit 1
}

"$REPO/images/build.sh"
"$HERE/cluster.sh" load "$BUILD/images/staticip-controller.tar" "$BUILD/images/staticip-agent.tar"
update_crds
values >"$RUN/values.yaml"
"$BIN/helm" upgrade --install staticip "$REPO/helm/staticip" -n staticip-system --create-namespace \
	--wait --timeout "$WAIT" -f "$RUN/values.yaml" "$@" >"$RUN/log/helm.log" 2>&1 ||
	{ cat "$RUN/log/helm.log" >&2; explain; }
# helm --wait is content when all but maxUnavailable agents are ready.
kubectl rollout status --timeout "$WAIT" deployment/staticip-controller daemonset/staticip-agent >/dev/null || explain
say "staticip $(cat "$REPO/VERSION") runs; $(grep '^REVISION' "$RUN/log/helm.log" | tr '[:upper:]' '[:lower:]')"
