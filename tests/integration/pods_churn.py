#!/usr/bin/env python3
"""pods_churn.py API NAMESPACE TABLES SECONDS SEED: three simulated nodes (pods.py), controllers
and agents, as real processes; StatefulSets whose pods come and go in every way, allocations that want
each other's addresses, and nobody of the system who lives long. Then everything must settle: each
pod that is there has its addresses, and only it.

Environment: BUILD, WORK, KUBECONFIG; CONTROLLERS (1) how many; CHANGES (50) for each second; FAULTS: which of
kill, stop, reboot, release (these) and lost (a person deletes blocks and StaticIPNodes) or none;
CONTROLLER_OPTIONS: more of them. Prints what came of it; fails with what is wrong."""
import json
import os
import random
import signal
import sys
import threading
import time

from pods import NETWORK, TERMINAL, Cluster, pod_path
from pods_api import MERGE, SIP

SETS, REPLICAS = 12, 3
NODES = ("n1", "n2", "n3")


class Slot:
    """One ordinal of a StatefulSet: at most one pod is there under its name."""

    def __init__(self, number, ordinal):
        self.set, self.ordinal, self.number = f"s{number}", ordinal, REPLICAS * number + ordinal
        self.name, self.lock = f"s{number}-{ordinal}", threading.Lock()


