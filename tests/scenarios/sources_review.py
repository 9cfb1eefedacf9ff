"""Sources of addresses where they are at odds with the tables, with their own past, or
at the edges of what an address can be."""
import json
import os
import shutil
import time

import grants
import tables
from harness import POD, expect
from leases import attachments, environment, leased, nothing_is_leased, start
from ranges import add, conf, who

DELAY = ["strace", "-f", "-o", "/run/work/trace", "-e", "trace=linkat", "-e", "inject=linkat:delay_exit=1500000:when=2"]


def setup(h):
    h.netns = None
    tables.clear()
    tables.forget_leases()


def leaves_no_word(test):
    """Other modules know nothing of the file `node`."""
    def run(h):
        try:
            test(h)
        finally:
            if os.path.exists(tables.ROOT + "/node"):
                os.unlink(tables.ROOT + "/node")
    return run


# ---- the network becomes the cluster's ------------------------------------------------

def known(grants_required=False):
    tables.publish({"mynet": tables.network("mynet", grants_required)}, grants.ROWS, keep_leases=True)


def waits(h, made, env, act, wrap=()):
    """Starts an ADD, acts while it waits or is held up, and returns its answer."""
    waiting = start(h, "ADD", made, dict(env, ASAN_OPTIONS="detect_leaks=0"), wrap)
    time.sleep(0.5)
    expect(waiting.poll() is None, "it did not wait")
    act()
    out = json.loads(waiting.communicate(timeout=30)[0])
    return waiting.returncode, out


def test_I10_a_network_that_becomes_known_while_ADD_waits_has_no_inline_source(h):
    for more in ({"addresses": [{"address": "10.5.0.9/24"}]}, {"subnet": "10.5.0.0/24", "fixedStart": "10.5.0.9", "fixedEnd": "10.5.0.9"}):
        setup(h)
        ask = {"CNI_ARGS": POD + ";IP=10.5.0.9/24", "CNI_NETNS": "/nowhere", "CNI_IFNAME": "eth0"}
        made = conf(**dict(more, wait=60))
        h.call("ADD", made, who(1, **dict(ask, CNI_ARGS=ask["CNI_ARGS"].replace("u-1", "u-0")))).ok()

        def act():
            known()
            h.call("DEL", made, who(1)).silent()
        code, out = waits(h, made, who(2, **ask), act)
        expect(code == 1 and out["code"] == 102, "the answer", more, out)
        nothing_is_leased()


def test_a_network_that_begins_to_require_grants_while_an_ADD_leases(h):
    """The agent has reported the leases of this moment: one that came later needs the
    controller's word."""
    known()
    code, out = waits(h, conf(), environment("c1", netns="/nowhere"), lambda: known(True), DELAY)
    expect(code == 1 and out["code"] == 11 and "has not granted" in out["msg"], "the answer", out)
    nothing_is_leased()


def test_I10_a_table_without_its_buckets_might_know_the_network(h):
    known()
    shutil.rmtree(tables.ROOT + "/table/64")
    inline = conf(addresses=[{"address": "10.5.0.9/24"}])
    code = h.call("ADD", inline, who(1, CNI_NETNS="/nowhere")).error(5)
    expect("table" in code["msg"], "the message", code)
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).error(5)
    nothing_is_leased()


def test_an_ADD_that_waits_sees_that_grants_are_required_no_more(h):
    """The tables change far from the file that an ADD waits for."""
    known(True)
    begin = time.monotonic()

    def act():
        """Bucket by bucket, as the agent does: nothing is missing at any moment."""
        other = "/run/work/other"
        os.makedirs(other, exist_ok=True)
        tables.publish({"mynet": tables.network("mynet")}, grants.ROWS, root=other)
        for bucket in range(64):
            os.rename("%s/table/64/%d" % (other, bucket), "%s/table/64/%d" % (tables.ROOT, bucket))
    code, out = waits(h, conf(wait=25), environment("c1", netns="/nowhere"), act)
    expect(code == 0 and out["ips"][0]["address"] == "10.0.2.40/24", "the answer", out)
    expect(time.monotonic() - begin < 12, "it came at the end of the wait only", time.monotonic() - begin)


# ---- who asks ---------------------------------------------------------------------------

def test_I8_without_a_UID_no_grant_can_ever_come(h):
    known(True)
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=p"
    begin = time.monotonic()
    for uid in ("", ";K8S_POD_UID="):
        h.call("ADD", conf(wait=15), {"CNI_ARGS": args + uid, "CNI_NETNS": "/nowhere"}).error(4, "K8S_POD_UID", "mynet")
    expect(time.monotonic() - begin < 10, "it waited")
    nothing_is_leased()


def test_names_that_are_cut_leave_a_lease_that_can_be_read(h):
    made = conf(subnet="10.5.0.0/24")
    for name in ("\u00e9" * 200, "a" + "\u00e9" * 200, "\u20ac" * 100, "\U0001f600" * 80):
        args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=u-1" % (name, name)
        env = who(1, CNI_ARGS=args, CNI_NETNS="/nowhere")
        got = add(h, 1, made, CNI_ARGS=args, CNI_NETNS="/nowhere")
        expect(add(h, 1, made, CNI_ARGS=args, CNI_NETNS="/nowhere") == got, "again")
        h.call("DEL", made, env).silent()
        nothing_is_leased()


