"""A SIGKILL at each system call of an act that changes leases: whatever it leaves, I1
holds at once, and the next DEL or ADD brings order."""
import os
import re
import subprocess

import leases
import tables
from chain import ip
from harness import Failure, expect
from leases import attachments, conf, environment, forget, gc, leased, link_is_up, pod_netns

LOG = "/run/work/strace"
EVERY = int(os.environ.get("STRESS_EVERY", "1"))  # at each second, third ... system call only
# the leak checker of the sanitizers does not run under a tracer
TRACED = {"ASAN_OPTIONS": "detect_leaks=0"}


def setup(h):
    leases.setup(h)
    for name in ("a", "b"):
        pod_netns(name)


C1 = environment("c1")
C2 = environment("c2", netns="b")          # the same pod in a new sandbox
Q = environment("q1", "q", "u-2", "b")     # another pod that wants the same addresses


def traced_calls(h, verb, configuration, env):
    """(name, how many of its name) of each system call from the first one that has to do
    with leases on; looking at every process of the machine counts once."""
    h.call(verb, configuration, dict(env, **TRACED), wrap=["strace", "-o", LOG])
    counts, calls, begun, looks = {}, [], False, 0
    for line in open(LOG):
        found = re.match(r"(\w+)\(", line)
        if not found or found.group(1) in ("execve", "exit_group"):
            continue
        name = found.group(1)
        counts[name] = counts.get(name, 0) + 1
        begun = begun or "leases" in line
        looks = looks + 1 if 'readlink("/proc/' in line else 0
        if begun and looks < 2:
            calls.append((name, counts[name]))
    expect(len(calls) >= 10, "hardly anything was traced", len(calls))
    return calls


def killed(h, verb, configuration, env, call):
    """The act, killed when it is about to make this call; False when it did not come
    to it: how many it makes in /proc depends on what runs on the machine."""
    inject = "inject=%s:signal=KILL:when=%d" % call
    answer = h.call(verb, configuration, dict(env, **TRACED), wrap=["strace", "-o", LOG, "-e", inject])
    return answer.rc != 0 and "killed by SIGKILL" in open(LOG).read()


def each_crash(h, prepare, verb, configuration, env, after):
    """Once for each system call: prepare, act and die there, judge."""
    prepare()
    calls = traced_calls(h, verb, configuration, env)[::EVERY]
    clean(h, configuration)
    missed = 0
    for call in calls:
        for judge in after:
            prepare()
            if not killed(h, verb, configuration, env, call):
                missed += 1
                clean(h, configuration)
                continue
            try:
                judge()
                nothing_is_leased(configuration)
            except Exception as e:
                raise Failure("killed at %s number %d, %s: %s" % (call + (judge.__name__, e)))
            clean(h, configuration)
    expect(missed * 10 <= len(calls) * len(after), "too few were killed", missed, len(calls))


def nothing_is_leased(configuration):
    network = configuration["name"]
    addresses, files = leased("network/" + network), attachments(network)
    expect(addresses == {} and files == [], "something is left", addresses, files)


def clean(h, configuration):
    for env in (C1, C2, Q):
        delete(h, env, configuration)
    nothing_is_leased(configuration)


def add(h, env, configuration=None):
    """An ADD that succeeds, with what a main plugin does then."""
    configuration = configuration or conf()
    answer = h.call("ADD", configuration, env).result()
    for netns in ("a", "b"):
        if env["CNI_NETNS"] == "/run/netns/" + netns:
            ip(netns, "link set eth0 up")
    h.call("CHECK", dict(configuration, prevResult=answer), env).silent()
    return [i["address"] for i in answer["ips"]]


def delete(h, env, configuration=None):
    h.call("DEL", configuration or conf(), env).silent()


def test_ADD_killed_at_each_system_call(h):
    def then_DEL():
        delete(h, C1)

    def then_ADD_again():
        add(h, C1)
        expect(len(leased()) == 2 and attachments() == ["c1:eth0"], "leases", leased())
        delete(h, C1)

    def then_another_pod():
        # nobody was answered: it may get the addresses or not, whole or not at all
        answer = h.call("ADD", conf(), Q)
        if answer.rc:
            answer.error(11, "c1")
            delete(h, C1)
            add(h, Q)
        delete(h, C1)
        if answer.rc == 0:
            expect({r["container"] for r in leased().values()} == {"q1"}, "the late DEL took", leased())
        delete(h, Q)

    # from nothing: directories are made too
    each_crash(h, tables.forget_leases, "ADD", conf(), C1, [then_DEL, then_ADD_again, then_another_pod])


