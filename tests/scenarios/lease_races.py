"""Leases when two processes meet: one is held up at a system call, the other comes
between. And what a lease says against what it is."""
import fcntl
import json
import os
import subprocess
import time

import leases
import tables
from chain import ip
from harness import Failure, expect
from leases import DUAL, ROOT, attachments, conf, environment, forget, gc, leased, link_is_up, nothing_is_leased, pod_netns, start

setup = leases.setup
HELD_UP_S = 3  # time enough for the other on a busy machine


def held_up(h, verb, configuration, env, call, when=1):
    """The plugin, which stops for a while before its N-th call of this kind; returns
    once it is there."""
    log = "/run/work/held-up"
    if os.path.exists(log):
        os.unlink(log)
    inject = "%s:delay_enter=%d:when=%d" % (call, HELD_UP_S * 1000000, when)
    # the leak checker of a sanitizer build cannot work under strace
    process = start(h, verb, configuration, dict(env, ASAN_OPTIONS="detect_leaks=0"),
                    wrap=["strace", "-o", log, "-e", "trace=" + call, "-e", "inject=" + inject])
    for _ in range(200):
        # strace writes the call's name before it waits
        if os.path.exists(log) and open(log).read().count(call + "(") >= when:
            return process
        time.sleep(0.01)
    process.kill()
    raise Failure("%s does not come to its call %d of %s" % (verb, when, call))


def finish(process, rc=0):
    out = process.communicate(timeout=20)[0]
    expect(process.returncode == rc, "the process that was held up", process.returncode, out)
    return out


def rewrite(container, ifname="eth0", network="mynet", **members):
    """Changes the record of a lease, as a process would."""
    with open("%s/leases/by-attachment/%s/%s:%s" % (ROOT, network, container, ifname), "r+") as f:
        record = dict(json.load(f), **members)
        f.seek(0)
        f.write(json.dumps(record).ljust(4095) + "\n")


def test_I5_a_late_DEL_does_not_free_what_a_later_ADD_of_the_container_took(h):
    """podman and nerdctl restart a container under its old id."""
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    late = held_up(h, "DEL", conf(), environment("c1"), "setns")
    h.call("ADD", conf(), environment("c1")).ok()
    finish(late)
    expect(len(leased()) == 2 and attachments() == ["c1:eth0"], "the late DEL took", leased())
    h.call("DEL", conf(), environment("c1")).silent()
    nothing_is_leased()


