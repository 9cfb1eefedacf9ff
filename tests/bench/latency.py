"""make bench: from an object in the API server to the row on the node, against two bare watch
hops of the same API server in the same run.

usage: latency.py REPORT.md ROUNDS, by latency.sh. Fails when a budget is missed."""
import collections
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import time

WORK, BUILD = os.environ["WORK"], os.environ["BUILD"]
NS = "latency"
AT_ONCE = 80
AT_ONCE_ROUNDS = 3
WAIT_S = 30
ALLOCATIONS = "/apis/staticip.dev/v1alpha1/namespaces/%s/staticipallocations" % NS
PODS = "/api/v1/namespaces/%s/pods" % NS
SETS = "/apis/apps/v1/namespaces/%s/statefulsets" % NS
NODES = "/apis/staticip.dev/v1alpha1/staticipnodes"
MERGE = "application/merge-patch+json"


class Probe:
    """latency_probe, which holds the clock: commands go out, what happened comes in."""

    def __init__(self):
        self.process = subprocess.Popen(
            [BUILD + "/tests/bench/latency_probe", WORK + "/kubeconfig", "drive", NS], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        self.got = {}
        self.count = 0

    def say(self, *fields):
        self.process.stdin.write("\t".join(fields) + "\n")

    def tag(self):
        self.count += 1
        return str(self.count)

    def await_(self, kind, tag):
        """The fields behind the tag. The deadline is far away: what exceeds it is lost, not late."""
        signal.alarm(WAIT_S)
        while (kind, tag) not in self.got:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("the probe has ended")
            fields = line.rstrip("\n").split("\t", 5)
            self.got[(fields[0], fields[1] if len(fields) > 1 else "")] = fields[2:]
        signal.alarm(0)
        return self.got.pop((kind, tag))

    def watch(self, directory):
        self.say("watch", directory)
        self.await_("watching", directory)

    def begin(self, method, path, body=None, type=""):
        tag = self.tag()
        self.say("call", tag, method, path, type, json.dumps(body) if body is not None else "")
        return tag

    def end(self, tag, fine=(200, 201, 202)):
        """(sent, answered, object)"""
        status, sent, answered, text = self.await_("called", tag)
        if int(status) not in fine:
            raise RuntimeError("%s: %s" % (status, text))
        return int(sent), int(answered), json.loads(text) if text.startswith("{") else None

    def call(self, method, path, body=None, type="", fine=(200, 201, 202)):
        return self.end(self.begin(method, path, body, type), fine)

    def expect(self, text):
        return self.wait_for("expect", text)

    def gone(self, name):
        return self.wait_for("gone", name)

    def wait_for(self, what, text):
        """Whatever is done next happens when the probe knows what to look for."""
        tag = self.tag()
        self.say(what, tag, text)
        self.await_("expecting", tag)
        return tag

    def when(self, kind, tag):
        return int(self.await_(kind, tag)[0])


def too_late(number, frame):
    raise RuntimeError("nothing came in %d s" % WAIT_S)


def until(what, condition):
    end = time.monotonic() + WAIT_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise RuntimeError("not in time: " + what)
        time.sleep(0.005)
    return value


# ---- objects -------------------------------------------------------------------------------

numbers = collections.defaultdict(int)


def fresh_ips(dual=False):
    """Each round has addresses of its own: 64 in a block, as in a real cluster."""
    numbers["ip"] += 1
    n = numbers["ip"]
    ips = ["10.%d.%d.%d/8" % (n >> 16, n >> 8 & 255, n & 255)]
    return ips + (["fd00::%x/64" % n] if dual else [])


def fresh_name(kind):
    numbers[kind] += 1
    return "%s-%d" % (kind, numbers[kind])


def allocation(name, ips):
    return {"apiVersion": "staticip.dev/v1alpha1", "kind": "StaticIPAllocation", "metadata": {"name": name},
            "spec": {"network": "podnet", "targetRef": {"kind": "Pod", "name": name}, "addresses": [{"ips": ips}]}}


def pod(name, node=None, owner=None):
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": "x"}]}}
    if node:
        body["spec"]["nodeName"] = node
    if owner:
        body["metadata"]["ownerReferences"] = [owner]
    return body


def binding(name, node):
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}}


