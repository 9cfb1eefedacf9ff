#!/usr/bin/env bats
# Static pods: the kubelet and its runtime know them by the hash of their manifest, the API by
# another UID.

setup() {
	load lib.bash
	fresh "static$BATS_TEST_NUMBER"
}
teardown() {
	stop_all
	kubectl delete pods -n "$NS" --all --force --grace-period=0 >/dev/null 2>&1 || true
	kubectl delete nodes,staticipnodes,staticipblocks --all >/dev/null 2>&1 || true
}

# mirror: the pod as the kubelet of n1 shows it to the API server.
mirror() {
	kubectl apply -f - >/dev/null <<<"{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: $NS, annotations: {
			kubernetes.io/config.mirror: h4sh, kubernetes.io/config.hash: h4sh, kubernetes.io/config.source: file}},
		spec: {nodeName: n1, automountServiceAccountToken: false, containers: [{name: c, image: x}]}}"
}
granted_to() { [ "$(kubectl get staticipnode n1 -o json | jq -r '.spec.rows[]? | select(.state=="Granted") | .uid')" = "$1" ]; }
revoked_is() { [ "$(kubectl get staticipnode n1 -o json | jq -r '.spec.revoked[]?.uid')" = "$1" ]; }

@test "a static pod has its grant by the hash of its manifest, also when its mirror is made again" {
	kubectl apply -f - >/dev/null <<<'{apiVersion: v1, kind: Node, metadata: {name: n1}}'
	start_controller
	start_agent n1
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: p}, addresses: [{ips: [10.81.0.1/24]}]}}"
	mirror
	wait_until 20 granted_to h4sh
	kubectl delete pod -n "$NS" p --force --grace-period=0 >/dev/null 2>&1
	wait_until 20 eval '! granted_to h4sh' # the pod is gone, as far as the API knows
	mirror
	wait_until 20 granted_to h4sh
	revoked_is ''
}

revocation_says() { [ "$(kubectl get staticipnode n1 -o json | jq -c '.spec.revoked[]? | [.uid, .silence]')" = "$1" ]; }
unmirror() { kubectl delete pod -n "$NS" p --force --grace-period=0 >/dev/null 2>&1; }
released() { curl -sS --max-time 5 http://127.0.0.1:10480/metrics | python3 "$REPO/tests/integration/metrics.py" staticip_releases_total "proof=$1"; }
free() { [ "$(kubectl get staticipblocks -o json | jq '[.items[].spec.entries[]?] | length')" = 0 ]; }

@test "a static pod that came back ends as if it had never been away" {
	kubectl apply -f - >/dev/null <<<'{apiVersion: v1, kind: Node, metadata: {name: n1}}'
	start controller "$BUILD/staticip-controller" --kubeconfig="$KUBECONFIG" --tables-namespace="$TABLES" --leader-elect=false \
		--log-level=debug --health-address=127.0.0.1:10480
	start_agent n1
	kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: a, namespace: $NS},
		spec: {network: podnet, targetRef: {kind: Pod, name: p}, addresses: [{ips: [10.81.0.1/24]}]}}"
	mirror
	wait_until 20 granted_to h4sh
	# the first time its node does not answer, and somebody says that it is gone
	kill_it KILL agent-n1
	unmirror
	wait_until 20 revocation_says '["h4sh",null]'
	kubectl annotate staticipnode n1 staticip.dev/release=h4sh >/dev/null
	wait_until 20 free
	revocation_says '["h4sh",true]'
	mirror
	sleep 1
	start_agent n1
	wait_until 20 granted_to h4sh
	# the second time nobody does
	kill_it KILL agent-n1
	unmirror
	wait_until 20 revocation_says '["h4sh",null]'
	sleep 2
	revocation_says '["h4sh",null]'
	! free
	start_agent n1
	wait_until 20 free
	[ "$(released Answered) $(released Released)" = '1 1' ]
}

answered() { kubectl get staticipnode n1 -o json | jq -e '.status.answer.serial == .spec.serial'; }

@test "a pod that says it mirrors one whose UID is none does not keep its node from what others get" {
	kubectl apply -f - >/dev/null <<<'{apiVersion: v1, kind: Node, metadata: {name: n1}}'
	start_controller
	start_agent n1
	for pod in p evil; do
		kubectl apply -f - >/dev/null <<<"{apiVersion: staticip.dev/v1alpha1, kind: StaticIPAllocation, metadata: {name: $pod, namespace: $NS},
			spec: {network: podnet, targetRef: {kind: Pod, name: $pod}, addresses: [{ips: [10.81.0.${#pod}/24]}]}}"
	done
	kubectl apply -f - >/dev/null <<<"{apiVersion: v1, kind: Pod, metadata: {name: evil, namespace: $NS, annotations: {
			kubernetes.io/config.mirror: x, kubernetes.io/config.hash: 'no uid'}},
		spec: {nodeName: n1, automountServiceAccountToken: false, containers: [{name: c, image: x}]}}"
	wait_until 20 eval 'kubectl get staticipnode n1 -o json | grep -q evil'
	mirror
	wait_until 20 eval 'kubectl get staticipnode n1 -o json | grep -q h4sh'
	wait_until 20 answered
}
