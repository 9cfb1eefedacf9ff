"""sourceRouting: the cases SB01 to SB11 of cni.jsonl, which come from the reference plugin
sbr, and what it does not do. Where theirs adds one thing to another, ours does it twice
with one effect."""
import os
import time

import chain
from chain import ip
from harness import expect


def setup(h, *more, address="192.168.1.209/24"):
    """eth0 with a default route, net1 with the network that is routed by its source."""
    chain.setup(h)
    chain.give_pod("pod", "eth0", "10.0.0.2/24")
    ip("pod", "route add 10.2.0.0/24 via 10.0.0.5")
    ip("pod", "route add default via 10.0.0.1")
    ip("node", "link add peer1 type veth peer name net1 netns pod")
    ip("node", "link set peer1 up")
    ip("pod", "link set net1 up")
    if address:
        chain.give_pod("pod", "net1", address)
    if address == "192.168.1.209/24":
        ip("pod", "route add 192.168.2.0/24 via 192.168.1.2")
    for words in more:
        ip("pod", words)


def prev(*ips, routes=()):
    ips = ips or (("192.168.1.209/24", "192.168.1.1"),)
    return {"cniVersion": "0.3.0", "interfaces": [{"name": "net1", "sandbox": "/run/netns/pod"}],
            "ips": [dict({"version": "6" if ":" in a else "4", "address": a, "interface": 0}, **({"gateway": g} if g else {}))
                    for a, g in ips], "routes": list(routes)}


