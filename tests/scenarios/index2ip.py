"""`index`: the node's address plus a number. index2ip's rows IX-*; the kernel's
command line comes from a file that the host's settings name."""
import json
import subprocess

import tables
from chain import ip
from harness import VERSIONS, as_version, canonical, expect, ipam_conf

C4 = "epoxy.ipv4=4.14.159.112/26,4.14.159.65,8.8.8.8,8.8.4.4"
C6 = "epoxy.ipv6=2001:1900:2100:2d::112/64,2001:1900:2100:2d::1,2001:4860:4860::8888,2001:4860:4860::8844"
BOTH = {"ips": [{"address": "4.14.159.117/26", "gateway": "4.14.159.65"},
                {"address": "2001:1900:2100:2d::117/64", "gateway": "2001:1900:2100:2d::1"}],
        "routes": [{"dst": "0.0.0.0/0", "gw": "4.14.159.65"}, {"dst": "::/0", "gw": "2001:1900:2100:2d::1"}],
        "dns": {"nameservers": ["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"]}}
SCRIPT = """mount -t tmpfs etc /etc && mkdir /etc/staticip &&
echo '{"cmdline":"/run/work/cmdline"}' >/etc/staticip/plugin.json && exec "$0" """


def setup(h):
    tables.clear()
    tables.forget_leases()


def pod(name, namespace="default"):
    return {"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s" % (namespace, name)}


def conf(index, version="1.0.0", **ipam):
    return ipam_conf(version, ipam=dict({"type": "staticip", "index": index, "ipv6Mapping": "decimal", "wait": 0}, **ipam))


def add(h, cmdline, made, env=None, verb="ADD"):
    tables.forget_leases()
    with open("/run/work/cmdline", "w") as f:
        f.write(cmdline)
    return h.call(verb, made, env, wrap=("unshare", "-m", "sh", "-c", SCRIPT))


def addresses(answer):
    return [i["address"] for i in answer.result()["ips"]]


def test_IX_01_IX_02_IX_20_both_families_in_every_version(h):
    for version in VERSIONS:
        got = canonical(add(h, "ro %s %s quiet\n" % (C4, C6), conf(5, version)).result(version), version)
        expect(got == as_version(BOTH, version), version, got)


def test_IX_03_IX_04_IPv4_only(h):
    for cmdline in (C4, C4 + " epoxy.ipv6="):
        result = add(h, cmdline, conf(5)).result()
        expect(addresses(add(h, cmdline, conf(5))) == ["4.14.159.117/26"], "ips", result)
        expect(result["dns"] == {"nameservers": ["8.8.8.8", "8.8.4.4"]} and len(result["routes"]) == 1, "rest", result)


def test_IX_05_IX_08_sums_of_IPv4(h):
    for index in range(1, 13):
        expect(addresses(add(h, "epoxy.ipv4=1.2.3.4/26,,,", conf(index))) == ["1.2.3.%d/26" % (4 + index)], index)
    for start, index in ((9, 12), (73, 11), (137, 10), (201, 9), (48, 8), (112, 7), (176, 6), (240, 5)):
        got = addresses(add(h, "epoxy.ipv4=10.0.0.%d/24,,," % start, conf(index)))
        expect(got == ["10.0.0.%d/24" % (start + index)], start, got)


def test_IX_06_IX_07_IX_10_decimal_sums_of_IPv6(h):
    ix_07 = ((9, 12), (73, 11), (137, 10), (201, 9), (48, 8), (112, 7), (176, 6), (240, 5))
    for start, index, wanted in [("1:2::%d" % start, index, "1:2::%d" % (start + index)) for start, index in ix_07] + [
            ("1:2::", 6, "1:2::6"), ("1:2::", 10, "1:2::10"), ("1::10", 11, "1::21"), ("1:2::201", 12, "1:2::213"),
            ("1:2::9", 2, "1:2::11")]:
        got = addresses(add(h, "epoxy.ipv6=%s/64,,," % start, conf(index)))
        expect(got == [wanted + "/64"], start, got)
    add(h, "epoxy.ipv6=1:2::9/64,,,", conf(65535)).error(7, "decimal")
    # the default is a plain sum, as index2ip had it until 2019
    plain = conf(10)
    del plain["ipam"]["ipv6Mapping"]
    expect(addresses(add(h, "epoxy.ipv6=1:2::/64,,,", plain)) == ["1:2::a/64"], "plain")


