"""The IPAM role: the tables answer."""
import json
import os
import subprocess

import tables
from harness import POD, VERSIONS, as_version, canonical, expect, ipam_conf

DUAL = ["10.0.2.40/24", "fec0:aaaa:1::40/64"]
GATEWAYS = ["10.0.2.1", "fec0:aaaa:1::1"]
ROUTES = [{"dst": "10.9.0.0/16", "gw": "10.0.2.99", "priority": 100, "table": 10, "scope": 0,
           "mtu": 1400, "advmss": 1360}, {"dst": "::/0"}]


def setup(h):
    tables.one_pod(DUAL, GATEWAYS, ROUTES)


def prev(ips, ifname="eth0", version="1.0.0"):
    ips = [{"address": a, "interface": 1} for a in ips]
    if version.startswith("0."):
        ips = [dict(ip, version="6" if ":" in ip["address"] else "4") for ip in ips]
    return {"cniVersion": version, "interfaces": [{"name": "br0"}, {"name": ifname, "sandbox": "/x"}], "ips": ips}


def test_SS_01_a_row_is_the_result_in_every_version(h):
    wanted = {"ips": [{"address": a, "gateway": g} for a, g in zip(DUAL, GATEWAYS)], "routes": ROUTES}
    for version in VERSIONS:
        got = canonical(h.call("ADD", ipam_conf(version)).result(version), version)
        expect(got == as_version(wanted, version), "result", got)


def test_the_same_ADD_has_the_same_answer(h):
    answers = {h.call("ADD", ipam_conf()).ok().raw for _ in range(5)}
    expect(len(answers) == 1, "different answers", answers)


def test_every_number_of_buckets_works(h):
    for count in (1, 64, 1024):
        tables.one_pod(["10.1.1.1/24"], count=count)
        expect(h.call("ADD", ipam_conf()).result()["ips"] == [{"address": "10.1.1.1/24"}], "K=%d" % count)


def test_the_interface_row_comes_before_the_row_of_the_pod(h):
    tables.publish({"mynet": tables.network("mynet")},
                   {"mynet/default/p": {"p": "default/a", "ips": ["10.0.0.1/24"]},
                    "mynet/default/p/net1": {"p": "default/b", "ips": ["10.0.0.2/24"]}})
    for ifname, ip in (("net1", "10.0.0.2/24"), ("eth0", "10.0.0.1/24"), ("net11", "10.0.0.1/24")):
        got = h.call("ADD", ipam_conf(), {"CNI_IFNAME": ifname}).result()["ips"]
        expect(got == [{"address": ip}], ifname, got)
        h.call("DEL", ipam_conf(), {"CNI_IFNAME": ifname}).silent()


def test_SS_16_a_gateway_goes_with_its_family_only(h):
    tables.one_pod(DUAL, ["10.0.2.1"])
    ips = h.call("ADD", ipam_conf()).result()["ips"]
    expect(ips == [{"address": DUAL[0], "gateway": "10.0.2.1"}, {"address": DUAL[1]}], "ips", ips)


def test_a_route_of_a_family_that_the_pod_lacks_is_left_out(h):
    tables.one_pod(DUAL[:1], [], ROUTES)
    routes = h.call("ADD", ipam_conf()).result()["routes"]
    expect([r["dst"] for r in routes] == ["10.9.0.0/16"], "routes", routes)


def test_two_addresses_of_a_family_need_a_version_that_can_say_so(h):
    tables.one_pod(["10.0.0.1/24", "10.0.0.2/24"])
    for version in VERSIONS:
        answer = h.call("ADD", ipam_conf(version))
        if version in ("0.1.0", "0.2.0"):
            answer.error(7, "CNI version %s does not support more than 1 address per family" % version)
        else:
            expect(len(answer.result(version)["ips"]) == 2, "ips", answer.text)


def test_SS_03_a_pod_or_a_network_without_a_row_is_code_100(h):
    args = {"CNI_ARGS": "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=ex-9"}
    h.call("ADD", ipam_conf(), args).error(
        100, "shop/ex-9", "mynet", "eth0", "kubectl get staticipallocations -n shop")
    h.call("ADD", ipam_conf(name="other")).error(100, "no StaticIPAllocation names network other")


def test_no_table_in_this_boot_is_code_104(h):
    tables.clear()
    h.call("ADD", ipam_conf()).error(104, "staticip-agent")
    os.makedirs(tables.ROOT + "/table/64")
    h.call("ADD", ipam_conf()).error(104, "table/live")
    os.symlink("64", tables.ROOT + "/table/live")
    h.call("ADD", ipam_conf()).error(104, "staticip-agent")


