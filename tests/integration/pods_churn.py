#!/usr/bin/env python3
"""pods_churn.py API NAMESPACE TABLES CHANGES SEED: three simulated nodes (pods.py), controllers
and agents, as real processes; StatefulSets whose pods come and go in every way, allocations that want
each other's addresses, and nobody of the system who lives long (pods_faults.py). Then everything must
settle: each pod that is there has its addresses, and only it (pods_rest.py).

A change is a write that the API server took, of a person, a kubelet or another controller, of a pod, an
allocation or a StatefulSet. The run begins when all pods have their addresses, and is over after CHANGES of
them, at RATE for each second or as many as the machine can bear, and LEAST faults of each kind.

Environment: BUILD, WORK, KUBECONFIG; CONTROLLERS (1) how many; RATE (50); FAULTS: which of kill, stop, cut,
reboot, release (these) and lost (a person deletes blocks and StaticIPNodes) or none; LEAST (CHANGES / 1250);
CONTROLLER_OPTIONS: more of them. Prints what came of it; fails with what is wrong."""
import os
import random
import sys
import threading
import time

from pods import NETWORK, TERMINAL, Cluster, pod_path
from pods_api import MERGE, SIP
from pods_faults import WORDS, Faults, Leader, Target, Wires
from pods_rest import Rest
from pods_watch import Outside

SETS, REPLICAS, FIRST = 40, 3, 10
RESTLESS = 12  # the allocations of so many sets are edited most
EDITS = 0.4  # of all acts
THREADS = 8
NODES = ("n1", "n2", "n3")
PREFIXES = ("10.77.0.0/24", "fd77::/64")
SLOWEST = 4  # so many times longer than by RATE may a run take


class Slot:
    """One ordinal of a StatefulSet: at most one pod is there under its name."""

    def __init__(self, number, ordinal):
        self.set, self.ordinal, self.number = f"s{number}", ordinal, REPLICAS * number + ordinal
        self.name, self.lock = f"s{number}-{ordinal}", threading.Lock()


