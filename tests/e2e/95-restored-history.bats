# After etcd was restored (90-restore.bats): what the history shows from then on. Behind what was
# lost nothing can be proven by it, so it is judged by what holds without proofs: no address has two
# entries (J1) or is granted to two pods, or to one that has no entry (J3), and no epoch comes back (J4).

. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/history.bash"

setup() { own_namespace; }
teardown() { drop_namespace; }

@test "after the restore the history in etcd shows no address given to two" {
	[ -e "$RESTORED" ] || skip "etcd was not restored"
	history_agrees --only J1,J3,J4
}
