"""Ranges: host-local's life of an address (HL*) and kube-ipam's rows (KI-*) that need
no annotation. Leases are ours: what a predecessor keeps in files or in etcd."""
import ipaddress
import json
import os
import subprocess

import tables
from harness import POD, VERSIONS, as_version, canonical, expect, ipam_conf

LEASES = tables.ROOT + "/leases/network/mynet/"
B = {"subnet": "10.188.0.0/24", "rangeStart": "10.188.0.10", "rangeEnd": "10.188.0.13", "gateway": "10.188.0.1",
     "routes": [{"dst": "0.0.0.0/0"}]}


def setup(h):
    tables.clear()
    tables.forget_leases()


def conf(version="1.0.0", more=None, **ipam):
    return ipam_conf(version, ipam=dict({"type": "staticip", "wait": 0}, **ipam), **(more or {}))


def who(number, **more):
    return dict({"CNI_CONTAINERID": "c%s" % number}, **more)


def add(h, number, configuration, **more):
    return [i["address"] for i in h.call("ADD", configuration, who(number, **more)).result()["ips"]]


def leased():
    return sorted(n for n in os.listdir(LEASES) if not n.startswith(".")) if os.path.isdir(LEASES) else []


def test_KI_01_KI_02_KI_03_in_turn_until_none_is_left(h):
    for i in range(4):
        for version in ("0.3.1",):
            result = h.call("ADD", conf(version, **B), who(i)).result(version)
            expect(result["ips"] == [{"version": "4", "address": "10.188.0.%d/24" % (10 + i), "gateway": "10.188.0.1"}], "ips", result)
            expect(result["routes"] == [{"dst": "0.0.0.0/0"}] and "dns" not in result, "routes", result)
    h.call("ADD", conf(**B), who(4)).error(
        103, "failed to allocate for range 0: no IP addresses available in range set: 10.188.0.10-10.188.0.13")
    expect(len(leased()) == 4, "the refused one left something", leased())
    h.call("DEL", conf(**B), who(1)).silent()
    expect(add(h, 4, conf(**B)) == ["10.188.0.11/24"], "the free one")


def test_KI_02_two_exhausted_ranges_end_the_search_too(h):
    """kube-ipam's search never ends with two ranges."""
    two = conf(ranges=[[{"subnet": "10.0.0.0/30"}, {"subnet": "10.0.1.0/30"}]])
    expect([add(h, i, two) for i in range(2)] == [["10.0.0.2/30"], ["10.0.1.2/30"]], "addresses")
    h.call("ADD", two, who(9)).error(103, "10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2")


def test_KI_04_HL05_DEL_of_an_unknown_container_succeeds(h):
    h.call("DEL", conf(**B), who(7)).silent()
    h.call("DEL", conf(**B), who(7, CNI_NETNS="")).silent()


def test_KI_11_KI_16_an_address_asked_for_twice_is_refused_the_second_time(h):
    """kube-ipam gave one fixed address to two live containers."""
    made = conf(subnet="10.1.2.0/24")
    args = {"CNI_ARGS": POD + ";IP=10.1.2.77"}
    expect(add(h, 1, made, **args) == ["10.1.2.77/24"], "first")
    other = {"CNI_ARGS": args["CNI_ARGS"].replace("u-1", "u-2")}
    h.call("ADD", made, who(2, **other)).error(11, "10.1.2.77", "c1")
    expect(leased() == ["10.1.2.77"], "leases", leased())


def test_KI_12_fixed_addresses_are_given_on_request_only(h):
    """kube-ipam documents fixedStart and fixedEnd, and its code ignores them."""
    made = conf(subnet="10.1.2.0/29", fixedStart="10.1.2.2", fixedEnd="10.1.2.4")
    expect(add(h, 1, made) == ["10.1.2.5/29"], "dynamic")
    expect(add(h, 2, made, CNI_ARGS=POD + ";IP=10.1.2.3") == ["10.1.2.3/29"], "on request")
    expect(add(h, 3, made) == ["10.1.2.6/29"], "dynamic")
    h.call("ADD", made, who(4)).error(103, "10.1.2.1-10.1.2.6")
    beside = conf(subnet="10.2.0.0/24", rangeEnd="10.2.0.9", fixedStart="10.2.0.100", fixedEnd="10.2.0.110")
    expect(add(h, 5, beside, CNI_ARGS=POD + ";IP=10.2.0.105") == ["10.2.0.105/24"], "beside the range")


