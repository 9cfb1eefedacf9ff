"""`allocations`: the rows that staticss' users write, and its acceptance rows SS-*."""
import json
import os
import subprocess

import mains
import tables
from chain import ip
from harness import VERSIONS, as_version, canonical, expect, ipam_conf

A = {"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=example;K8S_POD_NAME=ex-0"}


def setup(h):
    tables.clear()
    tables.forget_leases()


def row(pod, address, **more):
    return dict({"namespace": "example", "pod": pod, "address": address}, **more)


def conf(rows, version="1.0.0", **ipam):
    return ipam_conf(version, ipam=dict({"type": "staticip", "allocations": rows, "wait": 0}, **ipam))


TWO = [row("ex-0", "10.0.2.40/24"), row("ex-1", "10.0.2.41/24")]
DUAL = [row("ex-0", "10.0.2.40/24"), row("ex-0", "fec0:aaaa:1::2/64", gateway="fec0:aaaa:1::1")]


def test_SS_01_the_pods_row_in_the_version_asked(h):
    """staticss answers in 1.0.0 whatever is asked."""
    for version in VERSIONS:
        got = canonical(h.call("ADD", conf(TWO, version), A).result(version), version)
        expect(got == {"ips": [{"address": "10.0.2.40/24"}]}, version, got)


def test_SS_02_both_families_with_their_gateways(h):
    routes = [{"dst": "10.0.9.0/24", "gw": "10.0.2.99"}]
    wanted = {"ips": [{"address": "10.0.2.40/24", "gateway": "10.0.2.1"},
                      {"address": "fec0:aaaa:1::2/64", "gateway": "fec0:aaaa:1::1"}], "routes": routes}
    for version in VERSIONS:
        got = canonical(h.call("ADD", conf(DUAL, version, gateway="10.0.2.1", routes=routes), A).result(version), version)
        expect(got == as_version(wanted, version), version, got)
    # staticss passes on a gateway that no pod reaches, and bridge fails
    routes = [{"dst": "10.0.9.0/24", "gw": "10.0.0.99"}]
    h.call("ADD", conf(DUAL, routes=routes), A).error(7, "10.0.0.99", "10.0.9.0/24", "no subnet of the pod")


def test_a_route_of_a_family_that_the_pod_lacks_is_left_out(h):
    """A block serves pods of one family and of both; bridge fails on the other's route."""
    both = conf([row("ex-0", "10.0.2.40/24"), row("ex-1", "10.0.2.41/24"), row("ex-1", "fd00::41/64")],
                routes=[{"dst": "fd09::/16", "gw": "fd00::9"}, {"dst": "10.9.0.0/16"}])
    for pod, wanted in (("ex-0", ["10.9.0.0/16"]), ("ex-1", ["fd09::/16", "10.9.0.0/16"])):
        args = {"CNI_ARGS": A["CNI_ARGS"].replace("ex-0", pod), "CNI_CONTAINERID": pod}
        got = h.call("ADD", both, args).result()
        expect([r["dst"] for r in got["routes"]] == wanted, pod, got)


def test_SS_03_a_pod_without_a_row_is_code_100(h):
    """staticss has one code for everything."""
    args = {"CNI_ARGS": A["CNI_ARGS"].replace("ex-0", "ex-9")}
    h.call("ADD", conf(TWO), args).error(100, "example/ex-9", "ipam.allocations")


def test_SS_04_an_address_that_stands_twice_is_refused(h):
    h.call("ADD", conf([TWO[0], TWO[0]]), A).error(7, "10.0.2.40")
    h.call("ADD", conf(TWO + [row("ex-2", "10.0.2.41/24")]), A).error(7, "[1] and [2]", "10.0.2.41")


def test_SS_05_a_wrong_row_is_refused_whichever_pod_comes(h):
    for wrong in ("garbage", "", "10.0.2.40"):
        h.call("ADD", conf([row("ex-0", wrong)]), A).error(7, "ipam.allocations[0]")
        h.call("ADD", conf(TWO + [row("ex-5", wrong)]), A).error(7, "ipam.allocations[2]")