def test_a_damaged_table_is_code_5_and_says_so(h):
    directory = tables.ROOT + "/table/1/"
    for text in (b"", b"\n", b"x", b"staticip-table 1\nmynet\t{}\n", b"h\nmynet\n", b"h\nmynet\t{\n",
                 b'h\nmynet\t{"domain":"d"}\nmynet/default/p\t{"p":"default/a"}\n',
                 b'h\nmynet\t{"domain":"d"}\nmynet/default/p\t{"p":"default/a","ips":["10.0.0.1/24"]}\n',
                 b'h\nmynet\t{"domain":"d"}\nmynet/default/p\t{"p":"a/b","ips":["10.0.0.300/24"]}\n',
                 b"x" * 900001):
        tables.one_pod(DUAL, count=1)
        with open(directory + "0", "wb") as f:
            f.write(text)
        answer = h.call("ADD", ipam_conf())
        if text in (b"\n", b"x"):  # these say that the network is unknown
            answer.error(100)
        else:
            answer.error(5)
    for target in ("65", "0", "-1", "64x", "../x", "1025"):
        os.remove(tables.ROOT + "/table/live")
        os.symlink(target, tables.ROOT + "/table/live")
        h.call("ADD", ipam_conf()).error(5, "table/live")


def test_a_network_that_wants_grants_is_code_11(h):
    tables.publish({"mynet": tables.network("mynet", True)}, {"mynet/default/p": {"p": "default/a", "ips": DUAL}})
    conf = ipam_conf()
    conf["ipam"]["wait"] = 0
    h.call("ADD", conf).error(11, "has not granted")
    tables.publish({"mynet": tables.network("mynet", True)}, {})
    h.call("ADD", conf).error(100)


def test_addresses_asked_for_must_be_those_of_the_row(h):
    def roads(ips):
        yield dict(conf=ipam_conf(runtimeConfig={"ips": ips})), "runtimeConfig"
        yield dict(conf=ipam_conf(args={"cni": {"ips": ips}})), "args.cni"
        yield dict(conf=ipam_conf(), env={"CNI_ARGS": POD + ";IP=" + ",".join(ips)}), "CNI_ARGS IP"
    good = ([DUAL[0]], DUAL, DUAL[::-1], ["10.0.2.40"], ["fec0:aaaa:1::40"], ["FEC0:AAAA:1:0::40/64"])
    for ips in good:
        for call, _ in roads(ips):
            expect(len(h.call("ADD", **call).result()["ips"]) == 2, "the row is the answer", ips)
    for ips in (["10.0.2.41/24"], ["10.0.2.40/25"], [DUAL[0], "10.0.2.41"], ["fec0::1"]):
        for call, road in roads(ips):
            h.call("ADD", **call).error(102, road, ips[-1], "10.0.2.40/24", "default/a")
    for call, road in roads(["rubbish"]):
        h.call("ADD", **call).error(4 if "CNI_ARGS" in road else 7, road, "rubbish")
    h.call("ADD", ipam_conf(runtimeConfig={"ips": [7]})).error(7, "runtimeConfig.ips")
    h.call("ADD", ipam_conf(runtimeConfig={"ips": ["10.0.2.40"] * 17})).error(7, "at most 16")


def test_a_gateway_asked_for_must_be_that_of_the_row(h):
    h.call("ADD", ipam_conf(), {"CNI_ARGS": POD + ";GATEWAY=" + ",".join(GATEWAYS)}).ok()
    h.call("ADD", ipam_conf(), {"CNI_ARGS": POD + ";GATEWAY=10.0.2.2"}).error(102, "gateway 10.0.2.2")


INLINE = {"allocations": {"allocations": [{"namespace": "default", "pod": "p", "address": "10.0.2.77/24"}]},
          "addresses": {"addresses": [{"address": "10.0.2.77/24"}]}, "subnet": {"subnet": "10.0.2.0/24"},
          "ranges": {"ranges": [[{"subnet": "10.0.2.0/24"}]]},
          "index": {"index": 7, "hostAddress": {"from": "default-route"}},
          "requests": {"addresses": []}}


def test_I10_no_other_source_gives_addresses_of_a_network_that_the_tables_know(h):
    for name, keys in INLINE.items():
        more = {"runtimeConfig": {"ips": ["10.0.2.77/24"]}} if name == "requests" else {}
        conf = ipam_conf(ipam=dict(keys, type="staticip"), **more)
        h.call("ADD", conf).error(102, "network mynet", "StaticIPAllocations")
        h.call("CHECK", dict(conf, prevResult=prev(["10.0.2.77/24"]))).error(102, "network mynet")
        h.call("DEL", conf).silent()
    runtime = {"ipRanges": [[{"subnet": "10.0.2.0/24"}]]}
    h.call("ADD", ipam_conf(runtimeConfig=runtime)).error(102, "network mynet")
    # also where the runtime names no pod
    h.call("ADD", ipam_conf(), {"CNI_ARGS": "IP=10.0.2.77/24"}).error(102, "network mynet")
    expect(not os.path.exists(tables.ROOT + "/leases/network/mynet/10.0.2.77"), "a lease")