def test_IX_09_IX_11_IX_14_what_is_no_address_is_refused(h):
    for cmdline in ("epoxy.ipv4=1.c.3.4/26,,,", "epoxy.ipv6=1:Z::/64,,,", "epoxy.ipv6=1:2::,,,", "epoxy.ipv6=1:2::FE/64,,,",
                    "epoxy.ipv6=1:2::9999/64,,,", "epoxy.ipv6=1:2::7999/64,,,", "ro quiet", "epoxy.ipv4=10.0.0.1/24,10.0.0.2,8.8.8.8",
                    C4 + " epoxy.ipv6=1:2::/64,,", "epoxy.ipv4=10.0.0.1,,,", "epoxy.ipv4=300.0.0.1/99,,,"):
        add(h, cmdline, conf(5)).error(7)


def test_IX_12_IX_13_the_sum_must_be_an_address_of_the_subnet(h):
    """index2ip adds to the last byte and looks at no prefix."""
    for index in (143, 144):
        add(h, C4, conf(index)).error(7, "outside its subnet")
    add(h, "epoxy.ipv4=10.0.0.62/26,,,", conf(5)).error(7, "10.0.0.62/26 plus index 5 is outside")
    add(h, "epoxy.ipv4=1.2.3.4/26,,,", conf(254)).error(7, "outside its subnet")
    for index in (0, -1, "x", 5.5, 65536, [], True):
        add(h, C4, conf(index)).error(7, "index")
    expect(addresses(add(h, C4, conf(14))) == ["4.14.159.126/26"], "the last one")
    add(h, C4, conf(15)).error(7, "broadcast")


def test_IX_15_IX_16_parts_may_be_empty_and_lines_end(h):
    """index2ip: two empty name servers; "8.8.4.4\\n"."""
    result = add(h, "epoxy.ipv4=10.0.0.1/24,,,\n", conf(5)).result()
    expect(result["ips"] == [{"address": "10.0.0.6/24"}] and "dns" not in result and "routes" not in result, "result", result)
    expect(add(h, C4 + "\n", conf(5)).result()["dns"]["nameservers"][1] == "8.8.4.4", "the line's end")


def test_IX_17_IX_18_IX_19_the_number_in_the_pods_name(h):
    for name, wanted in (("poc-index4", 116), ("poc-index4-gmwz8", 116), ("ndt-index12-111234-aa3b1", 124)):
        expect(addresses(add(h, C4, conf("pod-name"), pod(name))) == ["4.14.159.%d/26" % wanted], name)
    for name in ("poc-index", "poc-ind4", "poc"):
        add(h, C4, conf("pod-name"), pod(name)).error(7, name)
    add(h, C4, conf("pod-name"), {"CNI_ARGS": ""}).error(4, "K8S_POD_NAME")
    expect(addresses(add(h, C4, conf(5), pod("poc-index4"))) == ["4.14.159.117/26"], "what is written wins")


def test_IX_21_IX_22_IX_23_verbs_and_what_is_no_index(h):
    for _ in range(2):
        add(h, C4, conf(5), verb="DEL").silent()
    add(h, C4, conf(5, "1.1.0"), verb="STATUS").silent()
    add(h, C4, conf(5, "1.1.0"), verb="GC").silent()
    add(h, C4, conf(5), verb="MAGIC").error(4)
    # index2ip keeps nothing and says yes to any DEL and CHECK; why we do not: SS-10 in staticss.py
    add(h, C4, conf(5)).ok()
    for text in (b"", b"{{}", b"}"):
        for verb in ("ADD", "DEL", "CHECK"):
            h.call(verb, text).error(6)
    h.call("ADD", conf(5), dict(pod("q"), CNI_CONTAINERID="c2"), wrap=("unshare", "-m", "sh", "-c", SCRIPT)).error(11, "4.14.159.117")
    h.call("ADD", b"{}").error(7)
    add(h, C4, conf("monkey")).error(7, "monkey")
    elsewhere = conf(5)
    elsewhere["index"] = elsewhere["ipam"].pop("index")
    add(h, C4, elsewhere).error(7, "ipam.index")


