"""Simulated nodes: what a kubelet, a runtime and a main plugin do for the pods of a node, around the
real agent and the real plugin. Each node has a mount namespace with a /run of its own, each sandbox a
real network namespace.

Beside it the Watcher: no address is ever live in the sandboxes of two pods."""
import json
import os
import subprocess
import threading
import time
import traceback
import uuid

import pod_network as net
from pods_api import MERGE, Api
from pods_faults import Target

NETWORK = "podnet"
TERMINAL = ("Succeeded", "Failed")


class Watcher:
    """Who has which address in its namespace. A second pod can only appear when one gains an
    address, so each gain looks at all others; sweep looks at everything, for what went otherwise."""

    def __init__(self):
        self.lock, self.sandboxes, self.wrong = threading.Lock(), set(), []
        self.gains, self.looks, self.pairs = 0, 0, set()
        self.asserted = set()  # UIDs that a person declared gone: theirs to answer for
        self.inodes = {}  # of a network namespace -> the last sandbox that had it

    def gained(self, sandbox, addresses):
        with self.lock:
            self.sandboxes.add(sandbox)
            others = [s for s in self.sandboxes if s.uid != sandbox.uid and s.given & addresses]
            self.gains += 1
        for other in others:
            self.compare(sandbox, other)

    def lost(self, sandbox):
        with self.lock:
            self.sandboxes.discard(sandbox)

    def compare(self, one, other):
        if {one.uid, other.uid} & self.asserted:
            return
        # twice: a link may go down between two looks at it
        both = one.live() & other.live() and one.live() & other.live()
        pair = frozenset((one.uid, other.uid))
        if both and pair not in self.pairs:
            self.pairs.add(pair)
            self.wrong.append(f"{sorted(both)} is in {one} and in {other}")

    def sweep(self):
        with self.lock:
            everyone = list(self.sandboxes)
        users = {}
        for sandbox in everyone:
            for address in sandbox.live():
                users.setdefault(address, []).append(sandbox)
        self.looks += 1
        for several in users.values():
            for other in several[1:]:
                if other.uid != several[0].uid:
                    self.compare(several[0], other)


class Sandbox:
    """A container id with a network namespace, of one pod."""

    def __init__(self, node, pod):
        self.node, self.uid = node, pod["metadata"]["uid"]
        self.pod, self.namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        self.container = uuid.uuid4().hex
        self.path = "/run/netns/" + self.container
        self.eye, self.given = net.make_netns(self.path), set()
        node.watcher.inodes[os.stat(self.path).st_ino] = self

    def __str__(self):
        return f"pod {self.namespace}/{self.pod} ({self.uid}, container {self.container[:8]}) on {self.node.name}"

    def live(self):
        try:
            return self.eye.live()
        except (OSError, KeyError):
            return set()  # gone

    def plugin(self, verb, wait):
        """(exit status, answer): the real plugin, as the main plugin calls it."""
        environment = {"CNI_COMMAND": verb, "CNI_CONTAINERID": self.container, "CNI_NETNS": self.path, "CNI_IFNAME": "eth0",
                       "CNI_PATH": "/opt/cni/bin", "PATH": os.environ["PATH"],
                       "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE={self.namespace};K8S_POD_NAME={self.pod};K8S_POD_UID={self.uid}"}
        conf = {"cniVersion": "1.0.0", "name": NETWORK, "type": "macvlan", "ipam": {"type": "staticip", "wait": wait}}
        return self.node.run(environment, json.dumps(conf))

    def add(self, wait):
        """IPAM, then the addresses on the link. The CNI error's code, or 0."""
        status, answer = self.plugin("ADD", wait)
        if status != 0:
            return answer.get("code", -1), answer.get("msg", "killed")
        addresses = [ip["address"] for ip in answer["ips"]]
        self.given = {a.split("/")[0] for a in addresses}
        for address in addresses:
            self.eye.add_address("eth0", address)
        self.node.watcher.gained(self, self.given)
        return 0, ""

    def remove(self):
        """DEL; then the namespace goes, as runtimes do it."""
        while self.plugin("DEL", 0)[0] != 0:
            if self.node.rebooting.is_set():
                raise Rebooted()  # a DEL that was killed is called again
        self.forget(umount=True)

    def forget(self, umount):
        self.node.watcher.lost(self)
        self.eye.close()
        if umount:
            net.remove_netns(self.path)


class Rebooted(Exception):
    """The node went down under what was being done."""


