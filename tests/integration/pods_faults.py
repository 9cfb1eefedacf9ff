"""What is done to controllers and agents, by turns: killed, stopped, cut off from the API server, with
connections that hang and with connections that are reset. The controller is the one that leads. What
is done to it lasts until another leads, then it is let go beside its successor; or, of every other stop
and cut-off, for a moment, and it may go on."""
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NOBODY_LEADS_S = 90
IDLE_S = 8  # a leader that has nothing to do is hit too
WORDS = {"kill": "killed", "stop": "stopped", "hold": "cut off", "reset": "cut off by resets"}


class Wires:
    """Each controller and each agent has a connection to the API server of its own (wires.py)."""

    def __init__(self, url, kubeconfig, work, names):
        self.url, self.work, self.lock = url, work, threading.Lock()
        with open(kubeconfig) as text:
            self.kubeconfig_text = text.read()
        self.ports = {name: 7500 + i for i, name in enumerate(names)}
        with open(f"{work}/wires.log", "a") as log:
            self.process = subprocess.Popen([sys.executable, f"{HERE}/wires.py", url.rsplit(":", 1)[1], *map(str, self.ports.values())],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.hear("ready")

    def hear(self, words):
        heard = self.process.stdout.readline().strip()
        if heard != words:
            raise RuntimeError(f"wires.py says '{heard}', not '{words}'")

    def order(self, what, name):
        with self.lock:
            words = f"{what} {self.ports[name]}"
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
            self.hear(words)

    def kubeconfig(self, name):
        path = f"{self.work}/kubeconfig-{name}"
        with open(path, "w") as out:
            out.write(self.kubeconfig_text.replace(self.url, f"https://127.0.0.1:{self.ports[name]}"))
        return path


class Target:
    """A process of ours: how it is started, and what is done to it."""

    def __init__(self, name, wires, start):
        self.name, self.wires, self.start, self.process = name, wires, start, None

    def begin(self, kind):
        if kind == "kill":
            self.process.kill()
            self.process.wait()
        elif kind == "stop":
            self.process.send_signal(signal.SIGSTOP)
        else:
            self.wires.order(kind, self.name)

    def end(self, kind):
        if kind == "kill":
            self.process = self.start()
        elif kind == "stop":
            self.process.send_signal(signal.SIGCONT)
        else:
            self.wires.order("heal", self.name)


class Leader:
    """Who has the Lease, by what the controllers write into their logs."""

    def __init__(self, cluster, controllers):
        self.cluster, self.controllers = cluster, controllers
        self.read, self.names = dict.fromkeys(controllers, 0), {}
        self.path = f"/apis/coordination.k8s.io/v1/namespaces/{cluster.tables}/leases/staticip-controller"

    def identity(self):
        status, lease = self.cluster.api.call("GET", self.path)
        return lease["spec"].get("holderIdentity") if status == 200 else None

    def learn(self):
        for name in self.controllers:
            with open(f"{self.cluster.work}/{name}.log", "rb") as log:
                log.seek(self.read[name])
                new = log.read()
            new = new[:new.rfind(b"\n") + 1]
            self.read[name] += len(new)
            for identity in re.findall(rb"leading as (\S+)", new):
                self.names[identity.decode()] = name

    def look(self):
        """(identity, controller), or None while nobody leads, or nobody that we know."""
        identity = self.identity()
        self.learn()
        return (identity, self.controllers[self.names[identity]]) if identity in self.names else None


class Faults:
    def __init__(self, cluster, kinds, ended):
        self.cluster, self.rng, self.ended = cluster, cluster.rng, ended
        self.reboots = "reboot" in kinds
        self.kinds = [k for k in ("kill", "stop") if k in kinds] + ["hold", "reset"] * ("cut" in kinds)

    def turns(self):
        """(kind, whether for a moment only), each in turn; the two cut-offs are as often as one other."""
        cuts = itertools.cycle([k for k in self.kinds if k in ("hold", "reset")] or [None])
        plain = [k for k in self.kinds if k in ("kill", "stop")]
        # hold, reset, hold, reset: with two long and two short ones
        short_stop, short_cut = itertools.cycle([False, True]), itertools.cycle([False, False, True, True])
        while True:
            around = [(k, k == "stop" and next(short_stop)) for k in plain] + [(next(cuts), next(short_cut))]
            self.rng.shuffle(around)
            yield from (turn for turn in around if turn[0])

    def done(self, whom, kind, how=""):
        self.cluster.count(f"{whom} {WORDS[kind]}{how}")

    def wait_for_another(self, leader, identity):
        end = time.monotonic() + NOBODY_LEADS_S
        while not self.ended.is_set():
            found = leader.look()
            if found and found[0] != identity:
                return True
            if time.monotonic() > end:
                raise RuntimeError(f"nobody leads {NOBODY_LEADS_S} s after {identity}")
            time.sleep(0.1)
        return False

    def wait_for_leader(self, leader):
        """(identity, target) of one that leads; None at the end. Three of ten are hit as soon as they
        lead, the others when pods run that could not before."""
        early, found, running = self.rng.random() < 0.3, None, 0
        while not self.ended.wait(0.05):
            now = leader.look()
            if now and (not found or now[0] != found[0]):
                found, running, end = now, self.running() + self.rng.randint(1, 5), time.monotonic() + IDLE_S
            if now and (early or self.running() >= running or time.monotonic() > end):
                self.ended.wait(self.rng.uniform(0, 1))
                return found
        return None

    def running(self):
        return self.cluster.counts.get("running", 0)

    def leader_loop(self, leader):
        for kind, short in self.turns():
            identity, target = self.wait_for_leader(leader) or (None, None)
            if self.ended.is_set():
                return
            target.begin(kind)
            try:
                if short:
                    self.ended.wait(self.rng.uniform(0.1, 2))
                    self.done("leader", kind, " for a moment")
                elif self.wait_for_another(leader, identity):
                    self.done("leader", kind)
                    self.ended.wait(self.rng.choice([0, 0.3, 1]))
            finally:
                target.end(kind)

    def any_loop(self, whom, targets):
        """One of several, chosen anew each time, for a moment or two."""
        for kind, _ in self.turns():
            if self.ended.wait(self.rng.uniform(0.3, 2)):
                return
            target = self.rng.choice(targets)
            if self.reboots and whom == "agent" and self.rng.random() < 0.1:
                self.cluster.nodes[target.name.split("-")[1]].reboot()
                self.cluster.count("node rebooted")
            target.begin(kind)
            self.ended.wait(self.rng.choice([0, 0.1, 0.5, 2, 4]))
            target.end(kind)
            self.done(whom, kind)