def granted(name, uid):
    return '%s@%s\t{"state":"Granted"' % ("podnet/%s/%s" % (NS, name), uid)


def held(name, uid):
    return '%s@%s\t{"state":"Held"' % ("podnet/%s/%s" % (NS, name), uid)


def row(name):
    return "podnet/%s/%s\t{" % (NS, name)


def delete_pod(probe, name):
    return probe.begin("DELETE", PODS + "/" + name, {"gracePeriodSeconds": 0})


def plugin(verb, node, name, uid):
    """The plugin on a node, whose host file names the agent's root."""
    conf = json.dumps({"cniVersion": "1.0.0", "name": "podnet", "type": "macvlan",
                       "ipam": {"type": "staticip", "wait": 0}})
    env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "c-" + name, "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0",
           "CNI_PATH": "/x", "PATH": os.environ["PATH"], "SIP_ROOT": WORK + "/" + node,
           "CNI_ARGS": "K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s" % (NS, name, uid)}
    script = ('mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\\"root\\": \\"$SIP_ROOT\\"}" '
              '>/etc/staticip/plugin.json && exec "$0"')
    done = subprocess.run(["unshare", "--mount", "bash", "-c", script, BUILD + "/staticip"], input=conf.encode(),
                          env=env, stdout=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError("%s of %s: %s" % (verb, name, done.stdout.decode()))


# ---- what is measured: each returns nanoseconds ---------------------------------------------

def bare(probe):
    """A writes, B sees it on a watch and writes, A sees that on its watch."""
    tag = fresh_name("bare")
    probe.say("bare", tag)
    sent, seen = probe.await_("bare", tag)
    probe.call("DELETE", "/api/v1/namespaces/%s/configmaps/question-%s" % (NS, tag))
    return [int(seen) - int(sent)]


def apply(probe):
    name = fresh_name("apply")
    seen = probe.expect(row(name))
    sent, _, _ = probe.call("POST", ALLOCATIONS, allocation(name, fresh_ips()))
    when = probe.when("seen", seen)
    probe.call("DELETE", ALLOCATIONS + "/" + name)
    return [when - sent]


def settle(probe, name):
    """The allocation's row is published, and its status written."""
    until("status of " + name, lambda: any(
        c["type"] == "Programmed" and c["status"] == "True"
        for c in probe.call("GET", ALLOCATIONS + "/" + name)[2].get("status", {}).get("conditions", [])))


def claimed(probe, uid):
    blocks = probe.call("GET", "/apis/staticip.dev/v1alpha1/staticipblocks")[2]["items"]
    return sum(e["uid"] == uid for b in blocks for e in b["spec"].get("entries", []))


def clean(probe, name):
    tag = delete_pod(probe, name)
    probe.end(tag)
    probe.call("DELETE", ALLOCATIONS + "/" + name)


def grant(probe):
    """A pod that was there and unbound for a moment, as the scheduler leaves it, is bound."""
    name = fresh_name("grant")
    probe.call("POST", ALLOCATIONS, allocation(name, fresh_ips()))
    settle(probe, name)
    uid = probe.call("POST", PODS, pod(name))[2]["metadata"]["uid"]
    until("claim of " + name, lambda: claimed(probe, uid))
    time.sleep(0.05)
    seen = probe.expect(granted(name, uid))
    sent, _, _ = probe.call("POST", "%s/%s/binding" % (PODS, name), binding(name, "n3"))
    when = probe.when("seen", seen)
    clean(probe, name)
    return [when - sent]


def grant_created(probe):
    """A pod that has its node when it is made (DaemonSets of old, kubectl with nodeName)."""
    name = fresh_name("born")
    probe.call("POST", ALLOCATIONS, allocation(name, fresh_ips()))
    settle(probe, name)
    seen = probe.expect("podnet/%s/%s@" % (NS, name))
    sent, _, _ = probe.call("POST", PODS, pod(name, "n3"))
    when = probe.when("seen", seen)
    clean(probe, name)
    return [when - sent]


def busy(probe, node, uid):
    status = probe.call("GET", NODES + "/" + node)[2].get("status", {})
    return uid in status.get("answer", {}).get("busy", [])


def handover(probe, dual=False):
    """The old pod's lease ends on one node, where it was revoked already; its successor waits
    on another. From the moment that the old node's agent can see it: its answer is within."""
    name = fresh_name("hand6" if dual else "hand")
    ips = fresh_ips(dual)
    probe.call("POST", ALLOCATIONS, allocation(name, ips))
    settle(probe, name)
    old = probe.call("POST", PODS, pod(name, "n1"))[2]["metadata"]["uid"]
    until("grant of " + name, lambda: old in open(WORK + "/n1/node").read())
    plugin("ADD", "n1", name, old)
    probe.end(delete_pod(probe, name))
    new = probe.call("POST", PODS, pod(name, "n2"))[2]["metadata"]["uid"]
    until("hold of " + name, lambda: new in open(WORK + "/n2/node").read())
    until("revocation of " + name, lambda: busy(probe, "n1", old))
    time.sleep(0.1)
    seen = probe.expect(granted(name, new))
    free = probe.gone(ips[-1].split("/")[0])
    plugin("DEL", "n1", name, old)
    begin, when = probe.when("gone", free), probe.when("seen", seen)
    clean(probe, name)
    return [when - begin]


def handover_dual(probe):
    return handover(probe, True)


def at_once(probe):
    """80 pods of a StatefulSet on one node, bound in one burst: each from the answer to its
    own binding, as the API server needs a while for 80 of them."""
    name = fresh_name("set")
    first = 100 + numbers["set"]
    body = allocation(name, [])
    body["spec"]["targetRef"] = {"kind": "StatefulSet", "name": name}
    del body["spec"]["addresses"]
    body["spec"]["addressRanges"] = ["10.%d.0.1-10.%d.0.%d/8" % (first, first, AT_ONCE)]
    template = {"metadata": {"labels": {"a": name}}, "spec": pod("x")["spec"]}
    owner = probe.call("POST", SETS, {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": {
        "replicas": AT_ONCE, "serviceName": name, "selector": {"matchLabels": {"a": name}}, "template": template}})[2]
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": owner["metadata"]["uid"],
                 "controller": True}
    probe.call("POST", ALLOCATIONS, body)
    settle(probe, name)
    names = ["%s-%d" % (name, i) for i in range(AT_ONCE)]
    uids = [probe.call("POST", PODS, pod(n, owner=reference))[2]["metadata"]["uid"] for n in names]
    until("claims", lambda: all(claimed(probe, u) for u in uids[-1:] + uids[:1]))
    time.sleep(1)
    seen = [probe.expect(granted(n, u)) for n, u in zip(names, uids)]
    bound = [probe.begin("POST", "%s/%s/binding" % (PODS, n), binding(n, "n3")) for n in names]
    answered = [probe.end(tag)[1] for tag in bound]
    values = [max(probe.when("seen", tag) - when, 0) for tag, when in zip(seen, answered)]
    for tag in [delete_pod(probe, n) for n in names]:
        probe.end(tag)
    probe.call("DELETE", ALLOCATIONS + "/" + name)
    probe.call("DELETE", SETS + "/" + name)
    time.sleep(1)
    return values