def test_KI_14_KI_15_both_families(h):
    expect(add(h, 1, conf(subnet="fd00:1::/64")) == ["fd00:1::2/64"], "IPv6")
    both = conf(ranges=[[{"subnet": "10.1.2.0/24", "rangeStart": "10.1.2.10"}], [{"subnet": "fd00:2::/64", "rangeStart": "fd00:2::10"}]])
    expect(add(h, 2, both) == ["10.1.2.10/24", "fd00:2::10/64"], "both")


def test_KI_17_three_ways_to_ask_wrongly(h):
    made = conf(subnet="10.1.2.0/24")
    for asked, code, words in (("10.9.9.9", 102, "failed to allocate all requested IPs: 10.9.9.9"),
                               ("10.1.2.1", 102, "requested ip 10.1.2.1 is subnet's gateway"), ("abc", 4, "'abc'")):
        h.call("ADD", made, {"CNI_ARGS": POD + ";IP=" + asked}).error(code, words)
    expect(leased() == [], "leases", leased())


def test_KI_18_HL26_every_road_serves_and_a_list_too(h):
    two = {"subnet": "10.1.2.0/24", "ranges": [[{"subnet": "fd00::/64"}]]}
    expect(add(h, 1, conf(more={"args": {"cni": {"ips": ["10.1.2.99"]}}}, subnet="10.1.2.0/24")) == ["10.1.2.99/24"], "args")
    # what Multus sends, and host-local refuses
    asked = ["10.1.2.5", "fd00::5"]
    more = {"runtimeConfig": {"ips": asked}, "args": {"cni": {"ips": asked}}}
    expect(add(h, 2, conf(more=more, **two), CNI_ARGS=POD + ";IP=" + ",".join(asked)) == ["10.1.2.5/24", "fd00::5/64"], "Multus")
    h.call("ADD", conf(subnet="10.1.2.0/24"), who(3, CNI_ARGS=POD + ";IP=10.1.2.6,10.1.2.7")).error(102, "10.1.2.7")


def test_KI_19_ranges_of_the_runtime_come_first(h):
    runtime = {"runtimeConfig": {"ipRanges": [[{"subnet": "192.0.2.0/24"}]]}}
    expect(add(h, 1, conf(more=runtime, subnet="10.1.2.0/24")) == ["192.0.2.2/24", "10.1.2.2/24"], "addresses")
    expect(add(h, 2, conf(more=runtime)) == ["192.0.2.3/24"], "alone")


def with_etc(h, files, made, **env):
    """ADD in a mount namespace with these files in /etc."""
    script = ["mount -t tmpfs etc /etc", "mkdir /etc/staticip"]
    for name, text in files.items():
        with open("/run/work/" + os.path.basename(name), "w") as f:
            f.write(text)
        script.append("cp /run/work/%s %s" % (os.path.basename(name), name))
    return h.call("ADD", made, env, wrap=("unshare", "-m", "sh", "-ec", "; ".join(script) + '; exec "$0"'))


RESOLV = "nameserver 1.1.1.1\n# x\nsearch a.b c.d\noptions ndots:5 rotate\ndomain x.y\nnameserver 2001:db8::53\n"


def test_KI_20_resolvConf(h):
    wanted = {"nameservers": ["1.1.1.1", "2001:db8::53"], "domain": "x.y", "search": ["a.b", "c.d"], "options": ["ndots:5", "rotate"]}
    made = conf(subnet="10.1.2.0/24", resolvConf="/etc/resolv.conf")
    expect(with_etc(h, {"/etc/resolv.conf": RESOLV}, made).result()["dns"] == wanted, "dns")
    listed = {"/etc/pods.conf": RESOLV, "/etc/staticip/plugin.json": '{"resolvConf":["/etc/pods.conf"]}'}
    made = conf(subnet="10.1.2.0/24", resolvConf="/etc/pods.conf")
    expect(with_etc(h, listed, made).result()["dns"] == wanted, "dns")