def test_a_network_that_the_tables_do_not_know_may_have_an_inline_source(h):
    for number, (name, keys) in enumerate(INLINE.items()):
        if name in ("index", "requests"):
            continue
        conf = ipam_conf(name="other", ipam=dict(keys, type="staticip"))
        container = {"CNI_CONTAINERID": "c%d" % number}
        expect(h.call("ADD", conf, container).result()["ips"], "no address", name)
        h.call("DEL", conf, container).silent()


def test_I10_a_request_alone_is_no_source_where_a_pod_is_named(h):
    """static gives what is asked for; here a tenant may be asking."""
    for more in ({"runtimeConfig": {"ips": ["10.9.9.9/24"]}}, {"args": {"cni": {"ips": ["10.9.9.9/24"]}}}):
        h.call("ADD", ipam_conf(name="other", **more)).error(100, "network other")
    h.call("ADD", ipam_conf(name="other"), {"CNI_ARGS": POD + ";IP=10.9.9.9/24"}).error(100, "network other")
    tables.clear()
    h.call("ADD", ipam_conf(), {"CNI_ARGS": POD + ";IP=10.9.9.9/24"}).error(104)


def test_an_inline_source_wants_to_know_what_a_table_that_is_there_says(h):
    conf = ipam_conf(ipam=dict(INLINE["addresses"], type="staticip"))
    os.remove(tables.ROOT + "/table/64/%d" % tables.bucket_of("mynet", 64))
    h.call("ADD", conf).error(104, "staticip-agent")
    tables.one_pod(DUAL, count=1)
    with open(tables.ROOT + "/table/1/0", "w") as f:
        f.write("h\nmynet\n")
    h.call("ADD", conf).error(5, "damaged")


def test_routes_and_dns_of_the_block_go_with_the_row(h):
    more = [{"dst": "192.168.0.0/16"}, dict(ROUTES[0]), {"dst": "fd99::/16"}]
    dns = {"nameservers": ["8.8.8.8"], "search": ["a.b"]}
    conf = ipam_conf(ipam={"type": "staticip", "routes": more, "dns": dns})
    result = h.call("ADD", conf).result()
    expect(result["routes"] == ROUTES + [more[0], more[2]], "routes", result)
    expect(result["dns"] == dns, "dns", result)
    tables.one_pod(DUAL[:1], [], ROUTES)
    result = h.call("ADD", conf).result()
    expect([r["dst"] for r in result["routes"]] == ["10.9.0.0/16", "192.168.0.0/16"], "of one family", result)
    many = [{"dst": "10.%d.0.0/16" % i} for i in range(20, 147)]
    h.call("ADD", ipam_conf(ipam={"type": "staticip", "routes": many})).error(7, "more than 128")


def test_keys_of_no_source_and_unknown_ones(h):
    h.call("ADD", ipam_conf(ipam={"type": "staticip", "comment": "x", "root": "/elsewhere"})).ok()
    h.call("ADD", ipam_conf(ipam={"type": "staticip", "gateway": "10.0.2.1"})).error(7, "ipam.gateway", "mynet")
    for key in ("dataDir", "etcdConfig", "kubeConfig"):
        h.call("ADD", ipam_conf(ipam={"type": "staticip", key: "/x"})).error(7, "ipam." + key, "remove it")


def test_CHECK_wants_exactly_the_row_on_this_interface(h):
    h.call("ADD", ipam_conf()).ok()
    for version in ("0.4.0", "1.0.0", "1.1.0"):
        def check(ips, **more):
            return h.call("CHECK", ipam_conf(version, prevResult=dict(prev(ips, version=version), **more)))
        check(DUAL).silent()
        check(DUAL[::-1]).silent()
        check(DUAL, routes=[{"dst": "0.0.0.0/0", "gw": "10.0.2.77"}]).silent()
        check(DUAL[:1]).error(102, "fec0:aaaa:1::40/64")
        check(DUAL + ["10.0.2.41/24"]).error(102, "10.0.2.41/24")
        check([]).error(102, "10.0.2.40/24")
    h.call("CHECK", ipam_conf()).error(7, "Required prevResult missing")
    h.call("DEL", ipam_conf()).silent()
    h.call("CHECK", ipam_conf(prevResult=prev(DUAL))).error(102, "no lease of 10.0.2.40/24")
    tables.publish({"mynet": tables.network("mynet")}, {})
    h.call("CHECK", ipam_conf(prevResult=prev(DUAL))).error(100)