def call(h, wanted=True, verb="ADD", result=None, version="0.3.0", **more):
    version = "0.4.0" if verb == "CHECK" else version
    conf = {"cniVersion": version, "name": "mynet", "type": "staticip", "sourceRouting": wanted,
            "prevResult": dict(result or prev(), cniVersion=version)}
    conf.update(more)
    return h.call(verb, {k: v for k, v in conf.items() if v != "absent"},
                  {"CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "net1", "CNI_ARGS": ""})


def rules(family=4):
    lines = ip("pod", "-%d" % family, "rule show").splitlines()
    return [" ".join(l.split()[1:]) for l in lines if l.startswith("31000:")]


def routes(table, family=4, link="net1"):
    lines = ip("pod", "-%d" % family, "route show table %s dev %s" % (table, link), check=False).splitlines()
    drop = {"proto", "static", "kernel", "boot", "scope", "link", "metric", "256", "1024", "pref", "medium"}
    return sorted(" ".join(w for w in l.split() if w not in drop) for l in lines if not l.startswith("fe80"))


def everything():
    return [ip("pod", f, "-d rule show") + chain.all_routes(f) for f in ("-4", "-6")]


def twice(h, wanted=True, **more):
    """A second ADD has the same answer and leaves all as it is, and CHECK likes it."""
    got = call(h, wanted, **more).result()
    before = everything()
    expect(call(h, wanted, **more).result() == got, "another answer", got)
    expect(everything() == before, "a second ADD changes something", before, everything())
    call(h, wanted, "CHECK", **more).silent()
    expect(everything() == before, "CHECK changes something", before, everything())
    return got


def test_SB01_an_address_gets_a_rule_and_a_table(h):
    eth0 = routes("main", link="eth0")
    got = twice(h)
    expect(got == prev(), "result", got)
    expect(rules() == ["from 192.168.1.209 lookup 100 proto static"], "rules", rules())
    expect(routes(100) == ["192.168.1.0/24 src 192.168.1.209", "192.168.2.0/24 via 192.168.1.2",
                           "default via 192.168.1.1"], "table 100", routes(100))
    expect(routes("main") == [] and routes("main", link="eth0") == eth0, "main", ip("pod", "route"))


def test_SB01_packets_take_the_way_of_their_source(h):
    call(h).ok()
    for source, way in (("192.168.1.209", "via 192.168.1.1 dev net1 table 100"), ("10.0.0.2", "via 10.0.0.1 dev eth0")):
        got = ip("pod", "route get 8.8.8.8 from " + source)
        expect(way in got, source, got)


def test_SB02_DEL_removes_the_rules(h):
    call(h).ok()
    ip("pod", "rule add from 192.168.1.209 lookup 200 priority 5")  # another's
    call(h, verb="DEL", prevResult="absent").silent()
    expect(rules() == [], "rules", rules())
    expect("from 192.168.1.209 lookup 200" in ip("pod", "rule"), "another's rule was touched")
    call(h, verb="DEL").silent()
    setup(h)
    call(h).ok()
    ip("pod", "link del net1")
    call(h, verb="DEL").silent()  # prevResult knows the address
    expect(rules() == [], "rules", rules())


def test_SB02_DEL_never_fails_and_makes_no_file(h):
    """The reference plugin locks the path of the namespace, and makes a file there when it is gone."""
    call(h).ok()
    ip("pod", "link del net1")
    call(h, verb="DEL", prevResult="absent").silent()
    before = ip("node", "rule")
    for wanted in (True, {"table": 5000}, {"table": "x"}, 7):
        for netns in ("", "/run/netns/gone", "/run/netns/node", "/dev/null"):
            conf = {"cniVersion": "1.0.0", "name": "mynet", "type": "staticip", "sourceRouting": wanted,
                    "rules": [{"from": "10.0.32.2/32", "table": 7}]}
            h.call("DEL", conf, {"CNI_NETNS": netns, "CNI_IFNAME": "net1"}).silent()
    expect(not os.path.exists("/run/netns/gone"), "DEL made a file")
    expect(ip("node", "rule") == before, "the node's rules")


def test_SB03_a_default_route_that_is_there_goes_along_once(h):
    setup(h, "addr flush dev eth0", "route add default via 192.168.1.1")
    listed = [{"dst": "0.0.0.0/0", "gw": "192.168.1.1"}]
    got = twice(h, result=prev(routes=listed))
    expect(routes(100) == ["192.168.1.0/24 src 192.168.1.209", "192.168.2.0/24 via 192.168.1.2",
                           "default via 192.168.1.1"], "table 100", routes(100))
    expect(routes("main") == [], "main", routes("main"))
    # sbr passes prevResult on; the route it lists is not in the main table any more
    expect(got["routes"] == [], "result", got)


def test_SB05_a_version_without_chaining_has_no_prevResult(h):
    call(h, version="0.2.0", prevResult="absent").error(7, "Required prevResult missing")


def test_SB06_a_given_table_gets_rules_only(h):
    setup(h, "addr add 192.168.101.209/24 dev net1")
    two = prev(("192.168.1.209/24", "192.168.1.1"), ("192.168.101.209/24", None))
    before = ip("pod", "route show table all")
    twice(h, {"table": 5000}, result=two)
    expect(rules() == ["from 192.168.1.209 lookup 5000 proto static", "from 192.168.101.209 lookup 5000 proto static"],
           "rules", rules())
    expect(ip("pod", "route show table all") == before, "routes", before)
    ip("pod", "rule del from 192.168.101.209 lookup 5000")
    call(h, {"table": 5000}, "CHECK", result=two).error(105, "rule from 192.168.101.209/32 lookup 5000")
    call(h, {"table": 5000}, "DEL", result=two).silent()
    expect(rules() == [], "rules", rules())


def test_SB07_SB08_a_written_gateway_replaces_prevResults(h):
    twice(h, {"gateways": ["192.168.1.254"]})
    expect("default via 192.168.1.254" in routes(100), "table 100", routes(100))
    setup(h, address="fd00::10/64")
    six = prev(("fd00::10/64", "fd00::ffff"))
    twice(h, {"gateways": ["fd00::1", "192.168.1.254"]}, result=six)
    expect(routes(100, 6) == ["default via fd00::1", "fd00::/64"], "table 100", routes(100, 6))
    deadline = time.monotonic() + 5  # it comes with the link's carrier
    while "fe80::/64" not in ip("pod", "-6 route show dev net1 table main"):
        expect(time.monotonic() < deadline, "link-local addresses need their route in the main table")
        time.sleep(0.05)


def test_SB10_two_gateways_of_a_family_are_refused(h):
    call(h, {"gateways": ["192.168.1.1", "192.168.1.254"]}).error(7, "multiple IPv4 addresses")


def test_SB11_source_hints_leave_the_subnet_in_the_main_table(h):
    """Theirs has no route to 192.168.2.0/24 in table 100; it fits, so it goes along."""
    twice(h, {"addSourceHints": True})
    expect(routes("main") == ["192.168.1.0/24 src 192.168.1.209"], "main", routes("main"))
    expect(routes(100) == ["192.168.1.0/24 src 192.168.1.209", "192.168.2.0/24 via 192.168.1.2",
                           "default via 192.168.1.1"], "table 100", routes(100))
    setup(h, address="fd00::10/64")
    twice(h, {"addSourceHints": True}, result=prev(("fd00::10/64", "fd00::1")))
    expect(routes("main", 6) == ["fd00::/64 src fd00::10"], "main", routes("main", 6))
    expect(routes(100, 6) == ["default via fd00::1", "fd00::/64"], "table 100", routes(100, 6))


def test_each_address_has_a_table_of_its_own(h):
    setup(h, "addr add 192.168.1.210/24 dev net1", "addr add 172.16.0.9/24 dev net1", "addr add fd00::10/64 dev net1 nodad",
          "route add 172.17.0.0/16 via 172.16.0.2", "route add 203.0.113.0/24 via 10.0.0.9", "rule add to 9.9.9.9 lookup 101",
          "route add 9.9.9.9 dev eth0 table 103", "-6 rule add to fd99::/64 lookup 104")
    addresses = prev(("192.168.1.209/24", "192.168.1.1"), ("192.168.1.210/24", "192.168.1.1"), ("172.16.0.9/24", None),
                     ("fd00::10/64", "fd00::1"))
    twice(h, result=addresses)
    expect(rules() == ["from 192.168.1.209 lookup 100 proto static", "from 192.168.1.210 lookup 102 proto static",
                       "from 172.16.0.9 lookup 105 proto static"], "rules", rules())
    subnet = ["192.168.1.0/24 src 192.168.1.209", "192.168.2.0/24 via 192.168.1.2", "default via 192.168.1.1"]
    expect(routes(100) == subnet and routes(102) == subnet, "tables", routes(100), routes(102))
    expect(routes(105) == ["172.16.0.0/24 src 172.16.0.9", "172.17.0.0/16 via 172.16.0.2"], "table 105", routes(105))
    expect(rules(6) == ["from fd00::10 lookup 106 proto static"], "rules", rules(6))
    expect(routes(106, 6) == ["default via fd00::1", "fd00::/64"], "table 106", routes(106, 6))
    expect(routes("main") == [] and routes("main", 6) == [], "main", routes("main"), routes("main", 6))
    call(h, verb="DEL", prevResult="absent").silent()
    expect(rules() == [] and rules(6) == [], "rules", rules(), rules(6))


def test_a_gateway_that_was_taken_away_is_none(h):
    """route-override, before us in the list, writes 0.0.0.0 or :: into prevResult then."""
    for gateway in ("0.0.0.0", "::", "", None):
        setup(h, address="fd00::10/64" if gateway == "::" else "192.168.1.209/24")
        address = "fd00::10/64" if gateway == "::" else "192.168.1.209/24"
        result = prev((address, gateway))
        result["ips"][0]["gateway"] = gateway
        call(h, result=result).ok()
        shown = routes(100, 6 if gateway == "::" else 4)
        expect(shown and not any("default" in r for r in shown), "table 100", gateway, shown)


def test_a_route_of_no_subnet_stays(h):
    """sbr takes every route of the interface out of the main table, also those it put nowhere."""
    setup(h, "route add 203.0.113.9 dev net1", "route add 198.51.100.0/24 via 203.0.113.9 dev net1")
    call(h).ok()
    expect(routes("main") == ["198.51.100.0/24 via 203.0.113.9"], "main", routes("main"))


def test_written_routes_stay_where_they_are_written(h):
    more = {"routes": [{"dst": "192.168.2.0/24", "gw": "192.168.1.2"}, {"dst": "10.9.0.0/16", "gw": "10.0.0.7", "onlink": True, "table": 100}],
            "rules": [{"to": "10.9.0.0/16", "table": 100, "priority": 7}]}
    ip("pod", "route del 192.168.2.0/24")
    got = twice(h, **more)
    expect(got["routes"] == [{"dst": "192.168.2.0/24", "gw": "192.168.1.2"},
                             {"dst": "10.9.0.0/16", "gw": "10.0.0.7", "table": 100}], "result", got)
    expect(routes("main") == ["192.168.2.0/24 via 192.168.1.2"], "main", routes("main"))


def test_all_or_nothing(h):
    for wanted, more in ((True, {"routes": [{"dst": "8.8.8.0/24", "gw": "203.0.113.1"}]}),
                         ({"gateways": ["203.0.113.1"]}, {}), ({"addSourceHints": True}, {"routes": [{"dst": "8.8.8.0/24", "gw": "203.0.113.1"}]})):
        setup(h)
        before = everything()
        call(h, wanted, **more).error(105, "203.0.113.1", "onlink")
        expect([sorted(x.split("\n")) for x in everything()] == [sorted(x.split("\n")) for x in before],
               "left behind", everything(), before)


def test_CHECK_finds_what_is_gone_and_not_what_others_added(h):
    call(h).ok()
    ip("pod", "route add 8.8.8.0/24 via 192.168.1.7 dev net1 onlink")
    ip("pod", "rule add from 10.0.0.2 lookup 100")
    call(h, verb="CHECK").silent()
    for change, words in (("route del default table 100", "route 0.0.0.0/0 via 192.168.1.1 table 100"),
                          ("route replace default via 192.168.1.3 table 100", "route 0.0.0.0/0 via 192.168.1.1 table 100"),
                          ("rule del from 192.168.1.209", "rule from 192.168.1.209/32")):
        setup(h)
        call(h).ok()
        ip("pod", change)
        call(h, verb="CHECK").error(105, words, "is not in the pod any more")


def test_another_interface_gives_its_own_addresses(h):
    """SR-12's explicit override: CNI_IFNAME is net1, the configuration says eth0."""
    got = call(h, interface="eth0", routes=[{"dst": "host", "gw": "auto"}]).result()
    expect(rules() == ["from 10.0.0.2 lookup 100 proto static"], "rules", rules())
    expect(routes(100, link="eth0") == ["10.0.0.0/24 src 10.0.0.2", "10.2.0.0/24 via 10.0.0.5", "default via 10.0.0.1"],
           "table 100", routes(100, link="eth0"))
    expect(got["routes"] == [{"dst": chain.NODE4 + "/32", "gw": "10.0.0.1"}], "result", got)
    expect(routes("main", link="eth0") == [chain.NODE4 + " via 10.0.0.1"], "main", routes("main", link="eth0"))
    before = everything()
    call(h, interface="eth0", routes=[{"dst": "host", "gw": "auto"}]).ok()
    expect(everything() == before, "a second ADD changes something", before, everything())
    call(h, interface="eth0", verb="DEL", prevResult="absent").silent()
    expect(rules() == [], "rules", rules())
    call(h, interface="eth9").error(105, "cannot find interface eth9")
    for bad in ("", "a/b", "a" * 16, 7):
        call(h, interface=bad).error(7, "interface")


def test_wrong_source_routing_is_refused(h):
    before = everything()
    for wanted, words in (("yes", "sourceRouting"), (7, "sourceRouting"), ([], "sourceRouting"), ({"tables": 7}, "sourceRouting.tables"),
                          ({"table": 0}, "table"), ({"table": -1}, "table"), ({"table": "main"}, "table"), ({"gateways": "x"}, "gateways"),
                          ({"gateways": ["x"]}, "gateways[0]"), ({"gateways": [7]}, "gateways[0]"), ({"addSourceHints": 1}, "addSourceHints"),
                          ({"table": 7, "gateways": ["10.0.0.1"]}, "rules only"), ({"table": 7, "addSourceHints": True}, "rules only")):
        call(h, wanted).error(7, words)
    call(h, True, result=dict(prev(), ips=[])).error(11, "needs an address")
    for wanted in (False, None):
        expect(call(h, wanted).result() == prev(), "result")
    expect(everything() == before, "something was touched")