class Churn:
    def __init__(self, cluster, namespace, seed):
        self.cluster, self.api, self.namespace = cluster, cluster.api, namespace
        self.rng, self.ended = random.Random(seed), threading.Event()
        self.slots = [Slot(n, o) for n in range(SETS) for o in range(REPLICAS)]
        self.set_uids, self.pods, self.controllers = {}, {}, {}
        self.faults = os.environ.get("FAULTS", "kill stop reboot release").split()
        self.lose_at = time.monotonic() + 5

    # ---- what is declared ---------------------------------------------------
    def allocation(self, number, addresses):
        entries = [{"ips": [f"10.77.0.{a}/24", f"fd77::{a:x}/64"]} for a in addresses]
        return {"apiVersion": "staticip.dev/v1alpha1", "kind": "StaticIPAllocation", "metadata": {"name": f"s{number}"},
                "spec": {"network": NETWORK, "targetRef": {"kind": "StatefulSet", "name": f"s{number}"}, "addresses": entries}}

    def home(self, number):
        """The addresses that no other set has when all is at rest."""
        return [10 + REPLICAS * number + o for o in range(REPLICAS)]

    def path(self, number=None):
        return f"{SIP}/namespaces/{self.namespace}/staticipallocations" + ("" if number is None else f"/s{number}")

    def declare(self, number, addresses):
        body = self.allocation(number, addresses)
        if self.api.call("POST", self.path(), body)[0] == 409:
            self.api.call("PATCH", self.path(number), {"spec": body["spec"]}, MERGE)

    def make_sets(self):
        for n in range(SETS):
            labels = {"app": f"s{n}"}
            body = {"metadata": {"name": f"s{n}"}, "spec": {"replicas": REPLICAS, "serviceName": f"s{n}", "selector": {"matchLabels": labels}, "template":
                    {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none"}]}}}}
            made = self.api.must("POST", f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets", body)
            self.set_uids[f"s{n}"] = made["metadata"]["uid"]
            self.declare(n, self.home(n))

    # ---- what happens to a pod ----------------------------------------------
    def create(self, slot):
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": slot.set, "uid": self.set_uids[slot.set], "controller": True}
        labels = {"app": slot.set, "apps.kubernetes.io/pod-index": str(slot.ordinal), "statefulset.kubernetes.io/pod-name": slot.name}
        body = {"metadata": {"name": slot.name, "labels": labels, "ownerReferences": [owner]},
                "spec": {"containers": [{"name": "c", "image": "none"}], "automountServiceAccountToken": False}}
        status, pod = self.api.call("POST", f"/api/v1/namespaces/{self.namespace}/pods", body)
        return pod if status == 201 else None

    def bind(self, pod):
        target = {"apiVersion": "v1", "kind": "Node", "name": self.rng.choice(NODES)}
        self.api.call("POST", pod_path(pod) + "/binding", {"metadata": {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}, "target": target})

    def delete(self, pod, grace):
        self.api.call("DELETE", pod_path(pod), {"gracePeriodSeconds": grace, "preconditions": {"uid": pod["metadata"]["uid"]}})

    def complete(self, pod):
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"phase": self.rng.choice(TERMINAL)}}
        self.api.call("PATCH", pod_path(pod) + "/status", body, MERGE)

    def release(self, pod):
        """A person's word that it is gone, though its sandbox may be there."""
        uid, node = pod["metadata"]["uid"], pod["spec"]["nodeName"]
        worker = self.cluster.nodes[node].workers.get(uid)
        if worker:
            worker.late_s = 1e9
        self.cluster.watcher.asserted.add(uid)
        self.delete(pod, 0)
        patch = {"metadata": {"annotations": {"staticip.dev/release": uid}}}
        self.api.call("PATCH", f"{SIP}/staticipnodes/{node}", patch, MERGE)

    def restart_sandbox(self, pod):
        worker = self.cluster.nodes[pod["spec"]["nodeName"]].workers.get(pod["metadata"]["uid"])
        if worker:
            worker.asked = "sandbox"
            worker.wake.set()

    def act(self, slot):
        """One change; its name. None: it is left in peace."""
        pod = self.pods.get(slot.name)
        if pod is None:
            pod = self.create(slot)
            if pod and self.rng.random() < 0.9:
                self.bind(pod)
            return "create"
        phase, dice = pod.get("status", {}).get("phase"), self.rng.random()
        if not pod["spec"].get("nodeName"):
            self.bind(pod) if dice < 0.7 else self.delete(pod, 0)
            return "bind"
        if phase == "Pending" and dice < 0.7:
            return None  # what never runs hands nothing over
        if phase in TERMINAL or dice < 0.35:
            self.delete(pod, 30)
            return "delete"
        if dice < 0.55:
            self.delete(pod, 0)
            return "force-delete"
        if dice < 0.65:
            self.complete(pod)
            return "complete"
        if dice < 0.68 and "release" in self.faults:
            self.release(pod)
            return "release"
        self.restart_sandbox(pod)
        return "sandbox"

    def edit(self):
        number, dice = self.rng.randrange(SETS), self.rng.random()
        if dice < 0.2:
            self.api.call("DELETE", self.path(number))
        elif dice < 0.8:
            self.declare(number, self.home(number))
        else:
            self.declare(number, self.rng.sample(range(10, 10 + SETS * REPLICAS), REPLICAS))
        return "allocation"

    def lose(self):
        """A person deletes blocks, all or some, or a StaticIPNode."""
        kind = self.rng.choice(["staticipblocks", "staticipblocks", "staticipnodes"])
        names = [o["metadata"]["name"] for o in self.objects(f"{SIP}/{kind}")]
        for name in names if self.rng.random() < 0.5 else names[:1]:
            self.api.call("DELETE", f"{SIP}/{kind}/{name}")
        self.cluster.count("losses")

    def change_loop(self, pause_s):
        while not self.ended.wait(pause_s * self.rng.uniform(0.5, 1.5)):
            if "lost" in self.faults and time.monotonic() > self.lose_at:
                self.lose_at = time.monotonic() + 7
                self.lose()
            elif self.rng.random() < 0.04:
                self.cluster.count(self.edit())
            else:
                self.change_some()

    def change_some(self):
        """One change, of a pod that is not left in peace."""
        for slot in self.rng.sample(self.slots, 8):
            if not slot.lock.acquire(blocking=False):
                continue
            try:
                what = self.act(slot)
            finally:
                slot.lock.release()
            if what:
                self.cluster.count(what)
                return

    # ---- what happens to us -------------------------------------------------
    def start_controller(self, name):
        command = [self.cluster.build + "/staticip-controller", "--kubeconfig=" + self.cluster.kubeconfig,
                   "--tables-namespace=" + self.cluster.tables, "--log-level=debug", *os.environ.get("CONTROLLER_OPTIONS", "").split()]
        self.controllers[name] = self.cluster.spawn(name, command)

    def stop_a_while(self, process):
        process.send_signal(signal.SIGSTOP)
        self.ended.wait(self.rng.choice([0.1, 0.5, 2, 4]))
        process.send_signal(signal.SIGCONT)
        self.cluster.count("stops")

    def kill(self, process, again):
        process.kill()
        process.wait()
        self.ended.wait(self.rng.choice([0, 0, 1]))
        again()
        self.cluster.count("kills")

    def fault_loop(self, targets):
        """targets: (process, start again) of one of many, chosen anew each time."""
        while not self.ended.wait(self.rng.uniform(1, 4)):
            process, again = targets()
            if "stop" in self.faults and self.rng.random() < 0.4:
                self.stop_a_while(process)
            elif "kill" in self.faults:
                self.kill(process, again)

    def some_controller(self):
        name = self.rng.choice(sorted(self.controllers))
        return self.controllers[name], lambda: self.start_controller(name)

    def some_agent(self):
        node = self.cluster.nodes[self.rng.choice(NODES)]
        if "reboot" in self.faults and self.rng.random() < 0.1:
            node.reboot()
            self.cluster.count("reboots")
        return node.agent, node.start_agent

    def follow_pods(self):
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        for kind, found in self.api.watch(path, "limit=0", self.cluster.ended):
            if kind == "LIST":
                self.pods = {p["metadata"]["name"]: p for p in found}
            elif kind == "DELETED":
                self.pods.pop(found["metadata"]["name"], None)
            else:
                self.pods[found["metadata"]["name"]] = found

    # ---- at rest ------------------------------------------------------------
    def objects(self, path):
        return self.api.must("GET", path)["items"]

    def not_yet_silent(self):
        """Sandboxes that have an address of another pod although all nodes can be reached: then not
        even a person's word lets two pods have it."""
        users, found = {}, []
        for node in self.cluster.nodes.values():
            for sandbox in list(node.sandboxes):
                for address in sandbox.live():
                    users.setdefault(address, []).append(sandbox)
        for address, several in users.items():
            if len({s.uid for s in several}) > 1:
                found.append(f"{address} is in {' and in '.join(map(str, several))}")
        return "; ".join(found)

    def not_yet_empty(self):
        """What is still there when all pods were deleted; "" when nothing is."""
        entries = [e for b in self.objects(SIP + "/staticipblocks") for e in b["spec"].get("entries") or []]
        nodes = [(n["metadata"]["name"], n["spec"].get("rows"), n["spec"].get("revoked"), (n.get("status") or {}).get("answer"))
                 for n in self.objects(SIP + "/staticipnodes") if n["spec"].get("rows") or n["spec"].get("revoked")]
        for pod in list(self.pods.values()):
            self.delete(pod, 30 if pod["spec"].get("nodeName") else 0)
        sandboxes = [str(s) for n in self.cluster.nodes.values() for s in n.sandboxes]
        found = {"pods": sorted(self.pods), "entries": entries, "nodes": nodes, "sandboxes": sandboxes}
        return "" if not any(found.values()) else json.dumps(found)

    def not_yet_whole(self):
        """How what is there differs from what all pods should have; "" when it does not."""
        live = {}
        for node in self.cluster.nodes.values():
            for sandbox in list(node.sandboxes):
                live[sandbox.pod] = sorted(sandbox.live())
        wanted = {s.name: sorted([f"10.77.0.{10 + s.number}", f"fd77::{10 + s.number:x}"]) for s in self.slots}
        if live != wanted:
            words = {w.pod["metadata"]["name"]: w.words for n in self.cluster.nodes.values() for w in list(n.workers.values()) if not w.sandbox}
            return "addresses: " + json.dumps({k: (wanted.get(k), live.get(k), words.get(k)) for k in set(live) | set(wanted) if live.get(k) != wanted.get(k)})
        uids = {p["metadata"]["uid"]: p["spec"]["nodeName"] for p in self.pods.values()}
        held = {(e["uid"], e.get("node"), e["address"]) for b in self.objects(SIP + "/staticipblocks") for e in b["spec"].get("entries") or []}
        should = {(p["metadata"]["uid"], uids[p["metadata"]["uid"]], a) for p in self.pods.values() for a in wanted[p["metadata"]["name"]]}
        return "" if held == should else f"ledger: too much {sorted(held - should)}, too little {sorted(should - held)}"

    def must_become(self, what, look, seconds):
        """"" as soon as look() finds nothing, else what is still wrong."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            words = look()
            if not words:
                return ""
            time.sleep(0.3)
        return f"not {what} in {seconds} s: {words[:6000]}"

    def settle(self):
        wrong = self.must_become("silent", self.not_yet_silent, 30)
        if wrong:
            return wrong
        self.cluster.no_more_late.set()
        for n in range(SETS):
            self.declare(n, self.home(n))
        wrong = self.must_become("empty", self.not_yet_empty, 90)
        if wrong:
            return wrong
        for slot in self.slots:
            self.bind(self.create(slot))
        return self.must_become("whole", self.not_yet_whole, 60)

    def run(self, seconds, rate):
        threads = [threading.Thread(target=self.cluster.guarded(self.change_loop), args=(6 / rate,)) for _ in range(6)]
        threads += [threading.Thread(target=self.cluster.guarded(self.fault_loop), args=(t,)) for t in (self.some_controller, self.some_agent) if self.faults != ["none"]]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.2)
            self.cluster.watcher.sweep()
        self.ended.set()
        for thread in threads:
            thread.join()


def main():
    url, namespace, tables, seconds, seed = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
    cluster = Cluster(url, os.environ["KUBECONFIG"], tables, os.environ["BUILD"], os.environ["WORK"], random.Random(seed + 1))
    churn = Churn(cluster, namespace, seed)
    churn.make_sets()
    for n in range(int(os.environ.get("CONTROLLERS", "1"))):
        churn.start_controller(f"controller{n}")
    for name in NODES:
        cluster.add_node(name)
    threading.Thread(target=cluster.guarded(churn.follow_pods), daemon=True).start()
    churn.run(seconds, float(os.environ.get("CHANGES", "50")))
    wrong = [churn.settle()] + cluster.watcher.wrong + cluster.faults
    wrong = [w for w in wrong if w]
    print("churn: " + ", ".join(f"{n} {what}" for what, n in sorted(cluster.counts.items()))
          + f"; {cluster.watcher.gains} gains of addresses looked at, {cluster.watcher.looks} sweeps")
    print("\n".join(wrong[:30]))
    cluster.ended.set()
    for process in [*churn.controllers.values(), *(n.agent for n in cluster.nodes.values())]:
        process.kill()
    os._exit(bool(wrong))  # the workers' threads wait for nothing any more


main()