def test_CHECK_tolerates_what_is_on_other_interfaces(h):
    h.call("ADD", ipam_conf()).ok()
    result = prev(DUAL)
    result["interfaces"].append({"name": "net1", "sandbox": "/x"})
    result["ips"].append({"address": "192.168.1.1/24", "interface": 2})
    for ip in result["ips"]:
        ip["gateway"] = "10.0.2.200"
    h.call("CHECK", ipam_conf(prevResult=result)).silent()
    # the host's end of a pair may have the pod's interface name
    result["interfaces"].append({"name": "eth0"})
    result["ips"].append({"address": "192.168.1.2/24", "interface": 3})
    h.call("CHECK", ipam_conf(prevResult=result)).silent()


def test_CHECK_refuses_a_prevResult_that_it_cannot_read(h):
    bad = [{"ips": 7}, {"ips": [7]}, {"ips": [{}]}, {"ips": [{"address": "x"}]}, {"interfaces": {}},
           {"ips": [{"address": "10.0.0.1/24", "interface": -1}]}, {"cniVersion": "0.2.0"},
           {"cniVersion": "9.9.9"}, {"ips": [{"address": "10.0.0.1/24", "gateway": "x"}]},
           {"ips": [{"address": "10.0.0.1/24"}] * 65}]
    for change in bad:
        h.call("CHECK", ipam_conf(prevResult=dict(prev(DUAL), **change))).error(7, "prevResult")
    h.call("CHECK", ipam_conf(prevResult=[])).error(7, "prevResult")


def with_host_file(h, text):
    """ADD under a mount namespace in which the host file says this."""
    script = 'mount -t tmpfs etc /etc && mkdir /etc/staticip && cat >/etc/staticip/plugin.json && exec "$0" <"$1"'
    with open("/run/work/conf", "w") as f:
        json.dump(ipam_conf(), f)
    return h.call("ADD", text.encode(), wrap=("unshare", "-m", "sh", "-c", script), more=("/run/work/conf",))


def test_the_host_file_says_where_the_tables_are(h):
    tables.publish({"mynet": tables.network("mynet")},
                   {"mynet/default/p": {"p": "default/a", "ips": ["10.7.7.7/24"]}}, root="/run/work/elsewhere")
    answer = with_host_file(h, '{"root":"/run/work/elsewhere"}')
    expect(answer.result()["ips"] == [{"address": "10.7.7.7/24"}], "result", answer.text)
    expect(len(with_host_file(h, "{}").result()["ips"]) == 2, "default root")
    for wrong in ("", "{", '{"root":7}', '{"root":"relative"}', "[]"):
        with_host_file(h, wrong).error(7, "/etc/staticip/plugin.json")


def two_hundred(h, verb):
    """One call for each of 200 pods, all under way together; what each printed, and exit status."""
    running = []
    for i in range(200):
        env = {"CNI_COMMAND": verb, "CNI_CONTAINERID": "c%d" % i, "CNI_NETNS": "/x", "CNI_IFNAME": "eth0",
               "CNI_PATH": "/x", "CNI_ARGS": "K8S_POD_NAMESPACE=default;K8S_POD_NAME=p%d" % i}
        p = subprocess.Popen([h.plugin], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(json.dumps(ipam_conf(VERSIONS[i % len(VERSIONS)])).encode())
        running.append(p)
    for p in running:
        p.stdin.close()
    printed = [p.stdout.read() for p in running]
    codes = [p.wait(timeout=10) for p in running]
    for p in running:
        p.stdout.close()
    expect(codes == [0] * 200, "exit codes of " + verb, codes)
    return printed


def test_two_hundred_ADDs_and_then_DELs_at_once_are_all_right(h):
    rows = {"mynet/default/p%d" % i: {"p": "default/a", "ips": ["10.0.%d.%d/16" % (i // 200, 1 + i % 200)]}
            for i in range(200)}
    tables.publish({"mynet": tables.network("mynet")}, rows)
    answers = [canonical(json.loads(text), VERSIONS[i % len(VERSIONS)]) for i, text in enumerate(two_hundred(h, "ADD"))]
    got = [answer["ips"][0]["address"] for answer in answers]
    expect(len(set(got)) == 200, "addresses given twice", len(set(got)))
    for _ in range(2):
        expect(set(two_hundred(h, "DEL")) == {b""}, "DEL prints something")
        left = [name for _, _, names in os.walk(tables.ROOT + "/leases") for name in names]
        expect(left == [], "files are left", left)
