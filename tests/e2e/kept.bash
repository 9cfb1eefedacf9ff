# What runs from the start of the suite to its end, the backup of etcd that is made then, and a
# namespace of which the backup knows although it is deleted at once, like that of a test that has
# ended. Sourced after lib.bash and holders.bash.
# shellcheck shell=bash disable=SC2154

KEPT=kept PAST=e2e-past # namespaces
KEPT_V4=10.244.5 KEPT_V6=fd00:10:244::5
BACKUP=suite
AT_BACKUP=$RUN/at-backup # when, and who had what

kept_allocation() {
	allocation kept StatefulSet/kept <<-EOY
		addresses:
		- ips: [$KEPT_V4.40/16, "$KEPT_V6:40/64"]
		- ips: [$KEPT_V4.41/16, "$KEPT_V6:41/64"]
	EOY
}
kept_pod() { # NAME LAST-NUMBER NODE
	allocation "$1" "Pod/$1" <<<"addresses: [{ips: [$KEPT_V4.$2/16, '$KEPT_V6:$2/64']}]"
	a_pod "$1" "$3"
}

new_namespace() {
	kubectl delete namespace "$1" --ignore-not-found >/dev/null
	kubectl create namespace "$1" >/dev/null
	NS=$1 wait_until 20 k get serviceaccount default
}
# For setup_suite(), last.
start_kept() {
	local NS PATIENCE=15
	for NS in $KEPT $PAST; do new_namespace "$NS"; done
	kept_pod past 7 n1 | apply
	NS=$KEPT
	{ kept_allocation; stateful_set kept 2; } | apply
	kept_settled
	NS=$PAST settled_pod past "$KEPT_V4.7" "$KEPT_V6:7"
	make_backup
	kubectl delete namespace $PAST --wait=false >/dev/null
}
kept_settled() {
	settled_pod kept-0 "$KEPT_V4.40" "$KEPT_V6:40"
	settled_pod kept-1 "$KEPT_V4.41" "$KEPT_V6:41"
}
make_backup() {
	local pod node
	{
		date +"time %s"
		for node in 1 2; do echo "n$node $(machine $node)"; done
		for pod in kept-0 kept-1; do echo "$pod $(uid_of $pod) $(node_of $pod)"; done
		NS=$PAST
		echo "past $(uid_of past) $(node_of past)"
	} >"$AT_BACKUP"
	cluster save-etcd $BACKUP
}
# at_backup POD: "UID NODE" then; NODE: its machine id; time: when it was, in seconds.
at_backup() { sed -n "s/^$1 //p" "$AT_BACKUP"; }

# For setup_file(): tests before it gave a node to another machine. What the pods of it have, the
# former machine had, and only the operator's word frees that; they are made again.
settle_kept() {
	local NS=$KEPT pod i PATIENCE=15
	for i in 1 2; do
		[ "$(machine $i)" != "$(at_backup n$i)" ] || continue
		for pod in kept-0 kept-1; do freed_of_machine "$pod" "n$i"; done
	done
	kept_settled
}
machine() { kubectl get node "n$1" -o 'jsonpath={.status.nodeInfo.machineID}'; }
# freed_of_machine POD NODE: who holds its addresses there is released, and runs no more.
freed_of_machine() {
	local pod uid node
	read -r pod uid node <<<"$(holder "$KEPT_V4.4${1##*-}")"
	[ "$node" = "$2" ] || return 0
	if [ "$(uid_of "$1")" = "$uid" ]; then
		k delete pod "$1" >/dev/null
		another_pod "$1" "$uid"
	fi
	kubectl annotate --overwrite staticipnode "$2" "staticip.dev/release=$uid" >/dev/null
	wait_until 40 held_by_another "$KEPT_V4.4${1##*-}" "$uid"
}
held_by_another() { lacks "who holds $1" "$(holder "$1")" "$2"; }