def test_two_pods_of_one_index_on_a_node_cannot_both_have_it(h):
    """index2ip gives both the same address."""
    add(h, C4, conf(5)).ok()
    other = dict(pod("q"), CNI_CONTAINERID="c2")
    again = h.call("ADD", conf(5), other, wrap=("unshare", "-m", "sh", "-c", SCRIPT))
    again.error(11, "4.14.159.117")


def test_CHECK_follows_the_node(h):
    result = dict(add(h, C4, conf(5)).result(), interfaces=[{"name": "eth0", "sandbox": "/x"}])

    def check(cmdline):
        with open("/run/work/cmdline", "w") as f:
            f.write(cmdline)
        return h.call("CHECK", dict(conf(5), prevResult=result), wrap=("unshare", "-m", "sh", "-c", SCRIPT))
    check(C4).silent()
    check(C4.replace(".112/", ".113/")).error(102, "4.14.159.118/26")


def test_routes_and_dns_of_the_block_come_before_those_of_the_node(h):
    dns = {"nameservers": ["9.9.9.9"]}
    result = add(h, C4, conf(5, routes=[{"dst": "10.0.0.0/8"}], dns=dns)).result()
    expect(result["routes"] == [{"dst": "10.0.0.0/8"}] and result["dns"] == dns, "result", result)


def test_another_key_names_other_parameters(h):
    made = conf(5, hostAddress={"from": "cmdline", "key": "node"})
    expect(addresses(add(h, C4 + " node.ipv4=10.0.0.1/24,,,", made)) == ["10.0.0.6/24"], "key")
    add(h, C4, made).error(7, "node.ipv4=")


def node(h):
    subprocess.run(["ip", "netns", "del", "ix"], capture_output=True)
    subprocess.run(["ip", "netns", "add", "ix"], check=True)
    for name in ("up0", "up1"):
        ip("ix", "link add %s type veth peer name peer-%s" % (name, name))
        ip("ix", "link set %s up" % name)
        ip("ix", "link set peer-%s up" % name)
    ip("ix", "addr add 192.168.9.2/24 dev up0")
    ip("ix", "addr add fd09::2/64 dev up0 nodad")
    ip("ix", "addr add 192.168.8.2/24 dev up1")
    ip("ix", "route add default via 192.168.9.1")


def test_the_nodes_address_may_come_from_an_interface_or_the_default_route(h):
    node(h)
    h.netns = "/run/netns/ix"
    try:
        def answer(**host):
            tables.forget_leases()
            return h.call("ADD", conf(5, hostAddress=host))
        result = answer(**{"from": "default-route"}).result()
        expect(result["ips"] == [{"address": "192.168.9.7/24", "gateway": "192.168.9.1"}, {"address": "fd09::7/64"}], "ips", result)
        expect(result["routes"] == [{"dst": "0.0.0.0/0", "gw": "192.168.9.1"}], "routes", result)
        result = answer(**{"from": "interface", "name": "up1"}).result()
        expect(result == {"cniVersion": "1.0.0", "ips": [{"address": "192.168.8.7/24"}]}, "another interface", result)
        answer(**{"from": "interface", "name": "gone0"}).error(7, "gone0")
        answer(**{"from": "interface", "name": "lo"}).error(7, "lo of this node has no address")
    finally:
        h.netns = None
        subprocess.run(["ip", "netns", "del", "ix"], capture_output=True)
