# What `helm install` makes: running programs with the least rights, the plugin on each
# node, and tables that equal the ConfigMaps.

. "$BATS_TEST_DIRNAME/lib.bash"

setup() { own_namespace; }
teardown() { drop_namespace; }

agent_account=system:serviceaccount:$SYSTEM:staticip-agent
controller_account=system:serviceaccount:$SYSTEM:staticip-controller

@test "helm installed it, and controller and agents are ready" {
	equal "helm's status" "$(helm status staticip -n $SYSTEM -o json | jq -r .info.status)" deployed
	system_ready
	equal "controllers" "$(system_pods controller | wc -l)" 2
	equal "nodes with a controller" "$(kubectl -n $SYSTEM get pods -l app.kubernetes.io/component=controller -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | xargs)" "n1 n2"
	contains "who has the lease" "$(kubectl -n $TABLES get lease staticip-controller -o 'jsonpath={.spec.holderIdentity}')" '^[^ ]+_[0-9a-f]{16}$'
	equal "nodes with an agent" "$(kubectl -n $SYSTEM get pods -l app.kubernetes.io/component=agent -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort | xargs)" "n1 n2"
	equal "containers with root rights beyond their user" "$(kubectl -n $SYSTEM get pods -o json |
		jq -r '.items[].spec.containers[].securityContext | select(.privileged or .allowPrivilegeEscalation or .capabilities.drop != ["ALL"])')" ""
}

@test "the plugin is on each node as it was built" {
	local i plugin
	for i in 1 2; do
		plugin=$RUN/n$i/cni/staticip
		cmp "$BUILD/staticip" "$plugin"
		equal "mode of the plugin on n$i" "$(stat -c %a "$plugin")" 755
		equal "what it says" "$(in_node "$i" /opt/cni/bin/staticip --version 2>&1 | head -n 1)" "$("$BUILD/staticip" --version 2>&1 | head -n 1)"
		equal "temporary files beside it" "$(ls -A "$RUN/n$i/cni" | grep -v '^[a-z-]*$')" ""
	done
}

# Goal: a missing or foreign plugin is put back. The agent looks each minute, and when it starts.
@test "a plugin that was taken away is back when the agent starts" {
	local agent
	agent=$(kubectl -n $SYSTEM get pods -l app.kubernetes.io/component=agent --field-selector spec.nodeName=n2 -o name)
	rm "$RUN/n2/cni/staticip"
	kubectl -n $SYSTEM delete "$agent" >/dev/null
	system_ready
	cmp "$BUILD/staticip" "$RUN/n2/cni/staticip"
}

# probed COMPONENT: "STARTED READY RESTARTS PATHS" of its pods: what became of the probes, and what they ask.
probed() {
	kubectl -n $SYSTEM get pods -l "app.kubernetes.io/component=$1" -o json | jq -r '.items[] | .status.containerStatuses[0] as $s
		| .spec.containers[0] as $c | "\($s.started) \($s.ready) \($s.restartCount) \($c | [.livenessProbe, .readinessProbe, .startupProbe] | map(.httpGet.path) | join(" "))"' | sort -u
}

# Goal: what the kubelet asks is answered, on the node itself and nowhere else.
@test "the kubelet's probes are answered, and metrics are off" {
	local component port i wanted
	system_ready
	for component in controller agent; do
		equal "pods of the $component" "$(probed $component)" "true true 0 /livez /readyz /livez"
	done
	for i in 1 2; do
		wanted="127.0.0.1:10470 127.0.0.1:10472" # a controller and an agent on each
		for port in $(grep -oE '[0-9]+( |$)' <<<"$wanted"); do
			contains "/readyz at $port of n$i" "$(in_node "$i" busybox wget -q -O - "http://127.0.0.1:$port/readyz?verbose")" 'readyz check passed$'
			contains "/metrics at $port of n$i" "$(in_node "$i" busybox wget -q -O - "http://127.0.0.1:$port/metrics")" 'staticip_build_info'
		done
		equal "who listens on n$i" "$(listening "$i" | grep -E ':1047[0-9]$' | sort | xargs)" "$wanted"
	done
}
listening() { in_node "$1" ss -Hltn | awk '{print $4}'; }

tables_equal() {
	local i bucket text
	for bucket in $(seq 0 $((BUCKETS - 1))); do
		text=$(jq -er --arg name "table-$BUCKETS-$bucket" '.items[] | select(.metadata.name == $name) | .data.table' <<<"$1")
		for i in 1 2; do equal "bucket $bucket on node n$i" "$(<"$(folder "$i")/table/$BUCKETS/$bucket")" "$text" || return 1; done
	done
}

@test "the tables on each node equal the ConfigMaps, and are whole" {
	local maps i
	allocation db StatefulSet/db <<<"addressRanges: [$V4.1-$V4.40/16, '$V6:1-$V6:28/64']" | apply
	wait_rows db-39 "$V4.40/16,$V6:28/64"
	alone
	maps=$(kubectl -n $TABLES get configmaps -l staticip.dev/buckets -o json)
	equal "number of ConfigMaps" "$(jq '.items | length' <<<"$maps")" $BUCKETS
	tables_equal "$maps"
	for i in 1 2; do
		equal "table/live on n$i" "$(readlink "$(folder "$i")/table/live")" $BUCKETS
		equal "rows on n$i" "$(rows "$i" | wc -l)" 40
		equal "temporary files on n$i" "$(ls -A "$(folder "$i")/table/$BUCKETS" | grep -vxE '[0-9]+')" ""
	done
}