def test_SS_06_a_route_without_destination_is_refused(h):
    got = h.call("ADD", conf(TWO, routes=[{"dst": "0.0.0.0/0"}]), A).result()
    expect(got["routes"] == [{"dst": "0.0.0.0/0"}], "routes", got)
    for wrong in ({"gw": "10.0.0.1"}, {}):
        h.call("ADD", conf(TWO, routes=[wrong]), A).error(7, "ipam.routes[0].dst")


def test_SS_07_nobody_gets_the_row_of_nobody(h):
    h.call("ADD", conf([{"address": "10.0.2.40/24"}]), unset=["CNI_ARGS"]).error(4, "K8S_POD_NAMESPACE")
    h.call("ADD", conf([{"address": "10.0.2.40/24"}]), A).error(7, "ipam.allocations[0].namespace")


def test_SS_08_broken_input_is_code_6(h):
    for text in (b'{"ipam":', b""):
        h.call("ADD", text, A).error(6)


def test_SS_09_of_two_pod_names_the_last_counts(h):
    args = {"CNI_ARGS": A["CNI_ARGS"] + ";K8S_POD_NAME=ex-1"}
    expect(h.call("ADD", conf(TWO), args).result()["ips"] == [{"address": "10.0.2.41/24"}], "address")


def test_SS_10_DEL_is_idempotent_and_CHECK_looks(h):
    made = h.call("ADD", conf(TWO, "1.1.0"), A).result()
    prev = dict(made, interfaces=[{"name": "eth0", "sandbox": "/x"}])
    h.call("CHECK", dict(conf(TWO, "1.1.0"), prevResult=prev), A).silent()
    other = dict(prev, ips=[{"address": "10.0.2.41/24"}])
    h.call("CHECK", dict(conf(TWO, "1.1.0"), prevResult=other), A).error(102, "10.0.2.41/24", "ipam.allocations")
    h.call("CHECK", dict(conf(TWO[1:], "1.1.0"), prevResult=prev), A).error(100, "example/ex-0")
    for _ in range(2):
        h.call("DEL", conf(TWO, "1.1.0"), A).silent()
    h.call("CHECK", dict(conf(TWO, "1.1.0"), prevResult=prev), A).error(102, "no lease")


def test_SS_10_DEL_of_junk_frees_nothing_and_does_not_say_that_it_did(h):
    """staticss says yes to any DEL, and to a CHECK of nothing: it keeps nothing that could be left or
    wrong. Ours would tell the runtime to forget the attachment, and its lease would stay without a name
    to end it by. The reference plugins (skel) refuse the same input with the same code."""
    made = h.call("ADD", conf(TWO, "1.1.0"), A).result()
    checked = dict(conf(TWO, "1.1.0"), prevResult=made)
    for verb in ("DEL", "CHECK"):
        for junk in (b"", b"junk", b"{", b"null", b"[]", b'"x"', b"\xff"):
            h.call(verb, junk, A).error(6, "network configuration")
        h.call(verb, b"{}", A).error(7)
    h.call("CHECK", checked, A).silent()
    for _ in range(2):
        h.call("DEL", conf(TWO, "1.1.0"), A).silent()
    h.call("CHECK", checked, A).error(102, "no lease")


def test_SS_12_a_quote_in_a_name_leaves_the_error_valid(h):
    args = {"CNI_ARGS": A["CNI_ARGS"].replace("ex-0", 'a"b')}
    h.call("ADD", conf(TWO), args).error(100, 'example/a"b')


def test_SS_16_the_default_gateway_goes_with_its_family(h):
    rows = [row("ex-0", "10.0.0.5/24"), row("ex-0", "fd00::5/64")]
    got = h.call("ADD", conf(rows, gateway="10.0.0.1"), A).result()["ips"]
    expect(got == [{"address": "10.0.0.5/24", "gateway": "10.0.0.1"}, {"address": "fd00::5/64"}], "ips", got)


