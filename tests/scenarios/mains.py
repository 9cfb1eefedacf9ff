"""Under real main plugins, driven by cnitool: both roles in one list. Needs the
reference plugins that `make cluster` builds; without them it says so."""
import json
import os
import subprocess

import tables
from chain import ip
from harness import Failure, expect

BIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/cluster-bin")
MAINS = {"bridge": {"bridge": "cni0", "isGateway": True}, "macvlan": {"master": "up0"}, "ptp": {}}
ADDRESSES = ["10.0.2.40/24", "fd00:2::40/64"]
THERE = all(os.path.exists("%s/%s" % (BIN, name)) for name in ["cnitool"] + ["cni/" + m for m in MAINS])
if not THERE:
    print("skipped: real main plugins (build/cluster-bin is not built yet: make cluster)")


def setup(h):
    for name in ("node", "pod"):
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "netns", "add", name], check=True)
    ip("node", "link add up0 type veth peer name up1")
    for link in ("lo", "up0", "up1"):
        ip("node", "link set %s up" % link)
    ip("node", "addr add 192.168.9.2/24 dev up0")
    ip("node", "route add default via 192.168.9.1")
    tables.one_pod(ADDRESSES, ["10.0.2.1", "fd00:2::1"], [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}], "podnet")
    subprocess.run("mkdir -p /run/work/bin /run/work/net.d && cp %s/cni/* /run/work/bin/ && cp %s /run/work/bin/staticip"
                   % (BIN, h.plugin), shell=True, check=True)


def cnitool(verb):
    env = {"PATH": os.environ["PATH"], "NETCONFPATH": "/run/work/net.d", "CNI_PATH": "/run/work/bin",
           "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p"}
    done = subprocess.run(["nsenter", "--net=/run/netns/node", BIN + "/cnitool", verb, "podnet", "/run/netns/pod"],
                          env=env, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Failure("cnitool %s: %s" % (verb, done.stderr.splitlines()[:1]))
    return done.stdout


def whole_life(version, main):
    us = {"type": "staticip", "routes": [{"dst": "host", "gw": "auto"}, {"dst": "10.8.0.0/16", "gw": "10.0.2.1", "mtu": 1400}]}
    conf = {"cniVersion": version, "name": "podnet",
            "plugins": [dict(MAINS[main], type=main, ipam={"type": "staticip"}), us]}
    with open("/run/work/net.d/10.conflist", "w") as f:
        json.dump(conf, f)
    result = json.loads(cnitool("add"))
    expect([i["address"] for i in result["ips"]] == ADDRESSES, "addresses", result)
    expect([r["dst"] for r in result["routes"]] == ["0.0.0.0/0", "::/0", "192.168.9.2/32", "10.8.0.0/16"], "routes", result)
    shown = ip("pod", "addr show dev eth0") + ip("pod", "-4 route") + ip("pod", "-6 route")
    for words in ("inet " + ADDRESSES[0], "inet6 " + ADDRESSES[1], "default via 10.0.2.1 dev eth0", "default via fd00:2::1 dev eth0",
                  "192.168.9.2 via 10.0.2.1 dev eth0", "10.8.0.0/16 via 10.0.2.1 dev eth0 proto static mtu 1400"):
        expect(words in shown, "not in the pod: " + words, shown)
    for verb in {"0.3.1": [], "0.4.0": ["check"], "1.0.0": ["check"]}.get(version, ["check", "status", "gc"]):
        cnitool(verb)
    for _ in range(2):
        cnitool("del")
    expect("eth0" not in ip("pod", "link"), "the interface is still there")


def over_versions(h, main):
    for version in ("0.3.1", "0.4.0", "1.0.0", "1.1.0"):
        whole_life(version, main)


if THERE:
    def test_MP1_under_bridge_in_every_chained_version(h):
        over_versions(h, "bridge")

    def test_MP2_under_macvlan_in_every_chained_version(h):
        over_versions(h, "macvlan")

    def test_under_ptp_in_every_chained_version(h):
        over_versions(h, "ptp")
