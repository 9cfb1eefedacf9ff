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
	local pod
	{
		date +"time %s"
		for pod in kept-0 kept-1; do echo "$pod $(uid_of $pod) $(node_of $pod)"; done
		NS=$PAST
		echo "past $(uid_of past) $(node_of past)"
	} >"$AT_BACKUP"
	cluster save-etcd $BACKUP
}
# at_backup POD: "UID NODE" then; at_backup time: when it was, in seconds.
at_backup() { sed -n "s/^$1 //p" "$AT_BACKUP"; }

# For setup_file(): tests that deleted Nodes may have left a pod of it waiting for what a former
# one had on a machine that never comes back; the operator's word frees it.
settle_kept() {
	local NS=$KEPT pod uid node PATIENCE=15
	for pod in kept-0 kept-1; do
		running $pod 10 2>/dev/null && continue
		read -r _ uid node <<<"$(holder "$KEPT_V4.4${pod##*-}")"
		[ -z "$uid" ] || [ "$uid" = "$(uid_of $pod)" ] || kubectl annotate --overwrite staticipnode "$node" "staticip.dev/release=$uid" >/dev/null
	done
	kept_settled
}