class Churn:
    def __init__(self, cluster, namespace, changes, seed):
        self.cluster, self.namespace, self.changes = cluster, namespace, changes
        self.rng, self.ended = random.Random(seed), threading.Event()
        self.rate = float(os.environ.get("RATE", "50"))
        self.slots = [Slot(n, o) for n in range(SETS) for o in range(REPLICAS)]
        self.set_uids, self.pods, self.controllers = {}, {}, {}
        self.scales, self.declared, self.edits = {}, {}, [threading.Lock() for _ in range(SETS)]  # what sets and allocations say
        self.faults = os.environ.get("FAULTS", "kill stop cut reboot release").split()
        self.least = int(os.environ.get("LEAST", changes // 1250))
        self.lose_at = time.monotonic() + 5

    # ---- what is declared ---------------------------------------------------
    def allocation(self, number, addresses):
        entries = [{"ips": [f"10.77.0.{a}/24", f"fd77::{a:x}/64"]} for a in addresses]
        return {"apiVersion": "staticip.dev/v1alpha1", "kind": "StaticIPAllocation", "metadata": {"name": f"s{number}"},
                "spec": {"network": NETWORK, "targetRef": {"kind": "StatefulSet", "name": f"s{number}"}, "addresses": entries}}

    def home(self, number):
        """The addresses that no other set has when all is at rest."""
        return [FIRST + REPLICAS * number + o for o in range(REPLICAS)]

    def addresses_of(self, slot):
        """What the slot's pod has then."""
        return [f"10.77.0.{FIRST + slot.number}", f"fd77::{FIRST + slot.number:x}"]

    def path(self, number=None):
        return f"{SIP}/namespaces/{self.namespace}/staticipallocations" + ("" if number is None else f"/s{number}")

    def set_path(self, number=None):
        return f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets" + ("" if number is None else f"/s{number}")

    def declare(self, number, addresses):
        """Made or edited, unless it is so already."""
        body = self.allocation(number, addresses)
        with self.edits[number]:
            before = self.declared.get(number)
            if before is None:
                self.cluster.change("allocation made", "POST", self.path(), body)
            elif before != addresses:
                self.cluster.change("allocation edited", "PATCH", self.path(number), {"spec": body["spec"]}, MERGE)
            self.declared[number] = addresses

    def undeclare(self, number):
        with self.edits[number]:
            self.cluster.change("allocation deleted", "DELETE", self.path(number))
            self.declared.pop(number, None)

    def make_sets(self):
        for n in range(SETS):
            labels = {"app": f"s{n}"}
            body = {"metadata": {"name": f"s{n}"}, "spec": {"replicas": REPLICAS, "serviceName": f"s{n}", "selector": {"matchLabels": labels}, "template":
                    {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none"}]}}}}
            made = self.cluster.api.must("POST", self.set_path(), body)
            self.set_uids[f"s{n}"] = made["metadata"]["uid"]
            self.declare(n, self.home(n))

    def come_home(self):
        for n in range(SETS):
            self.scale(n, REPLICAS, 0)
            self.declare(n, self.home(n))

    # ---- what happens to an allocation --------------------------------------
    def scale(self, number, replicas, start):
        """Of the pods, which are ours, none comes or goes by that."""
        spec = {"replicas": replicas, "ordinals": {"start": start}}
        with self.edits[number]:
            if self.scales.get(number) != spec:
                self.cluster.change("set edited", "PATCH", self.set_path(number), {"spec": spec}, MERGE)
            self.scales[number] = spec

    def edit(self):
        """One of those that are edited most, in every way; or another, whose pods always have addresses."""
        dice = self.rng.random()
        if dice < 0.3:
            number = self.rng.randrange(RESTLESS, SETS)
            return self.declare(number, self.rng.sample(self.home(number), REPLICAS))
        number = self.rng.randrange(RESTLESS)
        home = self.home(number)
        if dice < 0.35:
            self.scale(number, self.rng.randint(1, 4), self.rng.choice([0, 0, 0, 1]))
        elif number not in self.declared or dice < 0.6:
            self.declare(number, home)
        elif dice < 0.7:
            self.undeclare(number)
        elif dice < 0.8:  # among its own pods
            self.declare(number, self.rng.sample(home, REPLICAS))
        elif dice < 0.9:
            self.declare(number, home[:self.rng.randint(1, REPLICAS)])
        else:  # another's
            self.declare(number, self.rng.sample(range(FIRST, FIRST + SETS * REPLICAS), REPLICAS))

    # ---- what happens to a pod ----------------------------------------------
    def create(self, slot):
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": slot.set, "uid": self.set_uids[slot.set], "controller": True}
        labels = {"app": slot.set, "apps.kubernetes.io/pod-index": str(slot.ordinal), "statefulset.kubernetes.io/pod-name": slot.name}
        body = {"metadata": {"name": slot.name, "labels": labels, "ownerReferences": [owner]},
                "spec": {"containers": [{"name": "c", "image": "none"}], "automountServiceAccountToken": False}}
        return self.cluster.change("create", "POST", f"/api/v1/namespaces/{self.namespace}/pods", body)

    def bind(self, pod):
        target = {"apiVersion": "v1", "kind": "Node", "name": self.rng.choice(NODES)}
        body = {"metadata": {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}, "target": target}
        self.cluster.change("bind", "POST", pod_path(pod) + "/binding", body)

    def delete(self, pod, grace, what="delete"):
        body = {"gracePeriodSeconds": grace, "preconditions": {"uid": pod["metadata"]["uid"]}}
        self.cluster.change(what, "DELETE", pod_path(pod), body)

    def complete(self, pod):
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"phase": self.rng.choice(TERMINAL)}}
        self.cluster.change("complete", "PATCH", pod_path(pod) + "/status", body, MERGE)

    def release(self, pod):
        """A person's word that it is gone, though its sandbox may be there."""
        uid, node = pod["metadata"]["uid"], pod["spec"]["nodeName"]
        worker = self.cluster.nodes[node].workers.get(uid)
        if worker:
            worker.late_s = 1e9
        self.cluster.watcher.asserted.add(uid)
        self.delete(pod, 0, "force-delete")
        patch = {"metadata": {"annotations": {"staticip.dev/release": uid}}}
        self.cluster.change("release", "PATCH", f"{SIP}/staticipnodes/{node}", patch, MERGE)

    def restart_sandbox(self, pod):
        worker = self.cluster.nodes[pod["spec"]["nodeName"]].workers.get(pod["metadata"]["uid"])
        if worker:
            worker.asked = "sandbox"
            worker.wake.set()
            self.cluster.count("sandbox")

    def act(self, slot):
        """One or two changes; False: none."""
        pod, dice = self.pods.get(slot.name), self.rng.random()
        if pod is None:
            pod = self.create(slot)
            if pod and dice < 0.9:
                self.bind(pod)
        elif not pod["spec"].get("nodeName"):
            self.bind(pod) if dice < 0.7 else self.delete(pod, 0, "force-delete")
        else:
            return self.act_on_bound(pod, dice)
        return True

    def act_on_bound(self, pod, dice):
        phase, leaving = pod.get("status", {}).get("phase"), "deletionTimestamp" in pod["metadata"]
        if self.rng.random() < (0.95 if leaving else 0.9 if phase == "Pending" else 0):
            return False  # what never runs hands nothing over
        if leaving:
            self.delete(pod, 0, "force-delete")
        elif phase in TERMINAL or dice < 0.5:
            self.delete(pod, 30)
        elif dice < 0.75:
            self.delete(pod, 0, "force-delete")
        elif dice < 0.85:
            self.complete(pod)
        elif dice < 0.88 and "release" in self.faults:
            self.release(pod)
        else:
            self.restart_sandbox(pod)
            return False
        return True

    def lose(self):
        """A person deletes blocks, all or some, or a StaticIPNode."""
        kind = self.rng.choice(["staticipblocks", "staticipblocks", "staticipnodes"])
        names = [o["metadata"]["name"] for o in self.cluster.api.must("GET", f"{SIP}/{kind}")["items"]]
        for name in names if self.rng.random() < 0.5 else names[:1]:
            self.cluster.change("loss", "DELETE", f"{SIP}/{kind}/{name}")

    def change_loop(self):
        while not self.ended.is_set():
            early_s = self.began + self.cluster.changes / self.rate - time.monotonic()
            if early_s > 0:
                self.ended.wait(self.rng.uniform(0, 2 * THREADS / self.rate))
            elif "lost" in self.faults and time.monotonic() > self.lose_at:
                self.lose_at = time.monotonic() + 7
                self.lose()
            elif self.rng.random() < EDITS:
                self.edit()
            else:
                self.change_some()

    def change_some(self):
        """One pod, that is not left in peace."""
        for slot in self.rng.sample(self.slots, 12):
            if not slot.lock.acquire(blocking=False):
                continue
            try:
                if self.act(slot):
                    return
            finally:
                slot.lock.release()

    # ---- what happens to us -------------------------------------------------
    def start_controllers(self):
        count = int(os.environ.get("CONTROLLERS", "1"))
        options = os.environ.get("CONTROLLER_OPTIONS", "").split()
        for name in (f"controller{n}" for n in range(count)):
            command = [self.cluster.build + "/staticip-controller", "--kubeconfig=" + self.cluster.wires.kubeconfig(name),
                       "--tables-namespace=" + self.cluster.tables, "--log-level=debug", *options]
            target = Target(name, self.cluster.wires, lambda name=name, command=command: self.cluster.spawn(name, command))
            target.process = target.start()
            self.controllers[name] = target
        return count > 1 and "--leader-elect=false" not in options

    def fault_loops(self, elected):
        """Only of several that elect can one be out until another leads."""
        faults = Faults(self.cluster, self.faults, self.ended)
        if not faults.kinds:
            return []
        agents = [node.agent for node in self.cluster.nodes.values()]
        self.hit = ["leader", "agent"] if elected else ["controller", "agent"]
        if elected:
            leader = Leader(self.cluster, self.controllers)
            first = (faults.leader_loop, leader)
        else:
            first = (faults.any_loop, "controller", list(self.controllers.values()))
        return [first, (faults.any_loop, "agent", agents)]

    def missing_faults(self):
        """Those of which there were not enough yet: of each kind so many, half of them at least until
        another led. Both cut-offs are one kind."""
        counts, found = self.cluster.counts, []
        for whom in self.hit:
            for words in (WORDS[kind] for kind in ("kill", "stop", "hold") if {"hold": "cut"}.get(kind, kind) in self.faults):
                there = {k: n for k, n in list(counts.items()) if k.startswith(f"{whom} {words}")}
                long = sum(n for k, n in there.items() if not k.endswith(" for a moment"))
                if sum(there.values()) < self.least or long < self.least // 2:
                    found.append(f"{whom} {words} {sum(there.values())} times of {self.least}")
        return found

    def follow_pods(self):
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        for kind, found in self.cluster.api.watch(path, "limit=0", self.cluster.ended):
            if kind == "LIST":
                self.pods = {p["metadata"]["name"]: p for p in found}
            elif kind == "DELETED":
                self.pods.pop(found["metadata"]["name"], None)
            else:
                self.pods[found["metadata"]["name"]] = found

    def run(self, elected):
        """"" or what there was not enough of."""
        self.began, self.hit = time.monotonic(), []
        loops = self.fault_loops(elected) + [(self.change_loop,)] * THREADS
        threads = [threading.Thread(target=self.cluster.guarded(loop), args=args) for loop, *args in loops]
        for thread in threads:
            thread.start()
        end = self.began + SLOWEST * self.changes / self.rate
        while time.monotonic() < end and not self.cluster.faults and (self.cluster.changes < self.changes or self.missing_faults()):
            time.sleep(1)
            self.cluster.watcher.sweep()
        self.took_s, self.did = time.monotonic() - self.began, self.cluster.changes
        wrong = [] if self.did >= self.changes else [f"only {self.did} changes of {self.changes}"]
        self.ended.set()
        for thread in threads:
            thread.join()
        return "; ".join(wrong + self.missing_faults())

    def report(self, seen):
        settled_s = time.monotonic() - self.began - self.took_s
        counts = ", ".join(f"{n} {what}" for what, n in sorted(self.cluster.counts.items()))
        print(f"churn: {self.did} changes in {self.took_s:.0f} s, {self.did / self.took_s:.1f} for each second, at rest {settled_s:.0f} s later: {counts}; "
              f"{self.cluster.watcher.gains} gains of addresses looked at, {self.cluster.watcher.looks} sweeps; the watcher: {seen}")


def main():
    url, namespace, tables, changes, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    names = [f"controller{n}" for n in range(int(os.environ.get("CONTROLLERS", "1")))] + [f"agent-{n}" for n in NODES]
    wires = Wires(url, os.environ["KUBECONFIG"], os.environ["WORK"], names)
    cluster = Cluster(url, wires, tables, os.environ["BUILD"], os.environ["WORK"], random.Random(seed + 1))
    churn = Churn(cluster, namespace, changes, seed)
    churn.make_sets()
    elected = churn.start_controllers()
    for name in NODES:
        cluster.add_node(name)
    cluster.outside = Outside(cluster.build, cluster.work, PREFIXES, cluster.watcher.inodes, cluster.watcher.asserted)
    threading.Thread(target=cluster.guarded(churn.follow_pods), daemon=True).start()
    rest = Rest(churn)
    wrong = [rest.fill()]
    if not wrong[0]:
        cluster.changes, cluster.counts = 0, {}
        wrong += [churn.run(elected), rest.settle()]
        churn.report(cluster.outside.end())
    wrong = [w for w in wrong + cluster.outside.wrong + cluster.watcher.wrong + cluster.faults if w]
    print("\n".join(wrong[:30]))
    cluster.ended.set()
    cluster.end()
    os._exit(bool(wrong))  # the workers' threads wait for nothing any more


main()
