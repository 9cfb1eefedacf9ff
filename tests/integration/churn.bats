#!/usr/bin/env bats
# Everything at once, for long: simulated nodes whose pods come and go in every way, allocations that want each other's
# addresses, two controllers and three agents that are killed, stopped and cut off by turns (pods_churn.py). The
# environment may say how long and how (CHANGES, RATE, FAULTS, LEAST, LEDGER_SEED).

CHANGES=${CHANGES:-15000}
BATS_TEST_TIMEOUT=$((300 + CHANGES / 10))

setup() {
	load lib.bash
	SINCE=$(history --revision)
}
teardown() {
	stop_all
	{
		kubectl delete pods -n "$NS" --all --force --grace-period=0
		kubectl delete statefulsets -n "$NS" --all
		kubectl delete staticipblocks,staticipnodes,nodes --all
	} >/dev/null 2>&1 || true
}

@test "pods, allocations, controllers, agents and nodes come and go, and no address is in two pods" {
	fresh churn
	# the lease is short beside the faults; --leader-elect=false lets both work at once, which must be right too
	CONTROLLERS=2 CONTROLLER_OPTIONS=${CONTROLLER_OPTIONS---leader-elect-lease-duration=6 --leader-elect-renew-deadline=4 --leader-elect-retry-period=1} \
		python3 "$REPO/tests/integration/pods_churn.py" "$API" "$NS" "$TABLES" "$CHANGES" "${LEDGER_SEED:-$RANDOM}" >"$WORK/churn.log" 2>&1 || {
		cat "$WORK/churn.log"
		judged
		false
	}
	sed 's/^/# /' "$WORK/churn.log" >&3
	judged --at-rest --least "grants=$((CHANGES / 50))" --least "entries freed=$((CHANGES / 50))"
}