class Node:
    def __init__(self, name, cluster):
        self.name, self.cluster, self.watcher = name, cluster, cluster.watcher
        self.lock, self.calls, self.sandboxes = threading.Condition(), set(), set()
        self.rebooting, self.boots = threading.Event(), 0
        self.agent = Target("agent-" + name, cluster.wires, self.start_agent)
        self.workers = {}  # uid -> Worker
        self.mounts = in_thread(net.own_mounts)
        # what lives as long as the machine: who looks at the node from outside comes in by its pid
        self.inside(lambda: cluster.spawn("machine-" + name, ["sleep", "infinity"]))
        self.boot()
        threading.Thread(target=cluster.guarded(self.watch_pods), daemon=True).start()

    def inside(self, act):
        """Runs act in this node's mount namespace."""
        return in_thread(lambda: (net.enter_mounts(self.mounts), act())[1])

    def boot(self):
        self.boots += 1

        def fresh():
            net.mount("run", "/run", "tmpfs")
            os.makedirs("/run/staticip")
            os.mkdir("/run/netns")
            with open("/run/boot_id", "w") as out:
                out.write(str(uuid.uuid4()) + "\n")
            net.mount("/run/boot_id", "/proc/sys/kernel/random/boot_id", flags=net.MS_BIND)
        self.inside(fresh)
        self.agent.process = self.start_agent()

    def start_agent(self):
        command = [self.cluster.build + "/staticip-agent", "--kubeconfig=" + self.cluster.wires.kubeconfig("agent-" + self.name),
                   "--tables-namespace=" + self.cluster.tables, "--node-name=" + self.name, "--log-level=debug"]
        return self.inside(lambda: self.cluster.spawn("agent-" + self.name, command))

    def run(self, environment, conf):
        """The plugin, from a thread in our mount namespace; a reboot kills it."""
        with self.lock:
            if self.rebooting.is_set():
                raise Rebooted()
            call = subprocess.Popen([self.cluster.build + "/staticip"], env=environment, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.calls.add(call)
        try:
            out, _ = call.communicate(conf, timeout=60)
        finally:
            with self.lock:
                self.calls.discard(call)
                self.lock.notify_all()
        if self.rebooting.is_set():
            raise Rebooted()
        self.cluster.count(f"{environment['CNI_COMMAND']} {call.returncode}")
        return call.returncode, json.loads(out) if out else {}

    def reboot(self):
        """Everything that runs ends, /run is empty, the boot has another id."""
        self.rebooting.set()
        for worker in list(self.workers.values()):
            worker.wake.set()
        self.agent.begin("kill")
        with self.lock:
            for call in self.calls:
                call.kill()
            self.lock.wait_for(lambda: not self.calls, 60)
        for worker in list(self.workers.values()):
            worker.stopped.wait(60)
        for sandbox in list(self.sandboxes):
            sandbox.forget(umount=False)

        def wipe():
            net.umount("/proc/sys/kernel/random/boot_id")
            for name in os.listdir("/run/netns"):
                net.umount("/run/netns/" + name)
            net.umount("/run")
        self.inside(wipe)
        self.sandboxes.clear()
        self.boot()
        self.rebooting.clear()
        for worker in list(self.workers.values()):
            worker.stopped.clear()
            worker.wake.set()

    def watch_pods(self):
        """The kubelet's watch: a worker for each pod, as soon as it is bound."""
        selector = "fieldSelector=spec.nodeName%3D" + self.name
        for kind, found in self.cluster.api.watch("/api/v1/pods", selector, self.cluster.ended):
            objects = found if kind == "LIST" else [found]
            for pod in objects:
                self.worker(pod).tell(pod, kind == "DELETED")
            if kind == "LIST":
                there = {p["metadata"]["uid"] for p in objects}
                for uid in set(self.workers) - there:
                    worker = self.workers.get(uid)  # it may be over by now
                    if worker:
                        worker.tell(None, True)

    def worker(self, pod):
        uid = pod["metadata"]["uid"]
        worker = self.workers.get(uid)
        if worker is None:
            worker = self.workers[uid] = Worker(self, pod)
            threading.Thread(target=worker.live, daemon=True).start()
        return worker


class Worker:
    """What a kubelet does for one pod, until its sandbox and its object are gone."""

    def __init__(self, node, pod):
        self.node, self.pod, self.gone = node, pod, False
        self.uid, self.rng = pod["metadata"]["uid"], node.cluster.rng
        self.wake, self.stopped = threading.Event(), threading.Event()
        self.sandbox, self.asked, self.words = None, None, ""
        # a force-deleted pod's sandbox may stay for ever: until its node reboots
        self.late_s = self.rng.choice([0, 0, 0.3, 2, 1e9])

    def tell(self, pod, gone):
        self.pod, self.gone = pod or self.pod, self.gone or gone
        self.wake.set()

    def is_over(self):
        return self.gone or "deletionTimestamp" in self.pod["metadata"] or self.pod.get("status", {}).get("phase") in TERMINAL

    def live(self):
        net.enter_mounts(self.node.mounts)
        try:
            while not self.node.cluster.ended.is_set() and not self.turn():
                self.wake.wait(self.rng.uniform(0.5, 3) if not self.sandbox else None)
                self.wake.clear()
        except Exception:
            self.node.cluster.faults.append(f"pod {self.uid} on {self.node.name}: {traceback.format_exc()}")
        self.node.workers.pop(self.uid, None)
        self.stopped.set()

    def turn(self):
        """One look at what is wanted. Whether all is over."""
        try:
            if self.node.rebooting.is_set():
                raise Rebooted()
            if self.is_over():
                self.finish()
                return True
            if not self.sandbox:
                self.start()
            elif self.asked == "sandbox":
                self.restart()
        except Rebooted:
            self.sandbox = None
            self.stopped.set()
            while self.node.rebooting.is_set():
                time.sleep(0.02)
            self.wake.set()
        return False

    def make(self):
        sandbox = Sandbox(self.node, self.pod)
        self.node.sandboxes.add(sandbox)
        code, self.words = sandbox.add(self.rng.choice([0, 5, 15, 15]))
        if code == 0:
            return sandbox
        self.end(sandbox)
        return None

    def end(self, sandbox):
        sandbox.remove()
        self.node.sandboxes.discard(sandbox)

    def start(self):
        self.sandbox = self.make()
        if not self.sandbox:
            return
        body = {"metadata": {"uid": self.uid}, "status": {"phase": "Running"}}
        self.node.cluster.change("running", "PATCH", pod_path(self.pod) + "/status", body, MERGE)

    def restart(self):
        """The sandbox was killed: the next one starts while the old one's DEL is late."""
        self.asked, old = None, self.sandbox
        self.sandbox = self.make()
        self.end(old)

    def finish(self):
        if self.gone and self.sandbox:
            end = time.monotonic() + self.late_s
            while time.monotonic() < end and not self.node.cluster.no_more_late.is_set():
                if self.node.rebooting.is_set():
                    raise Rebooted()
                time.sleep(0.05)
        if self.sandbox:
            self.end(self.sandbox)
            self.sandbox = None
        if not self.gone and "deletionTimestamp" in self.pod["metadata"]:
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
            self.node.cluster.change("end", "DELETE", pod_path(self.pod), body)


class Cluster:
    """What all nodes share."""

    def __init__(self, url, wires, tables, build, work, rng):
        self.api, self.wires, self.tables, self.build, self.work, self.rng = Api(url), wires, tables, build, work, rng
        self.watcher, self.ended, self.no_more_late = Watcher(), threading.Event(), threading.Event()
        self.counts, self.changes, self.lock, self.nodes, self.faults = {}, 0, threading.Lock(), {}, []
        self.spawned = {}

    def count(self, what, n=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + n

    def change(self, what, method, path, body=None, kind="application/json"):
        """A write of a person, a kubelet or another controller; counted when the API server took it.
        Returns the object, or None when it did not."""
        status, answer = self.api.call(method, path, body, kind)
        if status >= 300:
            return None
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1
            self.changes += 1
        return answer

    def guarded(self, act):
        """act, whose end by a fault fails the test."""
        def run(*args):
            try:
                act(*args)
            except Exception:
                self.faults.append(traceback.format_exc())
        return run

    def spawn(self, name, command):
        """Its pid is in a file, for who ends what a test that failed has left."""
        with open(f"{self.work}/{name}.log", "a") as log:
            # a session of its own: its share of the processors is not ours
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        with open(f"{self.work}/{name}.pid", "w") as out:
            out.write(f"{process.pid}\n")
        self.spawned[name] = process
        return process

    def end(self):
        """Kills all that spawn started last under each name."""
        for name, process in self.spawned.items():
            process.kill()
            process.wait()
            os.unlink(f"{self.work}/{name}.pid")

    def add_node(self, name):
        self.api.call("POST", "/api/v1/nodes", {"metadata": {"name": name}})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        self.api.must("PATCH", f"/api/v1/nodes/{name}/status", {"status": {"conditions": [ready]}}, MERGE)
        self.nodes[name] = Node(name, self)


def pod_path(pod):
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def in_thread(act):
    """The result of act, run in a thread of its own: namespaces are a thread's."""
    result = []

    def run():
        try:
            result.append((act(), None))
        except BaseException as fault:  # told to who asked
            result.append((None, fault))
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, fault = result[0]
    if fault:
        raise fault
    return value
