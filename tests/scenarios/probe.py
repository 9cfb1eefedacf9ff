"""The probe before use: who answers for a pod's address because it is the pod's own earlier sandbox,
and how long it is asked. "old" and "pod" are sandboxes on one segment with "lan"."""
import json
import re
import subprocess

import chain
import leases
import tables
import wire
from chain import POD4, POD6, call, ip, prev
from harness import expect, ipam_conf
from wire import IP4, IP6, mac

BOTH = ((POD4, IP4), (POD6, IP6))


def setup(h):
    wire.setup(h)
    leases.forget("old")
    subprocess.run(["ip", "netns", "add", "old"], check=True)
    ip("lan", "link add br0 type bridge")
    ip("old", "link add eth0 type veth peer name n1 netns lan")
    ip("old", "link set eth0 up")
    for link in ("br0", "n1"):
        ip("lan", "link set", link, "up")
    for link in ("n0", "n1"):
        ip("lan", "link set", link, "master br0")
    chain.give_pod("old", "eth0", POD4, POD6)
    tables.one_pod([POD4, POD6])


def add_lease(h, container, netns, verb="ADD", uid="u-1", **ipam):
    conf = ipam_conf("1.1.0", ipam=dict({"type": "staticip", "wait": 0}, **ipam))
    return h.call(verb, conf, leases.environment(container, uid=uid, netns=netns)).ok()


def probe(h, container, address, **more):
    """The chained role for one of the pod's addresses."""
    return call(h, None, probe=True, prevResult=prev(ips=(address,)), env={"CNI_CONTAINERID": container}, **more)


def old_comes_back():
    """A guest's own network stack, or a process that may: the runtime has not ended the sandbox yet."""
    ip("old", "link set eth0 up")
    wire.until("the old sandbox's link", lambda: "LOWER_UP" in ip("old", "link show eth0"))


def take_over(h):
    add_lease(h, "c1", "old")
    add_lease(h, "c2", "pod")
    expect("UP" not in json.loads(ip("old", "-j link show eth0"))[0]["flags"], "the take-over did not silence it")
    old_comes_back()


def test_the_pods_own_earlier_sandbox_is_nobody_else(h):
    take_over(h)
    for address, words in BOTH:
        # who has no lease does not know it, and sees that it answers
        probe(h, "stranger", address).error(106, words, mac("old", "eth0"))
        probe(h, "c2", address).ok()
    add_lease(h, "c2", "pod")  # a repeated ADD does not forget
    for address, _ in BOTH:
        probe(h, "c2", address).ok()


def test_another_machine_is_somebody_else_also_after_a_take_over(h):
    take_over(h)
    for address, words in BOTH:
        ip("old", "addr del", address, "dev eth0")
        ip("lan", "addr add", address, "dev br0", "nodad" if ":" in address else "")
        probe(h, "c2", address).error(106, words, mac("lan", "br0"))


def test_the_sandboxes_before_the_earlier_one_are_known_too(h):
    add_lease(h, "c0", "old")
    first = mac("old", "eth0")
    leases.pod_netns("middle", addresses=[POD4, POD6])
    try:
        add_lease(h, "c1", "middle")
        add_lease(h, "c2", "pod")
        expect(leases.leased()[IP4]["former"] == [mac("middle", "eth0"), first], "former", leases.leased()[IP4])
    finally:
        leases.forget("middle")
    old_comes_back()
    probe(h, "c2", POD4).ok()


def test_a_sandbox_whose_row_changed_still_knows_its_earlier_one(h):
    add_lease(h, "c1", "old")
    tables.publish({"mynet": tables.network("mynet")}, {
        "mynet/default/p": {"p": "default/a", "ips": [POD4, "10.131.0.44/23"]}}, keep_leases=True)
    add_lease(h, "c2", "pod")
    expect(leases.leased()["10.131.0.44"]["former"] == [mac("old", "eth0")], "former", leases.leased())
    old_comes_back()
    probe(h, "c2", POD4).ok()