def test_I5_a_late_GC_does_not_free_what_a_later_ADD_of_the_container_took(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    forget("a")
    # the first getdents64 is of the leases, the second of /proc: it is gone by then
    late = held_up(h, "GC", gc([]), environment("x"), "getdents64", 2)
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    finish(late)
    expect(len(leased()) == 2 and attachments() == ["c1:eth0"], "the late GC took", leased())


def test_I1_an_ADD_that_saw_a_vanished_pod_does_not_take_from_its_restart(h):
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    forget("a")
    late = held_up(h, "ADD", conf(), environment("c2", "q", "u-2", "b"), "getdents64")
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    answer = json.loads(finish(late, 1))
    expect(answer["code"] == 11, "answer", answer)
    expect(leased()["10.0.2.40"]["container"] == "c1", "holder", leased())


def test_I1_an_ADD_that_finishes_a_DEL_does_not_take_from_a_later_ADD(h):
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    rewrite("c1", closing=True)
    # the first pair of setns looks at the own namespace, the next at that of c1
    late = held_up(h, "ADD", conf(), environment("c2", "q", "u-2", "b"), "setns", 3)
    h.call("ADD", conf(), environment("c1")).ok()
    answer = json.loads(finish(late, 1))
    expect(answer["code"] == 11, "answer", answer)
    expect(leased()["10.0.2.40"]["container"] == "c1", "holder", leased())


def two_networks_in_one_pool():
    pool = {"domain": "pool/office", "grants": False}
    tables.publish({"mynet": pool, "other": pool}, {
        "mynet/default/p": {"p": "default/a", "ips": DUAL}, "other/default/q": {"p": "default/a", "ips": DUAL}})


def test_an_address_of_another_network_of_its_domain_is_taken_back_whole(h):
    two_networks_in_one_pool()
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    second = dict(conf(), name="other")
    h.call("ADD", second, environment("c2", "q", "u-2", "b")).error(11, "c1")
    forget("a")
    h.call("ADD", second, environment("c2", "q", "u-2", "b")).ok()
    expect(attachments() == [], "the vanished pod's attachment is left", attachments())
    expect({r["container"] for r in leased("pool/office").values()} == {"c2"}, "holders", leased("pool/office"))


def test_an_interface_of_the_same_container_whose_namespace_is_gone_holds_nothing(h):
    """The container's first run had the address on another interface."""
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1", ifname="eth0")).ok()
    forget("a")
    h.call("ADD", conf(), environment("c1", ifname="net1", netns="b")).ok()
    expect(attachments() == ["c1:net1"], "attachments", attachments())


def test_DEL_silences_the_address_wherever_it_is_also_when_another_link_took_the_name(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    ip("a", "link set eth0 down")
    ip("a", "link set eth0 name other0")
    ip("a", "link set other0 up")
    ip("a", "link add eth0 type veth peer name peer1")
    h.call("DEL", conf(), environment("c1")).silent()
    expect(not link_is_up("a", "other0"), "the link with the address is still up")
    nothing_is_leased()


def answers_on_the_wire(netns, address):
    """Whether anybody tells a MAC for the address."""
    script = "ip neigh flush all; echo >/dev/udp/%s/9; sleep 0.5; ip neigh show %s" % (address, address)
    return b"lladdr" in subprocess.run(["ip", "netns", "exec", netns, "bash", "-c", script], capture_output=True).stdout


def test_a_second_interface_on_the_same_segment_does_not_answer_after_DEL(h):
    """By default Linux answers ARP for any of its IPv4 addresses on any link."""
    forget("a", "b")
    for name in ("a", "b"):
        subprocess.run(["ip", "netns", "add", name], check=True)
    ip("b", "link add br0 type bridge")
    ip("b", "addr add 10.0.2.2/24 dev br0")
    ip("b", "link set br0 up")
    for name, address in (("eth0", "10.0.2.40/24"), ("net1", "10.0.2.50/24")):
        ip("a", "link add %s type veth peer name %s netns b" % (name, name))
        ip("a", "addr add %s dev %s" % (address, name))
        ip("a", "link set %s up" % name)
        ip("b", "link set %s master br0 up" % name)
    h.call("ADD", conf(), environment("c1")).ok()
    expect(answers_on_the_wire("b", "10.0.2.40"), "set-up")
    h.call("DEL", conf(), environment("c1")).silent()
    expect(not answers_on_the_wire("b", "10.0.2.40"), "the address still answers")
    expect(answers_on_the_wire("b", "10.0.2.50"), "the other address went with it")


def test_GC_finishes_what_a_DEL_could_not(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    rewrite("c1", closing=True)
    h.call("GC", gc([])).silent()
    nothing_is_leased()
    expect(not link_is_up("a"), "the link is still up")


def test_CHECK_does_not_trust_a_record_whose_address_is_not_leased(h):
    pod_netns("a")
    result = h.call("ADD", conf(), environment("c1")).result()
    checked = dict(conf(), prevResult=result)
    h.call("CHECK", checked, environment("c1")).silent()
    os.unlink(ROOT + "/leases/network/mynet/10.0.2.40")
    h.call("CHECK", checked, environment("c1")).error(102, "no lease")


def test_leases_on_a_disk_are_refused_also_when_their_directory_is_there(h):
    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leases-kept-on-disk")
    script = 'mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\\"root\\":\\"$1\\"}" >/etc/staticip/plugin.json && shift && exec "$@"'
    tables.publish({"mynet": tables.network("mynet")}, {"mynet/default/p": {"p": "default/a", "ips": DUAL}}, root=where)
    os.makedirs(where + "/leases")
    try:
        h.call("ADD", conf(), environment("c1"), wrap=("unshare", "-m", "sh", "-c", script, "sh", where)).error(7, "tmpfs")
    finally:
        subprocess.run(["rm", "-rf", where])


def test_I4_a_lease_that_somebody_keeps_locked_holds_nobody_up_for_long(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    with open(ROOT + "/leases/network/mynet/10.0.2.40") as keeper:
        fcntl.flock(keeper, fcntl.LOCK_EX)
        answer = h.call("DEL", conf(), environment("c1")).silent()
        expect(b"locked by another process" in answer.stderr, "standard error", answer.stderr)
        h.call("ADD", conf(), environment("c2", "q", "u-2")).error(11, "locked by another process")
        h.call("ADD", conf(), environment("c1")).error(11, "locked by another process")
    expect(attachments() == ["c1:eth0"], "attachments", attachments())
    h.call("DEL", conf(), environment("c1")).silent()
    nothing_is_leased()
