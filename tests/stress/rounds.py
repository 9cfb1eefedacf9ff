"""Rounds of random acts: 200 attachments, WORKERS of them acting at any time, some killed, each
call in a version of its own; see model.py for what must hold."""
import json
import os
import queue
import random
import signal
import subprocess
import threading
import time

import leases
import tables
from chain import ip
from harness import Failure, VERSIONS, canonical, expect
from leases import attachments, conf, forget, leased, link_is_up, nothing_is_leased
from model import Attachment, Model, Pod

WORKERS = 20
PODS = 120
SANDBOXES = 80      # made again, of pods that have one already: 200 attachments
NAMESPACES = 24     # attachments with a real network namespace
SHARED = 12         # addresses of each family that 80 pods want
CHECKED = VERSIONS[4:]  # CHECK is there from 0.4.0 on


def addresses_of(number, chance):
    """A third of the pods have addresses of their own; the others share, some of
    them two in one order or the other. IPv4 and IPv6, so that old versions can say it."""
    v4 = "10.0.%d.%d/24"
    if number % 3 == 0:
        return [v4 % (4, number + 1)]
    pair = [v4 % (5, chance.randrange(SHARED) + 1), "fec0:5::%x/64" % (chance.randrange(SHARED) + 1)]
    chance.shuffle(pair)
    return pair if number % 3 == 1 else pair[:1]


def is_usable(netns):
    """Whether its interface is up; no, when the namespace is just being removed."""
    while True:
        try:
            return link_is_up(netns)
        except RuntimeError:
            if not os.path.exists("/run/netns/" + netns):
                return False
            time.sleep(0.01)