def test_what_is_asked_for_must_be_in_the_pods_rows(h):
    good = {"CNI_ARGS": A["CNI_ARGS"] + ";IP=10.0.2.40;GATEWAY=10.0.2.1"}
    h.call("ADD", conf(TWO, gateway="10.0.2.1"), good).ok()
    for wrong in ("IP=10.0.2.41", "GATEWAY=10.0.2.2"):
        h.call("ADD", conf(TWO), {"CNI_ARGS": A["CNI_ARGS"] + ";" + wrong}).error(102, "ipam.allocations gives this pod")


def test_ADD_leases_and_another_container_with_the_same_row_waits(h):
    h.call("ADD", conf(TWO), dict(A, CNI_CONTAINERID="c1")).ok()
    h.call("ADD", conf(TWO), dict(A, CNI_CONTAINERID="c1")).ok()
    h.call("ADD", conf(TWO), dict(A, CNI_CONTAINERID="c2")).error(11, "10.0.2.40", "example/ex-0")
    h.call("DEL", conf(TWO), dict(A, CNI_CONTAINERID="c1")).silent()
    h.call("ADD", conf(TWO), dict(A, CNI_CONTAINERID="c2")).ok()


def test_a_table_as_large_as_an_object_can_be_answers(h):
    rows = [row("ex-%d" % i, "10.%d.%d.%d/8" % (i // 40000, i // 200 % 200, 1 + i % 200)) for i in range(12000)]
    got = h.call("ADD", conf(rows), A).result()["ips"]
    expect(got == [{"address": "10.0.0.1/8"}], "ips", got)


BRIDGE_IS_THERE = mains.why_not("1.9.1", "bridge") is None  # mains says why not

if BRIDGE_IS_THERE:
    def under_bridge(h, version, rows, **ipam):
        """ADD by the real bridge in a namespace of its own; (result, addresses and routes of the pod)."""
        mains.setup(h)
        setup(h)
        ip("pod", "link set lo up")
        made = dict(conf(rows, version, **ipam), type="bridge", bridge="cni0")
        env = dict(A, CNI_COMMAND="ADD", CNI_CONTAINERID="c1", CNI_NETNS="/run/netns/pod", CNI_IFNAME="eth0",
                   CNI_PATH="/run/work/bin", PATH=os.environ["PATH"])
        done = subprocess.run(["nsenter", "--net=/run/netns/node", mains.RELEASES["1.9.1"] + "/bridge"], env=env, timeout=60,
                              input=json.dumps(made), capture_output=True, text=True)
        expect(done.returncode == 0, "bridge", done.stdout, done.stderr)
        return json.loads(done.stdout), ip("pod", "addr show dev eth0") + ip("pod", "-4 route") + ip("pod", "-6 route")

    def test_SS_13_under_bridge_0_3_1(h):
        result, shown = under_bridge(h, "0.3.1", DUAL, routes=[{"dst": "10.0.9.0/24", "gw": "10.0.2.99"}])
        expect([(i["version"], i["address"], i["interface"]) for i in result["ips"]] ==
               [("4", "10.0.2.40/24", 2), ("6", "fec0:aaaa:1::2/64", 2)], "ips", result)
        for words in ("inet 10.0.2.40/24", "inet6 fec0:aaaa:1::2/64", "10.0.9.0/24 via 10.0.2.99 dev eth0"):
            expect(words in shown, words, shown)

    def test_SS_14_under_bridge_0_2_0(h):
        result, shown = under_bridge(h, "0.2.0", DUAL, routes=[{"dst": "10.0.9.0/24", "gw": "10.0.2.99"}])
        expect(result["ip4"]["routes"] == [{"dst": "10.0.9.0/24", "gw": "10.0.2.99"}] and
               result["ip6"]["ip"] == "fec0:aaaa:1::2/64", "result", result)
        expect("10.0.9.0/24 via 10.0.2.99 dev eth0" in shown, "route", shown)

    def test_SS_15_under_bridge_a_default_route_takes_the_default_gateway(h):
        _, shown = under_bridge(h, "1.0.0", [row("ex-0", "10.5.2.40/16")], gateway="10.5.2.1", routes=[{"dst": "0.0.0.0/0"}])
        expect("default via 10.5.2.1 dev eth0" in shown, "route", shown)