def test_I10_resolvConf_reads_no_file_that_the_host_did_not_list(h):
    h.call("DEL", conf(subnet="10.1.2.0/24")).silent()
    for path in ("/etc/shadow", "/etc/../etc/resolv.conf", "resolv.conf", "/etc/resolv.conf/"):
        h.call("ADD", conf(subnet="10.1.2.0/24", resolvConf=path)).error(7, "ipam.resolvConf", path, "/etc/staticip/plugin.json")
    with_etc(h, {}, conf(subnet="10.1.2.0/24", resolvConf="/etc/resolv.conf")).error(5, "/etc/resolv.conf")
    expect(leased() == [], "an ADD that failed left a lease", leased())


def test_KI_21_KI_22_nothing_but_this_node_is_asked(h):
    """No API server, no datastore: there is no table, and the plugin answers."""
    expect(not os.path.exists(tables.ROOT + "/table"), "a table")
    expect(add(h, 1, conf(**B)) == ["10.188.0.10/24"], "address")


def test_KI_23_the_keys_of_a_kubelet_are_known(h):
    args = POD.replace("IgnoreUnknown=1;", "")
    expect(add(h, 1, conf(**B), CNI_ARGS=args) == ["10.188.0.10/24"], "address")


def test_KI_24_each_mistake_has_a_message_of_its_own(h):
    """kube-ipam's set, in host-local's words where it has some; sets overlap inside and among each
    other. A block without any key of a range is no mistake: it asks the tables (HL24)."""
    net, other = {"subnet": "10.1.0.0/22"}, {"subnet": "10.1.2.0/24"}
    mistakes = (({"subnet": "192.0.2.0/31"}, "Network 192.0.2.0/31 too small to allocate from"),
                ({"subnet": "192.0.2.0/24", "gateway": "192.0.3.1"}, "gateway 192.0.3.1 not in network 192.0.2.0/24"),
                ({"subnet": "192.0.2.0/24", "rangeStart": "192.0.3.0"}, "RangeStart 192.0.3.0 not in network 192.0.2.0/24"),
                ({"ranges": [[net, other]]}, "subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap"),
                ({"ranges": [[net], [other]]}, "range set 0 overlaps with 1"),
                ({"ranges": [[net, {"subnet": "2001:db8:5::/64"}]]}, "mixed address families"),
                ({"ranges": [[]]}, "empty range set"),
                ({"ranges": []}, "no IP ranges specified"))
    told = [h.call("ADD", conf(version, **ipam)).error(7, words)["msg"] for ipam, words in mistakes for version in ("0.2.0", "1.1.0")]
    no_ipam = {"cniVersion": "1.0.0", "name": "mynet", "type": "macvlan"}
    told.append(h.call("ADD", no_ipam).error(7, "missing 'ipam' key")["msg"])
    expect(len(set(told)) == len(mistakes) + 1, "one message for two mistakes", told)
    expect(leased() == [], "something is leased", leased())