def test_an_earlier_sandbox_whose_DEL_began_is_known_too(h):
    """Its lease is ended, not taken over."""
    add_lease(h, "c1", "old")
    with open("%s/leases/by-attachment/mynet/c1:eth0" % tables.ROOT, "r+") as f:
        text = f.read()
        lease = json.loads(text)
        lease["closing"] = True
        f.seek(0)
        f.write(json.dumps(lease, separators=(",", ":")).ljust(len(text)))
    add_lease(h, "c2", "pod")
    expect(leases.leased()[IP4].get("former") == [mac("old", "eth0")], "former", leases.leased()[IP4])
    old_comes_back()
    for address, _ in BOTH:
        probe(h, "c2", address).ok()


def test_another_pods_MAC_is_not_remembered(h):
    add_lease(h, "c1", "old", uid="u-old")
    add_lease(h, "c1", "old", verb="DEL")
    add_lease(h, "c2", "pod")
    expect("former" not in leases.leased()[IP4], "former", leases.leased()[IP4])
    old_comes_back()
    probe(h, "c2", POD4).error(106, IP4, mac("old", "eth0"))


def test_a_lease_that_cannot_be_read_hides_no_duplicate_and_no_answer(h):
    take_over(h)
    with open("%s/leases/by-attachment/mynet/c2:eth0" % tables.ROOT, "r+") as f:
        f.write("rubbish")
    probe(h, "c2", POD4).error(106, IP4)
    ip("old", "link set eth0 down")
    probe(h, "c2", POD4).ok()


# ---- how long ------------------------------------------------------------------------

NEIGHBOUR = """
import json, select, socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("br0", 0))
own = s.getsockname()[4]
noise = b"\\xff" * 6 + own + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 2) + (own + bytes([10, 131, 0, 200])) * 2
seen = {}
print("ready", flush=True)
while True:
    ready = select.select([s, sys.stdin], [], [], 0.001)[0]
    if s in ready:
        frame, where = s.recvfrom(2048)
        arp = frame[12:14] == b"\\x08\\x06" and frame[28:32] == bytes(4) and socket.inet_ntop(socket.AF_INET, frame[38:42])
        nd = frame[12:14] == b"\\x86\\xdd" and frame[54] == 135 and frame[22:38] == bytes(16) and socket.inet_ntop(socket.AF_INET6, frame[62:78])
        if where[2] != 4 and (arp or nd):  # PACKET_OUTGOING
            seen[arp or nd] = seen.get(arp or nd, 0) + 1
        continue
    if ready:
        break
    s.send(noise)
print(json.dumps(seen))
"""


def test_three_rounds_and_no_more_however_much_others_have_to_say(h):
    """The neighbour tells of another address a thousand times a second."""
    neighbour = subprocess.Popen(["nsenter", "--net=/run/netns/lan", "python3", "-c", NEIGHBOUR], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
    try:
        ip("old", "link set eth0 down")
        expect(neighbour.stdout.readline() == "ready\n", "the neighbour")
        call(h, None, probe=True, announce=False).ok()
        seen = json.loads(neighbour.communicate(timeout=10)[0])
    finally:
        neighbour.kill()
        neighbour.wait()
    expect({a: seen.get(a) for a in (IP4, IP6)} == {IP4: 3, IP6: 3}, "probes", seen)


def test_the_waits_are_300_ms_in_all(h):
    """By what it asks of the kernel, not by the clock of a busy machine."""
    ip("old", "link set eth0 down")
    log = "/run/work/probe-strace"
    h.call("ADD", {"cniVersion": "1.0.0", "name": "mynet", "type": "staticip", "prevResult": prev(), "probe": True},
           {"CNI_NETNS": "/run/netns/pod", "CNI_ARGS": "", "ASAN_OPTIONS": "detect_leaks=0"},
           wrap=["strace", "-o", log, "-e", "trace=poll"]).ok()
    with open(log) as f:
        waits = [int(n) for n in re.findall(r"^poll\(.*, (\d+)\) += 0 \(Timeout\)", f.read(), re.M)]
    expect(len(waits) >= 3 and max(waits) <= 100 and sum(waits) <= 300, "waits", waits)