def test_an_ADD_that_chooses_killed_at_each_system_call(h):
    """What it has linked is written down last: a killed one leaves names that only the
    file's link count tells of."""
    ranges = {"type": "staticip", "wait": 0, "ranges": [[{"subnet": "10.0.6.0/29"}], [{"subnet": "fd00:6::/125"}]]}
    dynamic = dict(conf(), name="dynamic", ipam=ranges)

    def then_DEL():
        delete(h, C1, dynamic)

    def then_ADD_again():
        mine, theirs = add(h, C1, dynamic), add(h, Q, dynamic)
        expect(not set(mine) & set(theirs), "two have one address", mine, theirs)
        expect(len(leased("network/dynamic")) == 4, "leases", leased("network/dynamic"))
        delete(h, C1, dynamic)
        delete(h, Q, dynamic)

    each_crash(h, tables.forget_leases, "ADD", dynamic, C1, [then_DEL, then_ADD_again])


def test_a_repeated_ADD_killed_at_each_system_call(h):
    def still_has_its_addresses():
        h.call("ADD", conf(), Q).error(11, "c1")
        add(h, C1)
        delete(h, C1)

    each_crash(h, lambda: add(h, C1), "ADD", conf(), C1, [still_has_its_addresses])


def test_DEL_killed_at_each_system_call(h):
    def then_DEL_again():
        delete(h, C1)
        expect(not link_is_up("a"), "the address is still usable")

    def then_another_pod():
        answer = h.call("ADD", conf(), Q)
        if answer.rc == 0:
            expect(not link_is_up("a"), "another pod has an address that still answers")
        else:
            answer.error(11, "c1")
        delete(h, C1)
        expect(not link_is_up("a"), "the address is still usable")
        if answer.rc == 0:
            expect(len(leased()) == 2, "the repeated DEL took the other's", leased())
        delete(h, Q)

    each_crash(h, lambda: add(h, C1), "DEL", conf(), C1, [then_DEL_again, then_another_pod])


def test_a_take_over_killed_at_each_system_call(h):
    def another_pod_gets_nothing():
        h.call("ADD", conf(), Q).error(11, "10.0.2.40")
        delete(h, C1)
        delete(h, C2)

    def late_DEL_first():
        delete(h, C1)
        add(h, C2)
        delete(h, C2)

    def new_sandbox_goes_first():
        delete(h, C2)
        delete(h, C1)
        expect(not link_is_up("a"), "the address is still usable")

    def take_over_again():
        add(h, C2)
        expect(not link_is_up("a"), "the old sandbox can still answer for the address")
        delete(h, C1)
        expect({r["container"] for r in leased().values()} == {"c2"}, "the late DEL took", leased())
        delete(h, C2)

    each_crash(h, lambda: add(h, C1), "ADD", conf(), C2,
               [another_pod_gets_nothing, late_DEL_first, new_sandbox_goes_first, take_over_again])


def test_an_ADD_that_takes_from_a_vanished_pod_killed_at_each_system_call(h):
    def prepare():
        if not os.path.exists("/run/netns/a"):
            subprocess.run(["ip", "netns", "add", "a"], check=True)
        h.call("ADD", conf(), C1).ok()
        forget("a")

    def then_ADD_again():
        add(h, Q)
        delete(h, C1)
        delete(h, Q)

    def then_DEL():
        delete(h, Q)
        delete(h, C1)

    each_crash(h, prepare, "ADD", conf(), Q, [then_ADD_again, then_DEL])


def test_GC_killed_at_each_system_call(h):
    def prepare():
        h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
        h.call("ADD", conf(), environment("c3", "r", "u-3", "/nowhere")).ok()

    def then_GC_again():
        h.call("GC", gc([])).silent()

    each_crash(h, prepare, "GC", gc([]), {}, [then_GC_again])