def test_HL02_HL03_I5_a_repeated_ADD_has_the_same_answer(h):
    """host-local: "duplicate allocation is not allowed". Runtimes repeat an ADD whose
    answer they lost; refusing it would leave the pod without a network."""
    made = conf(ranges=[[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00::/64"}]])
    first = add(h, 1, made)
    expect(add(h, 1, made) == first == ["10.1.2.2/24", "fd00::2/64"], "again", first)
    expect(add(h, 2, made) == ["10.1.2.3/24", "fd00::3/64"], "another")
    expect(add(h, 1, made) == first, "once more")
    h.call("DEL", made, who(2)).silent()
    expect(add(h, 3, made) == ["10.1.2.4/24", "fd00::4/64"], "the round goes on where it was")
    expect(add(h, 1, made, CNI_IFNAME="net1") == ["10.1.2.5/24", "fd00::5/64"], "another interface")


def test_HL01_a_life(h):
    made = conf("1.1.0", ranges=[[{"subnet": "10.1.2.0/24"}, {"subnet": "10.2.2.0/24"}], [{"subnet": "2001:db8:1::0/64"}]])
    result = h.call("ADD", made, who(1)).result()
    expect(leased() == ["10.1.2.2", "2001:db8:1::2"], "leases", leased())
    prev = dict(result, interfaces=[{"name": "eth0", "sandbox": "/x"}])
    h.call("CHECK", made, who(1)).silent()
    h.call("CHECK", dict(made, prevResult=prev), who(1)).silent()
    wrong = dict(prev, ips=[{"address": "10.1.2.3/24"}])
    h.call("CHECK", dict(made, prevResult=wrong), who(1)).error(102, "10.1.2.3/24")
    h.call("STATUS", made).silent()
    h.call("DEL", made, who(1)).silent()
    h.call("CHECK", made, who(1)).error(102, "no lease on network mynet")
    expect(leased() == [], "leases", leased())


def test_HL04_leases_end_whatever_the_configuration_has_become(h):
    add(h, 1, conf(subnet="10.1.2.0/24"))
    h.call("DEL", conf(subnet="10.9.9.0/24"), who(1)).silent()
    expect(leased() == [], "leases", leased())


def test_a_range_that_moved_is_told_to_a_repeated_ADD(h):
    add(h, 1, conf(subnet="10.1.2.0/24"))
    h.call("ADD", conf(subnet="10.9.9.0/24"), who(1)).error(11, "10.1.2.2/24", "none of the ranges")
    expect(leased() == ["10.1.2.2"], "the pod's own lease", leased())


def test_an_address_that_was_given_back_rests_while_there_are_others(h):
    made = conf(subnet="10.1.2.0/29")  # .2 to .6
    seen = []
    for i in range(7):
        seen += add(h, i, made)
        h.call("DEL", made, who(i)).silent()
    expect([s[7] for s in seen] == list("2345623"), "a container that crashes gets another each time", seen)


def test_HL24_without_any_key_the_tables_are_asked(h):
    """host-local: "no IP ranges specified"; here that is what an empty list says."""
    h.call("ADD", conf()).error(104, "staticip-agent")
    h.call("ADD", conf(ranges=[])).error(7, "no IP ranges specified")


def test_HL07_two_addresses_of_a_family_need_a_version_that_can_say_so(h):
    made = {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "10.1.3.0/24"}]]}
    for version in VERSIONS[:2]:
        h.call("ADD", conf(version, **made)).error(7, "CNI version %s does not support more than 1 address per family" % version)
        expect(leased() == [], "a lease", leased())
    both = {"ranges": [[{"subnet": "10.1.2.0/24"}], [{"subnet": "fd00::/64"}]]}
    wanted = {"ips": [{"address": "10.1.2.2/24", "gateway": "10.1.2.1"}, {"address": "fd00::2/64", "gateway": "fd00::1"}]}
    for version in VERSIONS:
        got = canonical(h.call("ADD", conf(version, **both)).result(version), version)
        expect(got == as_version(wanted, version), version, got)


def at_once(h, count, made, verb="ADD"):
    running = []
    for i in range(count):
        env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "c%d" % i, "CNI_NETNS": "/x", "CNI_IFNAME": "eth0", "CNI_PATH": "/x"}
        p = subprocess.Popen([h.plugin], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)  # a DEL without its namespace says so
        p.stdin.write(json.dumps(made).encode())
        running.append(p)
    for p in running:
        p.stdin.close()
    out = []
    for p in running:
        out.append((p.stdout.read(), p.wait(timeout=20)))
        p.stdout.close()
    return out


def test_a_hundred_ADDs_at_once_have_a_hundred_addresses(h):
    """kube-ipam gave one address to seven of a hundred pods."""
    made = conf(subnet="10.1.2.0/24", rangeEnd="10.1.2.91")  # 90 of them
    answers = at_once(h, 100, made)
    given = [json.loads(out)["ips"][0]["address"] for out, rc in answers if rc == 0]
    codes = [json.loads(out)["code"] for out, rc in answers if rc != 0]
    expect(len(given) == 90 and len(set(given)) == 90, "given", len(given), len(set(given)))
    expect(codes == [103] * 10, "refused", codes)
    wanted = {"10.1.2.%d/24" % i for i in range(2, 92)}
    expect(set(given) == wanted, "which", sorted(set(given) ^ wanted, key=ipaddress.ip_interface))
    expect({rc for _, rc in at_once(h, 100, made, "DEL")} == {0} and leased() == [], "DEL", leased())


def test_addresses_of_namespaces_that_are_gone_come_back(h):
    made = conf(subnet="10.1.2.0/30")
    subprocess.run(["ip", "netns", "del", "gone"], capture_output=True)
    subprocess.run(["ip", "netns", "add", "gone"], check=True)
    expect(add(h, 1, made, CNI_NETNS="/run/netns/gone") == ["10.1.2.2/30"], "first")
    subprocess.run(["ip", "netns", "del", "gone"], check=True)
    expect(add(h, 2, made) == ["10.1.2.2/30"], "the range was full of the dead")
