# One cluster of two nodes for all end-to-end tests, with staticip as it was just
# built. REUSE=1: the cluster that is up is taken, brought up to date, and left.
# shellcheck shell=bash disable=SC1091

. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
. "$(dirname "${BASH_SOURCE[0]}")/holders.bash"
. "$(dirname "${BASH_SOURCE[0]}")/kept.bash"

namespaces_gone() { ! kubectl get namespaces -o name | grep '^namespace/e2e-'; }

setup_suite() {
	if [ -n "${REUSE:-}" ] && cluster status >/dev/null 2>&1; then
		wait_until 60 namespaces_gone
	else
		cluster up 2
	fi
	start_watcher
	"$REPO/tests/cluster/deploy.sh"
	start_kept
}

teardown_suite() {
	stop_watcher
	[ -z "${REUSE:-}" ] || return 0
	cluster down
	cluster leftovers
}