# ---- the report -------------------------------------------------------------------------------

BARE = "two bare watch hops"
MEASURED = [  # name, function, budget × two bare watch hops
    (BARE, bare, None),
    ("apply: allocation created → row on the node", apply, 1.5),
    ("grant: pod bound → grant on the node", grant, 2),
    ("grant, bound at creation (nodeName)", grant_created, None),
    ("hand-over: last lease gone → successor's grant", handover, 4),
    ("hand-over, two addresses in two blocks", handover_dual, 4),
]
BURST = "grant, %d pods bound to one node at once, each" % AT_ONCE


def percentile(values, share):
    values = sorted(values)
    return values[min(int(len(values) * share), len(values) - 1)]


def report(samples, rounds, seconds):
    base = statistics.median(samples[BARE])
    missed = []
    lines = ["# From an object to the row on the node", "",
             "%s, %d CPUs, Linux %s, load %.1f; %d interleaved rounds. In units of *%s*: A writes an object, B sees "
             "it on a watch and writes another, A sees that." % (
                 platform.machine(), os.cpu_count(), platform.release(), os.getloadavg()[0], rounds, BARE), "",
             "| what | n | p50 ms | p99 ms | × bare, p50 | × bare, p99 | budget, p50 | |", "|---|---|---|---|---|---|---|---|"]
    for name, _, budget in MEASURED + [(BURST, None, None)]:
        values = samples[name]
        middle, late = statistics.median(values), percentile(values, 0.99)
        ok = budget is None or middle <= budget * base
        if not ok:
            missed.append(name)
        lines.append("| %s | %d | %.1f | %.1f | %.2f | %.2f | %s | %s |" % (
            name, len(values), middle / 1e6, late / 1e6, middle / base, late / percentile(samples[BARE], 0.99),
            "≤ %g" % budget if budget else "–", "" if budget is None else "kept" if ok else "**missed**"))
    lines += ["", "measured in %d s" % seconds]
    return lines, missed