@test "the agent's folder is on tmpfs, for root to write and for all to read" {
	local i
	for i in 1 2; do
		equal "file system on n$i" "$(in_node "$i" stat -f -c %T /run/staticip)" tmpfs
		equal "owner and mode of a table on n$i" "$(stat -c '%U %a' "$(folder "$i")/table/$BUCKETS/0")" "root 644"
	done
}

# Goal: an agent that sees its container only must not call a namespace gone; this one sees
# the node, with no more rights than that takes.
@test "the agents see the processes and the network namespaces of their nodes" {
	local agent i log
	for i in 1 2; do
		agent=$(kubectl -n $SYSTEM get pods -l app.kubernetes.io/component=agent --field-selector "spec.nodeName=n$i" -o name)
		log=$(kubectl -n $SYSTEM logs "$agent")
		equal "started on n$i" "$(grep -c ' info started: version' <<<"$log")" 1
		equal "what the agent of n$i does not see" "$(grep 'are not ended' <<<"$log" || true)" ""
	done
	equal "capabilities" "$(kubectl -n $SYSTEM get daemonset staticip-agent -o json | jq -c '.spec.template.spec.containers[].securityContext.capabilities.add')" '["NET_ADMIN","SYS_ADMIN","SYS_PTRACE"]'
}

# may ACCOUNT YES-OR-NO VERB RESOURCE[/SUBRESOURCE] [NAMESPACE]
may() {
	local sub=
	[[ $4 != */* ]] || sub=${4#*/}
	equal "$1 may $3 $4 in ${5:-default}" \
		"$(kubectl auth can-i "$3" "${4%%/*}" --subresource="$sub" --as "$1" -n "${5:-default}" 2>/dev/null || true)" "$2"
}

# may_named ACCOUNT YES-OR-NO VERB RESOURCE/NAME NAMESPACE
may_named() {
	equal "$1 may $3 $4 in $5" "$(kubectl auth can-i "$3" "$4" --as "$1" -n "$5" 2>/dev/null || true)" "$2"
}

# Goal: who takes an agent over can read tables and write events, and nothing else.
@test "the agent may read tables and write events, and no more" {
	local verb
	for verb in get list watch; do may $agent_account yes $verb configmaps $TABLES; done
	for verb in create update patch delete; do may $agent_account no $verb configmaps $TABLES; done
	may $agent_account no get configmaps kube-system
	may $agent_account no get secrets $TABLES
	may $agent_account no list secrets
	may $agent_account no get pods
	may $agent_account no list nodes
	may $agent_account no get staticipallocations.staticip.dev
	may $agent_account no update staticipnodes.staticip.dev
	may $agent_account no create staticipnodes.staticip.dev
	may $agent_account yes patch staticipnodes.staticip.dev/status
	may $agent_account yes create events.events.k8s.io $TABLES
	may $agent_account no create pods $SYSTEM
}

# Goal: one node must not be able to release the addresses of another's pods.
@test "an agent may answer for its own node, and for no other" {
	local pod token name
	pod=$(kubectl get pods -n $SYSTEM -l app.kubernetes.io/component=agent -o json |
		jq -r '[.items[] | select(.spec.nodeName == "n1")][0].metadata.name')
	token=$(kubectl create token -n $SYSTEM staticip-agent --bound-object-kind Pod --bound-object-name "$pod")
	for name in n1 n2; do
		wait_until 10 bash -c "kubectl get staticipnode $name -o json | jq -e '.status.answer.serial >= 0'"
	done
	as_agent() { curl -s -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}' --cacert "$RUN/pki/ca.crt" -X PATCH -H "Authorization: Bearer $token" \
		-H 'Content-Type: application/merge-patch+json' -d '{"status": {"version": "tried"}}' \
		"$(kubectl config view --minify -o jsonpath='{.clusters[0].cluster.server}')/apis/staticip.dev/v1alpha1/staticipnodes/$1"; }
	equal "its own status" "$(as_agent n1/status)" 200
	equal "another's status" "$(as_agent n2/status)" 403
	grep -q 'the agent of node n1 may not answer for node n2' "$BATS_TEST_TMPDIR/answer"
	equal "its own spec" "$(as_agent n1)" 403
}

# Goal: the controller writes tables, status, events and its Lease, and nothing else.
@test "the controller may write tables, statuses and events, and no more" {
	local verb
	for verb in create update patch delete; do may $controller_account no $verb pods; done
	may $controller_account yes list pods
	may $controller_account no update statefulsets.apps
	may $controller_account no update staticipallocations.staticip.dev
	may $controller_account no delete staticipallocations.staticip.dev
	may $controller_account yes patch staticipallocations.staticip.dev/status
	may $controller_account yes update configmaps $TABLES
	may $controller_account no delete configmaps $TABLES
	may $controller_account no get configmaps kube-system
	may $controller_account no get secrets $TABLES
	may $controller_account no list secrets
	may $controller_account no create pods/exec
	may $controller_account yes create leases.coordination.k8s.io $TABLES
	for verb in get update; do
		may_named $controller_account yes $verb leases.coordination.k8s.io/staticip-controller $TABLES
		may_named $controller_account no $verb leases.coordination.k8s.io/other $TABLES
		may_named $controller_account no $verb leases.coordination.k8s.io/staticip-controller kube-system
	done
	may_named $controller_account no delete leases.coordination.k8s.io/staticip-controller $TABLES
}

# Goal: an upgrade without a change is none.
@test "helm upgrade with nothing changed restarts nothing" {
	local before
	before=$(system_pods controller; system_pods agent)
	helm upgrade staticip "$REPO/helm/staticip" -n $SYSTEM -f "$RUN/values.yaml" --wait --timeout 60s >/dev/null
	system_ready
	equal "pods" "$(system_pods controller; system_pods agent)" "$before"
}