class Round:
    def __init__(self, h, seed):
        self.h, self.chance, self.model = h, random.Random(seed), Model()
        self.failures = []
        self.pods = [Pod("p%d" % i, "u-%d" % i, addresses_of(i, self.chance)) for i in range(PODS)]
        self.acts = dict.fromkeys(("ADD", "refused", "CHECK", "DEL", "GC", "killed", "taken over"), 0)
        self.counting = threading.Lock()

    def count(self, what):
        with self.counting:
            self.acts[what] += 1

    # ---- calls

    def call(self, verb, attachment, configuration, kill_after=None):
        """(exit status, standard output); None when it was killed in time."""
        env = dict(leases.environment(attachment.container, attachment.pod.name, attachment.pod.uid,
                                      attachment.netns), CNI_COMMAND=verb, CNI_PATH="/x")
        process = subprocess.Popen([self.h.plugin], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        if kill_after is not None:
            threading.Timer(kill_after, lambda: process.send_signal(signal.SIGKILL)).start()
        out, complaint = process.communicate(json.dumps(configuration).encode(), timeout=60)
        if process.returncode == -signal.SIGKILL:
            self.count("killed")
            return None
        expect(process.returncode in (0, 1), "it died", verb, process.returncode, complaint)
        return process.returncode, out

    def add(self, attachment, chance, kill_after=None):
        """Whether it was answered."""
        version = chance.choice(VERSIONS)
        asked = self.model.add_begins(attachment)
        done = self.call("ADD", attachment, conf(chance.choice((0, 1, 2)), version), kill_after)
        if done is None:
            return False
        result = json.loads(done[1])
        if done[0] == 0:
            self.count("ADD")
            attachment.answer = result
            self.model.add_answered(attachment, canonical(result, version))
            self.bring_up(attachment)
            return True
        self.count("refused")
        expect(result["code"] == 11, "ADD of %s" % attachment, result)
        self.model.add_refused(attachment, asked, result)
        return False

    def delete(self, attachment, version, kill_after=None):
        """Until one is not killed, as runtimes do."""
        self.model.delete_begins(attachment)
        while True:
            done = self.call("DEL", attachment, conf(version=version), kill_after)
            if done:
                break
            kill_after = None
        self.count("DEL")
        expect(done == (0, b""), "DEL of %s" % attachment, done)
        if attachment.is_up:
            expect(not link_is_up(attachment.netns), "the address of %s is still usable after DEL" % attachment)
        self.model.delete_ended(attachment)

    def check(self, attachment):
        version = attachment.answer["cniVersion"]
        if version not in CHECKED:
            return
        done = self.call("CHECK", attachment, dict(conf(version=version), prevResult=attachment.answer))
        self.count("CHECK")
        expect(done[0] == 0, "CHECK of %s" % attachment, done)

    # ---- what a main plugin does

    def bring_up(self, attachment):
        """The addresses work from now on: nobody else's may."""
        for other in self.model.others_with_links(attachment):
            expect(not is_usable(other.netns), "%s has an address that %s has on a link that is up" % (attachment, other))
        if attachment.real:
            ip(attachment.netns, "link set eth0 up")
            attachment.is_up = True

    def make_netns(self, attachment):
        subprocess.run(["ip", "netns", "add", attachment.netns], check=True)
        ip(attachment.netns, "link add eth0 type veth peer name peer0")
        for address in attachment.pod.ips:
            ip(attachment.netns, "addr add %s dev eth0%s" % (address, " nodad" if ":" in address else ""))

    def remove_netns(self, attachment):
        self.model.forget_link(attachment)
        forget(attachment.netns)

    # ---- lives

    def life(self, pod, sandboxes, chance):
        """The sandboxes of one pod, one after the other, each deleted before the next or
        only after it."""
        late = None
        for attachment in sandboxes:
            if attachment.real:
                self.make_netns(attachment)
            added = self.try_add(attachment, chance)
            if late:
                if added and late.answer:
                    self.count("taken over")
                self.end(late, chance)
                if added:
                    self.model.still_holds(attachment)
                    self.check(attachment)
            late = None
            if attachment is not sandboxes[-1] and chance.random() < 0.7:
                late = attachment
            else:
                self.end(attachment, chance)

    def try_add(self, attachment, chance):
        for _ in range(chance.randrange(1, 5)):
            kill_after = chance.uniform(0, 0.006) if chance.random() < 0.25 else None
            if not self.add(attachment, chance, kill_after):
                if chance.random() < 0.5:
                    self.delete(attachment, chance.choice(VERSIONS))
                continue
            if chance.random() < 0.3:
                expect(self.add(attachment, chance), "a repeated ADD was refused", attachment)
            self.check(attachment)
            time.sleep(chance.uniform(0, 0.05))
            return True
        return False

    def end(self, attachment, chance):
        kill_after = chance.uniform(0, 0.006) if chance.random() < 0.25 else None
        others = []
        if chance.random() < 0.3:  # two DELs at once
            version = chance.choice(VERSIONS)
            others = [threading.Thread(target=self.work_on, args=(lambda: self.delete(attachment, version),))]
        for other in others:
            other.start()
        self.delete(attachment, chance.choice(VERSIONS), kill_after)
        for other in others:
            other.join()
        if attachment.real:
            self.remove_netns(attachment)

    # ---- a round

    def lives(self):
        """(pod, its attachments), and how many have a real namespace is fixed."""
        again = [self.chance.randrange(PODS) for _ in range(SANDBOXES)]
        number, real = 0, set(self.chance.sample(range(PODS + SANDBOXES), NAMESPACES))
        for i, pod in enumerate(self.pods):
            sandboxes = []
            for _ in range(1 + again.count(i)):
                sandboxes.append(Attachment(pod, "c%d" % number, number in real))
                number += 1
            yield pod, sandboxes

    def work_on(self, act):
        try:
            act()
        except Exception as e:
            self.failures.append("%s: %s" % (type(e).__name__, e))

    def collect(self, stop):
        """GC every now and then, with a list of everybody: it ends nothing."""
        valid = [{"containerID": "c%d" % i, "ifname": "eth0"} for i in range(PODS + SANDBOXES)]
        nobody = Attachment(Pod("nobody", "u", []), "none", False)
        while not stop.wait(0.2):
            done = self.call("GC", nobody, leases.gc(valid))
            expect(done == (0, b""), "GC", done)
            self.count("GC")

    def work(self, lives):
        while not self.failures:
            try:
                pod, sandboxes, seed = lives.get_nowait()
            except queue.Empty:
                return
            self.work_on(lambda: self.life(pod, sandboxes, random.Random(seed)))

    def run(self):
        tables.publish({"mynet": tables.network("mynet")},
                       {"mynet/default/" + p.name: {"p": "default/a", "ips": p.ips} for p in self.pods})
        lives = queue.Queue()
        for life in self.lives():
            lives.put(life + (self.chance.random(),))
        workers = [threading.Thread(target=self.work, args=(lives,)) for _ in range(WORKERS)]
        stop = threading.Event()
        collector = threading.Thread(target=self.work_on, args=(lambda: self.collect(stop),))
        for worker in workers + [collector]:
            worker.start()
        for worker in workers:
            worker.join()
        stop.set()
        collector.join()
        expect(not self.failures, "failures", *self.failures)
        nothing_is_leased()
        self.no_stray_files()

    def no_stray_files(self):
        stray = [os.path.join(folder, name) for folder, _, names in os.walk(tables.ROOT + "/leases") for name in names]
        expect(not stray, "stray files", stray)


def clean_namespaces():
    for name in os.listdir("/run/netns"):
        forget(name)


def one_round(h, seed):
    round_ = Round(h, seed)
    try:
        round_.run()
    except Failure as e:
        raise Failure("%s | seed %d | leases: %s, attachments: %s" % (e, seed, sorted(leased()), attachments()))
    finally:
        clean_namespaces()
    for what, count in round_.acts.items():
        expect(count > 0, "a round without any: " + what, round_.acts)
    print("  round %d: %s" % (seed, ", ".join("%s %d" % act for act in round_.acts.items())), flush=True)


def run(h, seed, seconds):
    """As many rounds as begin in that time, one at least; a round's seed is the first one's plus its
    number."""
    end = time.monotonic() + seconds
    failed = h.failed
    while True:
        h.case("round of seed %d" % seed, lambda: one_round(h, seed))
        seed += 1
        if time.monotonic() > end or h.failed > failed:
            return