def prepare(probe):
    """Agents are up, tables are there, and what is measured is watched."""
    probe.await_("synced", "")
    probe.call("POST", ALLOCATIONS, allocation("warm", fresh_ips(True)))
    settle(probe, "warm")
    for node in ("n1", "n2", "n3"):
        until("tables of " + node, lambda: os.path.exists("%s/%s/table/live" % (WORK, node)))
        until("StaticIPNode of " + node, lambda: os.path.exists("%s/%s/node" % (WORK, node)))
    uid = probe.call("POST", PODS, pod("warm", "n1"))[2]["metadata"]["uid"]
    until("the first grant", lambda: granted("warm", uid) in open(WORK + "/n1/node").read())
    plugin("ADD", "n1", "warm", uid)
    for directory, _, files in os.walk(WORK + "/n1/leases"):
        if files and "by-attachment" not in directory:
            probe.watch(directory)
    plugin("DEL", "n1", "warm", uid)
    probe.watch(os.path.realpath(WORK + "/n3/table/live"))
    probe.watch(WORK + "/n2")
    probe.watch(WORK + "/n3")


def main():
    path, rounds = sys.argv[1], int(sys.argv[2])
    begin = time.time()
    signal.signal(signal.SIGALRM, too_late)
    far = subprocess.Popen([BUILD + "/tests/bench/latency_probe", WORK + "/kubeconfig", "echo", NS],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    far.stdout.readline()
    probe = Probe()
    probe.call("POST", "/api/v1/namespaces/%s/configmaps" % NS, {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "answer", "labels": {"role": "answer"}}})
    prepare(probe)
    samples = collections.defaultdict(list)
    for turn in range(rounds):
        for name, measure, _ in random.sample(MEASURED, len(MEASURED)):
            samples[name] += measure(probe)
            time.sleep(0.05)
        if turn * AT_ONCE_ROUNDS // rounds != (turn + 1) * AT_ONCE_ROUNDS // rounds:
            samples[BURST] += at_once(probe)
        if turn % 10 == 9:
            print("round %d of %d, %d s" % (turn + 1, rounds, time.time() - begin), flush=True)
    lines, missed = report(samples, rounds, time.time() - begin)
    print("\n".join(lines))
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    print("latency: %s" % ("missed: " + "; ".join(missed) if missed else "every budget is kept"))
    sys.exit(1 if missed else 0)


main()