# ---- the edges of ranges ------------------------------------------------------------------

def all_of(h, made, most=12):
    """What ADDs get until one is refused with 103."""
    got = []
    for i in range(most):
        answer = h.call("ADD", made, who(i, CNI_NETNS="/nowhere"))
        if answer.rc:
            answer.error(103)
            return got
        got.append(answer.result()["ips"][0]["address"])
    return got


def test_ranges_end_where_addresses_end(h):
    for made, wanted in (
            ({"subnet": "10.6.0.0/30"}, ["10.6.0.2/30"]),
            ({"subnet": "10.6.0.0/30", "gateway": "10.6.0.2"}, ["10.6.0.1/30"]),
            ({"subnet": "255.255.255.248/29", "rangeStart": "255.255.255.253"}, []),
            ({"subnet": "223.255.255.248/29", "rangeStart": "223.255.255.253", "rangeEnd": "223.255.255.255"},
             ["223.255.255.253/29", "223.255.255.254/29"]),
            ({"subnet": "fd00::/126"}, ["fd00::2/126", "fd00::3/126"]),
            ({"subnet": "fdff:ffff:ffff:ffff::/64", "rangeStart": "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"},
             ["fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/64", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/64"]),
            ({"subnet": "fd00::/64", "fixedStart": "fd00::", "fixedEnd": "fd00::ffff:ffff:ffff:fffe"}, ["fd00::ffff:ffff:ffff:ffff/64"]),
            ({"subnet": "10.6.0.0/24", "fixedStart": "10.6.0.0", "fixedEnd": "10.6.0.255"}, []),
            ({"subnet": "10.6.0.0/24", "rangeStart": "10.6.0.10", "rangeEnd": "10.6.0.12", "fixedStart": "10.6.0.11", "fixedEnd": "10.6.0.200"},
             ["10.6.0.10/24"])):
        setup(h)
        expect(all_of(h, conf(**made)) == wanted, "addresses", made, wanted)
    for small in ("10.6.0.0/31", "10.6.0.0/32", "fd00::/127", "fd00::1/128"):
        h.call("ADD", conf(subnet=small), who(1)).error(7)


def test_the_round_goes_on_at_every_end(h):
    """One address at a time, given back at once: each comes once before any comes twice."""
    for made, count in (({"subnet": "223.255.255.248/29", "rangeEnd": "223.255.255.255"}, 5), ({"subnet": "fd00::/125"}, 6),
                        ({"ranges": [[{"subnet": "10.6.0.0/30"}, {"subnet": "10.6.0.8/29", "rangeStart": "10.6.0.12"}]]}, 4)):
        setup(h)
        seen = []
        for _ in range(2 * count):
            seen += add(h, 1, conf(**made), CNI_NETNS="/nowhere")
            h.call("DEL", conf(**made), who(1)).silent()
        expect(len(set(seen[:count])) == count and seen[count:] == seen[:count], "the round", made, seen)


def test_a_repeated_ADD_after_the_ranges_changed(h):
    before = conf(subnet="10.6.0.0/24", rangeStart="10.6.0.10")
    expect(add(h, 1, before, CNI_NETNS="/nowhere") == ["10.6.0.10/24"], "first")
    for after in (conf(subnet="10.7.0.0/24"), conf(subnet="10.6.0.0/24", rangeStart="10.6.0.20"),
                  conf(ranges=[[{"subnet": "10.6.0.0/24"}], [{"subnet": "fd00::/64"}]]), conf(addresses=[{"address": "10.9.0.1/24"}])):
        h.call("ADD", after, who(1, CNI_NETNS="/nowhere")).error(11, "DEL it first")
        expect(attachments() == ["c1:eth0"] and sorted(leased()) == ["10.6.0.10"], "leases", leased())
    expect(add(h, 1, before, CNI_NETNS="/nowhere") == ["10.6.0.10/24"], "as before")
    h.call("DEL", conf(addresses=[{"address": "10.9.0.1/24"}]), who(1)).silent()
    nothing_is_leased()


def test_old_results_have_one_address_of_a_family_whatever_the_source(h):
    two = {"addresses": {"addresses": [{"address": "10.5.0.9/24"}, {"address": "10.5.0.10/24"}]},
           "ranges": {"ranges": [[{"subnet": "10.5.0.0/24"}], [{"subnet": "10.6.0.0/24"}]]},
           "allocations": {"allocations": [{"namespace": "default", "pod": "p", "address": "10.5.0.%d/24" % i} for i in (9, 10)]}}
    for version in ("0.1.0", "0.2.0"):
        for made in two.values():
            h.call("ADD", conf(version, **made), who(1, CNI_NETNS="/nowhere")).error(7, "more than 1 address per family")
            nothing_is_leased()


# ---- what stands for itself ---------------------------------------------------------------

def test_one_address_has_one_writing(h):
    """A lease has the address as its name: a second writing would be a second lease."""
    for text, code in (("::ffff:10.5.0.9/120", 7), ("10.5.0.009/24", 0), ("FD00:0::9/64", 0)):
        answer = h.call("ADD", conf(addresses=[{"address": text}]), who(1, CNI_NETNS="/nowhere"))
        if code or answer.rc:
            answer.error(7)
            continue
        expect(sorted(leased()) in (["10.5.0.9"], ["fd00::9"]), "leases", text, leased())
        h.call("DEL", conf(), who(1)).silent()


def test_STATUS_CHECK_DEL_and_GC_with_every_source(h):
    sources = {"addresses": {"addresses": [{"address": "10.5.0.9/24"}]}, "ranges": {"subnet": "10.5.0.0/24"},
               "allocations": {"allocations": [{"namespace": "default", "pod": "p", "address": "10.5.0.9/24"}]}, "tables": {}}
    for name, made in sources.items():
        setup(h)
        if name == "tables":
            known()
        configuration = conf("1.1.0", **made)
        h.call("STATUS", configuration, unset=["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"]).silent()
        result = h.call("ADD", configuration, who(1, CNI_NETNS="/nowhere")).result()
        checked = dict(configuration, prevResult=result)
        h.call("CHECK", checked, who(1, CNI_NETNS="/nowhere")).silent()
        h.call("CHECK", checked, who(2, CNI_NETNS="/nowhere")).error(102)
        valid = [{"containerID": "c1", "ifname": "eth0"}]
        gc = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"]
        h.call("GC", dict(configuration, **{"cni.dev/valid-attachments": valid}), unset=gc).silent()
        expect(attachments() == ["c1:eth0"], "valid", name, attachments())
        h.call("GC", dict(configuration, **{"cni.dev/valid-attachments": []}), unset=gc).silent()
        nothing_is_leased()
        h.call("DEL", configuration, who(1)).silent()


def test_I10_what_is_asked_for_on_a_known_network(h):
    """Every road, every shape; nothing of it yields more than the row."""
    known()
    env = environment("c1", netns="/nowhere")
    args = env["CNI_ARGS"]
    for more in ({"runtimeConfig": {"ips": ["10.0.2.41/24"]}}, {"runtimeConfig": {"ips": ["10.0.2.40/16"]}},
                 {"args": {"cni": {"ips": ["10.0.2.41"]}}}, {"runtimeConfig": {"ipRanges": [[{"subnet": "10.9.0.0/24"}]]}}):
        h.call("ADD", conf(more=more), env).error(102)
        nothing_is_leased()
    for asked in ("IP=10.0.2.41", "IP=10.0.2.40,10.0.2.41", "GATEWAY=10.0.2.9", "IP=0.0.0.0", "IP=::"):
        h.call("ADD", conf(), dict(env, CNI_ARGS=args + ";" + asked)).error(102)
        nothing_is_leased()
    for pod in ("../p", "p/net1", "p@u-9", "", "P"):
        h.call("ADD", conf(), dict(env, CNI_ARGS=args.replace("NAME=p", "NAME=" + pod))).error(4)
        nothing_is_leased()
    h.call("ADD", conf(), dict(env, CNI_ARGS="IgnoreUnknown=1;IP=10.9.0.9/24")).error(102)
    h.call("ADD", conf(more={"name": "MYNET"}), env).error(100)
    nothing_is_leased()


@leaves_no_word
def test_a_grant_of_the_wrong_shape_is_an_error_and_no_row(h):
    """What is damaged might have been a refusal."""
    known()
    for row in ({"state": "Granted"}, {"state": "Granted", "domain": "x", "p": "default/a", "ips": ["10.0.2.40/24"]},
                {"state": "Granted", "domain": "network/../../..", "p": "default/a", "ips": ["10.0.2.40/24"]}, {"state": "Held"},
                {"state": "Given"}, {"state": "Granted", "domain": "network/mynet", "p": "default/b", "ips": ["10.0.2.40/24"]},
                {"state": "Granted", "domain": "network/mynet", "p": "default/a", "ips": ["10.0.2.40"]}, [], 1):
        grants.node(("mynet/default/p@u-1", row))
        h.call("ADD", conf(), environment("c1", netns="/nowhere")).error(5, "damaged")
        nothing_is_leased()


@leaves_no_word
def test_the_lookup_goes_on_after_a_hold_for_the_longest_wait(h):
    known(True)
    grants.node(grants.held())
    code, out = waits(h, conf(wait=180), environment("c1", netns="/nowhere"), lambda: grants.node(grants.given(), serial=2))
    expect(code == 0, "the answer", out)
    h.call("ADD", conf(wait=181), environment("c2", netns="/nowhere")).error(7)


def test_a_range_of_multicast_addresses_is_exhausted_at_once(h):
    begin = time.monotonic()
    conf = {"cniVersion": "1.0.0", "name": "mynet", "type": "macvlan",
            "ipam": {"type": "staticip", "wait": 0, "subnet": "ff00::/64"}}
    h.call("ADD", conf).error(103, "ff00::1")
    expect(time.monotonic() - begin < 15, "it walked over the range")
