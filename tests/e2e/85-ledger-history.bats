# What all tests before did, with real kubelets, by the history of ledger and nodes in etcd: no
# address was given twice, nor passed on without proof.

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/holders.bash"
. "$BATS_TEST_DIRNAME/history.bash"

setup() { own_namespace; }
teardown() {
	mend_nodes
	drop_namespace
}

# Goal: also alone it has a hand-over to judge, of both families.
@test "the history in etcd shows no address given twice" {
	local old
	one_on 1
	old=$(uid_of db-0)
	only_node 2
	k delete pod db-0 --wait=false >/dev/null
	another_pod db-0 "$old"
	settled_pod db-0 "$V4.40" "$V6:40"
	alone
	wait_until 30 state_is n1 "$old" ""
	history_agrees --least "entries freed=2"
}
