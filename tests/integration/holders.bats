#!/usr/bin/env bats
# What etcd kept of the ledger and of the nodes is judged revision by revision (ledger_rules.py).

@test "the rules of the history fire on each wrong history, and on no right one" {
	python3 "$REPO/tests/integration/ledger_rules_test.py"
}
